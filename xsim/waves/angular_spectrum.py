"""Free-space propagation by the angular spectrum of plane waves.

    psi(z) = F^-1 { F{psi(0)} exp[i z (sqrt(k^2 - q^2) - k)] }             (relative to the carrier exp(ikz))

Exact for a scalar wave; evanescent waves (q > k) are cut. `paraxial=True` uses exp(-i z q^2 / 2k) instead. The
transfer function is sampled finely enough for |z| <= n pixel^2 / (lambda b), b the band that is kept as a fraction
of Nyquist; beyond that it aliases silently, so `propagate` refuses. The grid is periodic: what leaves on one side
returns on the other, so leave a margin. Reference: Goodman, Introduction to Fourier Optics; Matsushima & Shimobaba,
doi 10.1364/OE.17.019662.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavelength, wavenumber
from xsim.errors import RangeError, SamplingError
from xsim.waves.fft import fft2, ifft2, like
from xsim.waves.grid import Grid


def longest_distance(grid: Grid, energy: float, band: float = 1.0) -> float:
    """The largest |distance| [m] over which the transfer function is sampled without aliasing."""
    return float(min(grid.shape) * grid.pixel**2 / (wavelength(energy) * band))


def check_distance(grid: Grid, energy: float, distance: float, band: float = 1.0) -> None:
    """Raise SamplingError, naming distance, limit and cure, if the transfer function would alias."""
    limit = longest_distance(grid, energy, band)
    if abs(distance) > limit * (1 + 1e-12):
        wanted = int(np.ceil(abs(distance) * wavelength(energy) * band / grid.pixel**2))
        raise SamplingError(
            "propagation distance too long for this grid",
            field="distance",
            value=f"{abs(distance):.4g} m",
            allowed=f"|distance| <= n pixel^2/wavelength = {limit:.4g} m",
            cure=f"use at least {wanted} pixels of {grid.pixel:.4g} m, or the single-transform form "
            "xsim.waves.fresnel.propagate",
        )


def transfer_function(
    grid: Grid,
    energy: float,
    distance: float,
    *,
    paraxial: bool = False,
    band: float = 1.0,
    tilt: tuple[float, float] = (0.0, 0.0),
) -> NDArray[np.complex128]:
    """The propagator's transfer function, (ny, nx) complex128 in FFT order.

    distance [m]; band: keep frequencies up to this fraction of Nyquist (a circle), cut the rest; tilt (qx, qy)
    [rad/m]: carrier of a tilted plane wave that was divided out of the field, so that it stays periodic.
    """
    qy, qx = grid.frequencies()
    mirrors = None
    if tilt == (0.0, 0.0):  # even in both frequencies: a quarter is computed and mirrored
        ny, nx = grid.shape
        mirrors = np.ix_(np.minimum(np.arange(ny), -np.arange(ny) % ny), np.minimum(np.arange(nx), -np.arange(nx) % nx))
        qy, qx = qy[: ny // 2 + 1], qx[:, : nx // 2 + 1]
    own2 = qx**2 + qy**2
    q2 = (qx + tilt[0]) ** 2 + (qy + tilt[1]) ** 2
    k = wavenumber(energy)
    if paraxial:
        kernel = np.exp(-0.5j * distance / k * q2)
    else:
        root = np.sqrt(np.maximum(k * k - q2, 0.0))
        kernel = np.exp(-1j * distance * q2 / (root + k))  # sqrt(k^2 - q^2) - k without cancellation
        kernel[q2 >= k * k] = 0
    if band < 1:
        kernel[own2 > (band * np.pi / grid.pixel) ** 2] = 0
    return kernel if mirrors is None else kernel[mirrors]


def propagate(
    amplitude: Any, grid: Grid, energy: float, distance: float, *, paraxial: bool = False, band: float = 1.0
) -> Any:
    """The wave `distance` [m] downstream (upstream if negative), on the same grid.

    amplitude: (..., ny, nx) complex, of any array library; energy [eV]. Raises SamplingError where the result would
    alias.
    """
    if not 0 < band <= 1:
        raise RangeError("band limit as a fraction of Nyquist", value=band, allowed="0 < band <= 1")
    if tuple(amplitude.shape[-2:]) != tuple(grid.shape):
        raise SamplingError("wave and grid differ in shape", value=tuple(amplitude.shape), allowed=str(grid.shape))
    check_distance(grid, energy, distance, band)
    spectrum = fft2(amplitude)
    single = str(spectrum.dtype).endswith("complex64")
    kernel: Any = transfer_function(grid, energy, distance, paraxial=paraxial, band=band)
    kernel = like(kernel, spectrum, np.complex64 if single else np.complex128)
    if isinstance(spectrum, np.ndarray):
        spectrum *= kernel
        return ifft2(spectrum, overwrite=True)
    return ifft2(spectrum * kernel)
