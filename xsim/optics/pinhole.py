"""A round hole a distance before the specimen: Fresnel and Fraunhofer diffraction in one formula.

    psi(r) = -i (k/z) exp(i k r^2/2z) * integral_0^a J0(k r s/z) exp(i k s^2/2z) s ds

Paraxial, scalar, plane wave on the hole; a the hole's radius, z the distance. Evaluated by Gauss-Legendre quadrature,
so no propagation distance is too long or too short; only the pixel must resolve the fringes. Reference: Born & Wolf,
Principles of Optics, ch. 8.8.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.special import j0, j1

from xsim.constants import wavelength, wavenumber
from xsim.errors import RangeError, SamplingError, SamplingWarning
from xsim.model import Model
from xsim.units import NonNegativeLength, PositiveLength
from xsim.waves.angular_spectrum import transfer_function
from xsim.waves.fft import fftshift, ifft2
from xsim.waves.grid import Grid

#: most panels of the quadrature, which bounds its time to seconds
_MOST_PANELS = 5000
#: share of the light on the grid below which the probe is called cut
_LEAST_SHARE = 0.9


class Pinhole(Model):
    """A round hole of `diameter` lit by a plane wave, `distance` upstream of the specimen."""

    diameter: PositiveLength = 2e-6
    distance: NonNegativeLength = 1e-3

    def fresnel_number(self, energy: float) -> float:
        """a^2/(lambda z), infinite at no distance."""
        if self.distance == 0:
            return float("inf")
        return float(self.diameter**2 / (4 * wavelength(energy) * self.distance))

    def probe(self, grid: Grid, energy: float) -> NDArray[np.complex128]:
        """Amplitude (ny, nx) at the specimen, centred on the grid's middle pixel, its squares summing to 1.

        Raises SamplingError if the pixel is too coarse for the fringes or the grid is smaller than the hole; warns
        if more than a tenth of the light misses the grid.
        """
        amplitude = self.amplitude(grid, energy)
        total = float(np.sum(np.abs(amplitude) ** 2))
        share = total * grid.pixel**2 / (np.pi * self.diameter**2 / 4)
        if share < _LEAST_SHARE:
            warnings.warn(
                f"only {share:.2g} of the light behind the pinhole falls on the grid (limit {_LEAST_SHARE}); "
                "use a larger grid or a shorter distance",
                SamplingWarning,
                stacklevel=2,
            )
        return np.asarray(amplitude / np.sqrt(total))

    def banded(self, grid: Grid, energy: float) -> NDArray[np.complex128]:
        """The same probe made from its spectrum, 2 pi a^2 J1(qa)/qa carried over the distance: exact in the far field.

        What the rim scatters beyond the band of `grid` is missing from the sum of squares and does not fold back; what
        travels further aside than the grid reaches comes in again on its other side.
        """
        a = self.diameter / 2
        qy, qx = grid.frequencies()
        x = np.hypot(np.asarray(qy), np.asarray(qx)) * a
        hole = a * math.sqrt(math.pi) * np.where(x > 0, 2 * j1(x) / np.where(x > 0, x, 1), 1)
        spectrum = hole * transfer_function(grid, energy, self.distance)
        return np.asarray(fftshift(ifft2(spectrum, overwrite=True)) / grid.pixel)

    def amplitude(self, grid: Grid, energy: float) -> NDArray[np.complex128]:
        """Amplitude (ny, nx) at the specimen for a wave of amplitude 1 on the hole."""
        ny, nx = grid.shape
        y = (np.arange(ny) - ny // 2)[:, None] * grid.pixel
        x = (np.arange(nx) - nx // 2)[None, :] * grid.pixel
        r = np.hypot(y, x)
        self._check(grid, energy)
        if self.distance == 0:
            return np.clip((self.diameter / 2 - r) / grid.pixel + 0.5, 0, 1).astype(np.complex128)
        return self._diffracted(r, grid, energy)

    def _diffracted(self, r: NDArray[np.float64], grid: Grid, energy: float) -> NDArray[np.complex128]:
        a, z, k = self.diameter / 2, self.distance, wavenumber(energy)
        radii = np.arange(0, r.max() + 2 * grid.pixel, grid.pixel / 4)
        turns = (k * a * radii[-1] / z + k * a * a / (2 * z)) / (2 * np.pi)
        panels = int(4 + turns)
        if panels > _MOST_PANELS:
            raise RangeError(
                "the pinhole's Fresnel number is too large for its diffraction integral",
                field="distance",
                value=f"{z:.4g} m",
                allowed=f">= {z * panels / _MOST_PANELS:.3g} m",
                cure="use a longer distance, a smaller grid, or distance = 0 for the hole itself",
            )
        nodes, weights = np.polynomial.legendre.leggauss(8)  # per panel, which holds one turn of the phase at most
        s = (a / panels * (np.arange(panels)[:, None] + (nodes + 1) / 2)).ravel()
        source = np.tile(weights, panels) * a / (2 * panels) * s * np.exp(0.5j * k * s * s / z)
        profile = np.array([np.sum(j0(k * radius * s / z) * source) for radius in radii])
        return np.asarray(-1j * k / z * np.exp(0.5j * k * r * r / z) * CubicSpline(radii, profile)(r))

    def _check(self, grid: Grid, energy: float) -> None:
        lam, z = wavelength(energy), self.distance
        if min(grid.extent) < self.diameter:
            raise SamplingError(
                "the grid is smaller than the pinhole",
                field="grid",
                value=f"{min(grid.extent):.4g} m",
                allowed=f">= {self.diameter:.4g} m",
                cure=f"use at least {int(np.ceil(self.diameter / grid.pixel))} pixels of {grid.pixel:.4g} m",
            )
        near, far = np.sqrt(lam * z) / 2, lam * z / (2 * self.diameter)
        limit = max(near, far) if z > 0 else self.diameter / 8
        if grid.pixel > limit:
            raise SamplingError(
                "the pixel is too coarse for the fringes behind the pinhole",
                field="pixel",
                value=f"{grid.pixel:.4g} m",
                allowed=f"<= {limit:.4g} m",
                cure=f"use a pixel of {limit:.4g} m or less",
            )
