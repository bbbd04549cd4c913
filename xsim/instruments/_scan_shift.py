"""A probe between samples: its shift by a fraction of a sample as a short sum over neighbouring samples.

    p(y - d) = sum_j w(d + j) p'(y + j),   |j| <= T // 2,   w(x) = I0(b sqrt(1 - (2 x/T)^2)) / I0(b)

p' is p with its spectrum divided by that of w, T sinh(s)/(s I0(b)), s^2 = b^2 - (q T/2)^2: the interpolation of
non-uniform Fourier transforms, along y and x alike. What w folds back into the band of p is its error; `shift_kernel`
finds the fewest terms for which that error, of the probe at hand, is small enough at every d. Probes with hard edges
have tails at every frequency: where those of the samples end, what is wrong is as small as what their sampling folds.
References: Kaiser-Bessel window: Kuo & Kaiser (1966); its use for interpolation: Jackson et al., IEEE Trans. Med.
Imaging 10, 473 (1991), doi 10.1109/42.97598.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.waves.fft import fftfreq, fftshift, ifft2

FloatArray = NDArray[np.float64]

#: amplitude that a shift may get wrong, over that of the probe
SHIFT_ERROR = 1e-5
_MOST_TERMS = 17
_ROUNDING = float(np.finfo(np.float32).eps) / 2
#: the band that a kernel serves, as parts of the sampling's: each has its own best shape
_BANDS = (0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.0)
_TRIED = np.linspace(-0.5, 0.5, 11)


@dataclass(frozen=True)
class ShiftKernel:
    """The weights w of `terms` (odd) neighbouring samples; shape: b."""

    terms: int
    shape: float

    def weights(self, rest: FloatArray) -> FloatArray:
        """(..., terms) for shifts of `rest` (...) samples, |rest| <= 1/2."""
        x = rest[..., None] + np.arange(self.terms) - self.terms // 2
        inside = np.clip(1 - (2 * x / self.terms) ** 2, 0, None)
        return np.asarray(np.i0(self.shape * np.sqrt(inside)) / np.i0(self.shape))

    def spectrum(self, q: FloatArray) -> FloatArray:
        """Transform of w at angular frequencies q [rad/sample], |q| <= pi."""
        s = np.sqrt(np.clip(self.shape**2 - (q * self.terms / 2) ** 2, 1e-12, None))
        return np.asarray(self.terms * np.sinh(s) / s / np.i0(self.shape))

    def error(self, power: FloatArray) -> float:
        """The largest wrong amplitude over all shifts, of a spectrum of `power` (n,) in FFT order, summing to 1."""
        q = fftfreq(len(power), 1.0)
        terms = np.exp(1j * np.outer(np.arange(self.terms) - self.terms // 2, q))
        found = self.weights(_TRIED) @ terms / self.spectrum(q) - np.exp(-1j * np.outer(_TRIED, q))
        return float(np.sqrt(np.max(np.abs(found) ** 2 @ power)))

    def rounding(self, power: FloatArray) -> float:
        """Amplitude lost to single precision where w is small, of a spectrum with `power` (n, n) summing to 1."""
        gain = (self.spectrum(np.zeros(1)) / self.spectrum(fftfreq(len(power), 1.0))) ** 2
        return float(_ROUNDING * np.sqrt(gain @ power @ gain))


def shift_kernel(spectra: NDArray[Any]) -> ShiftKernel:
    """The kernel with the fewest terms for modes whose spectra (m, n, n), in FFT order, it shifts together."""
    power = np.sum(np.abs(spectra) ** 2, axis=0)
    power /= power.sum()
    axes = power.sum(axis=1), power.sum(axis=0)
    best: tuple[float, ShiftKernel] | None = None
    for terms in range(5, _MOST_TERMS + 1, 2):
        for band in _BANDS:
            kernel = ShiftKernel(terms, np.pi * terms * (1 - band / 2))
            error = float(np.linalg.norm([kernel.error(axis) for axis in axes] + [kernel.rounding(power)]))
            if best is None or error < best[0]:
                best = (error, kernel)
        if best is not None and best[0] < SHIFT_ERROR:
            break
    assert best is not None
    return best[1]


def sharpened(spectra: NDArray[Any], kernel: ShiftKernel) -> NDArray[np.complex64]:
    """p' (m, n + T - 1, n + T - 1) of spectra (m, n, n), zero frequency first: centred, and going round at its rim."""
    n, rim = spectra.shape[-1], kernel.terms // 2
    factor = 1 / kernel.spectrum(fftfreq(n, 1.0))
    waves: NDArray[Any] = fftshift(ifft2(spectra * factor[:, None] * factor))
    return np.pad(waves.astype(np.complex64), ((0, 0), (rim, rim), (rim, rim)), mode="wrap")
