"""Partially coherent beams as a sum of coherent modes: the Gaussian Schell-model.

    I(x) = exp(-x^2/2 s^2),   |mu(x1, x2)| = exp(-(x1 - x2)^2/2 c^2)
    share of mode j: (1 - b) b^j,   a = 1/4s^2,   g = 1/2c^2,   w = sqrt(a^2 + 2 a g),   b = g/(a + g + w)
    mode j: Hermite-Gauss H_j(x sqrt(2w)) exp(-w x^2)

s rms beam size, c coherence length. Modes are mutually incoherent: propagate each and add the intensities. Holds for
quasi-monochromatic light (longitudinal coherence lambda^2/d lambda longer than the path differences). The far field of
psi(x1) psi*(x2) mu(x1 - x2) is that of the coherent wave psi, convolved with the transform of mu: `smeared`. Reference:
Starikov & Wolf, doi 10.1364/JOSA.72.000923; Vartanyants & Singer, doi 10.1088/1367-2630/12/3/035004.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavelength
from xsim.errors import RangeError
from xsim.waves.fft import fft2, fftfreq, ifft2

FloatArray = NDArray[np.float64]


def mode_shares(size: float, coherence: float, loss: float = 1e-3) -> FloatArray:
    """Shares (n,) of the light in the leading modes along one axis, until less than `loss` is left out.

    size, coherence: rms beam size and coherence length [m]. The shares sum to between 1 - loss and 1.
    """
    if not (size > 0 and coherence > 0 and 0 < loss < 1):
        raise RangeError("beam size, coherence length, loss", value=(size, coherence, loss), allowed="> 0, loss < 1")
    ratio = _ratio(size, coherence)[0]
    count = max(1, int(np.ceil(np.log(loss) / np.log(ratio)))) if ratio > 0 else 1
    return np.asarray((1 - ratio) * ratio ** np.arange(count))


def modes(x: FloatArray, size: float, coherence: float, loss: float = 1e-3) -> tuple[FloatArray, FloatArray]:
    """Mode amplitudes (n, len(x)) [m^-1/2], orthonormal over x [m], and their shares (n,)."""
    shares = mode_shares(size, coherence, loss)
    waist = _ratio(size, coherence)[1]
    u = np.asarray(x) * np.sqrt(2 * waist)
    found = np.empty((len(shares), len(u)))
    # normalised Hermite functions by their stable recurrence
    found[0] = (2 * waist / np.pi) ** 0.25 * np.exp(-u * u / 2)
    if len(shares) > 1:
        found[1] = np.sqrt(2) * u * found[0]
    for j in range(2, len(shares)):
        found[j] = np.sqrt(2 / j) * u * found[j - 1] - np.sqrt((j - 1) / j) * found[j - 2]
    return found, shares


def smeared(pattern: FloatArray, spread: tuple[float, float]) -> FloatArray:
    """`pattern` (ny, nx) of the far field convolved with a Gaussian of rms `spread` (y, x) [pixels], periodic.

    With mu(d) = exp(-d^2/2 c^2) the spread is wavelength distance/(2 pi c pixel). The transform of a pattern is the
    autocorrelation of the wave, which mu multiplies: exact for a pattern sampled at twice the wave's width or more,
    however small the spread.
    """
    transform = fft2(np.asarray(pattern, np.complex128), overwrite=True)
    for axis, sigma in enumerate(spread):
        q = fftfreq(pattern.shape[axis], 1.0)
        transform *= np.exp(-0.5 * (sigma * q) ** 2).reshape((-1, 1) if axis == 0 else (1, -1))
    return np.asarray(ifft2(transform, overwrite=True).real)


def transverse_coherence(source_size: float, distance: float, energy: Any) -> Any:
    """Rms coherence length lambda z/(2 pi s) [m] at `distance` [m] from an incoherent Gaussian source of rms s [m]."""
    return wavelength(energy) * distance / (2 * np.pi * source_size)


def longitudinal_coherence(energy: Any, bandwidth: float) -> Any:
    """Coherence length lambda^2/(2 d lambda) [m] along the beam for a relative `bandwidth` (FWHM)."""
    return wavelength(energy) / (2 * bandwidth)


def _ratio(size: float, coherence: float) -> tuple[float, float]:
    a, g = 1 / (4 * size**2), 1 / (2 * coherence**2)
    waist = np.sqrt(a * a + 2 * a * g)
    return float(g / (a + g + waist)), float(waist)
