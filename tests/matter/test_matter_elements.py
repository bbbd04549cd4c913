"""The packaged element table against its own laws and against tables made elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from xsim.errors import RangeError, UnknownNameError
from xsim.matter import build_tables, elements
from xsim.matter.elements import SYMBOLS, element
from xsim.matter.kramers_kronig import relativistic_charge, transform
from xsim.matter.material import Material


def test_the_transform_of_a_triangle_agrees_with_a_principal_value_integral():
    nodes, f2 = np.array([1.0, 2.0, 4.0]), np.array([0.0, 3.0, 0.0])

    def integrand(e, at):  # the pole at e = at is taken by quad's Cauchy weight
        return -2 / np.pi * e * np.interp(e, nodes, f2) / (e + at)

    for at in (1.5, 2.5, 3.3):
        # the kink is kept away from the pole's interval, where quad needs a smooth function
        low, high = (1.0, 2.0) if at < 2 else (2.0, 4.0)
        other = (2.0, 4.0) if at < 2 else (1.0, 2.0)
        value = quad(integrand, low, high, args=(at,), weight="cauchy", wvar=at)[0]
        value += quad(lambda e, at=at: integrand(e, at) / (e - at), *other)[0]
        assert transform(nodes, f2, np.array([at]))[0] == pytest.approx(value, rel=1e-9)


def test_the_transform_refuses_a_curve_that_does_not_vanish_at_its_ends():
    with pytest.raises(RangeError):
        transform(np.array([1.0, 2.0]), np.array([0.0, 1.0]), np.array([1.5]))


def test_every_element_is_positive_finite_and_ordered():
    for symbol in SYMBOLS:
        one = element(symbol)
        assert np.all(np.diff(one.log_energy) > 0)
        assert one.energy[0] <= elements.LOWEST
        assert one.energy[-1] >= elements.HIGHEST
        for column in (one.f1, one.log_f2, one.log_scatter, one.band1, one.band2):
            assert np.isfinite(column).all()
        assert (one.band1 >= 0).all()
        assert (one.band2 >= 0).all()


@pytest.mark.parametrize(
    ("symbol", "edge", "energy"),
    [("C", "K", 284.2), ("O", "K", 543.1), ("Fe", "K", 7112.0), ("Cu", "K", 8979.0), ("Au", "L3", 11919.0)],
)
def test_f1_is_lowest_and_f2_steepest_at_the_edge(symbol, edge, energy):
    one = element(symbol)
    assert one.edges[edge] == energy
    around = energy + np.arange(-30, 30, 0.02)
    f1, f2 = one.factors(around)
    assert around[np.argmin(f1)] == pytest.approx(energy, abs=0.05)
    half = (f2[0] + f2[-1]) / 2
    assert around[np.argmax(f2 > half)] == pytest.approx(energy, abs=0.6 * 4)


@pytest.mark.parametrize("symbol", ["O", "Fe", "Au"])
def test_f1_is_the_transform_of_the_stored_f2(symbol):
    """An independent quadrature of the stored f2, with the pole subtracted; the tails are the builder's own."""
    one = element(symbol)
    f2_of = build_tables.absorption(one.z)
    for energy in (777.0, 9150.0, 30e3):
        grid = np.unique(np.concatenate((np.geomspace(10, 1e9, 400_000), one.energy, f2_of.edges)))
        middle, step = (grid[1:] + grid[:-1]) / 2, np.diff(grid)
        f2, at = f2_of(middle), float(f2_of(np.array([energy]))[0])
        # subtracting E f2(E) makes the integrand regular; its own principal value is a logarithm
        regular = np.sum((middle * f2 - energy * at) / (energy**2 - middle**2) * step)
        low, high = grid[0], grid[-1]
        tail = at / 2 * np.log((high + energy) * (energy - low) / ((high - energy) * (energy + low)))
        f1 = relativistic_charge(one.z) + 2 / np.pi * (regular + tail)
        assert float(one.factors(np.array([energy]))[0][0]) == pytest.approx(f1, abs=0.02)


def test_f1_tends_to_the_number_of_electrons_far_above_the_edges():
    for symbol in ("C", "Si", "Fe"):
        one = element(symbol)
        assert float(one.factors(np.array([150e3]))[0][0]) == pytest.approx(relativistic_charge(one.z), abs=0.05)


def test_the_band_says_what_is_known_of_the_tables():
    """Light elements above 1 keV are known to 1 % in f1 and 10 % in f2; gold at 8-10 keV to 6 % in f2."""
    for symbol in ("C", "N", "O", "Si"):
        energy = np.geomspace(2500, 25e3, 40)
        f1, _ = element(symbol).factors(energy)
        band1, band2 = element(symbol).bands(energy)
        assert np.median(band1 / f1) < 0.01
        assert np.median(band2) < 0.1
    assert element("Au").bands(np.array([9000.0]))[1][0] < 0.07


@pytest.mark.parametrize(("symbol", "kev"), [("C", 30.0), ("Fe", 12.0), ("Au", 60.0)])
def test_total_attenuation_agrees_with_the_elam_tables(symbol, kev):
    xraydb = pytest.importorskip("xraydb")
    one, energy = element(symbol), np.array([1e3 * kev])
    photo = elements.photo_cross_section(one.factors(energy)[1], energy)
    total = (photo + sum(one.scatter(energy))) * 6.02214076e23 / one.weight * 1e4  # cm^2/g
    assert total[0] == pytest.approx(xraydb.mu_elam(symbol, 1e3 * kev, kind="total"), rel=0.02)


def test_unknown_elements_are_refused():
    with pytest.raises(UnknownNameError, match="Xx"):
        element("Xx")


#: NIST XCOM total attenuation with coherent scattering [cm^2/g], Berger et al., doi 10.18434/T48G6X
XCOM = [
    ({"H": 2, "O": 1}, {10e3: 5.329, 15e3: 1.673, 20e3: 0.8096, 30e3: 0.3756, 50e3: 0.2269, 100e3: 0.1707}),
    ({"C": 1}, {10e3: 2.373, 20e3: 0.4420, 50e3: 0.1871}),
    ({"Al": 1}, {10e3: 26.23, 20e3: 3.441, 100e3: 0.1704}),
    ({"Fe": 1}, {10e3: 170.6, 20e3: 25.68, 100e3: 0.3717}),
    ({"Au": 1}, {10e3: 118.1, 20e3: 78.83, 100e3: 5.158}),
    ({"Pb": 1}, {10e3: 130.6, 20e3: 86.36, 100e3: 5.549}),
]


@pytest.mark.parametrize(("atoms", "values"), XCOM)
def test_total_attenuation_agrees_with_nist_xcom(atoms, values):
    material = Material.build("x", tuple(atoms.items()), 1000.0)
    for energy, known in values.items():
        assert material.optics(energy).mu_total / 100 == pytest.approx(known, rel=0.02)
