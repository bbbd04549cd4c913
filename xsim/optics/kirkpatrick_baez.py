"""Kirkpatrick-Baez mirror pairs.

    amplitude = sinc(2 NA x/lambda) per axis,   NA = L sin(theta)/2q,   FWHM = 0.443 lambda/NA
    source image S q/p, added in quadrature for the width (within 3 % of the convolution)
    R = |(kz - kz')/(kz + kz')|^2 |exp(-2 kz kz' s^2)|^2,   kz = k sin(theta),   kz' = k sqrt(n^2 - cos^2(theta))

L mirror length, theta grazing angle, q distance from the mirror's middle to the focus, p to the source, S its FWHM, s
roughness (Nevot-Croce). Valid for mirrors evenly lit and without figure error; the focal plane does not move with
energy. Reference: Kirkpatrick & Baez, doi 10.1364/JOSA.38.000766; Nevot & Croce, doi 10.1051/rphysap:01980001503076100.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator
from scipy.special import sici

from xsim.constants import wavelength, wavenumber
from xsim.errors import RangeError, SamplingError
from xsim.model import Model
from xsim.optics._material import find_material
from xsim.units import Density, NonNegativeLength, PositiveAngle, PositiveLength
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]

#: FWHM of sinc^2(u)
_SINC2_WIDTH = 0.8858929413789047


class Mirror(Model):
    """One elliptical mirror of the pair, with the part of the source that it sees."""

    length: PositiveLength = 0.1
    angle: PositiveAngle = 3e-3
    #: from the middle of the mirror to the focus
    focal_distance: PositiveLength = 0.2
    #: FWHM of the (secondary) source along this axis, and its distance
    source_size: NonNegativeLength = 25e-6
    source_distance: PositiveLength = 50.0

    @property
    def numerical_aperture(self) -> float:
        """NA = L sin(theta)/2q."""
        return float(self.length * np.sin(self.angle) / (2 * self.focal_distance))

    @property
    def source_image(self) -> float:
        """FWHM of the demagnified source [m]."""
        return self.source_size * self.focal_distance / self.source_distance

    def diffraction_width(self, energy: Any) -> Any:
        """FWHM of the diffraction-limited focus [m]."""
        return _SINC2_WIDTH * wavelength(energy) / (2 * self.numerical_aperture)

    def fwhm(self, energy: Any) -> Any:
        """FWHM of the focus [m], diffraction and source image in quadrature."""
        return np.hypot(self.diffraction_width(energy), self.source_image)


class KirkpatrickBaez(Model):
    """Two crossed mirrors; `horizontal` focuses along x, `vertical` along y."""

    horizontal: Mirror = Mirror()
    vertical: Mirror = Mirror()
    #: the coating: a name of the library, or a formula with `density`
    coating: str = "rhodium"
    density: Density | None = None
    #: rms roughness
    roughness: NonNegativeLength = 0.3e-9

    @model_validator(mode="after")
    def _known(self) -> KirkpatrickBaez:
        find_material(self.coating, self.density)
        return self

    def fwhm(self, energy: Any) -> tuple[Any, Any]:
        """FWHM (x, y) of the focus [m]."""
        return self.horizontal.fwhm(energy), self.vertical.fwhm(energy)

    def reflectivity(self, energy: Any) -> Any:
        """Share of the light that both mirrors together reflect."""
        optics = find_material(self.coating, self.density).optics(energy)
        return reflectivity(optics.delta, optics.beta, self.horizontal.angle, energy, self.roughness) * reflectivity(
            optics.delta, optics.beta, self.vertical.angle, energy, self.roughness
        )

    def probe(self, grid: Grid, energy: float) -> NDArray[np.complex128]:
        """Amplitude (ny, nx) of the focus of a point source, centred on the grid's middle pixel, squares sum to 1.

        Raises SamplingError if the pixel exceeds lambda/2NA.
        """
        axes = []
        for mirror, x in ((self.vertical, _offsets(grid, 0)), (self.horizontal, _offsets(grid, 1))):
            limit = wavelength(energy) / (2 * mirror.numerical_aperture)
            _check_pixel(grid, limit, "amplitude")
            axes.append(np.sinc(x / limit))
        amplitude = axes[0][:, None] * axes[1][None, :]
        return np.asarray(amplitude / np.sqrt(np.sum(amplitude**2)), np.complex128)

    def probe_intensity(self, grid: Grid, energy: float) -> FloatArray:
        """Share of the light (ny, nx) in each pixel, source image included, integrated over pixels; sums to 1.

        Any pixel size; the tails that fall off the grid are counted as if inside.
        """
        along_y = _line(self.vertical, _offsets(grid, 0), grid.pixel, energy)
        along_x = _line(self.horizontal, _offsets(grid, 1), grid.pixel, energy)
        return np.asarray(along_y[:, None] * along_x[None, :] / (along_y.sum() * along_x.sum()))


def reflectivity(delta: Any, beta: Any, angle: float, energy: Any, roughness: float = 0.0) -> Any:
    """Reflectivity of a thick mirror of index 1 - delta + i beta at grazing `angle` [rad], roughness rms [m]."""
    k = wavenumber(energy)
    kz = k * np.sin(angle)
    kz_inside = k * np.sqrt((1 - delta + 1j * beta) ** 2 - np.cos(angle) ** 2)
    amplitude = (kz - kz_inside) / (kz + kz_inside) * np.exp(-2 * kz * kz_inside * roughness**2)
    return np.abs(amplitude) ** 2


def _offsets(grid: Grid, axis: int) -> FloatArray:
    n = grid.shape[axis]
    return np.asarray((np.arange(n) - n // 2) * grid.pixel, np.float64)


def _check_pixel(grid: Grid, limit: float, what: str) -> None:
    if grid.pixel > limit * (1 + 1e-9):
        raise SamplingError(
            f"the pixel is too coarse for the {what} of this focus",
            field="pixel",
            value=f"{grid.pixel:.4g} m",
            allowed=f"<= wavelength/2NA = {limit:.4g} m",
            cure=f"use a pixel of {limit:.4g} m or less",
        )


def _line(mirror: Mirror, x: FloatArray, pixel: float, energy: float) -> FloatArray:
    """Light in each pixel along one axis: the integral of sinc^2 convolved with a Gaussian source image."""
    limit = wavelength(energy) / (2 * mirror.numerical_aperture)
    edges = np.append(x - pixel / 2, x[-1] + pixel / 2)
    sigma = mirror.source_image / np.sqrt(8 * np.log(2))
    if sigma > 1e4 * limit:
        raise RangeError("source image of a mirror", value=mirror.source_image, allowed=f"< {2e4 * limit:.3g} m")
    # trapezoid over +-6 sigma; converges at once for a Gaussian when a step stays below the sinc's own width
    count = 2 * max(32, int(np.ceil(12 * sigma / limit))) + 1
    shifts = np.linspace(-6 * sigma, 6 * sigma, count)
    weights = np.exp(-(np.linspace(-6, 6, count) ** 2) / 2)
    cumulative = np.zeros_like(edges)
    for shift, weight in zip(shifts, weights / weights.sum(), strict=True):
        cumulative += weight * _sinc2_integral((edges - shift) / limit)
    return np.asarray(np.diff(cumulative))


def _sinc2_integral(u: FloatArray) -> FloatArray:
    """Integral of sinc^2 from minus infinity to u."""
    safe = np.where(np.abs(u) < 1e-9, 1.0, u)
    tail = np.where(np.abs(u) < 1e-9, np.pi * u, np.sin(np.pi * safe) ** 2 / (np.pi * safe))
    return np.asarray(0.5 + (sici(2 * np.pi * u)[0] - tail) / np.pi)
