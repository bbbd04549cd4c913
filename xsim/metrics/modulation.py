"""Contrast of periodic patterns: line gratings at one period, Siemens stars at every period.

    lines   I(u) = sum_h c_h exp(2 pi i h u / p) fitted by least squares, modulation = (max - min)/(max + min)
    star    I(phi) on a circle: (pi/4) |first harmonic of the spokes| / mean, 1 for black and white of equal width

u runs across the lines. The fit needs no whole number of periods and takes what repeats out of the noise. Harmonics
finer than two pixels are left out. Reference: Goodman, Introduction to Fourier Optics, ch. 7; Loebich et al.,
doi 10.1007/s11548-007-0108-9 (stars).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from xsim.errors import RangeError
from xsim.exposure import Array
from xsim.waves.fft import fft2, fftfreq


@dataclass(frozen=True)
class Modulation:
    """value: (max - min)/(max + min) of the profile; error: its standard error from what does not repeat.

    mean: of the profile; amplitudes: (h,) complex, of exp(2 pi i h u/period), h = 1, 2 ...; period [m], angle [rad].
    """

    value: float
    error: float
    mean: float
    period: float
    angle: float
    amplitudes: Array = field(repr=False)


def modulation(image: Array, pixel: float, period: float, angle: float = 0.0, harmonics: int = 5) -> Modulation:
    """Modulation of lines of `period` [m] in an image (ny, nx) of `pixel` [m].

    angle: of the direction across the lines, from x towards y [rad]. Raises RangeError if the period is finer than two
    pixels or wider than the image, or the image is dark.
    """
    values = np.asarray(image, np.float64)
    ny, nx = values.shape
    across = nx * abs(math.cos(angle)) + ny * abs(math.sin(angle))
    if not 2 * pixel <= period <= across * pixel:
        allowed = f"{2 * pixel:.4g} to {across * pixel:.4g} m"
        raise RangeError("period of lines in an image", field="period", value=f"{period:.4g} m", allowed=allowed)
    u = _across(ny, nx, angle) * (2 * np.pi * pixel / period)
    count = min(harmonics, int(period / (2 * pixel)))
    c, residual = _fit(u.ravel(), values.ravel(), count)
    mean = float(c[0].real)
    if not mean > 0:
        raise RangeError("mean of an image of lines", value=mean, allowed="> 0")
    phase = np.exp(1j * np.outer(np.arange(1, count + 1), 2 * np.pi * np.arange(720) / 720))
    profile = mean + 2 * (c[1:, None] * phase).real.sum(axis=0)
    high, low = float(profile.max()), float(profile.min())
    # the sum is twice the mean but for overshoot below the dark; a fit may dip there by its noise
    value = (high - low) / (high + low) if high + low > 0 else 1.0
    return Modulation(value, residual * math.sqrt(2 / values.size) / mean, mean, period, angle, c[1:])


def dominant_period(image: Array, pixel: float) -> tuple[float, float]:
    """Period [m] and angle [rad], -pi/2 to pi/2, of the strongest lines in an image (ny, nx); to about 1/20 of a cell.

    Raises RangeError for an image without structure.
    """
    values = np.asarray(image, np.float64)
    ny, nx = values.shape
    window = np.outer(np.hanning(ny + 2)[1:-1], np.hanning(nx + 2)[1:-1])
    values = (values - np.average(values, weights=window)) * window
    power = np.abs(fft2(values.astype(complex))) ** 2
    fy, fx = fftfreq(ny, pixel) / (2 * np.pi), fftfreq(nx, pixel) / (2 * np.pi)
    if not power.max() > 1e-20 * float(np.sum(values**2)) * values.size or not power.any():
        raise RangeError("an image without structure", value=float(np.ptp(image)), allowed="lines of some contrast")
    j, i = np.unravel_index(int(np.argmax(power)), power.shape)
    at = [float(fy[j]), float(fx[i])]
    y, x = np.arange(ny) * pixel, np.arange(nx) * pixel
    step = 0.5
    while step > 1e-3:  # the transform on finer and finer frequencies about its peak
        gy, gx = (f + step * np.arange(-2, 3) / (n * pixel) for f, n in zip(at, (ny, nx), strict=True))
        local = np.abs(np.exp(-2j * np.pi * np.outer(gy, y)) @ values @ np.exp(-2j * np.pi * np.outer(x, gx)))
        row, column = np.unravel_index(int(np.argmax(local)), local.shape)
        at, step = [float(gy[row]), float(gx[column])], step / 2
    frequency = math.hypot(*at)
    angle = math.atan2(at[0], at[1])
    angle -= math.pi * round(angle / math.pi)
    return 1 / frequency, angle


def star_contrast(
    image: Array, pixel: float, spokes: int, radii: Array, centre: tuple[float, float] = (0.0, 0.0)
) -> tuple[Array, Array]:
    """(half-period [m], contrast) of a Siemens star in an image (ny, nx) on circles of `radii` (n,) [m].

    centre: x, y [m] from pixel (ny//2, nx//2). Circles are one pixel wide to either side. Raises RangeError for a
    circle that leaves the image or on which a period is shorter than two pixels.
    """
    values = np.asarray(image, np.float64)
    ny, nx = values.shape
    y, x = (np.arange(ny) - ny // 2) * pixel - centre[1], (np.arange(nx) - nx // 2) * pixel - centre[0]
    r, phi = np.hypot(y[:, None], x[None, :]), np.arctan2(y[:, None], x[None, :])
    largest = min(-x[0], x[-1], -y[0], y[-1]) - pixel
    smallest = spokes * pixel / np.pi
    contrast = []
    for radius in np.asarray(radii, np.float64):
        if not smallest <= radius <= largest:
            allowed = f"{smallest:.4g} to {largest:.4g} m"
            raise RangeError("radius of a circle in a star", value=f"{radius:.4g} m", allowed=allowed)
        ring = np.abs(r - radius) <= pixel
        c, _ = _fit(spokes * phi[ring], values[ring], 1)
        contrast.append(np.pi / 4 * 2 * abs(c[1]) / c[0].real)
    return np.pi * np.asarray(radii, np.float64) / spokes, np.array(contrast)


def resolved(half_period: Array, contrast: Array, threshold: float = 0.1) -> float | None:
    """The finest half-period [m] down to which `contrast` stays at or above `threshold`; None if it never does."""
    order = np.argsort(half_period)[::-1]
    h, c = np.asarray(half_period)[order], np.asarray(contrast)[order]
    below = np.flatnonzero(c < threshold)
    if len(below) and below[0] == 0:
        return None
    if not len(below):
        return float(h[-1])
    k = int(below[0])
    part = (c[k - 1] - threshold) / (c[k - 1] - c[k])
    return float(h[k - 1] + part * (h[k] - h[k - 1]))


def _across(ny: int, nx: int, angle: float) -> Array:
    """Distance across the lines [pixels], 0 at pixel (ny//2, nx//2)."""
    y, x = np.arange(ny) - ny // 2, np.arange(nx) - nx // 2
    return np.asarray(x[None, :] * math.cos(angle) + y[:, None] * math.sin(angle))


def _fit(phase: Array, values: Array, harmonics: int) -> tuple[Array, float]:
    """Coefficients c_h, h = 0 .. harmonics, of values = sum c_h exp(i h phase) + c.c., and the rms residual."""
    columns = [np.ones(len(phase))]
    for h in range(1, harmonics + 1):
        columns += [2 * np.cos(h * phase), -2 * np.sin(h * phase)]
    matrix = np.stack(columns, axis=1)
    found = np.linalg.lstsq(matrix, values, rcond=None)[0]
    residual = values - matrix @ found
    free = max(1, len(values) - len(found))
    c = np.concatenate([found[:1].astype(complex), found[1::2] + 1j * found[2::2]])
    return c, float(np.sqrt(np.sum(residual**2) / free))
