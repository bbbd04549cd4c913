"""Shots of unknown orientation are sorted: rotation grids, single steps against direct sums, and a whole stream."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import xsim
from xsim.errors import FileError, SamplingWarning, XsimWarning
from xsim.exposure import Measurement, Truth
from xsim.formats.run_reader import read_instrument
from xsim.formats.truth import read_truth
from xsim.metrics.orientation import angle, compare_orientations, orientation_match, point_group, product
from xsim.reconstruct import _emc
from xsim.reconstruct._photon_frames import PhotonFrames, photon_frames
from xsim.reconstruct._rotation_grid import matrices, rotation_count, rotation_grid
from xsim.reconstruct._sorting_runs import fitting
from xsim.reconstruct.emc import Emc
from xsim.threads import use_threads


@pytest.mark.parametrize("level", [1, 2, 4])
def test_the_600_cell_gives_ten_n_plus_five_n_cubed_rotations_evenly_spread(level: int) -> None:
    grid, weight = rotation_grid(level)
    assert len(grid) == rotation_count(level) == 10 * (level + 5 * level**3)
    assert weight.sum() == pytest.approx(1)
    near = np.sort(np.abs(grid @ grid.T), axis=1)[:, -2]
    steps = 2 * np.arccos(np.clip(near, 0, 1))
    assert steps.mean() == pytest.approx(2 * np.pi / 5 / level, rel=0.05)  # a fifth of a turn between the corners
    # any even law integrates: the mean rotation matrix of all orientations is zero, its squares' mean a third
    turns = matrices(grid)
    assert np.abs(np.einsum("r,rij->ij", weight, turns)).max() < 1e-12
    assert np.einsum("r,rij->ij", weight, turns**2) == pytest.approx(np.full((3, 3), 1 / 3), abs=1e-12)


def small() -> PhotonFrames:
    """Eleven frames of sixty pixels, some with several photons."""
    rng = np.random.default_rng(5)
    q = rng.uniform(-1, 1, (60, 3)) * 3
    counts = rng.poisson(0.7, (11, 60))
    frame, place = np.nonzero(counts)
    starts = np.concatenate([[0], np.cumsum(np.bincount(frame, minlength=11))])
    share = rng.uniform(0.5, 1.0, 60)
    return PhotonFrames(
        starts, place.astype(np.int32), counts[frame, place].astype(np.float32), q, share, 1e-6, np.arange(11)
    )


def test_a_step_is_that_of_the_equations_summed_directly() -> None:
    frames = small()
    job = _emc.sorter(frames, 6.0, 1.0, 1)
    rng = np.random.default_rng(2)
    model = rng.uniform(0.2, 2.0, (job.n,) * 3).astype(np.float32)
    fluence = rng.uniform(0.5, 1.5, len(frames))
    found = _emc.maximise(job, model, fluence, 0.6)
    dense = np.zeros((11, 60))
    for d in range(11):
        cut = slice(frames.starts[d], frames.starts[d + 1])
        dense[d, frames.places[cut]] = frames.counts[cut]
    from scipy.ndimage import map_coordinates

    grid, weight = rotation_grid(1)
    at = np.einsum("rij,ti->rtj", matrices(grid), job.q.astype(float)) + job.n // 2
    w = map_coordinates(model.astype(float), [at[..., 2], at[..., 1], at[..., 0]], order=1)
    mean = fluence[:, None] * (w @ frames.share)
    score = dense @ np.log(w).T - mean
    chance = weight * np.exp(0.6 * (score - score.max(axis=1, keepdims=True)))
    chance /= chance.sum(axis=1, keepdims=True)
    assert found.chances == pytest.approx(chance, abs=2e-5)
    total = dense.sum(axis=1) / (chance @ (w @ frames.share))
    assert found.fluence == pytest.approx(total / total.mean(), rel=1e-5)
    photons, exposure = _emc.merged(job, found, fluence)
    assert photons.sum() == pytest.approx(2 * dense.sum(), rel=1e-5)  # both Friedel mates
    assert exposure.sum() == pytest.approx(2 * frames.share.sum() * fluence.sum(), rel=1e-5)
    assert np.array_equal(photons[1:, 1:, 1:], photons[:0:-1, :0:-1, :0:-1])
    with use_threads(1):
        again = _emc.maximise(job, model, fluence, 0.6)
        assert np.array_equal(again.chances, found.chances)
        assert np.array_equal(_emc.merged(job, again, fluence)[0], photons)


def test_frames_that_fit_badly_are_left_out_and_the_rest_is_not() -> None:
    misfit = np.random.default_rng(1).standard_normal(400)
    misfit[::50] += 12
    assert np.array_equal(np.flatnonzero(~fitting(misfit, 6.0)), np.arange(0, 400, 50))


def test_orientations_agree_up_to_one_rotation_the_particles_own_and_a_half_turn_about_the_beam() -> None:
    rng = np.random.default_rng(8)
    true, turn = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (rng.normal(size=(50, 4)), rng.normal(size=4)))
    assert orientation_match(product(true, turn), true).median < 1e-6
    assert orientation_match(product(true, turn) * [1, -1, -1, -1], true).median > 0.5  # turned the wrong way
    group = point_group(np.array([[0, 0, 0, 1.0], [0, 1.0, 0, 0]]))
    assert len(group) == 4
    assert len(point_group(np.array([[1.0, 1, 1, 1], [0, 0, 0, 1]]))) == 12  # a tetrahedron's
    mixed = product(product(true, group[rng.integers(0, 4, 50)]), turn)
    assert orientation_match(mixed, true, group).median < 1e-6
    half = np.where(rng.random(50)[:, None] < 0.5, product(np.array([0, 0, 0, 1.0]), true), true)
    assert orientation_match(product(half, turn), true, flat=True).median < 1e-6
    assert orientation_match(product(half, turn), true).angles.max() == pytest.approx(np.pi, abs=1e-6)
    assert angle(true, -true).max() < 1e-6


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> tuple[Measurement, dict[str, Truth]]:
    """The shipped stream of a particle of four gold spheres, read back from its file."""
    run = tmp_path_factory.mktemp("emc") / "run"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XsimWarning)
        xsim.run(xsim.load("gold-quartet-shots"), out=run, workers=1)
    return read_instrument(run, "shots"), read_truth(run / "truth.h5", "shots")


def test_a_shipped_stream_is_sorted_and_noise_is_not(stream: tuple[Measurement, dict[str, Truth]]) -> None:
    measurement, truth = stream
    method = Emc(level=4, starts=1, iterations=8, q_max=0.8)
    found = method(measurement)
    mine, true = found.extras["orientation"].values, truth["orientation"].values
    known = np.isfinite(mine[:, 0])
    assert known.mean() > 0.98
    match = orientation_match(mine[known], true[known])
    assert match.median < 0.944 / 4  # the step between neighbours; random orientations: 2.2 rad
    assert match.share > 0.55
    (score,) = compare_orientations(found.extras["orientation"], truth)
    assert score.numbers["median_angle [rad]"] == pytest.approx(match.median)
    assert not compare_orientations(found.extras["orientation"], {})
    assert found.numbers["diameter [m]"] == pytest.approx(16e-9, rel=0.2)
    assert orientation_match(mine[known], np.roll(true[known], 1, axis=0)).share < 0.1
    assert orientation_match(mine[known] * [1, -1, -1, -1], true[known]).share < 0.1


def test_too_little_light_is_told_with_its_number(stream: tuple[Measurement, dict[str, Truth]]) -> None:
    measurement, _ = stream
    blank = replace(measurement, counts=np.zeros_like(measurement.counts))
    with pytest.raises(FileError, match=r"hold 0 hits.*least_photons"):
        Emc()(blank)
    rng = np.random.default_rng(0)
    thin = replace(measurement, counts=rng.binomial(measurement.counts[:60], 0.02).astype(np.int32),
                   frames=measurement.frames.take(slice(0, 60)), incident=measurement.incident[:60])  # fmt: skip
    with pytest.warns(SamplingWarning) as told:
        Emc(level=1, starts=1, iterations=2, least_photons=1)(thin)
    text = " ".join(str(one.message) for one in told)
    assert "too coarse" in text
    assert "photons per frame tell" in text


def test_photons_are_kept_as_they_were_counted(stream: tuple[Measurement, dict[str, Truth]]) -> None:
    measurement, _ = stream
    frames = photon_frames(measurement)
    assert frames.totals.sum() == measurement.total_counts
    half = frames.within(0.5 * float(np.linalg.norm(frames.q, axis=1).max()))
    keep = np.arange(len(frames)) % 3 == 0
    assert np.array_equal(half.take(keep).totals, half.totals[keep])


def test_one_frame_is_no_stream(stream: tuple[Measurement, dict[str, Truth]], tmp_path: Path) -> None:
    measurement, _ = stream
    one = replace(measurement, counts=measurement.counts[:1], frames=measurement.frames.take(slice(0, 1)))
    with pytest.raises(FileError, match="one frame"):
        Emc()(one)
