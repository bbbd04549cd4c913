"""Damage by X-ray laser pulses against closed forms, conservation laws, tabulated ions and published numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from xsim.dose.coulomb import coulomb_rate, explosion_size, explosion_time
from xsim.dose.damage import Damage, absorbed_once, linear_absorptions
from xsim.dose.electron_escape import barrier, over_barrier, slowing, within_reach
from xsim.dose.gating import gate, turn_off
from xsim.dose.pulse_damage import Exposed, Target, coefficients
from xsim.dose.pulse_history import check_range, follow
from xsim.dose.shells import orbital_factor, shells, tabulated
from xsim.errors import RangeError, ValidityWarning

SPOT = np.pi * 50e-9**2
#: T4 lysozyme, 18.6 kDa
LYSOZYME = Target((("C", 830.0), ("H", 1320.0), ("N", 230.0), ("O", 250.0), ("S", 7.0)), 18600 * 1.66054e-27 / 1350)


def ball(symbol: str, density: float, radius: float) -> Target:
    volume = 4 / 3 * np.pi * radius**3
    return Target(((symbol, density * volume),), volume)


def test_carbon_ions_explode_to_twice_their_size_in_23_fs() -> None:
    rate = coulomb_rate(1, 1e29, 12.011)
    assert explosion_time(2, rate) == pytest.approx(23.3e-15, rel=2e-3)
    for eta in (1.001, 1.3, 4.0, 30.0):
        assert explosion_size(explosion_time(eta, rate), rate) == pytest.approx(eta, rel=1e-9)


@pytest.mark.parametrize("charge", [0.5, 3.0])
def test_a_charged_sphere_without_electrons_grows_as_the_closed_form(charge: float) -> None:
    from xsim.dose.pulse_history import _SINGLE, _Model

    target = ball("C", 8e28, 2e-9)
    model = _Model(coefficients(target, Exposed(8e3, 1e10, 1e-14)))
    s = dict.fromkeys(_SINGLE, 0.0) | {"escaped": charge, "radius": 2.0}
    step = 2e-3  # fs, semi-implicit Euler: first order, error of some 1e-3
    rate = coulomb_rate(charge, 8e28, 12.011)
    for _ in range(round(explosion_time(2, rate) * 1e15 / step)):
        d = dict.fromkeys(_SINGLE, 0.0)
        model._move(s, d)
        s["speed"] += d["speed"] * step
        s["radius"] += s["speed"] * step
    assert s["radius"] / 2 == pytest.approx(2, rel=2e-3)


def test_electrons_born_in_a_ball_leave_as_often_as_drawn_at_random() -> None:
    rng = np.random.Generator(np.random.Philox(5))
    place = rng.standard_normal((200_000, 3))
    place *= (rng.random(200_000) ** (1 / 3) / np.linalg.norm(place, axis=1))[:, None]
    way = rng.standard_normal(place.shape)
    way /= np.linalg.norm(way, axis=1)[:, None]
    along = (place * way).sum(axis=1)
    length = -along + np.sqrt(along**2 + 1 - (place**2).sum(axis=1))
    assert length.mean() == pytest.approx(0.75, abs=3e-3)
    for x in (0.2, 0.9, 1.7):
        assert float(within_reach(x, 1.0)) == pytest.approx((length < x).mean(), abs=4e-3)
    square = (place**2).sum(axis=1)
    for energy in (0.8, 1.1, 1.4, 1.6):
        assert float(over_barrier(energy, 1.0)) == pytest.approx((energy > (3 - square) / 2).mean(), abs=4e-3)
    assert float(barrier(1000, 2e-9)) == pytest.approx(720, rel=1e-3)


def test_electrons_of_8_keV_go_about_a_micrometre_in_protein_and_slow_down_in_tens_of_fs() -> None:
    reach, time = slowing(np.array([250.0, 8e3]), dict(LYSOZYME.atoms), 1350)
    # ESTAR (protein-like plastics): CSDA range of 10 keV electrons 2.5e-4 g/cm^2, about K^1.7
    assert reach[1] == pytest.approx(2.5e-6 / 1.35 * 0.8**1.7, rel=0.15)
    assert 20e-15 < time[1] < 60e-15
    assert time[0] < 3e-15


def test_one_orbital_of_hydrogen_scatters_as_its_closed_form() -> None:
    q = np.linspace(0, 2e11, 7)
    a0 = 5.29177e-11
    np.testing.assert_allclose(orbital_factor(q, 1 / a0, 1.0), 1 / (1 + (q * a0 / 2) ** 2) ** 2, rtol=1e-5)
    n, zeta = 3.7, 2e10

    def density(r: float) -> float:
        return r ** (2 * n) * np.exp(-2 * zeta * 1e-10 * r)

    whole = quad(density, 0, 60)[0]
    part = quad(lambda r: density(r) * np.sin(3 * r) / (3 * r), 0, 60, limit=400)[0]
    assert float(orbital_factor(np.array(3e10), zeta, n)) == pytest.approx(part / whole, rel=1e-6)


@pytest.mark.parametrize("symbol", ["C", "O", "S", "Fe", "Au"])
def test_the_neutral_atom_is_the_tabulated_one_and_every_ion_has_its_electrons_at_zero(symbol: str) -> None:
    atom, q = shells(symbol), np.linspace(0, 1e11, 20)
    mean, variance = atom.factor(q, atom.electrons)
    np.testing.assert_allclose(mean, tabulated(symbol, q), rtol=1e-12)
    np.testing.assert_allclose(variance, 0, atol=1e-12)
    for share in (0.7, 0.2, 0.0):
        mean, variance = atom.factor(q, share * atom.electrons)
        assert mean[0] == pytest.approx(share * atom.z, rel=1e-3, abs=1e-9)
        assert variance[0] == pytest.approx(atom.z * share * (1 - share), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("symbol", "charge"), [("Na", 1), ("Mg", 2), ("Al", 3), ("Ca", 2), ("Fe", 2), ("Fe", 3), ("Au", 3)]
)
def test_ions_scatter_as_tabulated_ones_within_two_percent_of_their_electrons(symbol: str, charge: int) -> None:
    xraydb = pytest.importorskip("xraydb")
    q = np.linspace(0, 1.2e11, 25)
    ion = f"{symbol}{charge}+"
    expected = np.asarray(xraydb.f0(ion, q * 1e-10 / (4 * np.pi)))
    atom = shells(symbol)
    electrons, left = atom.electrons.copy(), float(charge)
    # ions lose their outermost s electrons first
    for group in np.lexsort((-atom.principal,)):
        taken = min(left, electrons[group])
        electrons[group] -= taken
        left -= taken
    found, _ = atom.factor(q, electrons)
    assert np.abs(found - expected).max() < 0.02 * atom.z


def test_carbon_is_bound_about_as_its_ionisation_energies() -> None:
    atom = shells("C")
    found = [float(atom.depth(np.array([2.0, n]))[1]) for n in (4, 3, 2, 1)]
    np.testing.assert_allclose(found, [11.26, 24.38, 47.89, 64.49], rtol=0.15)


def test_lysozyme_in_3e12_photons_of_12_keV_absorbs_2000_somewhat_more_by_the_linear_rule_and_less_in_truth() -> None:
    light = Exposed(12e3, 3e12 / SPOT, 10e-15)
    linear = sum(n * linear_absorptions(symbol, light) for symbol, n in LYSOZYME.atoms)
    found = follow(LYSOZYME, light, np.array([light.ends[1]]))
    absorbed = found.numbers["absorbed"][-1] * LYSOZYME.count
    # about 2000 (Neutze et al. 2000): the rule counts some 60 photons for every sulfur atom, which cannot be taken,
    # and K shells that are empty for the 7 fs of a carbon hole absorb nothing
    assert 1400 < absorbed < 2000 < linear < 2500


def test_the_linear_rule_gives_1_08_photons_per_carbon_and_839_per_gold_atom_and_atoms_deplete() -> None:
    light = Exposed(8e3, 1e12 / SPOT, 10e-15)
    assert linear_absorptions("C", light) == pytest.approx(1.08, rel=0.03)
    assert linear_absorptions("Au", light) == pytest.approx(839, rel=0.03)
    assert absorbed_once(1.08) == pytest.approx(1 - np.exp(-1.08))


def test_a_shell_that_nothing_refills_empties_exponentially() -> None:
    """Helium has one shell: n = 2 exp(-sigma F/2) in however long a pulse, electrons that leave do no harm."""
    unit = linear_absorptions("He", Exposed(500.0, 1.0, 5e-15))
    target, light = ball("He", 1e26, 0.4e-9), Exposed(500.0, 1.5 / unit, 5e-15, "flat")
    p = linear_absorptions("He", light)
    found = follow(target, light, light.time(np.array([0.25, 1.0])))
    np.testing.assert_allclose(found.bound[:, 0], 2 * np.exp(-p / 2 * np.array([0.25, 1.0])), rtol=2e-3)


@pytest.mark.parametrize(
    ("target", "photons", "duration"), [(LYSOZYME, 2e12, 20e-15), (ball("Au", 5.9e28, 2.5e-9), 3e9, 8e-15)]
)
def test_energy_and_electrons_are_conserved(target: Target, photons: float, duration: float) -> None:
    light = Exposed(8e3, photons / SPOT, duration)
    times = np.linspace(*light.ends, 1500)
    h = follow(target, light, times)
    c, last = h.rates, {name: values[-1] for name, values in h.numbers.items()}
    lost = float(np.sum(c.share * (c.start - h.electrons[-1])))
    assert last["escaped"] + last["free"] == pytest.approx(lost, rel=2e-3)
    # energy per atom spent on binding: the path integral of binding energy over electrons lost
    depth = np.array([c.depth(n) for n in h.electrons])
    spent = float(np.sum(c.share * (depth[1:] + depth[:-1]) / 2 * -np.diff(h.electrons, axis=0)))
    radius = last["radius"]
    coulomb = 0.6 * 1.4399645 * last["escaped"] ** 2 * target.count / radius
    moving = 0.3 * target.mass / target.count * last["speed"] ** 2 / 9.6485e-5
    stored = sum(last[name] for name in ("fast_photo", "fast_auger", "heat", "ions", "light", "carried"))
    assert stored + spent + coulomb + moving == pytest.approx(8e3 * last["absorbed"], rel=0.01)
    assert spent > 0.02 * stored


def test_shorter_pulses_of_the_same_light_move_and_ionise_less_and_keep_more() -> None:
    effects = [Damage().effect(LYSOZYME, Exposed(8e3, 1e12 / SPOT, t), 6e10) for t in (2e-15, 10e-15, 50e-15)]
    assert np.all(np.diff([e.charge for e in effects]) > 0)
    assert np.all(np.diff([e.expansion[-1] for e in effects]) > 0)
    assert np.all(np.diff([e.kept(LYSOZYME.radius)[-1] for e in effects]) < 0)
    resolutions = [e.resolution(LYSOZYME.radius) for e in effects]
    assert resolutions[0] <= resolutions[1] < resolutions[2]


def test_no_light_is_lost_pattern_and_background_are_the_squares_of_all_atoms() -> None:
    """For atoms of one element: |<f>|^2 e^(-q^2 s^2) + D - free electrons = <|f|^2>."""
    target, light = ball("C", 1e29, 2e-9), Exposed(8e3, 5e12 / SPOT, 30e-15)
    from xsim.dose.damage import _effect
    from xsim.dose.pulse_history import history

    damage, q_max = Damage(moments=4), 6e10
    effect, h = _effect(damage, target, light, q_max), history(target, light, 4)
    atom = shells("C")
    from xsim.matter import elements

    f1, f2 = elements.element("C").factors(np.asarray(8e3))
    dispersion = float(f1) - 6 - 1j * float(f2)
    total = np.zeros(len(effect.q))
    for electrons in h.electrons[:-1]:
        mean, variance = atom.factor(effect.q, electrons)
        total += (np.abs(mean + dispersion * electrons.sum() / 6) ** 2 + variance + 6 - electrons.sum()) / 4
    neutral = np.abs(tabulated("C", effect.q) + dispersion) ** 2
    found = neutral * (np.abs(effect.ratio) ** 2).mean(axis=0) + effect.diffuse
    np.testing.assert_allclose(found, total, rtol=2e-3)


def test_effects_between_two_fluences_are_interpolated_to_a_part_in_a_hundred() -> None:
    from xsim.dose.damage import _effect

    light, damage = Exposed(8e3, float(np.exp(0.2 * 291.5)), 10e-15), Damage(moments=4)
    mixed, exact = damage.effect(LYSOZYME, light, 6e10), _effect(damage, LYSOZYME, light, 6e10)
    assert 0.2 < mixed.kept(LYSOZYME.radius)[0] < 0.95
    np.testing.assert_allclose(np.abs(mixed.ratio), np.abs(exact.ratio), rtol=0.01)
    assert Damage().effect(LYSOZYME, Exposed(8e3, 1e15, 1e-14), 6e10).kept(1e-9) == pytest.approx(1.0)


def test_gating_closed_forms() -> None:
    assert float(gate(1.0)) == pytest.approx(0.747, abs=5e-4)
    for a, p in ((0.3, 1.0), (2.0, 1.0), (1.5, 1.5), (4.0, 1.5)):
        assert float(gate(a, p)) == pytest.approx(quad(lambda u, a=a, p=p: np.exp(-(a**2) * u ** (2 * p)), 0, 1)[0])
    assert float(gate(0.0)) == 1
    assert turn_off(20.0, 50e-15, 1.5) == pytest.approx(50e-15 * float(gate(20.0, 1.5)), rel=1e-9)


def test_a_linear_rule_beyond_its_range_is_flagged_and_agrees_with_the_rates_within_it() -> None:
    weak, strong = (Exposed(8e3, n / SPOT, 1e-15) for n in (1e10, 5e11))
    with pytest.warns(ValidityWarning, match=r"limit 0.3; use damage.law"):
        Damage(law="linear").check(LYSOZYME, strong)
    linear, rate = (Damage(law=law).effect(LYSOZYME, weak, 6e10) for law in ("linear", "rate"))
    assert float(linear.absorbed) == pytest.approx(float(rate.absorbed), rel=0.03)


@pytest.mark.parametrize(
    ("light", "match"),
    [
        (Exposed(8e3, 1e24, 5e-13), "shorten the pulse"),
        (Exposed(100.0, 1e24, 1e-14), "300 to 30000 eV"),
        (Exposed(8e3, 1e30, 1e-15), "widen the focus"),
    ],
)
def test_pulses_outside_the_range_are_refused_with_value_limit_and_cure(light: Exposed, match: str) -> None:
    with pytest.raises(RangeError, match=match):
        check_range(LYSOZYME, light)
