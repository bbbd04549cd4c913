"""The source's image on the specimen in critical illumination.

    S = s * |h|^2,    h = F^-1 of the condenser's pupil (a disk or annulus)

s is the geometric image of an incoherent source, S the light on the specimen. The transform of |h|^2 is the overlap
of the pupil with itself displaced, in closed form; that of s likewise, so nothing aliases. Worked out on a grid of its
own, wide enough for the whole image and fine enough for the condenser, and interpolated. Reference: Goodman,
Statistical Optics, ch. 7; Born & Wolf, Principles of Optics, ch. 10.6.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.interpolate import RectBivariateSpline
from scipy.special import j1

from xsim.constants import wavelength
from xsim.errors import RangeError
from xsim.model import Model
from xsim.units import Length, PositiveLength
from xsim.waves.fft import fftfreq, fftshift, good_size, ifft2
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]

#: the largest grid a side for the source's image
_MOST = 4096
#: samples per period of the finest detail that the condenser lets through
_FINE = 4
#: light on the field over the brightest of the source's image below which the field counts as dark
_DARK = 1e-3


class SourceImage(Model):
    """The source's geometric image on the specimen: its full width x, y [m] (at half maximum for a Gaussian)."""

    width: tuple[PositiveLength, PositiveLength] = (2e-6, 2e-6)
    shape: Literal["gaussian", "ellipse", "rectangle"] = "gaussian"
    #: where its middle lies on the specimen, x, y
    center: tuple[Length, Length] = Field(default=(0.0, 0.0))

    def transform(self, qx: FloatArray, qy: FloatArray) -> NDArray[np.complex128]:
        """Transform at wave vectors [rad/m], 1 at zero."""
        x, y = qx * self.width[0], qy * self.width[1]
        if self.shape == "gaussian":
            modulus = np.exp(-(x**2 + y**2) / (16 * math.log(2)))
        elif self.shape == "rectangle":
            modulus = np.sinc(x / (2 * np.pi)) * np.sinc(y / (2 * np.pi))
        else:
            v = np.hypot(x, y) / 2
            modulus = np.where(v > 0, 2 * j1(v) / np.where(v > 0, v, 1), 1.0)
        return np.asarray(modulus * np.exp(-1j * (qx * self.center[0] + qy * self.center[1])))

    def reach(self) -> float:
        """How far from the axis there is any light to speak of [m]."""
        half = 1.5 if self.shape == "gaussian" else 0.5  # 2 * 1.5^2 half widths squared: 0.2 % of the peak
        return max(half * w + abs(c) for w, c in zip(self.width, self.center, strict=True))


def lit_field(image: SourceImage, grid: Grid, width: float, energy: float, cone: tuple[float, float]) -> FloatArray:
    """Intensity (ny, nx) on `grid` over its mean in the central square of `width` [m].

    cone: inner and outer numerical aperture of the condenser, the outer one > 0. Raises RangeError for an image too
    large to work out, or none of which falls into the square.
    """
    lam = float(wavelength(energy))
    resolution = lam / (2 * cone[1])
    fine = resolution / _FINE
    if image.shape == "gaussian":
        fine = max(fine, min(image.width) / 16)
    needed = 2 * (image.reach() + max(grid.extent) + 8 * resolution)
    n = good_size(math.ceil(needed / fine))
    if n > _MOST:
        raise RangeError(
            "the source's image is too large against the condenser's resolution",
            field="condenser.critical.width",
            value=f"{max(image.width):.3g} m",
            allowed=f"about {max(image.width) * _MOST / n:.2g} m or less at the field's size",
            cure="leave out critical: so wide an image lights the field evenly",
        )
    own = Grid((n, n), needed / n)
    q = fftfreq(n, own.pixel)
    spectrum = image.transform(q[None, :], q[:, None]) * _overlap(
        np.hypot(q[None, :], q[:, None]) * lam / (2 * np.pi), cone
    )
    found = fftshift(ifft2(spectrum, overwrite=True)).real
    spline = RectBivariateSpline(own.y, own.x, found, kx=3, ky=3)
    rows, columns = (_periodic(x, width) for x in (np.asarray(grid.y, np.float64), np.asarray(grid.x, np.float64)))
    light = sum(
        (v[:, None] * u[None, :] * np.roll(spline(np.sort(y), np.sort(x)), (np.argmin(y), np.argmin(x)), (0, 1)))
        for v, y in rows
        for u, x in columns
    )
    inside = np.linspace(-width / 2, width / 2, 129)
    mean = float(np.maximum(spline((inside[1:] + inside[:-1]) / 2, (inside[1:] + inside[:-1]) / 2), 0.0).mean())
    if not mean > _DARK * float(found.max()):
        raise RangeError(
            "the source's image misses the field",
            field="condenser.critical.center",
            value=f"({image.center[0]:.3g} m, {image.center[1]:.3g} m)",
            allowed=f"within about {image.reach():.3g} m of the field of {width:.3g} m",
            cure="move or widen it",
        )
    return np.asarray(np.maximum(light, 0.0) / mean)


def _periodic(x: FloatArray, width: float) -> list[tuple[FloatArray, FloatArray]]:
    """Weights and places whose values together are periodic over evenly spaced `x` and right within `width`.

    Outside, the light fades over into that a period away: a step at the grid's edge would throw fringes into the field.
    """
    period = len(x) * (x[1] - x[0])
    fade = period - width  # the margins of both sides together
    other = x - np.where(x > 0, period, -period)
    if fade <= 1e-9 * period:
        return [(np.ones(len(x)), x)]
    beyond = np.clip((np.abs(x) - width / 2) / fade, 0, 1)
    weight = np.cos(np.pi / 2 * beyond) ** 2
    return [(weight, x), (1 - weight, other)]


def _overlap(shift: FloatArray, cone: tuple[float, float]) -> FloatArray:
    """Area that an annulus (inner, outer radius) shares with itself displaced by `shift`, over its own area."""
    inner, outer = cone
    inner = min(inner, 0.999 * outer)  # a ring without width would have no area
    shared = _lens(shift, outer, outer) - 2 * _lens(shift, outer, inner) + _lens(shift, inner, inner)
    return shared / (np.pi * (outer**2 - inner**2))


def _lens(shift: FloatArray, large: float, small: float) -> FloatArray:
    """Area shared by two disks whose centres are `shift` apart."""
    if small == 0:
        return np.zeros(shift.shape)
    found = np.where(shift <= large - small, np.pi * small**2, 0.0)
    crossing = (shift > large - small) & (shift < large + small)
    d = shift[crossing]
    one = np.arccos(np.clip((d * d + small**2 - large**2) / (2 * d * small), -1, 1))
    two = np.arccos(np.clip((d * d + large**2 - small**2) / (2 * d * large), -1, 1))
    kite = (small + large - d) * (d + small - large) * (d - small + large) * (d + small + large)
    found[crossing] = small**2 * one + large**2 * two - np.sqrt(np.maximum(kite, 0)) / 2
    return found
