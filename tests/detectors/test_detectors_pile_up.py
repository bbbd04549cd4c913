"""Pile-up, live time and several detectors, against arrivals followed one by one."""

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from xsim.detectors.silicon_drift import SiliconDrift
from xsim.errors import ValidityWarning
from xsim.exposure import Axis, Exposure, FrameTable
from xsim.streams import StreamKey

KEY = StreamKey(21, "pile-up")
LINES = np.array([3000.0, 5200.0])


def detector(**fields):
    """Efficiency 1, Gaussian lines, 1 us dead time, 0.1 us resolving time."""
    plain = {"efficiency": 1.0, "tail": 0.0, "shelf": 0.0, "escape": False}
    return SiliconDrift(**plain | {"dead_time": "1 us", "resolving_time": "100 ns", "channels": 1500} | fields)


def exposure(photons, time=1.0, axes=()):
    photons = np.asarray(photons, float)
    table = FrameTable(
        {"energy": np.full(len(photons), 12e3), "time": np.full(len(photons), time)}, {}, (), np.arange(len(photons))
    )
    energy = np.broadcast_to(LINES, photons.shape[:2]).copy()
    return Exposure(photons, energy, axes, table, np.ones(len(photons)))


def followed(rate, time, tau, dead, paralysable, rng):
    """Energies of the recorded events of a counter, from its arrivals: sums over runs of gaps below `tau`."""
    n = rng.poisson(rate * time)
    at = np.sort(rng.uniform(0, time, n))
    energy = LINES[(rng.uniform(size=n) < 0.4).astype(int)]
    gap = np.diff(at, prepend=-np.inf)
    if paralysable:
        recorded = gap >= dead
    else:
        recorded, free = np.zeros(n, bool), -np.inf
        for k, t in enumerate(at):
            if t >= free:
                recorded[k], free = True, t + dead
    # an event begins at each recorded photon and goes on while gaps are short
    member = np.zeros(n, np.int64)
    begins, inside = -1, False
    for k in range(n):
        if recorded[k]:
            begins, inside = begins + 1, True
        elif inside and gap[k] >= tau:
            inside = False
        member[k] = begins if inside else -1
    return np.bincount(member[member >= 0], energy[member >= 0])


@pytest.mark.parametrize("model", ["paralysable", "non_paralysable"])
def test_sum_peaks_hold_what_arrivals_followed_one_by_one_give(model):
    rate, time = 3e5, 5.0
    sdd = detector(dead_time_model=model)
    mean = sdd.mean(exposure([[0.6 * rate * time, 0.4 * rate * time]], time))[0]
    events = followed(rate, time, 1e-7, 1e-6, model == "paralysable", np.random.default_rng(3))
    assert mean.sum() == pytest.approx(len(events), rel=5e-3)
    for energy in (3000.0, 5200.0, 6000.0, 8200.0, 10400.0, 9000.0, 11200.0):
        near = np.abs(sdd.energies - energy) < 350
        seen = np.count_nonzero(np.abs(events - energy) < 1)
        assert mean[near].sum() == pytest.approx(seen, rel=0.01, abs=4 * np.sqrt(seen)), energy
    double = np.abs(sdd.energies - 6000) < 350  # two photons, one electronic noise
    p = mean[double] / mean[double].sum()
    width = np.sqrt(8 * np.log(2) * (p @ (sdd.energies[double] - p @ sdd.energies[double]) ** 2))
    assert width == pytest.approx(np.sqrt(60**2 + 8 * np.log(2) * (0.115 * 3.65 * 6000 + 3 * 10**2 / 12)), rel=5e-3)


def test_the_share_of_sums_is_that_of_the_geometric_law():
    rate = 5e5
    mean = detector().mean(exposure([[rate, 0.0]]))[0]
    near = [mean[np.abs(detector().energies - 3000 * n) < 500].sum() for n in (1, 2, 3)]
    x = rate * 1e-7
    shares = [np.exp(-x) * (1 - np.exp(-x)) ** (n - 1) for n in (1, 2, 3)]
    assert near == pytest.approx([rate * np.exp(-rate * 1e-6) * share for share in shares], rel=1e-5)


@pytest.mark.parametrize("fields", [{}, {"zero": "-333 eV"}, {"zero": "1 keV", "noise": "0 eV"}, {"width": "25 eV"}])
def test_counts_follow_the_expectation_with_pile_up(fields):
    sdd = detector(**{"tail": 0.02, "shelf": 0.01, "escape": True} | fields)
    shot = exposure(np.tile([[3000.0, 2000.0]], (1000, 1)), time=0.01)
    counts, want = sdd.read(shot, KEY).sum(0), sdd.mean(shot).sum(0)
    big = want > 20
    assert big[np.abs(sdd.energies - 8200) < 50].all()  # the sum peak is among them
    assert stats.chi2.sf(np.sum((counts - want)[big] ** 2 / want[big]), big.sum()) > 1e-3
    assert counts[~big].sum() == pytest.approx(want[~big].sum(), abs=4 * np.sqrt(want[~big].sum() + 1))


