"""Fresnel propagation by a single transform, for long distances; the pixel changes.

    psi_z(r) = exp(i k r^2/2z)/(i lambda z) * integral psi_0(s) exp(i k s^2/2z) exp(-i k r.s/z) d2s
    pixel' = lambda z/(n pixel)

Paraxial. The inner chirp is sampled finely enough for |z| >= n pixel^2/lambda: just where the angular spectrum ends.
The outer phase matters only if the wave is propagated further; intensities do not need it. Reference: Goodman,
Introduction to Fourier Optics, ch. 5; Voelz & Roggemann, doi 10.1364/AO.48.006132.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xsim.constants import wavelength, wavenumber
from xsim.errors import SamplingError
from xsim.waves.angular_spectrum import longest_distance
from xsim.waves.far_field import fraunhofer_pitch
from xsim.waves.fft import array_namespace, fft2, fftshift, ifftshift, like
from xsim.waves.grid import Grid


def shortest_distance(grid: Grid, energy: float) -> float:
    """The smallest |distance| [m] over which the chirp is sampled without aliasing, for the longer side."""
    return longest_distance(Grid((max(grid.shape),) * 2, grid.pixel), energy)


def propagate(amplitude: Any, grid: Grid, energy: float, distance: float) -> tuple[Any, Grid]:
    """The wave `distance` [m] downstream (upstream if negative) and the grid on which it is sampled.

    amplitude: (..., n, n) complex, of any array library; energy [eV]. The sum of |.|^2 times the pixel's area is
    kept. Raises SamplingError below the shortest distance or for a grid that is not square.
    """
    limit = shortest_distance(grid, energy)
    if abs(distance) < limit * (1 - 1e-12):
        raise SamplingError(
            "propagation distance too short for the single-transform form",
            field="distance",
            value=f"{abs(distance):.4g} m",
            allowed=f"|distance| >= n pixel^2/wavelength = {limit:.4g} m",
            cure="use xsim.waves.angular_spectrum.propagate",
        )
    if tuple(amplitude.shape[-2:]) != tuple(grid.shape):
        raise SamplingError("wave and grid differ in shape", value=tuple(amplitude.shape), allowed=str(grid.shape))
    pitch = fraunhofer_pitch(grid, energy, abs(distance))
    far_grid = Grid(grid.shape, pitch)
    # free flight back is free flight forward of the conjugate wave, conjugated
    forward = abs(distance)
    wave = amplitude if distance > 0 else array_namespace(amplitude).conj(amplitude)
    far = fft2(ifftshift(wave * like(_chirp(grid, energy, forward), amplitude)))
    scale = grid.pixel**2 / (1j * wavelength(energy) * forward)
    far = fftshift(far) * like(_chirp(far_grid, energy, forward) * scale, amplitude)
    return (far if distance > 0 else array_namespace(far).conj(far)), far_grid


def _chirp(grid: Grid, energy: float, distance: float) -> np.ndarray[Any, np.dtype[np.complex128]]:
    """exp(i k r^2 / 2z) about the grid's middle pixel."""
    ny, nx = grid.shape
    y2 = ((np.arange(ny) - ny // 2) * grid.pixel) ** 2
    x2 = ((np.arange(nx) - nx // 2) * grid.pixel) ** 2
    return np.asarray(np.exp(0.5j * wavenumber(energy) / distance * (y2[:, None] + x2[None, :])), np.complex128)
