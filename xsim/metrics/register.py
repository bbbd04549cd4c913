"""Sub-pixel registration of two images: shifts by the Fourier shift theorem, found by an upsampled transform.

    corr(s) = sum_q conj(A(q)) B(q) exp(iq.s),    B(r) ~ A(r - s)

The peak of the correlation is found on pixels by one FFT and refined by matrix transforms of a small neighbourhood,
each pass ten times finer. Reference: Guizar-Sicairos, Thurman & Fienup, Opt. Lett. 33, 156 (2008), doi
10.1364/OL.33.000156.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xsim.exposure import Array
from xsim.waves.fft import fft2, fftfreq, ifft2


def shift_between(first: Array, second: Array, upsample: int = 100) -> tuple[float, float]:
    """(y, x) [pixels] by which `second` is shifted against `first`, both (ny, nx); to 1/`upsample` of a pixel."""
    product = np.conj(fft2(np.asarray(first, complex))) * fft2(np.asarray(second, complex))
    return spectral_peak(product, upsample)


def spectral_peak(spectrum: Array, upsample: int = 100) -> tuple[float, float]:
    """(y, x) [pixels], each in -n/2 .. n/2, where the inverse transform of `spectrum` (FFT order) is largest."""
    ny, nx = spectrum.shape
    correlation = np.abs(ifft2(spectrum))
    at = np.unravel_index(int(np.argmax(correlation)), correlation.shape)
    peak = [float((p + n // 2) % n - n // 2) for p, n in zip(at, (ny, nx), strict=True)]
    qy, qx = fftfreq(ny, 1.0), fftfreq(nx, 1.0)
    step = 1.0
    for _ in range(max(0, math.ceil(math.log10(max(upsample, 1)) - 1e-9))):
        step /= 10
        y, x = (p + step * np.arange(-15, 16) for p in peak)
        local = np.abs(np.exp(1j * np.outer(y, qy)) @ spectrum @ np.exp(1j * np.outer(qx, x)))
        row, column = np.unravel_index(int(np.argmax(local)), local.shape)
        peak = [float(y[row]), float(x[column])]
    return peak[0], peak[1]


def shifted(image: Array, shift: tuple[float, float]) -> Array:
    """`image` (ny, nx) moved by `shift` (y, x) [pixels], periodic; a real image stays real."""
    ny, nx = image.shape
    ramp = np.exp(-1j * (shift[0] * fftfreq(ny, 1.0)[:, None] + shift[1] * fftfreq(nx, 1.0)[None, :]))
    moved: Any = ifft2(fft2(np.asarray(image, complex)) * ramp)
    return moved if np.iscomplexobj(image) else moved.real
