"""Shifts of a probe by parts of a sample: right to what is promised, whatever the probe's band."""

import numpy as np
import pytest

from xsim.instruments._scan_passes import place
from xsim.instruments._scan_shift import SHIFT_ERROR, sharpened, shift_kernel
from xsim.instruments._scan_wave import _record, centring

N = 96


def spectrum(band: float) -> np.ndarray:
    """A disk with a curved phase over `band` of the samples' own band, in FFT order."""
    q = 2 * np.fft.fftfreq(N)
    radius = np.hypot(q[:, None], q[None, :])
    return np.where(radius <= band, np.exp(1j * (40 * radius**2 + 3 * q[:, None])), 0)


def moved(spectra: np.ndarray, y: float, x: float) -> np.ndarray:
    """By a ramp on the spectrum."""
    q = 2 * np.pi * np.fft.fftfreq(N)
    return np.fft.fftshift(np.fft.ifft2(spectra * np.exp(-1j * (q[:, None] * y + q[None, :] * x))))


@pytest.mark.parametrize(("band", "terms"), [(0.1, 5), (0.17, 5), (0.3, 7), (0.5, 9), (0.7, 13)])
def test_a_shift_is_that_of_a_phase_ramp_to_what_is_promised(band: float, terms: int) -> None:
    spectra = spectrum(band)[None]
    kernel = shift_kernel(spectra)
    assert kernel.terms <= terms
    probe = sharpened(spectra, kernel)[0]
    rest = np.random.default_rng(0).uniform(-0.5, 0.5, (6, 2))
    rest[:2] = [[0.5, -0.5], [0, 0]]
    weights = kernel.weights(rest).astype(np.float32)
    out = np.empty((len(rest), N, N), np.complex64)
    place(probe, weights, np.ones((N, N), np.complex64), np.zeros((len(rest), 2), np.int64), out)
    for (y, x), found in zip(rest, out, strict=True):
        wanted = moved(spectra[0], y, x)
        assert np.linalg.norm(found - wanted) < 1.1 * SHIFT_ERROR * np.linalg.norm(wanted)  # and rounding, 1e-7
    assert np.linalg.norm(out[1] - moved(spectra[0], 0.01, 0)) > 100 * SHIFT_ERROR * np.linalg.norm(out[1])


def test_a_sharp_edged_probe_is_shifted_as_well_as_its_band_allows() -> None:
    """A disk of hard edge fills all of the band with tails: few of them may be wrong."""
    y, x = np.mgrid[-N // 2 : N // 2, -N // 2 : N // 2]
    spectra = np.fft.fft2(np.fft.ifftshift(np.hypot(y, x) < 14))[None]
    kernel = shift_kernel(spectra)
    probe = sharpened(spectra, kernel)[0]
    out = np.empty((1, N, N), np.complex64)
    place(probe, kernel.weights(np.array([[0.4, -0.3]])).astype(np.float32), np.ones((N, N), np.complex64),
          np.zeros((1, 2), np.int64), out)  # fmt: skip
    wanted = moved(spectra[0], 0.4, -0.3)
    assert np.linalg.norm(out[0] - wanted) < 0.05 * np.linalg.norm(wanted)


@pytest.mark.parametrize(("n", "shape"), [(10, (5, 8)), (10, (1, 4)), (8, (8, 8)), (9, (7, 1))])
def test_patterns_have_their_zero_angle_in_the_middle_pixel(n: int, shape: tuple[int, int]) -> None:
    """Of any window of an object, and added to what is there or not."""
    ny, nx = shape
    whole = np.random.default_rng(1).normal(size=(15, 15, 2)).view(np.complex128)[..., 0]
    phase = centring(15, n)
    turned = (whole * phase[:, None] * phase).astype(np.complex64)
    out = np.ones((2, ny, nx), np.float32)
    waves = np.stack([turned[1 : 1 + n, 4 : 4 + n], turned[3 : 3 + n, 2 : 2 + n]])
    plain = np.stack([whole[1 : 1 + n, 4 : 4 + n], whole[3 : 3 + n, 2 : 2 + n]])
    wanted = np.abs(np.roll(np.fft.fft2(plain), (ny // 2, nx // 2), axis=(1, 2))[:, :ny, :nx]) ** 2
    wanted *= np.array([2, 3])[:, None, None]
    _record(waves.copy(), np.array([2, 3], np.float32), out, False)
    assert out == pytest.approx(1 + wanted, rel=1e-5)
    _record(waves.copy(), np.array([2, 3], np.float32), out, True)
    assert out == pytest.approx(wanted, rel=1e-5, abs=1e-4)
