"""Stages: where the beam really is follows from the frame's own row, and the path of a fly scan is centred."""

from __future__ import annotations

import numpy as np
import pytest

from xsim.exposure import FrameTable
from xsim.instruments._motion import Motion
from xsim.instruments._points import raster_frames, raster_grid


def frames() -> FrameTable:
    return raster_frames(6200.0, 0.5, raster_grid((40e-6, 40e-6), 1e-6))


def test_without_motion_the_beam_is_where_it_is_sent() -> None:
    y, x = Motion().positions(frames())
    assert np.array_equal(x, frames()["x"])
    assert np.array_equal(y, frames()["y"])
    assert Motion().still
    assert Motion().truth(frames()) == {}


def test_jitter_has_the_stated_spread_on_each_axis_and_none_between_them() -> None:
    motion = Motion(jitter="30 nm")
    y, x = motion.positions(frames())
    moved = np.stack([x - frames()["x"], y - frames()["y"]])
    n = moved.shape[1]
    assert moved.std(axis=1) == pytest.approx(30e-9, rel=4 / np.sqrt(2 * n))
    assert np.abs(moved.mean(axis=1)).max() < 4 * 30e-9 / np.sqrt(n)
    assert abs(np.corrcoef(moved)[0, 1]) < 4 / np.sqrt(n)
    assert abs(np.corrcoef(moved[0, 1:], moved[0, :-1])[0, 1]) < 4 / np.sqrt(n)


def test_jitter_follows_from_the_seed_and_the_frame_alone() -> None:
    motion, table = Motion(jitter="30 nm"), frames()
    y, x = motion.positions(table)
    some = table.take(np.array([70, 3, 900]))
    assert np.array_equal(motion.positions(some)[1], x[[70, 3, 900]])
    assert not np.array_equal(Motion(jitter="30 nm", seed=2).positions(table)[0], y)


def test_drift_is_a_velocity_times_the_time_since_the_scan_began() -> None:
    y, x = Motion(drift=("2 nm/s", "-1 nm/s")).positions(frames())
    elapsed = 0.5 * np.arange(len(frames()))
    assert x - frames()["x"] == pytest.approx(2e-9 * elapsed, abs=1e-18)
    assert y - frames()["y"] == pytest.approx(-1e-9 * elapsed, abs=1e-18)


def test_the_true_positions_are_kept_as_truth() -> None:
    motion = Motion(jitter="5 nm")
    truth = motion.truth(frames())["positions"]
    y, x = motion.positions(frames())
    assert np.array_equal(truth.values, np.stack([x, y], axis=1))
    assert truth.unit == "m"


@pytest.mark.parametrize("fly", [1, 4, 7])
def test_the_path_of_a_frame_is_centred_and_as_long_as_a_step(fly: int) -> None:
    path = Motion(fly=fly).path(1e-6)
    assert len(path) == fly
    assert path.mean() == pytest.approx(0.0, abs=1e-20)
    assert np.ptp(path) == pytest.approx(1e-6 * (1 - 1 / fly))


def test_motion_round_trips_through_its_scenario_form() -> None:
    motion = Motion(jitter="5 nm", drift=("2 nm/min", "0 nm/s"), fly=4)
    assert Motion.model_validate(motion.model_dump()) == motion