def test_recorded_over_live_time_is_the_true_rate():
    for model in ("paralysable", "non_paralysable"):
        sdd = detector(dead_time_model=model)
        shot = exposure(np.full((200, 2), 2000.0), time=0.01)
        live, counts = sdd.live_time(shot, KEY), sdd.read(shot, KEY).sum(1)
        assert live.shape == (200,)
        assert live.max() < 0.01
        rate = counts.sum() / live.sum()
        assert rate == pytest.approx(4e5, rel=4 / np.sqrt(counts.sum()))
        # each reading's own live time goes with its own counts
        assert np.corrcoef(live, counts)[0, 1] < -0.99
    assert np.array_equal(detector(dead_time="0 s", resolving_time="0 s").live_time(shot, KEY), np.full(200, 0.01))


def test_several_detectors_are_drawn_apart_by_their_own_light():
    photons = np.tile(np.array([[[3000.0, 100.0], [10.0, 2000.0]]]), (50, 1, 1))  # frames, lines, detectors
    axes = (Axis("detector", np.array(["left", "right"])),)
    sdd = detector()
    shot = exposure(photons, 0.01, axes)
    counts = sdd.read(shot, KEY)
    assert counts.shape == (50, 2, 1500) == sdd.mean(shot).shape
    assert [axis.name for axis in sdd.counts_axes(axes)] == ["detector", "emission"]
    assert sdd.live_time(shot, KEY).shape == (50, 2)
    for k in (0, 1):
        alone = exposure(photons[..., k], 0.01)
        assert np.array_equal(sdd.mean(shot)[:, k], sdd.mean(alone))
        want = sdd.mean(shot)[:, k].sum()
        assert counts[:, k].sum() == pytest.approx(want, abs=4 * np.sqrt(want))
    same = exposure(np.tile(photons[..., :1], 2), 0.01, axes)
    assert not np.array_equal(*np.moveaxis(sdd.read(same, KEY), 1, 0))


def test_bits_depend_on_no_chunk_and_no_thread():
    from xsim.threads import use_threads

    photons = np.random.default_rng(0).uniform(0, 450, (600, 2, 2))
    axes = (Axis("detector", np.arange(2)),)
    sdd, shot = detector(), exposure(photons, 0.001, axes)
    with use_threads(1):
        whole, live = sdd.read(shot, KEY), sdd.live_time(shot, KEY)
    for rows in (slice(0, 1), slice(5, 300), slice(599, 600)):
        part = Exposure(photons[rows], shot.group_energy[rows], axes, shot.frames.take(rows), shot.incident[rows])
        with use_threads(3):
            assert np.array_equal(sdd.read(part, KEY), whole[rows])
            assert np.array_equal(sdd.live_time(part, KEY), live[rows])


def test_the_tail_grows_towards_low_energies_and_jumps_at_the_silicon_edge():
    response = SiliconDrift(tail=0.01)._response()
    assert response.tail_share(5895.0) == pytest.approx(0.01, rel=1e-9)
    shares = [response.tail_share(energy) for energy in (12e3, 6e3, 3e3, 1.9e3)]
    assert shares == sorted(shares)
    assert response.tail_share(1800.0) < 0.2 * shares[-1]
    even = SiliconDrift(tail=0.01, tail_law="constant")._response()
    assert even.tail_share(1500.0) == even.tail_share(12e3) == 0.01


def test_a_paralysed_detector_says_so():
    with pytest.warns(ValidityWarning, match="paralysed"):
        detector().read(exposure([[2e6, 0.0]]), KEY)


def test_a_resolving_time_beyond_the_dead_time_is_refused():
    with pytest.raises(ValidationError, match="resolving"):
        SiliconDrift(dead_time="50 ns", resolving_time="60 ns")


def test_bars_of_a_grid_shade_by_their_coverage():
    bars = {"material": "silicon", "thickness": "1 mm", "coverage": 0.25}
    sensor = {"material": "silicon", "thickness": "1 mm"}
    open_, shaded = (SiliconDrift(efficiency=sensor | {"windows": w}) for w in ([], [bars]))
    energy = np.array([3000.0])
    assert shaded.shares(energy).sum() == pytest.approx(0.75 * open_.shares(energy).sum(), rel=1e-9)
