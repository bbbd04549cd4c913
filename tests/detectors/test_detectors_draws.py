"""The random numbers under every detector: known answers, distributions, and bits that depend on the key alone."""

import numpy as np
import pytest
from scipy import stats

from xsim.detectors._alias import MIDDLE, tables
from xsim.detectors._philox import philox
from xsim.detectors._poisson import normal, poisson
from xsim.errors import RangeError
from xsim.streams import StreamKey

KEY = StreamKey(1, "test/photons")


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ([0] * 4, [0] * 2, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_published_known_answers(counter, key, words):
    assert tuple(int(word) for word in philox(*counter, *key)) == words


def chi_square_p(draws: np.ndarray, mean: float) -> float:
    """p-value of the draws against the Poisson distribution, bins merged to at least 20 expected."""
    low, high = stats.poisson.ppf([1e-9, 1 - 1e-9], mean)
    edges = [-1]
    for k in np.arange(low, high + 1):
        if draws.size * (stats.poisson.cdf(k, mean) - stats.poisson.cdf(edges[-1], mean)) >= 20:
            edges.append(k)
    edges[-1] = np.inf
    expected = draws.size * np.diff(stats.poisson.cdf(edges, mean))
    observed = np.histogram(draws, np.array(edges) + 0.5)[0]
    if len(expected) < 2:
        return float(stats.poisson.sf(draws.sum() - 1, draws.size * mean))
    return float(stats.chisquare(observed, expected).pvalue)


@pytest.mark.parametrize("mean", [0.003, 0.1, 0.36, 0.52, 2.0, 15.9, 16.1, 47.9, 48.1, 300.0, 5000.0])
def test_draws_follow_the_poisson_distribution(mean):
    keys = [StreamKey(seed, "chi-square") for seed in range(6)]
    p = [chi_square_p(poisson(np.full((2, 30011), mean), key, np.arange(2)).ravel(), mean) for key in keys]
    assert stats.combine_pvalues(p).pvalue > 1e-3
    assert stats.kstest(p, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("mean", [1e6, 1e9, 1e12])
def test_large_means_keep_their_mean_variance_and_shape(mean):
    draws = (poisson(np.full((4, 40000), mean), KEY, np.arange(4)).ravel() - mean) / np.sqrt(mean)
    assert stats.kstest(draws, "norm").pvalue > 1e-3
    assert abs(draws.mean()) < 3 / np.sqrt(draws.size)
    assert abs(draws.var() - 1) < 3 * np.sqrt(2 / draws.size)


def test_a_sparse_block_splits_its_photons_by_expectation():
    means = np.zeros((20000, 40))
    means[:, [0, 3, 31, 35]] = [0.5, 1.5, 0.01, 3.0]
    draws = poisson(means, KEY, np.arange(20000))
    assert draws[:, means[0] == 0].sum() == 0
    for pixel in (0, 3, 31, 35):
        assert chi_square_p(draws[:, pixel], means[0, pixel]) > 1e-3
    assert abs(np.corrcoef(draws[:, 0], draws[:, 3])[0, 1]) < 3 / np.sqrt(20000)


def test_a_bright_block_draws_every_element_from_its_own_law():
    """Floored expectations from tables of both steps, drawn singly above them, and what the flooring left over."""
    block = [0.0, 0.03, 0.1, 0.99, 5.05, 15.99, 16.0, 16.2, 31.1, 47.99, 48.01, 700.0, 2.0, 0.0]
    means = np.tile(np.array([*block, *[7.3] * 18, *block]), (20000, 1))
    draws = poisson(means, KEY, np.arange(20000))
    assert draws[:, means[0] == 0].sum() == 0
    p = np.array([chi_square_p(draws[:, i], means[0, i]) for i in np.flatnonzero(means[0] > 0)])
    assert p.min() > 1e-4
    assert stats.kstest(p, "uniform").pvalue > 1e-3
    lit = draws[:, means[0] > 0]
    correlations = np.corrcoef(lit.T)[np.triu_indices(lit.shape[1], 1)] * np.sqrt(20000)
    assert abs(correlations).max() < 5
    assert np.mean(correlations**2) == pytest.approx(1, abs=0.2)


def test_the_tables_hold_the_poisson_probabilities_to_rounding():
    for table, step, lowest in zip(tables(), (1 / 16, 1 / 4), (0, MIDDLE), strict=True):
        columns = table.shape[1]
        for row in (0, 1, len(table) // 2, len(table) - 1):
            stays = (table[row] >> np.uint64(8)).astype(float) / 2.0**56
            found = stays.copy()
            np.add.at(found, (table[row] & np.uint64(255)).astype(int), 1 - stays)
            exact = stats.poisson.pmf(np.arange(columns), lowest + row * step)
            # terms of some hundred cancel in the logarithm of a probability: 1e-14 of it
            assert np.max(np.abs(found / columns - exact)) < 2e-14 * exact.max()
            assert stats.poisson.sf(columns - 1, lowest + row * step) < 1e-17


def test_single_precision_expectations_give_the_same_numbers():
    means = np.random.default_rng(0).lognormal(0, 3, (2, 700)).astype(np.float32)
    assert np.array_equal(poisson(means, KEY, np.arange(2)), poisson(means.astype(float), KEY, np.arange(2)))


def test_frames_pixels_and_lanes_are_uncorrelated():
    means = np.full((1, 60000), 3.0)
    a, b, c = (poisson(means, KEY, np.array([i]), lane)[0] for i, lane in ((0, 0), (1, 0), (0, 1)))
    for x, y in ((a, b), (a, c), (a[1:], a[:-1]), (a[32:], a[:-32])):
        assert abs(np.corrcoef(x, y)[0, 1]) < 4 / np.sqrt(60000)


def test_bits_do_not_depend_on_chunks_or_threads():
    means = np.random.default_rng(0).lognormal(0, 3, (7, 50, 30))
    whole = poisson(means, KEY, np.arange(7))
    assert np.array_equal(whole, poisson(means, KEY, np.arange(7), threads=2))
    parts = [poisson(means[i : i + 1], KEY, np.array([i])) for i in reversed(range(7))][::-1]
    assert np.array_equal(whole, np.concatenate(parts))
    noise = normal((7, 51), KEY, np.arange(7))
    assert np.array_equal(noise[5:], normal((2, 51), KEY, np.array([5, 6]), threads=2))


def test_normal_numbers_are_normal_with_zero_mean():
    z = normal((3, 50001), KEY, np.arange(3)).ravel()
    assert stats.kstest(z, "norm").pvalue > 1e-3
    assert abs(z.mean()) < 3 / np.sqrt(z.size)


@pytest.mark.parametrize("bad", [-1e-3, np.nan, np.inf, 1e16])
def test_an_impossible_expectation_is_refused(bad):
    with pytest.raises(RangeError, match="expected photons"):
        poisson(np.array([[1.0, bad]]), KEY, np.arange(1))


def test_seed_and_purpose_give_other_numbers():
    means = np.full((1, 1000), 5.0)
    draws = [poisson(means, key, np.arange(1)) for key in (KEY, StreamKey(2, KEY.purpose), KEY.child("x"))]
    assert not np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])
