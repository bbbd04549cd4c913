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
    dtype: Any = np.complex128,
) -> NDArray[Any]:
    """The propagator's transfer function, (ny, nx) of `dtype` in FFT order.

    distance [m]; band: keep frequencies up to this fraction of Nyquist (a circle), cut the rest; tilt (qx, qy)
    [rad/m]: carrier of a tilted plane wave that was divided out of the field, so that it stays periodic. complex64 is
    compiled, some ten times as fast, and good to half its last bit.
    """
    qy, qx = grid.frequencies()
    mirrors = None
    if tilt == (0.0, 0.0):  # even in both frequencies: a quarter is computed and mirrored
        ny, nx = grid.shape
        mirrors = np.minimum(np.arange(ny), -np.arange(ny) % ny), np.minimum(np.arange(nx), -np.arange(nx) % nx)
        qy, qx = qy[: ny // 2 + 1], qx[:, : nx // 2 + 1]
    k, cut = wavenumber(energy), band * np.pi / grid.pixel if band < 1 else np.inf
    if np.dtype(dtype) == np.complex64:
        from xsim.waves._transfer import single

        kernel: NDArray[Any] = single(qy[:, 0], qx[0], k, distance, tilt, paraxial=paraxial, cut=cut)
    else:
        q2 = (qx + tilt[0]) ** 2 + (qy + tilt[1]) ** 2
        if paraxial:
            kernel = np.exp(-0.5j * distance / k * q2)
        else:
            root = np.sqrt(np.maximum(k * k - q2, 0.0))
            kernel = np.exp(-1j * distance * q2 / (root + k))  # sqrt(k^2 - q^2) - k without cancellation
            kernel[q2 >= k * k] = 0
        kernel[qx**2 + qy**2 > cut**2] = 0
    return kernel if mirrors is None else np.take(kernel[mirrors[0]], mirrors[1], axis=1)


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
    dtype = np.complex64 if single else np.complex128
    kernel = like(transfer_function(grid, energy, distance, paraxial=paraxial, band=band, dtype=dtype), spectrum)
    if isinstance(spectrum, np.ndarray):
        spectrum *= kernel
        return ifft2(spectrum, overwrite=True)
    return ifft2(spectrum * kernel)
