"""Tomograms: exact line integrals, dose fractionation, alignment, labels found, and what half sets share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reconstruct_runs import recorded

from xsim.exposure import Axis
from xsim.instruments.full_field import FullField
from xsim.metrics.labels import compare_labels
from xsim.metrics.localisation import localise
from xsim.reconstruct._alignment import _told, aligned
from xsim.reconstruct._labels import find_labels
from xsim.reconstruct._projector import project, spread
from xsim.reconstruct._tomogram import Projections, projections
from xsim.reconstruct.fbp import Fbp
from xsim.reconstruct.sirt import Sirt, solve
from xsim.scans.tilts import Tilts
from xsim.simulate import simulate
from xsim.specimen.specimen import Specimen
from xsim.streams import StreamKey, generator

pytestmark = pytest.mark.filterwarnings("ignore::xsim.errors.XsimWarning")
RNG = generator(StreamKey(1, "test"))


def balls(n: int, *parts: tuple[float, float, float, float]) -> np.ndarray:
    """A volume (z, s, along) with soft-edged balls (z, s, along, radius) [voxels from n//2]."""
    z, s, a = np.mgrid[:n, :n, :n] - n // 2
    volume = np.zeros((n, n, n))
    for pz, ps, pa, r in parts:
        volume += np.clip(r + 0.5 - np.sqrt((z - pz) ** 2 + (s - ps) ** 2 + (a - pa) ** 2), 0, 1)
    return volume.astype(np.float32)


# --- line integrals ---


def test_spreading_is_the_transpose_of_projecting() -> None:
    theta = np.radians([-80.0, -45.0, 0.0, 20.0, 45.0, 90.0, 133.0])
    volume, rays = RNG.standard_normal((17, 22, 3)), RNG.standard_normal((7, 31, 3))
    a = np.vdot(project(volume, theta, 31).astype(np.float64), rays)
    b = np.vdot(volume, spread(rays, theta, (17, 22)).astype(np.float64))
    assert a == pytest.approx(b, rel=1e-4)


def test_line_integrals_agree_with_another_program() -> None:
    from skimage.transform import radon

    volume = balls(48, (8, -12, 0, 6), (-9, 5, 0, 4))
    angles = np.arange(-90, 90, 7.0)
    other = radon(volume[:, :, 24], theta=angles, circle=True).T
    mine = project(volume, np.radians(angles), 48)[:, :, 24]
    assert np.abs(mine - other).max() < 0.05 * other.max()
    assert np.corrcoef(mine.ravel(), other.ravel())[0, 1] > 0.999
    assert np.corrcoef(mine[::-1].ravel(), other.ravel())[0, 1] < 0.9  # negated angles do not agree


def test_iterations_come_down_to_the_noise_and_find_the_values() -> None:
    volume = balls(32, (4, -6, 2, 6))
    theta = np.radians(np.arange(-90, 90, 6.0))
    found, misfit = solve(project(volume, theta, 32), theta, (32, 32), 40)
    assert np.all(np.diff(misfit[:10]) < 0)
    assert misfit[-1] < 0.01
    assert np.sqrt(np.mean((found - volume) ** 2)) < 0.06
    assert found.min() >= 0


# --- dose fractionation ---


def test_at_a_fixed_total_exposure_the_noise_of_the_volume_does_not_depend_on_the_number_of_tilts() -> None:
    """Hegerl & Hoppe: the same dose, in 12 views or in 36, leaves the same variance in every voxel."""
    table = {
        "field": "480 nm", "pixel": "20 nm", "flux": "1e9 1/s", "model": "projection", "flats": 0, "darks": 0,
        "condenser": {"sigma": 0.5, "points": 2}, "detector": {"kind": "photon_counter", "shape": [32, 32]},
    }  # fmt: skip
    instrument = FullField.model_validate(table)
    variance = {}
    for count in (12, 36):
        tilts = {"start": "-90 deg", "stop": f"{90 - 180 / count!r} deg", "count": count, "total_exposure": "10 s"}
        measurement = simulate(Specimen(), Tilts.model_validate(tilts).apply(instrument), seed=count)
        found = Fbp(halves=False, labels=False)(measurement).values
        variance[count] = float(np.var(found[7:17, :, 7:17]))
    # 2400 voxels, each sharing its noise with its neighbours
    assert variance[36] / variance[12] == pytest.approx(1, abs=0.12)


# --- alignment ---


def test_views_that_were_shifted_are_put_back() -> None:
    volume = balls(32, (5, -7, 3, 3), (-6, 4, -5, 2.5), (2, 8, 7, 2), (-3, -5, -8, 2))
    theta = np.arange(-90, 90, 7.5)
    rays = project(volume, np.radians(theta), 32).transpose(0, 2, 1)
    shifts = 1.2 * RNG.standard_normal((len(theta), 2)) + [0.0, 1.5]
    from scipy.ndimage import shift

    images = np.stack([shift(image, by, order=3, mode="nearest") for image, by in zip(rays, shifts, strict=True)])
    axis = Axis("x", np.arange(32) * 1e-9, "m")
    data = Projections(images, theta, 1e-9, "y", (axis, axis))
    right, found = aligned(data)
    true = _told(shifts, np.radians(theta))
    assert np.std(true) > 1
    assert np.std(found / 1e-9 - true) < 0.15
    assert found[:, 1].mean() / 1e-9 == pytest.approx(true[:, 1].mean(), abs=0.3)  # where the axis lies
    before, after = (Fbp().slices(d)[0] * 1e-9 for d in (data, right))
    sharp = np.sort(volume.ravel())[-200]
    assert after.max() > 1.3 * before.max() or after.max() > 0.8 * sharp


# --- labels ---


def test_labels_are_placed_between_voxels_and_a_large_body_is_none() -> None:
    n, true = 48, np.array([[8.3, -6.6, 4.1], [-10.25, 9.4, -3.8], [2.0, 13.7, 11.5]])
    z, y, x = np.mgrid[:n, :n, :n] - n // 2
    volume = 0.4 * (np.sqrt((z + 4) ** 2 + (y + 8) ** 2 + (x + 6) ** 2) < 9)
    for place in true:
        volume = volume + 2.0 * np.exp(-((z - place[0]) ** 2 + (y - place[1]) ** 2 + (x - place[2]) ** 2) / 2 / 1.2**2)
    volume = volume + 0.05 * RNG.standard_normal(volume.shape)
    places, strength = find_labels(volume, 0.0, 6.0)
    assert len(places) == 3
    assert localise(places - n // 2, true, 0.2).hits == 3
    assert np.all(strength > 20)


def test_noise_alone_holds_hardly_any_label() -> None:
    places, _ = find_labels(RNG.standard_normal((40, 40, 40)), 0.0, 6.0)
    assert len(places) == 0


def test_only_small_particles_inside_the_volume_count_as_labels() -> None:
    axes = tuple(Axis(name, (np.arange(20) - 10) * 1e-8, "m") for name in "zyx")
    table = {
        "position": np.array([[0, 0, 0], [30e-9, 0, 50e-9], [500e-9, 0, 0], [-40e-9, 20e-9, 0]]),
        "radius": np.array([80e-9, 5e-9, 5e-9, 5e-9]),
    }
    found = np.array([[33e-9, 4e-9, 50e-9], [70e-9, 70e-9, 0]])
    score = compare_labels(found, table, axes)
    assert score is not None
    assert (score.numbers["true"], score.numbers["hits"]) == (2, 1)
    assert (score.numbers["precision"], score.numbers["recall"]) == (0.5, 0.5)
    assert score.numbers["distance [m]"] == pytest.approx(5e-9)
    assert score.numbers["distance_z [m]"] == pytest.approx(0, abs=1e-15)
    assert compare_labels(found, {**table, "radius": np.full(4, 1e-7)}, axes) is None


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, np.ndarray]:
    places = np.array([[150, 90, 60], [-140, 40, -110], [30, -160, 120], [-90, -100, 20], [100, -20, -160]])
    at = {"kind": "at", "positions": [[f"{v} nm" for v in place] for place in places.tolist()]}
    labels = {"name": "labels", "material": "gold", "shape": {"kind": "sphere", "radius": "16 nm"}, "placement": at}
    layers = [{"material": "vitreous_ice", "thickness": "600 nm"}]
    specimen = Specimen.from_table({"extent": ["1 um", "1 um"], "layers": layers, "population": [labels]})
    table: dict[str, Any] = {
        "kind": "full_field", "energy": "520 eV", "field": "640 nm", "pixel": "20 nm", "flux": "4e6 1/s",
        "exposure_time": "1 s", "model": "projection", "wave_pixel": "10 nm", "condenser": {"sigma": 0.5, "points": 4},
        "scan": [{"kind": "tilts", "start": "-64 deg", "stop": "64 deg", "count": 33}],
    }  # fmt: skip
    measurement, truth = recorded(tmp_path_factory.mktemp("labels"), specimen, table)
    return measurement, truth, places * 1e-9


def test_labels_in_ice_are_found_in_noisy_data_to_half_a_pixel_and_their_mirror_images_are_not(labelled: Any) -> None:
    measurement, _, places = labelled
    for method in (Fbp(), Sirt(halves=False)):
        found = method(measurement).extras["labels"].values
        score = localise(found, places, 40e-9)
        assert (score.precision, score.recall) == (1, 1), method.kind
        assert score.rms < 10e-9
        for flip in ([-1, 1, 1], [1, -1, 1], [1, 1, -1]):
            assert localise(found * flip, places, 40e-9).recall <= 0.4


def test_half_sets_share_what_the_noise_does_not_hide(labelled: Any) -> None:
    measurement, _, _ = labelled
    found = Fbp()(measurement)
    curve, limit = found.extras["shell_correlation"].values, found.extras["half_bit"].values
    assert np.all(curve[1:4] > limit[1:4])
    assert 20e-9 <= float(found.extras["half_set_resolution"].values) < 120e-9


def test_a_volume_with_its_labels_is_drawn(labelled: Any, tmp_path: Path) -> None:
    from xsim.metrics.against_truth import Estimate, compare
    from xsim.report.figures import draw, png
    from xsim.report.reconstruction import rows

    measurement, truth, places = labelled
    found = Fbp()(measurement)
    compared = compare(Estimate(found.values, found.axes, found.unit, found.estimates), truth)
    table = {"position": places, "radius": np.full(len(places), 16e-9)}
    labels = compare_labels(found.extras["labels"].values, table, found.axes)
    assert labels is not None
    shown = rows(found, [*compared, labels])
    marked = [panel for row in shown for panel in row if getattr(panel, "rings", None) is not None]
    assert len(marked) == 2
    assert len(marked[0].rings[0]) == len(places)
    # ring k lies on the brightest pixels: the picture is not transposed against its marks
    x, y = (np.rint(part).astype(int) for part in marked[0].rings)
    assert np.mean(marked[0].values[y, x]) > np.quantile(marked[0].values, 0.98)
    assert np.mean(marked[0].values[x, y]) < np.mean(marked[0].values[y, x])
    assert png(draw(shown), 40)[:4] == b"\x89PNG"


def test_repeats_do_not_hinder_and_half_the_tilts_make_half_the_data(labelled: Any) -> None:
    measurement, _, _ = labelled
    data = projections(measurement)
    first, second = data.half(0), data.half(1)
    assert (len(first.theta), len(second.theta)) == (17, 16)
    assert sorted([*first.theta, *second.theta]) == sorted(data.theta)
