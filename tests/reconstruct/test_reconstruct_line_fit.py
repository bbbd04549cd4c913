"""Fits of line groups give the photons of every group back, overlaps, scatter, dead time and pile-up included."""

from __future__ import annotations

import numpy as np
import pytest

from xsim.detectors.silicon_drift import SiliconDrift
from xsim.errors import FileError
from xsim.exposure import Axis, Exposure, FrameTable, Measurement, Truth
from xsim.matter.lines import fluorescence_lines
from xsim.metrics.against_truth import Estimate, compare
from xsim.reconstruct._choose import choose, methods_for
from xsim.reconstruct.line_fit import LineFit
from xsim.streams import StreamKey

BEAM, SIDE = 12e3, 10


def measured(strength=3e4, names=(), **detector):
    """A map of Mn, Fe and Co (each K alpha under the K beta before it), Au L and scatter."""
    sdd = SiliconDrift(**{"dead_time": "1 us", "resolving_time": "100 ns"} | detector)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    maps = {"Mn_K": 1 + x, "Fe_K": 1 + np.cos(6 * y), "Co_K": 0.3 + 0.2 * np.sin(5 * x), "Au_L": 0.5 * (x > 0.5)}
    energies, photons = [], []
    for name, picture in maps.items():
        element, family = name.split("_")
        lines = [line for line in fluorescence_lines(element, BEAM) if line.family == family]
        made = np.array([line.cross_section for line in lines])
        energies += [line.energy for line in lines]
        photons += [strength * share * picture.ravel() for share in made / made.sum()]
    compton = BEAM - 420 + 40.0 * np.arange(-8, 9)
    energies += [*compton, BEAM]
    photons += [0.05 * strength * np.exp(-0.5 * (np.arange(-8, 9)[k] / 3) ** 2) * np.ones(SIDE**2) for k in range(17)]
    photons.append(0.2 * strength * np.ones(SIDE**2))
    axes = tuple(Axis(name, 1e-7 * np.arange(SIDE), "m") for name in "yx")
    n = SIDE**2
    frames = FrameTable({"energy": np.full(n, BEAM), "time": np.full(n, 0.5)}, {}, axes, np.arange(n))
    expected, first = np.array(photons).T, ()
    if names:
        expected, first = np.stack([0.7 * expected, 0.3 * expected], axis=2), (Axis("detector", np.array(names)),)
    exposure = Exposure(expected, np.tile(energies, (n, 1)), first, frames, np.ones(n))
    key = StreamKey(4, "line fit")
    truth = {f"line_{name}": Truth(strength * picture, axes, "photon") for name, picture in maps.items()}
    return Measurement(
        "xrf", "fluorescence", frames, sdd.read(exposure, key), "counts", sdd.counts_axes(first), None, (), np.ones(n),
        {}, {**sdd.spectrometer(), "detector_angle [rad]": 1.7, "live_time [s]": sdd.live_time(exposure, key)}, {}, 4,
        truth=truth,
    )  # fmt: skip


def scores(made, **knobs):
    found = LineFit(elements=("Mn", "Fe", "Co", "Au"), **knobs)(made)
    return found, {
        c.name: c for c in compare(Estimate(found.values, found.axes, found.unit, "line", found.error), made.truth)
    }


@pytest.mark.parametrize("names", [(), ("left", "right")])
def test_groups_that_overlap_come_back_within_their_errors(names):
    made = measured(names=names)
    found, scored = scores(made)
    assert 0.7 < found.numbers["chi2_per_channel"] < 1.3
    for name in ("Mn_K", "Fe_K", "Co_K", "Au_L"):
        one = scored[f"line_{name}"]
        assert one.numbers["chi2_per_point"] == pytest.approx(1, abs=4 * np.sqrt(2 / SIDE**2) + 0.1), name
        error = np.sqrt((one.error**2).sum())
        assert one.estimate.sum() == pytest.approx(one.truth.sum(), abs=3 * error + 2e-3 * one.truth.sum()), name
        assert one.numbers["correlation"] > 0.98, name


def test_a_wrong_calibration_shows_in_chi2():
    made = measured()
    good = scores(made)[0].numbers["chi2_per_channel"]
    made.geometry["electronic_noise [eV]"] *= 1.5
    assert scores(made)[0].numbers["chi2_per_channel"] > 5 * good


def test_without_the_share_of_sums_photons_are_missed():
    made = measured()
    whole = scores(made)[1]["line_Fe_K"].estimate.sum()
    made.geometry["resolving_time [s]"] = 0.0
    lost = scores(made)[1]["line_Fe_K"].estimate.sum()
    assert lost < 0.99 * whole


def test_elements_are_found_where_none_is_named():
    """All that is there, each K alpha under the K beta of the one before included, and nothing that is not."""
    found = LineFit()(measured())
    assert {name.split("_")[0] for name in found.axes[0].values} == {"Mn", "Fe", "Co", "Au"}
    assert found.numbers["chi2_per_channel"] < 1.3


def test_it_is_chosen_by_name_and_wants_a_calibrated_detector():
    made = measured()
    assert methods_for(made) == ["line_sum", "line_fit"]
    assert choose(made, "line_fit").kind == "line_fit"
    made.geometry.clear()
    with pytest.raises(FileError, match="response"):
        LineFit()(made)
