"""The far field: from an exit wave or a scattering amplitude to the pixels of a flat detector.

    f(q) = k/(2 pi i) * integral of (psi - psi_0) exp(-iq.r) d2r          scattered amplitude [m]
    q = k (s - z),  s the unit vector from specimen to pixel               (Ewald sphere)
    solid angle of a pixel = pixel^2 cos^3(2 theta) / distance^2

Fraunhofer propagation holds for distance >> (specimen size)^2 / wavelength, and the flat (FFT) grid for angles so
small that the Ewald sphere's departure q^2/2k times the specimen's thickness stays well below 1; `scattering_vectors`
has no such limit. Reference: Als-Nielsen & McMorrow, Elements of Modern X-ray Physics (doi 10.1002/9781119998365).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavelength, wavenumber
from xsim.errors import RangeError, SamplingError
from xsim.waves.fft import fft2, fftshift, ifft2, ifftshift
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]


def scattering_vectors(
    shape: tuple[int, int],
    pixel: float,
    distance: float,
    energy: float,
    center: tuple[float, float] | None = None,
    tilt: tuple[float, float] = (0.0, 0.0),
) -> tuple[FloatArray, FloatArray]:
    """Scattering vectors q (ny, nx, 3) [rad/m] and solid angles (ny, nx) [sr] of a flat detector's pixels.

    shape (ny, nx); pixel and distance [m]; energy [eV]; center (row, column): where the direct beam hits, in pixels,
    by default (ny//2, nx//2); tilt of the detector about that point (see `detector_axes`).
    Solid angles are those at the pixel's centre; polarisation is left to `polarisation`.
    """
    if not (pixel > 0 and distance > 0):
        raise RangeError("pixel and distance of a detector", value=(pixel, distance), allowed="> 0 m")
    row, column = (shape[0] // 2, shape[1] // 2) if center is None else center
    y = (np.arange(shape[0]) - row)[:, None] * pixel
    x = (np.arange(shape[1]) - column)[None, :] * pixel
    along, up, normal = detector_axes(tilt)
    across = x * along[0] + y * up[0], x * along[1] + y * up[1]
    depth = distance + x * along[2] + y * up[2]
    transverse2 = across[0] ** 2 + across[1] ** 2
    path = np.sqrt(transverse2 + depth**2)
    k = wavenumber(energy)
    q = np.empty((*shape, 3))
    q[..., 0] = k * across[0] / path
    q[..., 1] = k * across[1] / path
    q[..., 2] = -k * transverse2 / (path * (path + depth))  # depth/path - 1 without cancellation
    return q, pixel**2 * distance * normal[2] / path**3


def detector_axes(tilt: tuple[float, float]) -> FloatArray:
    """Unit vectors (3, 3) of a detector's columns, rows and normal, in rows, turned about the point on the beam.

    tilt (a, b) [rad]: first by b about the laboratory's y, then by a about its x, right-handed.
    """
    (ca, cb), (sa, sb) = np.cos(tilt), np.sin(tilt)
    return np.array([[cb, sa * sb, -ca * sb], [0.0, ca, sa], [sb, -sa * cb, ca * cb]])


def scattering_vectors_at(
    places: FloatArray, normals: FloatArray, pixel: float, energy: float
) -> tuple[FloatArray, FloatArray]:
    """Scattering vectors (..., 3) [rad/m] and solid angles [sr] of pixels anywhere.

    places: (..., 3) [m] of their middles from the specimen, z along the beam; normals: (..., 3) of unit length; pixel
    [m]; energy [eV]. The solid angle is that of a small tilted pixel, pixel^2 |n.s| / r^2.
    """
    path = np.sqrt((places**2).sum(axis=-1))
    if not np.all(path > 0):
        raise RangeError("a pixel at the specimen", value=float(path.min()), allowed="> 0 m")
    s = places / path[..., None]
    q = wavenumber(energy) * s
    transverse2 = places[..., 0] ** 2 + places[..., 1] ** 2
    # s_z - 1 without cancellation in front of the specimen
    forward = np.where(places[..., 2] > 0, -transverse2 / (path * (path + places[..., 2])), s[..., 2] - 1)
    q[..., 2] = wavenumber(energy) * forward
    return q, np.asarray(pixel**2 * np.abs((normals * s).sum(axis=-1)) / path**2)


def polarisation(q: FloatArray, energy: float, degree: float = 1.0) -> FloatArray:
    """Polarisation factor of elastic scattering for q (..., 3) [rad/m], in [0, 1].

    degree: +1 linear along x, 0 unpolarised, -1 linear along y.
    """
    if not -1 <= degree <= 1:
        raise RangeError("degree of linear polarisation", value=degree, allowed="-1 to 1")
    s2 = (q[..., :2] / wavenumber(energy)) ** 2
    return np.asarray(1 - (1 + degree) / 2 * s2[..., 0] - (1 - degree) / 2 * s2[..., 1])


def fraunhofer(amplitude: Any, grid: Grid | None = None) -> Any:
    """Far field of `amplitude` (..., ny, nx), zero angle at pixel (ny//2, nx//2); the sum of |.|^2 is kept.

    The result is sampled every 2 pi/(n pixel) [rad/m]; see `fraunhofer_pitch` for the detector pixel.
    """
    _check_shape(amplitude, grid)
    return (
        fftshift(fft2(ifftshift(amplitude), overwrite=True)) / float(amplitude.shape[-1] * amplitude.shape[-2]) ** 0.5
    )


def inverse_fraunhofer(far: Any, grid: Grid | None = None) -> Any:
    """The exit wave whose `fraunhofer` is `far` (..., ny, nx)."""
    _check_shape(far, grid)
    return fftshift(ifft2(ifftshift(far), overwrite=True)) * float(far.shape[-1] * far.shape[-2]) ** 0.5


def fraunhofer_pitch(grid: Grid, energy: float, distance: float) -> float:
    """Detector pixel [m] that matches one sample of `fraunhofer` at `distance` [m]: lambda z / (n pixel).

    Raises SamplingError for a grid that is not square, whose far-field pixels would not be square either.
    """
    ny, nx = grid.shape
    if ny != nx:
        raise SamplingError(
            "far-field pixels are square only for a square grid",
            value=grid.shape,
            allowed="ny = nx",
            cure="compute on a square grid and crop",
        )
    return float(wavelength(energy) * distance / (nx * grid.pixel))


def scattered_amplitude(exit_wave: Any, grid: Grid, energy: float, incident: Any = 1.0) -> Any:
    """Amplitude f(q) [m] scattered out of `incident` (a unit plane wave by default), (..., ny, nx), q = 0 centred.

    |f|^2 is the differential cross section [m^2/sr]; f(q=0) obeys the optical theorem sigma = 4 pi/k Im f(0).
    """
    _check_shape(exit_wave, grid)
    factor = wavenumber(energy) / (2j * np.pi) * grid.pixel**2
    return factor * fftshift(fft2(ifftshift(exit_wave - incident), overwrite=True))


def _check_shape(amplitude: Any, grid: Grid | None) -> None:
    if grid is not None and tuple(amplitude.shape[-2:]) != tuple(grid.shape):
        raise SamplingError("wave and grid differ in shape", value=tuple(amplitude.shape), allowed=str(grid.shape))
