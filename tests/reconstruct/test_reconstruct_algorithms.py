"""Every algorithm finds a noisy, asymmetric object the right way round, from the run's files alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

# pytest puts the folder of a test file on the path
from reconstruct_runs import recorded, spheres

from xsim.errors import FileError, ScenarioError, UnknownNameError
from xsim.exposure import Measurement, Truth
from xsim.matter import library
from xsim.metrics.against_truth import Comparison, Estimate, compare
from xsim.metrics.complex_match import Freedom, match
from xsim.reconstruct._choose import choose, methods_for
from xsim.reconstruct._pattern import centre_of
from xsim.reconstruct._protocol import Reconstruction
from xsim.reconstruct._tomogram import angle_weights
from xsim.reconstruct.energy_fit import EnergyFit, weighted_fit
from xsim.reconstruct.fbp import Fbp, square
from xsim.reconstruct.line_sum import LineSum
from xsim.reconstruct.raar import Raar
from xsim.reconstruct.radial import Radial
from xsim.reconstruct.rpie import Rpie
from xsim.reconstruct.sart import Sart
from xsim.reconstruct.sirt import Sirt
from xsim.registry import discover

LOPSIDED = (("220 nm", "90 nm", "40 nm", "-60 nm"), ("90 nm", "-220 nm", "-160 nm", "150 nm"))
GOLD = (
    ("150 nm", "0 nm", "0 nm", "0 nm"),
    ("80 nm", "300 nm", "100 nm", "0 nm"),
    ("80 nm", "-120 nm", "260 nm", "0 nm"),
)


def scored(found: Reconstruction, truth: dict[str, Truth]) -> list[Comparison]:
    light, spread = (found.extras.get(name) for name in ("illumination", "spread"))
    weight, spread = (None if extra is None else extra.values for extra in (light, spread))
    return compare(
        Estimate(found.values, found.axes, found.unit, found.estimates, found.error, weight, 520.0, spread), truth
    )


# --- tomography ---


def tilt_series(folder: Path, axis: str) -> tuple[Measurement, dict[str, Truth]]:
    table: dict[str, Any] = {
        "kind": "full_field", "energy": "520 eV", "field": "960 nm", "pixel": "20 nm", "flux": "1.2e7 1/s",
        "exposure_time": "1 s", "model": "projection", "wave_pixel": "10 nm",
        "condenser": {"sigma": 0.5, "points": 4},
        "scan": [{"kind": "tilts", "axis": axis, "start": "-90 deg", "stop": "86 deg", "count": 45}],
    }  # fmt: skip
    return recorded(folder, spheres("polystyrene", *LOPSIDED), table)


@pytest.mark.parametrize("axis", ["y", "x"])
def test_tomograms_hold_the_attenuation_of_two_spheres_where_they_are(axis: str, tmp_path: Path) -> None:
    measurement, truth = tilt_series(tmp_path, axis)
    mu = float(library.find("polystyrene").optics(520.0).mu_total)
    for method, close in ((Fbp(), 0.03), (Sart(halves=False), 0.06), (Sirt(halves=False), 0.06)):
        found = method(measurement)
        assert [a.name for a in found.axes] == ["z", "y", "x"]
        assert inside(found, (90, 40, -60), 150) == pytest.approx(mu, rel=close)
        assert inside(found, (-220, -160, 150), 50) == pytest.approx(mu, rel=0.08)
        for mirrored in ((220, -160, 150), (-220, 160, 150), (-220, -160, -150)):
            assert abs(inside(found, mirrored, 50)) < 0.15 * mu
        projected, volume = scored(found, truth)
        assert volume.numbers["slope"] == pytest.approx(1, abs=0.08)  # blurred edges take a few percent
        assert projected.numbers["correlation"] > 0.97
        assert projected.numbers["slope"] == pytest.approx(1, abs=0.05)


def inside(found: Reconstruction, centre: tuple[float, float, float], radius: float) -> float:
    """Mean value within `radius` of `centre` (x, y, z) [nm]."""
    z, y, x = (np.asarray(axis.values) * 1e9 for axis in found.axes)
    r2 = (x - centre[0]) ** 2 + (y[:, None] - centre[1]) ** 2 + (z[:, None, None] - centre[2]) ** 2
    return float(found.values[r2 < radius**2].mean())


def test_projections_weigh_the_angles_that_they_stand_for() -> None:
    np.testing.assert_allclose(angle_weights(np.arange(-90, 90, 4.0)), 1.0)
    # both ends of a half turn are one projection: the sum is still pi
    assert angle_weights(np.linspace(-90, 90, 46)).sum() == pytest.approx(46)
    # +-60 degrees is a third of the information missing: nothing is made up for it
    assert angle_weights(np.linspace(-60, 60, 61)).mean() == pytest.approx(122 / 180)


@pytest.mark.parametrize("n", [15, 16])
def test_a_widened_sinogram_keeps_its_middle(n: int) -> None:
    sinogram = np.zeros((n, 3))
    sinogram[n // 2] = 1
    wide, before = square(sinogram)
    assert wide[len(wide) // 2, 0] == 1
    assert before == len(wide) // 2 - n // 2
    assert len(wide) >= np.sqrt(2) * n


# --- phase retrieval ---


@pytest.fixture(scope="module")
def ptychogram(tmp_path_factory: pytest.TempPathFactory) -> tuple[Measurement, dict[str, Truth]]:
    table = {
        "kind": "ptychography", "field": ["1 um", "1 um"], "step": "220 nm", "flux": "1e8 1/s",
        "detector": {"kind": "photon_counter", "shape": [96, 96], "pixel": "75 um"},
        "distance": "1 m",
    }  # fmt: skip
    return recorded(tmp_path_factory.mktemp("ptycho"), spheres("gold", *GOLD), table)


def test_ptychography_converges_to_the_object_and_its_probe(ptychogram: Any) -> None:
    measurement, truth = ptychogram
    found = Rpie(iterations=40)(measurement)
    error = found.history["error"]
    assert error[-1] < 0.3 * error[0]
    assert np.all(np.diff(error[:5]) < 0)
    (score,) = scored(found, truth)
    assert score.numbers["correlation"] > 0.95
    assert score.numbers["scale"] == pytest.approx(1, abs=0.02)
    # a mirrored truth scores lower
    mirrored = match(score.estimate[:, ::-1], score.truth, Freedom(ramp=True))
    assert mirrored.correlation < 0.9 < score.numbers["correlation"]
    assert abs(score.numbers["shift_x [m]"]) < 5e-9
    # phases advance in matter: gold's are negative, and as deep as the truth's
    deepest = np.unravel_index(np.argmin(np.angle(score.truth)), score.truth.shape)
    assert np.angle(score.estimate[deepest]) == pytest.approx(np.angle(score.truth[deepest]), abs=0.05)
    probe = match(found.extras["probe"].values, truth["probe"].values, Freedom(ramp=True, contrast=False))
    assert probe.correlation > 0.99


def test_the_same_seed_gives_the_same_reconstruction(ptychogram: Any) -> None:
    measurement, _ = ptychogram
    first, second, other = (Rpie(iterations=3, seed=seed)(measurement).values for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_a_gap_in_the_detector_does_not_spoil_ptychography(tmp_path: Path) -> None:
    detector = {"kind": "photon_counter", "shape": [96, 96], "pixel": "75 um", "module": [30, 96], "gap": [2, 0]}
    table = {"kind": "ptychography", "step": "220 nm", "detector": detector}
    measurement, truth = recorded(tmp_path, spheres("gold", *GOLD), table)
    assert (measurement.counts == -1).any()
    (score,) = scored(Rpie(iterations=25)(measurement), truth)
    assert score.numbers["correlation"] > 0.9


@pytest.fixture(scope="module")
def speckles(tmp_path_factory: pytest.TempPathFactory) -> tuple[Measurement, dict[str, Truth]]:
    table = {
        "kind": "cdi", "flux": "3e10 1/s", "detector": {"kind": "photon_counter", "shape": [128, 128]},
        "beam_stop": "200 um",
    }  # fmt: skip
    return recorded(tmp_path_factory.mktemp("cdi"), spheres("gold", *GOLD), table)


def test_a_single_pattern_gives_the_object_its_scale_and_not_the_mirror_image(speckles: Any) -> None:
    measurement, truth = speckles
    found = Raar(iterations=200, starts=3)(measurement)
    (score,) = scored(found, truth)
    assert score.numbers["correlation"] > 0.95
    assert score.numbers["scale"] == pytest.approx(1, abs=0.03)
    freedom = Freedom(twin=True, contrast=False)
    assert match(score.estimate[:, ::-1], score.truth, freedom).correlation < 0.9
    assert found.history["distance"][-1] < 0.5 * found.history["distance"][10]
    errors = found.extras["modulus_errors"].values
    assert len(errors) == 3
    support = found.extras["support"].values > 0
    object_size = np.count_nonzero(np.abs(truth["exit_wave"].values - 1) > 0.02)
    assert support.sum() == pytest.approx(object_size, rel=0.3)


def test_a_pattern_that_holds_the_light_of_a_finite_beam_is_refused(speckles: Any) -> None:
    """The beam alone correlates with the wave behind a weak object by 0.998, whatever becomes of the object."""
    measurement, _ = speckles
    lit = replace(measurement, settings={**measurement.settings, "profile": "pinhole"})
    with pytest.raises(FileError, match="beam is finite"):
        Raar()(lit)


def test_the_centre_of_a_mask_that_wraps_round_is_found() -> None:
    mask = np.zeros((32, 32), bool)
    mask[[30, 31, 0, 1, 2], 5] = True
    assert centre_of(mask) == pytest.approx((0, 5), abs=1e-9)


# --- maps, spectra, curves ---


def test_a_transmission_map_becomes_the_optical_density(tmp_path: Path) -> None:
    table = {"kind": "stxm", "energy": "520 eV", "field": ["1 um", "0.8 um"], "step": "25 nm", "flux": "1e7 1/s"}
    measurement, truth = recorded(tmp_path, spheres("polystyrene", *LOPSIDED), table)
    found = EnergyFit()(measurement)
    (score,) = scored(found, truth)
    assert score.numbers["correlation"] > 0.97
    # against the noise-free counts: right within the stated errors (the spot's rings lower the density by 5 %)
    pull = (found.values + np.log(truth["expected"].values / 1e4)) / found.error
    assert np.mean(pull**2) == pytest.approx(1, abs=5 * np.sqrt(2 / pull.size))
    flipped = np.corrcoef(score.estimate[:, ::-1].ravel(), score.truth.ravel())[0, 1]
    assert flipped < 0.5 * score.numbers["correlation"]


def test_a_stack_across_an_edge_gives_the_thickness_of_each_material(tmp_path: Path) -> None:
    energies = ["7080 eV", "7100 eV", "7125 eV", "7135 eV", "7160 eV"]
    table = {
        "kind": "stxm", "energy": "7100 eV", "field": ["800 nm", "600 nm"], "step": "50 nm", "flux": "1e10 1/s",
        "exposure_time": "10 ms", "zone_plate": {"outermost_zone": "40 nm", "diameter": "100 um", "material": "gold",
        "thickness": "700 nm"}, "scan": [{"kind": "energies", "values": energies}],
    }  # fmt: skip
    layer = {"material": "vitreous_ice", "thickness": "2 um"}
    measurement, truth = recorded(
        tmp_path, spheres("hematite", ("220 nm", "120 nm", "40 nm", "0 nm"), layer=layer), table
    )
    found = EnergyFit(materials=("hematite", "vitreous_ice"))(measurement)
    iron, ice = scored(found, truth)
    assert (iron.name, ice.name) == ("thickness_hematite", "thickness_vitreous_ice")
    assert iron.numbers["correlation"] > 0.95
    assert iron.numbers["slope"] == pytest.approx(1, abs=0.1)
    # far from the particle the scatter is the stated error; the spot's tails leave a little iron there
    far = iron.estimate[:, :4]
    assert np.std(far / iron.error[:, :4]) == pytest.approx(1, abs=0.3)
    assert abs(far.mean()) < 0.02 * iron.truth.max()
    assert np.median(ice.estimate) == pytest.approx(2e-6, rel=0.03)


def test_the_fit_recovers_what_was_put_in_and_its_stated_error() -> None:
    rng = np.random.default_rng(1)
    columns = np.array([[1.0, 4.0], [2.0, 1.0], [3.0, 3.0]]) * 1e5
    true = np.array([2e-6, 5e-6])
    sigma = np.array([0.02, 0.05, 0.03])[:, None]
    values = (columns @ true)[:, None] + sigma * rng.normal(size=(3, 4000))
    fit, error = weighted_fit(columns, values, np.broadcast_to(sigma**2, values.shape))
    np.testing.assert_allclose(fit.mean(axis=1), true, atol=4 * error[0, 0] / np.sqrt(4000))
    np.testing.assert_allclose(fit.std(axis=1), error[:, 0], rtol=0.05)


def test_an_absorption_spectrum_agrees_with_the_truth_within_its_errors(tmp_path: Path) -> None:
    table = {
        "kind": "absorption", "beam": "100 nm", "position": ["20 nm", "0 nm"], "exposure_time": "10 ms",
        "detector": {"kind": "photon_counter", "efficiency": 0.5},
        "scan": [{"kind": "energies", "values": ["7096 eV .. 7166 eV / 1 eV"]}],
    }  # fmt: skip
    measurement, truth = recorded(tmp_path, spheres("hematite", ("300 nm", "0 nm", "0 nm", "0 nm")), table)
    (score,) = scored(EnergyFit()(measurement), truth)
    # mean of 71 values of chi^2 with one degree of freedom: 1 +- sqrt(2/71)
    assert score.numbers["chi2_per_point"] == pytest.approx(1, abs=3 * np.sqrt(2 / 71))


@pytest.mark.parametrize("bins", [100, 200])
def test_the_radial_average_is_the_cross_section_within_its_errors(bins: int, tmp_path: Path) -> None:
    layer = {"material": "water", "thickness": "50 um"}
    specimen = spheres("gold", ("12 nm", "100 nm", "0 nm", "0 nm"), ("20 nm", "-300 nm", "0 nm", "0 nm"), layer=layer)
    table = {
        "kind": "saxs", "flux": "1e12 1/s", "exposure_time": "10 s",
        "detector": {"kind": "photon_counter", "shape": [160, 160], "pixel": "400 um", "efficiency": 0.8},
    }  # fmt: skip
    measurement, truth = recorded(tmp_path, specimen, table)
    found = Radial(bins=bins)(measurement)
    assert found.unit == "1/m"
    (score,) = scored(found, truth)
    assert score.numbers["median_ratio"] == pytest.approx(1, abs=0.02)
    pull = (score.estimate - score.truth) / score.error
    assert np.mean(np.abs(pull) < 3) > 0.97
    assert score.numbers["chi2_per_point"] == pytest.approx(1, abs=0.4)


def test_lines_are_found_and_mapped_where_their_element_is(tmp_path: Path) -> None:
    specimen = spheres("hematite", ("150 nm", "150 nm", "-100 nm", "0 nm"))
    table = {"kind": "fluorescence", "field": ["800 nm", "600 nm"], "step": "50 nm", "exposure_time": "100 ms"}
    measurement, truth = recorded(tmp_path, specimen, table)
    found = LineSum()(measurement)
    assert found.axes[0].values[0] == "Fe_K"
    score = scored(found, truth)[0]
    assert score.name == "line_Fe_K"
    assert score.numbers["correlation"] > 0.95
    assert np.corrcoef(score.estimate[::-1].ravel(), score.truth.ravel())[0, 1] < 0.7
    named = LineSum(elements=("Fe", "Cu"))(measurement)
    assert list(named.axes[0].values) == ["Fe_K", "Cu_K"]
    np.testing.assert_array_equal(named.values[0], found.values[0])
    # no copper: nothing within the errors
    assert np.mean(named.values[1]) == pytest.approx(0, abs=4 * np.mean(named.error[1]) / np.sqrt(named.values[1].size))


def test_the_soft_lines_of_an_element_are_not_taken_for_another_one(tmp_path: Path) -> None:
    table = {"kind": "fluorescence", "field": ["600 nm", "600 nm"], "step": "60 nm", "exposure_time": "200 ms"}
    measurement, _ = recorded(tmp_path, spheres("gold", ("60 nm", "100 nm", "0 nm", "0 nm")), table)
    # gold's M lines at 2.12 keV lie on niobium's L lines at 2.17 keV
    assert list(LineSum()(measurement).axes[0].values) == ["Au_L"]


# --- choosing ---


def test_every_method_says_which_technique_it_serves_and_builds_from_its_own_dump() -> None:
    for kind, cls in discover("reconstructions").items():
        assert set(cls.techniques) <= set(discover("instruments"))
        assert cls.model_validate(cls().model_dump()) == cls(), kind


def test_wrong_methods_and_knobs_are_told_with_what_is_allowed(ptychogram: Any) -> None:
    measurement, _ = ptychogram
    assert methods_for(measurement) == ["rpie", "difference_map", "epie"]
    assert choose(measurement).kind == "rpie"
    with pytest.raises(UnknownNameError, match=r'did you mean "rpie"\?'):
        choose(measurement, "rpi")
    with pytest.raises(FileError, match="allowed: rpie"):
        choose(measurement, "fbp")
    with pytest.raises(ScenarioError, match='did you mean "iterations"'):
        choose(measurement, "rpie", {"iteration": 3})
    with pytest.raises(ScenarioError, match="greater than or equal to 1"):
        choose(measurement, "rpie", {"iterations": 0})
    with pytest.raises(FileError, match="no method is made for this technique"):
        choose(replace(measurement, kind="smell"))
