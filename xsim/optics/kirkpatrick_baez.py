"""Kirkpatrick-Baez mirror pairs: two crossed mirrors, each focusing along one axis (`xsim.optics.mirror`).

    amplitude = sinc(2 NA x/lambda) per axis,   NA = L sin(theta)/2q,   FWHM = 0.443 lambda/NA    (perfect mirrors)
    source image S q/p, added in quadrature for the width (within 3 % of the convolution)
    R = |(kz - kz')/(kz + kz')|^2 |exp(-2 kz kz' s^2)|^2,   kz = k sin(theta),   kz' = k sqrt(n^2 - cos^2(theta))

L mirror length, theta grazing angle, q distance from the mirror's middle to the focus, p to the source, S its FWHM,
s roughness (Nevot-Croce). Figure errors, unequal foci and defocus bend the pupil of each axis. Valid for mirrors
evenly lit; the focal plane does not move with energy. Reference: Kirkpatrick & Baez, doi 10.1364/JOSA.38.000766;
Nevot & Croce, doi 10.1051/rphysap:01980001503076100.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from xsim.constants import wavelength, wavenumber
from xsim.errors import SamplingError, told_as
from xsim.model import Model
from xsim.optics._material import find_material
from xsim.optics.mirror import Mirror
from xsim.optics.pupil import check_reach
from xsim.units import Density, NonNegativeLength
from xsim.waves.fft import fftfreq, fftshift, ifft2
from xsim.waves.grid import Grid

__all__ = ["KirkpatrickBaez", "Mirror", "reflectivity"]

FloatArray = NDArray[np.float64]


class KirkpatrickBaez(Model):
    """Two crossed mirrors; `horizontal` focuses along x, `vertical` along y."""

    horizontal: Mirror = Mirror()
    vertical: Mirror = Mirror()
    #: the coating: a name of the library, or a formula with `density`
    coating: str = "rhodium"
    density: Density | None = None
    #: rms roughness of the coating
    roughness: NonNegativeLength = 0.3e-9

    @model_validator(mode="after")
    def _known(self) -> KirkpatrickBaez:
        with told_as({"material": ("coating", "")}):
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

    def probe(self, grid: Grid, energy: float, defocus: float = 0.0) -> NDArray[np.complex128]:
        """Amplitude (ny, nx) of the focus of a point source, centred on the grid's middle pixel, squares sum to 1.

        defocus [m]: how far the plane lies downstream of the focus. The pupil's edges are averaged over each frequency
        cell, as in `ZonePlate.probe`. Raises SamplingError if the pixel exceeds lambda/2NA or the cone does not fit.
        """
        axes = []
        for mirror, q in zip((self.vertical, self.horizontal), grid.frequencies(), strict=True):
            _check_pixel(grid, wavelength(energy) / (2 * mirror.numerical_aperture), "amplitude")
            check_reach(grid, mirror.blur(energy, defocus))
            axes.append(mirror.pupil(np.ravel(q), energy, defocus))
        amplitude = fftshift(ifft2(axes[0][:, None] * axes[1][None, :], overwrite=True))
        return np.asarray(amplitude / np.sqrt(np.sum(np.abs(amplitude) ** 2)))

    def probe_intensity(self, grid: Grid, energy: float, defocus: float = 0.0) -> FloatArray:
        """Share of the light (ny, nx) in each pixel, source image included; sums to 1. Any pixel (`line_profile`).

        The tails that fall off the grid are folded into it.
        """
        along = [
            line_profile(mirror, n, grid.pixel, energy, defocus)
            for n, mirror in zip(grid.shape, (self.vertical, self.horizontal), strict=True)
        ]
        return np.asarray(along[0][:, None] * along[1][None, :])

    def transfer(self, grid: Grid, energy: float, defocus: float = 0.0) -> NDArray[np.complex128]:
        """Transform (ny, nx) of the focal intensity, source image included, FFT order, 1 at zero frequency."""
        qy, qx = grid.frequencies()
        along_y, along_x = (
            m.transfer(np.ravel(q), energy, defocus) for m, q in ((self.vertical, qy), (self.horizontal, qx))
        )
        return np.asarray(along_y[:, None] * along_x[None, :])


def reflectivity(delta: Any, beta: Any, angle: float, energy: Any, roughness: float = 0.0) -> Any:
    """Reflectivity of a thick mirror of index 1 - delta + i beta at grazing `angle` [rad], roughness rms [m]."""
    k = wavenumber(energy)
    kz = k * np.sin(angle)
    kz_inside = k * np.sqrt((1 - delta + 1j * beta) ** 2 - np.cos(angle) ** 2)
    amplitude = (kz - kz_inside) / (kz + kz_inside) * np.exp(-2 * kz * kz_inside * roughness**2)
    return np.abs(amplitude) ** 2


def line_profile(mirror: Mirror, count: int, pixel: float, energy: float, defocus: float = 0.0) -> FloatArray:
    """Share of the light (count,) in each pixel along the axis of `mirror`, source included, centred; sums to 1.

    Where the pixel carries every fringe (lambda/4NA or finer) its own samples, which add up to all the light and widen
    nothing; else integrated over pixels. The tails that fall beyond the line are folded into it.
    """
    if pixel <= wavelength(energy) / (4 * mirror.numerical_aperture):
        spectrum = mirror.transfer(fftfreq(count, pixel), energy, defocus)
    else:
        spectrum = _collected(mirror, count, pixel, energy, defocus)
    line = np.maximum(fftshift(ifft2(spectrum[None, :], overwrite=True))[0].real, 0)
    return np.asarray(line / line.sum())


def _check_pixel(grid: Grid, limit: float, what: str) -> None:
    if grid.pixel > limit * (1 + 1e-9):
        raise SamplingError(
            f"the pixel is too coarse for the {what} of this focus",
            field="pixel",
            value=f"{grid.pixel:.4g} m",
            allowed=f"<= wavelength/2NA = {limit:.4g} m",
            cure=f"use a pixel of {limit:.4g} m or less",
        )


def _collected(mirror: Mirror, count: int, pixel: float, energy: float, defocus: float) -> NDArray[np.complex128]:
    """Spectrum (count,) in FFT order of the light collected in each pixel: frequencies beyond Nyquist fold in."""
    q = fftfreq(count, pixel)
    reach = 2 * wavenumber(energy) * mirror.numerical_aperture
    folds = int(np.ceil((reach + np.pi / pixel) / (2 * np.pi / pixel)))
    total = np.zeros(count, np.complex128)
    for fold in range(-folds, folds + 1):
        beyond = q + 2 * np.pi * fold / pixel
        total += mirror.transfer(beyond, energy, defocus) * np.sinc(beyond * pixel / (2 * np.pi))
    return total
