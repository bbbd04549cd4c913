"""The photon counter against the laws of counting."""

import numpy as np
import pytest
from pydantic import ValidationError

from xsim.detectors.photon_counter import PhotonCounter
from xsim.errors import RangeError, ValidityWarning
from xsim.exposure import Axis, Exposure, FrameTable
from xsim.streams import StreamKey

KEY = StreamKey(3, "counter")


def exposure(expected, energy=8000.0, time=1.0):
    """An exposure of `expected` (frames, groups, ...) at one energy or one per group."""
    expected = np.asarray(expected, float)
    frames, groups = expected.shape[:2]
    table = FrameTable(
        {"energy": np.full(frames, 8000.0), "time": np.full(frames, time)},
        {"energy": "eV", "time": "s"},
        (),
        np.arange(frames),
    )
    axes = tuple(Axis(name, np.arange(n), "m") for name, n in zip("yx", expected.shape[2:], strict=False))
    energies = np.broadcast_to(np.asarray(energy, float), (frames, groups)).copy()
    return Exposure(expected, energies, axes, table, np.ones(frames))


def test_mean_and_variance_are_efficiency_times_photons():
    counts = PhotonCounter(efficiency=0.6).read(exposure(np.full((40, 2, 50, 50), 4.0)), KEY)
    n = counts.size
    assert counts.mean() == pytest.approx(4.8, abs=3 * np.sqrt(4.8 / n))
    assert counts.var() == pytest.approx(4.8, rel=3 * np.sqrt((2 + 1 / 4.8) / n))


def test_photon_transfer_curve_has_slope_one():
    levels = np.geomspace(0.1, 1e4, 12)
    counts = PhotonCounter().read(exposure(np.tile(levels, (4000, 1))[:, None, :].reshape(4000, 1, 1, 12)), KEY)
    slope = counts.var(axis=0) / counts.mean(axis=0)
    assert np.all(np.abs(slope - 1) < 4 * np.sqrt((2 + 1 / levels) / 4000))


def test_a_point_counter_reads_one_number_per_frame():
    counts = PhotonCounter().read(exposure(np.full((5, 1), 100.0)), KEY)
    assert counts.shape == (5,)
    assert counts.dtype == np.int32


def test_counts_that_32_bits_might_not_hold_have_64():
    mean = np.array([[[1e9]], [[3e9]]])
    counter = PhotonCounter()
    both = counter.read(exposure(mean[:, None]), KEY)
    assert both.dtype == np.int64
    assert np.all(np.abs(both - mean) < 6 * np.sqrt(mean))
    few = counter.read(exposure(mean[:1, None]), KEY)
    assert few.dtype == np.int32
    assert few[0] == both[0]


@pytest.mark.parametrize("model", ["paralysable", "non_paralysable"])
@pytest.mark.parametrize(("photons", "x"), [(20.0, 0.3), (50.0, 1.0), (400.0, 0.1), (4000.0, 0.5), (4000.0, 2.0)])
def test_dead_time_gives_the_mean_and_variance_of_theory(model, photons, x):
    counter = PhotonCounter(dead_time=f"{x / photons} s", dead_time_model=model)
    shot = exposure(np.full((1, 1, 300, 300), photons))
    counts = counter.read(shot, KEY)
    if model == "paralysable":
        mean, ratio = photons * np.exp(-x), 1 - 2 * x * np.exp(-x)
    else:
        mean, ratio = photons / (1 + x), 1 / (1 + x) ** 2
    n = counts.size
    assert counter.mean(shot).flat[0] == pytest.approx(mean, rel=1e-12)
    assert counts.mean() == pytest.approx(mean, abs=3 * np.sqrt(mean * ratio / n))
    # the variance law is asymptotic in T / tau: the next term is of relative order 1 / photons
    assert counts.var() / counts.mean() == pytest.approx(ratio, rel=4 * np.sqrt(2 / n) + 1.5 / (photons * ratio))


def test_no_dead_time_is_the_limit_of_a_small_one():
    shot = exposure(np.full((1, 1, 200, 200), 5000.0))
    ratio = PhotonCounter(dead_time="1e-15 s").read(shot, KEY).var() / 5000.0
    assert ratio == pytest.approx(1, abs=3 * np.sqrt(2 / 40000))


def test_dead_time_bits_do_not_depend_on_chunks():
    counter = PhotonCounter(dead_time="1 ms")
    shot = exposure(np.random.default_rng(0).uniform(0, 200, (4, 1, 20, 20)))
    whole = counter.read(shot, KEY)
    one = Exposure(shot.expected[2:3], shot.group_energy[2:3], shot.axes, shot.frames.take(slice(2, 3)), np.ones(1))
    assert np.array_equal(whole[2:3], counter.read(one, KEY))


def test_a_full_counter_clips_and_says_so():
    counter = PhotonCounter(counter_bits=4)
    with pytest.warns(ValidityWarning, match="15 counts"):
        counts = counter.read(exposure(np.full((1, 1, 9, 9), 100.0)), KEY)
    assert counts.max() == 15
    assert counter.mean(exposure(np.full((1, 1, 9, 9), 100.0))).max() == 15


def test_gaps_read_minus_one():
    counter = PhotonCounter(shape=(10, 12), module=(4, 5), gap=(1, 2))
    counts = counter.read(exposure(np.full((2, 1, 10, 12), 50.0)), KEY)
    assert np.all(counts[:, counter.gaps] == -1)
    assert np.all(counts[:, ~counter.gaps] > 0)
    assert counter.gaps.sum() == 120 - 8 * 10
    with pytest.raises(RangeError, match="pixels of the exposure"):
        counter.read(exposure(np.full((1, 1, 3, 3), 1.0)), KEY)


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_impossible_photons_are_refused(bad):
    with pytest.raises(RangeError):
        PhotonCounter().read(exposure([[[[bad, 1.0]]]]), KEY)


@pytest.mark.parametrize(
    "fields", [{"efficiency": 1.2}, {"shape": (0, 4)}, {"counter_bits": 0}, {"module": (0, 3)}, {"pixel": 75e-6}]
)
def test_wrong_fields_are_refused(fields):
    with pytest.raises(ValidationError):
        PhotonCounter(**fields)
