"""One elliptical mirror of a Kirkpatrick-Baez pair: the pupil that it gives, with its figure error and its source.

    amplitude   psi(x) = int P(u) exp(i k NA u x) du,  P(u) = exp(-2i k h(s) sin(theta) - i k NA^2 u^2 z/2),  |u| <= 1
    intensity   transform A(v) G(q):  A(v) = int P(t + v/2) P*(t - v/2) dt / 2,   v = q / k NA,   0 beyond |v| = 2
                G the Gaussian image of the source, FWHM S q/p
    NA = L sin(theta)/2q,   FWHM = 0.443 lambda/NA for a perfect mirror,   Strehl ratio exp(-(2 k sigma_h sin(theta))^2)

L mirror length, theta grazing angle, q distance from the mirror's middle to the focus, p to the source, S its FWHM,
h height of the figure error at s = u L/2 along the mirror (a bump shortens the path by 2 h sin(theta)), z how far the
plane lies downstream of the mirror's focus. h is a random profile of Gaussian correlation exp(-(s/c)^2), drawn from
its seed; piston, tilt and curvature are taken out, as alignment and bending do, and its rms over the mirror is exact.

Valid for an evenly lit mirror, a source that lights it coherently point by point, and slopes that keep light in the
window. 3 nm rms at 10 keV and 3 mrad leave a Strehl ratio of 0.43 per mirror. References: Kewish et al., Appl. Opt. 46,
2010 (2007), doi 10.1364/AO.46.002010; Church & Takacs, Appl. Opt. 32, 3344 (1993), doi 10.1364/AO.32.003344.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xsim.constants import FWHM, wavelength, wavenumber
from xsim.model import Model
from xsim.streams import StreamKey, generator
from xsim.units import Length, NonNegativeLength, PositiveAngle, PositiveLength

FloatArray = NDArray[np.float64]

#: FWHM of sinc^2(u)
_SINC2_WIDTH = 0.8858929413789047
#: places along the mirror at which its figure error is held
_PLACES = 2048
#: figure components finer than this many correlation lengths^-1 have less than 1e-9 of the power
_FINEST = 1.5


class Mirror(Model):
    """One elliptical mirror of the pair, with the part of the source that it sees."""

    length: PositiveLength = 0.1
    angle: PositiveAngle = 3e-3
    #: from the middle of the mirror to the focus
    focal_distance: PositiveLength = 0.2
    #: FWHM of the (secondary) source along this axis, and its distance
    source_size: NonNegativeLength = 25e-6
    source_distance: PositiveLength = 50.0
    #: rms height of the figure error, its correlation length along the mirror, and the seed of its profile
    figure_error: NonNegativeLength = 0.0
    figure_correlation: PositiveLength = 10e-3
    figure_seed: int = Field(default=1, ge=0)
    #: how far this mirror's own focus lies downstream of the focus of the pair; unequal ones give astigmatism
    focus_offset: Length = 0.0

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
        """FWHM of the focus [m] of a perfect mirror, diffraction and source image in quadrature."""
        return np.hypot(self.diffraction_width(energy), self.source_image)

    def depth_of_focus(self, energy: Any) -> Any:
        """Distance [m] from best focus at which the wave at the rim is a quarter wave late: lambda/2NA^2."""
        return wavelength(energy) / (2 * self.numerical_aperture**2)

    def figure(self, u: Any) -> FloatArray:
        """Height [m] of the figure error at pupil coordinates u in -1..1, same shape."""
        if self.figure_error == 0:
            return np.zeros(np.shape(u))
        places, heights = _profile(self.length, self.figure_correlation, self.figure_seed)
        return np.asarray(self.figure_error * np.interp(u, places, heights))

    def phase(self, u: Any, energy: float, defocus: float = 0.0) -> FloatArray:
        """Phase [rad] of the pupil at u in -1..1, `defocus` [m] downstream of the focus of the pair."""
        k, away = wavenumber(energy), defocus - self.focus_offset
        bend = -0.5 * k * away * self.numerical_aperture**2 * np.square(u)
        return np.asarray(bend - 2 * k * np.sin(self.angle) * self.figure(u))

    def blur(self, energy: float, defocus: float = 0.0) -> float:
        """Greatest distance [m] of a ray from the axis, `defocus` [m] downstream of the focus of the pair."""
        u = _midpoints(_PLACES)
        slope = np.gradient(self.phase(u, energy, defocus), u)
        return float(np.abs(slope).max() / (wavenumber(energy) * self.numerical_aperture))

    def strehl(self, energy: float) -> float:
        """Peak of a point source's focus over that of a perfect mirror, in the plane of its focus."""
        u = _midpoints(_PLACES)
        return float(np.abs(np.mean(np.exp(1j * self.phase(u, energy, self.focus_offset)))) ** 2)

    def pupil(self, q: NDArray[Any], energy: float, defocus: float = 0.0) -> NDArray[np.complex128]:
        """Pupil (n,) at transverse wave vectors q [rad/m] of even spacing, its edges averaged over each cell."""
        outer = wavenumber(energy) * self.numerical_aperture
        cell = float(np.abs(q[1] - q[0]))
        modulus = np.clip((outer - np.abs(q)) / cell + 0.5, 0, 1)
        return np.asarray(modulus * np.exp(1j * self.phase(np.clip(q / outer, -1, 1), energy, defocus)))

    def transfer(self, q: NDArray[Any], energy: float, defocus: float = 0.0) -> NDArray[np.complex128]:
        """Transform (n,) of the focal intensity at q [rad/m], source image included; 1 at q = 0, exact at any q."""
        v = np.asarray(q, np.float64) / (wavenumber(energy) * self.numerical_aperture)
        overlap = np.clip(1 - np.abs(v) / 2, 0, None)
        found = overlap.astype(np.complex128)
        away = defocus - self.focus_offset
        if self.figure_error > 0 or away != 0:
            turns = abs(away) * self.numerical_aperture**2 / wavelength(energy)
            t = _midpoints(_PLACES if self.figure_error > 0 else 64 + int(32 * turns))
            for i in np.flatnonzero(overlap > 0):
                u = overlap[i] * t
                late = self.phase(u + v[i] / 2, energy, defocus) - self.phase(u - v[i] / 2, energy, defocus)
                found[i] *= np.mean(np.exp(1j * late))
        sigma = self.source_image / FWHM
        return np.asarray(found * np.exp(-((sigma * q) ** 2) / 2))


def _midpoints(count: int) -> FloatArray:
    return np.asarray((np.arange(count) + 0.5) * 2 / count - 1, np.float64)


@lru_cache(maxsize=16)
def _profile(length: float, correlation: float, seed: int) -> tuple[FloatArray, FloatArray]:
    """Pupil coordinates and heights of rms 1: a random series of power exp(-(pi f c)^2) without its parabola."""
    draw = generator(StreamKey(seed, "optics/mirror/figure"))
    period = 2 * length + 4 * correlation  # so long that the two ends know nothing of each other
    n = np.arange(1, 4 + int(np.ceil(_FINEST * period / correlation)))
    size = np.exp(-0.5 * (np.pi * n / period * correlation) ** 2)
    cosine, sine = draw.standard_normal((2, len(n))) * size
    u = _midpoints(_PLACES)
    turn = 2 * np.pi * np.outer(u * length / 2 / period, n)
    height = np.cos(turn) @ cosine + np.sin(turn) @ sine
    height -= np.polynomial.Polynomial.fit(u, height, 2)(u)
    return u, np.asarray(height / np.sqrt(np.mean(height**2)))
