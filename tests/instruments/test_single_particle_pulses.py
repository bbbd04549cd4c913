"""X-ray laser pulses at single particles: fluence of each shot, spectra, background, and what is kept of them."""

from __future__ import annotations

import numpy as np
import pytest

from xsim.dose.damage import Damage
from xsim.dose.pulse_damage import Exposed
from xsim.errors import RangeError, ValidityWarning
from xsim.instruments._shot_picture import BAND
from xsim.instruments.single_particle import SingleParticle
from xsim.specimen.specimen import Specimen

BODY = Specimen.from_table(
    {
        "population": [
            {
                "name": "p",
                "material": "gold",
                "shape": {"kind": "sphere", "radius": "5 nm"},
                "placement": {"kind": "at", "positions": [["0 nm", "0 nm", "0 nm"]]},
            }
        ]
    }
)
PULSE = {"energy": "1 uJ", "duration": "10 fs", "focus": {"size": "300 nm", "jitter": "60 nm"}, "energy_jitter": 0.1}


def shots(**pulse: object) -> SingleParticle:
    return SingleParticle(shots=3, pulse={**PULSE, **pulse})


def test_each_shot_has_the_fluence_and_photon_energy_of_its_pulse_and_truth_tells_them() -> None:
    one = shots()
    prepared = one.prepare(BODY)
    found, truth = prepared.expose(one.frames()), prepared.truth()
    energies = truth["photon_energy"].values
    np.testing.assert_allclose(found.group_energy[:, 0], energies, rtol=1e-12)
    np.testing.assert_allclose(found.incident, truth["pulse_photons"].values)
    assert np.ptp(truth["fluence"].values) > 0.05 * truth["fluence"].values.mean()
    for i in range(3):
        steady = SingleParticle(
            shots=1, energy=f"{float(energies[i])!r} eV", focus="1 um", exposure_time="1 s",
            flux=f"{float(truth['fluence'].values[i]) * np.pi * 0.25e-12!r} 1/s",
        )  # fmt: skip
        picture = steady.prepare(BODY).expose(steady.frames()).expected[0, 0]
        np.testing.assert_allclose(found.expected[i, 0], picture, rtol=1e-9)
    assert truth["spectrum"].values.shape == (3, 128)
    np.testing.assert_allclose(truth["spectrum"].values.sum(axis=1), truth["pulse_photons"].values, rtol=0.02)


def test_lines_of_the_spectrum_blur_the_fringes_and_keep_the_light() -> None:
    wide = {"spectrum": {"kind": "sase", "bandwidth": 0.05}}
    one, many = (shots(**wide, lines=n) for n in (1, 9))
    sharp, blurred = (i.prepare(BODY).expose(i.frames()).expected[0, 0] for i in (one, many))
    assert blurred.sum() == pytest.approx(sharp.sum(), rel=0.02)
    row = sharp[32, 40:]
    minimum = 40 + int(np.argmin(row))
    assert blurred[32, minimum] > 1.05 * sharp[32, minimum]


def test_scattered_light_of_the_beamline_and_gas_adds_to_the_pattern_in_absolute_numbers() -> None:
    gas = {"formula": "Ar", "pressure": "10 Pa", "length": "20 mm"}
    clean, dirty = shots(), shots(scattered=1e-9, gas=gas)
    a, b = (i.prepare(BODY).expose(i.frames()) for i in (clean, dirty))
    extra = (b.expected - a.expected)[0, 0]
    assert extra.min() >= 0
    solid_angle = (600e-6 / 0.4) ** 2
    column = 10 / (1.380649e-23 * 293) * 0.02
    # near the axis: 18 electrons of argon, f1 = 18.3 at 8 keV
    thomson = 2.8179403e-15**2 * 18.2**2 * column
    got = extra[32, 34] / a.incident[0] / solid_angle
    assert got == pytest.approx(1e-9 + thomson, rel=0.03)


def test_light_given_twice_and_particles_as_wide_as_the_focus_are_told() -> None:
    with pytest.raises(ValueError, match="leave out flux"):
        SingleParticle(flux="1e12 1/s", pulse=PULSE)
    with pytest.warns(ValidityWarning, match=r"widen pulse.focus.size to 5e-08 m"):
        shots(focus={"size": "40 nm"}).prepare(BODY)


def test_damaged_shots_are_the_intact_pattern_times_what_is_left_plus_the_lost_light() -> None:
    """A gold ball in one pulse of 2 fs: no growth yet, so the pattern is that of the intact ball, thinned."""
    light = {
        "energy": "4 uJ",
        "focus": {"size": "200 nm"},
        "duration": "2 fs",
        "spectrum": {"kind": "seeded", "pedestal": 0},
    }
    intact, damaged = shots(**light), shots(**light).model_copy(update={"damage": Damage()})
    a, b = (i.prepare(BODY) for i in (intact, damaged))
    frames, truth = intact.frames(), b.truth()
    before, after = (p.expose(frames).expected[0, 0] for p in (a, b))
    fluence = truth["fluence"].values[0]
    effect = Damage().effect(b.target, Exposed(8e3, fluence, 2e-15), BAND * b.seen.q_end(8e3))
    assert effect.expansion[-1] < 1.02
    y, x = 40, 45
    where = np.arctan(np.hypot(y - 32, x - 32) * 600e-6 / 0.4) / 2
    q = 2 * 2 * np.pi / 1.549802e-10 * np.sin(where)
    left = np.interp(q, effect.q, (np.abs(effect.ratio) ** 2).mean(axis=0))
    free = np.interp(q, effect.q, effect.diffuse) * b.target.count * fluence
    lost = free * 2.8179403e-15**2 * (600e-6 / 0.4) ** 2 * np.cos(2 * where) ** 3
    assert after[y, x] == pytest.approx(before[y, x] * left + lost, rel=0.02)
    assert left < 0.97
    assert truth["kept"].values.shape == (1, 160)


def test_damage_outside_its_range_or_without_pulses_is_refused() -> None:
    with pytest.raises(ValueError, match="give pulse"):
        SingleParticle(damage={"law": "rate"})
    with pytest.raises(RangeError, match="shorten the pulse"):
        shots(duration="400 fs").model_copy(update={"damage": Damage()}).prepare(BODY)
