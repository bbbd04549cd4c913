"""Scores against closed forms and statistics whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from xsim.errors import RangeError
from xsim.metrics.cnr import contrast_to_noise, rose
from xsim.metrics.complex_match import Freedom, match, twin_of
from xsim.metrics.frc import half_bit, ring_correlation
from xsim.metrics.localisation import localise
from xsim.metrics.prtf import floor, prtf
from xsim.metrics.register import shift_between, shifted
from xsim.metrics.volume_match import volume_match
from xsim.waves.fft import fft2, fftshift, ifft2, ifftshift

RNG = np.random.default_rng(3)


def lumpy(n: int = 64) -> np.ndarray:
    """A complex, asymmetric, band-limited image away from the edges."""
    y, x = np.mgrid[:n, :n] - n // 2
    spots = ((4, -9, 5, 1.0), (-8, 3, 3, 0.7j), (6, 11, 2.5, -0.5 + 0.2j))
    return sum(a * np.exp(-((y - j) ** 2 + (x - i) ** 2) / 2 / s**2) for j, i, s, a in spots)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (3.0, -5.0), (1.37, -2.81), (-7.5, 0.25)])
def test_a_shift_is_found_to_a_hundredth_of_a_pixel(shift: tuple[float, float]) -> None:
    image = lumpy()
    assert shift_between(image, shifted(image, shift)) == pytest.approx(shift, abs=0.0051)


def test_a_match_does_not_see_phase_scale_shift_and_ramp() -> None:
    truth = lumpy()
    y, x = np.mgrid[:64, :64]
    wave = np.exp(0.3j * truth.real)
    changed = 2.5 * np.exp(1.1j) * shifted(wave, (1.3, -0.7)) * np.exp(2j * np.pi * (0.013 * x - 0.006 * y))
    found = match(changed, wave, Freedom(ramp=True))
    assert found.correlation > 0.999
    assert found.shift == pytest.approx((1.3, -0.7), abs=0.05)
    assert abs(found.factor) == pytest.approx(1 / 2.5, rel=1e-2)


def test_the_error_and_the_correlation_of_a_match_belong_together() -> None:
    truth = lumpy()
    noisy = truth + 0.05 * (RNG.normal(size=truth.shape) + 1j * RNG.normal(size=truth.shape))
    found = match(noisy, truth, Freedom(shift=False, contrast=False))
    wanted = np.linalg.norm(noisy * found.factor - truth) / np.linalg.norm(truth)
    assert found.error == pytest.approx(wanted, rel=1e-9)
    # noise of power s against signal of power 1: correlation 1/sqrt(1 + s)
    power = 2 * 0.05**2 * truth.size / np.sum(np.abs(truth) ** 2)
    assert found.correlation == pytest.approx(1 / np.sqrt(1 + power), rel=0.01)


@pytest.mark.parametrize("n", [63, 64])
def test_the_twin_has_the_same_pattern_and_is_recognised_only_where_it_may_be(n: int) -> None:
    truth = lumpy(n)
    other = twin_of(truth)
    far = [np.abs(fft2(ifftshift(image))) for image in (truth, other)]
    np.testing.assert_allclose(far[0], far[1], atol=1e-9)
    assert match(other, truth).correlation < 0.9
    found = match(other, truth, Freedom(twin=True))
    assert found.twin
    assert found.correlation > 0.9999


def test_a_mirrored_image_scores_lower() -> None:
    truth = lumpy()
    assert match(truth[:, ::-1], truth, Freedom(twin=True)).correlation < 0.95 * match(truth, truth).correlation


def test_the_half_bit_threshold_has_its_published_values() -> None:
    assert half_bit(np.array([1e12]))[0] == pytest.approx(0.2071 / 1.2071, rel=1e-5)
    assert half_bit(np.array([1]))[0] == pytest.approx(1.0, abs=1e-4)
    assert half_bit(np.array([100]))[0] == pytest.approx((0.2071 + 0.19102) / (1.2071 + 0.09102), rel=1e-12)


@pytest.mark.parametrize("shape", [(128, 128), (48, 48, 48)])
def test_ring_correlation_of_two_noisy_copies_is_snr_over_one_plus_snr(shape: tuple[int, ...]) -> None:
    signal = RNG.normal(size=shape)
    for snr in (0.5, 3.0):
        a, b = (signal + RNG.normal(size=shape) / np.sqrt(snr) for _ in range(2))
        found = ring_correlation(a, b, 1e-9, window=False)
        weight = found.count[5:] / found.count[5:].sum()
        mean = float((found.correlation[5:] * weight).sum())
        assert mean == pytest.approx(snr / (1 + snr), abs=4 / np.sqrt(signal.size))


def test_the_resolution_is_where_a_sharp_band_limit_lies() -> None:
    n, pixel, cut = 256, 5e-9, 40
    f = np.hypot(*np.meshgrid(np.arange(n) - n // 2, np.arange(n) - n // 2))
    signal = RNG.normal(size=(n, n))
    blurred = ifft2(ifftshift(np.where(f <= cut, fftshift(fft2(signal)), 0))).real
    noise = RNG.normal(size=(2, n, n)) * 0.05
    found = ring_correlation(blurred + noise[0], blurred + noise[1], pixel, window=False)
    assert found.resolution() == pytest.approx(n * pixel / cut / 2, rel=0.03)
    assert ring_correlation(signal, signal, pixel).resolution() is None


@pytest.mark.parametrize("starts", [8, 20])
def test_random_phases_give_the_floor_of_the_transfer_function_and_equal_images_give_one(starts: int) -> None:
    phases = np.exp(2j * np.pi * RNG.random((starts, 64, 64)))
    _, curve = prtf(ifft2(phases), 1e-9)
    assert curve[4:].mean() == pytest.approx(floor(starts), rel=0.03)
    _, same = prtf(np.repeat(lumpy()[None], starts, axis=0), 1e-9)
    np.testing.assert_allclose(same, 1.0, atol=1e-9)


def test_contrast_to_noise_of_normal_noise_is_the_step_over_its_sigma() -> None:
    image = RNG.normal(size=(200, 200)) * 0.5
    inside = np.zeros(image.shape, bool)
    inside[:100] = True
    image[inside] += 0.75
    assert contrast_to_noise(image, inside, ~inside) == pytest.approx(1.5, rel=0.03)
    assert rose(image, inside, ~inside) == pytest.approx(1.5 * np.sqrt(20_000), rel=0.03)
    with pytest.raises(RangeError):
        contrast_to_noise(image, ~(inside | True), inside)


def test_precision_and_recall_count_pairs_within_reach_once() -> None:
    true = np.array([[0.0, 0.0], [10.0, 0.0], [20.0, 0.0], [30.0, 0.0]]) * 1e-9
    found = np.array([[0.5, 0.0], [0.2, 0.1], [10.0, 3.0], [50.0, 0.0]]) * 1e-9
    score = localise(found, true, 4e-9)
    assert (score.hits, score.precision, score.recall) == (2, 0.5, 0.5)
    # of the two near the first, the nearer is the hit
    assert score.rms == pytest.approx(np.sqrt((0.05 + 9) / 2) * 1e-9, rel=1e-9)
    assert localise(np.empty((0, 2)), true, 1e-9).recall == 0


def test_pairing_maximises_hits_before_it_minimises_distance() -> None:
    # greedy nearest-first would pair 1.0 with 0.9 and leave 0.0 without a partner
    found, true = np.array([[1.0], [2.2]]), np.array([[0.0], [1.1]])
    assert localise(found, true, 1.2).hits == 2


@pytest.mark.parametrize("shape", [(6, 6), (7, 5), (5, 8), (4, 5, 6)])
def test_the_twin_of_a_volume_keeps_its_middle_and_its_pattern_and_is_matched(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    one = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    other, middle = twin_of(one), tuple(n // 2 for n in shape)
    assert other[middle] == np.conj(one[middle])
    assert np.abs(np.fft.fftn(other)) == pytest.approx(np.abs(np.fft.fftn(one)), rel=1e-9)
    found = volume_match(np.roll(other, 1, 0) * np.exp(0.7j), one)
    assert found.twin
    assert found.correlation == pytest.approx(1)
    assert found.aligned == pytest.approx(one, rel=1e-9)
