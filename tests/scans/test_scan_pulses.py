"""Scans over X-ray laser pulses: their frames, what each pulse leaves, and the resolution found in the patterns."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from xsim.errors import RangeError, ScenarioError, XsimWarning
from xsim.instruments.cdi import Cdi
from xsim.instruments.single_particle import SingleParticle
from xsim.metrics.scores.pulse_resolution import PulseResolutionScore, kept_to, ring_slopes
from xsim.scans.pulses import Pulses
from xsim.simulate import simulate
from xsim.specimen.specimen import Specimen

BALLS = Specimen.from_table(
    {
        "population": [
            {
                "name": name,
                "material": "polystyrene",
                "shape": {"kind": "box", "sides": ["5 nm", "6 nm", "4 nm"]},
                "placement": {"kind": "at", "positions": [["0 nm", "0 nm", z]]},
            }
            for name, z in (("here", "0 nm"), ("there", "50 nm"))
        ]
    }
)
LINE = {"kind": "seeded", "modes_seeded": 1e6, "pedestal": 0}
PULSE = {"energy": "1 mJ", "duration": "5 fs", "focus": {"size": "100 nm"}, "spectrum": LINE}
SCAN = Pulses(durations=("5 fs", "100 fs"), energies=("1 uJ", "2 mJ"))


def instrument(**more: object) -> SingleParticle:
    table = {"shots": 1, "particle": "here", "distance": "60 mm", "pulse": PULSE, "damage": {"moments": 3}}
    counter = {"kind": "photon_counter", "shape": [48, 48], "pixel": "1.2 mm"}
    return SingleParticle.model_validate({**table, "detector": counter, **more})


def test_long_strong_pulses_keep_less_resolution_in_the_patterns_as_in_the_model() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XsimWarning)
        m = simulate(BALLS, SCAN.apply(instrument()), seed=2)
    assert m.dims[:3] == ("pulse_duration", "pulse_energy", "shot")
    assert m.truth["kept"].values.shape == (2, 2, 160)
    found = PulseResolutionScore(name="d").of_measurement(m)
    assert found["d_3"] > 1.5 * found["d_0"] == pytest.approx(1.5 * found["d_1"])
    # the fringes of a box come from its faces, whose distances are longer than those of all its atoms: they go first
    assert found["d_model_3"] < found["d_3"]
    kept = m.truth["kept"].values
    assert np.all(kept[:, 0] > 0.99)
    assert kept[1, 1, 100] < kept[0, 1, 100]
    # light for light, the innermost pattern is what the model keeps there
    pattern = m.folded(m.expected)[:, :, 0] / m.folded(m.incident)[:, :, 0, None, None]
    assert pattern[0, 1, 24, 27] / pattern[0, 0, 24, 27] == pytest.approx(kept[0, 1, 5] / kept[0, 0, 5], rel=0.05)


def test_slopes_of_rings_find_what_is_left_whatever_the_background() -> None:
    y, x = np.mgrid[-60:61, -60:61]
    q = np.hypot(y, x)
    first = 2 + np.cos(1.3 * x) * np.cos(0.9 * y)
    ring = np.minimum((q / q.max() * 28).astype(int), 27)
    middles = (np.arange(28) + 0.5) / 28 * q.max()
    left = np.exp(-((middles / 36) ** 2))
    slope = ring_slopes(np.stack([first, first * left[ring] + 0.3 * ring])[:, None], q, 28)[1]
    np.testing.assert_allclose(slope, left, rtol=1e-9)
    expected = 2 * np.pi / (36 * np.sqrt(np.log(4)))
    assert kept_to(middles, slope, 0.25) == pytest.approx(expected, rel=0.02)
    assert kept_to(middles, 0.01 * slope, 0.25) == np.inf


def test_the_particle_alone_in_the_beam_is_the_one_named_whatever_stands_elsewhere() -> None:
    two, one = instrument(), instrument(particle="there")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XsimWarning)
        a, b = (i.prepare(BALLS).expose(i.frames()).expected for i in (two, one))
    np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9 * a.max())
    with pytest.raises(ValueError, match="no such population"):
        instrument(particle="nowhere").prepare(BALLS)


def test_scans_that_make_no_sense_are_refused_with_their_cure() -> None:
    with pytest.raises(ValueError, match="durations ="):
        Pulses()
    with pytest.raises(ScenarioError, match="give the instrument a pulse"):
        SCAN.apply(Cdi()).prepare(BALLS)
    with pytest.raises(RangeError, match="shorten the pulse"):
        Pulses(durations=("0.5 ps",)).apply(instrument()).prepare(BALLS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XsimWarning)
        still = simulate(BALLS, instrument(damage=None), seed=1)
    with pytest.raises(RangeError, match="slowest scan is over pulses"):
        PulseResolutionScore(name="d").of_measurement(still)
