"""The wave of a scanning diffraction microscope: the probe at one place of the object, and its far field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.errors import SamplingError
from xsim.waves.fft import fft2, fftshift, ifft2, ifftshift
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ScanOptics:
    """Everything that one photon energy fixes. probe: at z = 0, centred; spectrum: of the probe at the first slab."""

    window: Grid
    object_grid: Grid
    probe: NDArray[Any]
    spectrum: NDArray[Any]
    transmissions: tuple[NDArray[Any], ...]
    kernels: tuple[NDArray[Any], ...]
    q: tuple[NDArray[Any], NDArray[Any]]


def placed(state: ScanOptics, x: float, y: float) -> tuple[tuple[slice, slice], tuple[float, float]]:
    """The part of the object grid under the window with the beam at (x, y) [m], and what is left (x, y) [m]."""
    pixel, n = state.window.pixel, state.window.shape[0]
    rows, columns = (round(v / pixel) for v in (y, x))
    middle = state.object_grid.shape[0] // 2 - n // 2
    part = (slice(middle + rows, middle + rows + n), slice(middle + columns, middle + columns + n))
    return part, (x - columns * pixel, y - rows * pixel)


def far_field(state: ScanOptics, x: float, y: float) -> NDArray[np.float32]:
    """Share of the photons (n, n) in each far-field sample with the beam at (x, y) [m], zero angle at the centre."""
    part, (dx, dy) = placed(state, x, y)
    qy, qx = state.q
    # the fraction of a sample that the window cannot follow is a phase ramp on the probe's spectrum: exact
    ramp = np.exp(-1j * dy * qy).astype(np.complex64) * np.exp(-1j * dx * qx).astype(np.complex64)
    wave = fftshift(ifft2(state.spectrum * ramp, overwrite=True)) * state.transmissions[0][part]
    for kernel, transmission in zip(state.kernels, state.transmissions[1:], strict=True):
        spectrum = fft2(wave, overwrite=True)
        spectrum *= kernel
        wave = ifft2(spectrum, overwrite=True)
        wave *= transmission[part]
    far = fft2(wave, overwrite=True)
    return fftshift((far.real**2 + far.imag**2) / far.size)


def centre_of(pattern: NDArray[Any], ny: int, nx: int) -> NDArray[Any]:
    """The central (ny, nx) samples, with the zero angle at (ny//2, nx//2)."""
    top, left = pattern.shape[0] // 2 - ny // 2, pattern.shape[1] // 2 - nx // 2
    return pattern[top : top + ny, left : left + nx]


def inner_band(wave: NDArray[Any], n: int) -> NDArray[Any]:
    """A centred square wave on n x n larger pixels over the same field: the inner part of its spectrum, exactly."""
    if n > wave.shape[0]:
        raise SamplingError("a wave has no samples for a finer grid", value=wave.shape[0], allowed=f">= {n}")
    far = fftshift(fft2(ifftshift(wave), overwrite=True))
    return np.asarray(fftshift(ifft2(ifftshift(centre_of(far, n, n)))) * (n / wave.shape[0]) ** 2)


def enclosed_diameter(intensity: FloatArray, grid: Grid, share: float) -> float:
    """Diameter [m] of the circle about the centre of mass that holds `share` of an intensity summing to 1."""
    total = float(intensity.sum())
    x0, y0 = float((intensity.sum(0) * grid.x).sum()) / total, float((intensity.sum(1) * grid.y).sum()) / total
    radius = np.hypot(grid.x[None, :] - x0, grid.y[:, None] - y0).ravel()
    order = np.argsort(radius, kind="stable")
    reached = np.searchsorted(np.cumsum(intensity.ravel()[order]), share * total)
    return 2 * float(radius[order][min(int(reached), len(order) - 1)])
