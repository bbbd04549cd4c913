"""How well a complex image matches another, apart from what its experiment cannot tell.

Phase retrieval fixes an image only up to a constant factor of modulus 1 (and a scale), a shift, for single patterns
the twin conj(f(-r)), and for ptychography a linear phase ramp. These are removed first; what is left is

    correlation = |<a, b>| / (|a| |b|),    error = |a c - b| / |b|  with the best complex factor c,

and error^2 = 1 - correlation^2. With `contrast` both images lose their mean first: an object that is 1 nearly
everywhere would correlate with any other. Reference: Fienup, Appl. Opt. 36, 8352 (1997), doi 10.1364/AO.36.008352.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from xsim.errors import RangeError
from xsim.exposure import Array
from xsim.metrics.register import shift_between, shifted, spectral_peak
from xsim.waves.fft import ifftshift


@dataclass(frozen=True)
class Freedom:
    """What a comparison may remove before it counts: a shift, a linear phase ramp, the twin, the mean (`contrast`)."""

    shift: bool = True
    ramp: bool = False
    twin: bool = False
    contrast: bool = True


@dataclass(frozen=True, eq=False)
class ComplexMatch:
    """correlation 0..1, relative error; factor: c; shift (y, x) [pixels] removed; twin: whether it was the twin.

    aligned: the estimate brought onto the truth, factor included.
    """

    correlation: float
    error: float
    factor: complex
    shift: tuple[float, float]
    twin: bool
    aligned: Array = field(repr=False)


def match(estimate: Array, truth: Array, freedom: Freedom | None = None) -> ComplexMatch:
    """Compare two complex images (ny, nx) on the same pixels. Raises RangeError if their shapes differ."""
    freedom = freedom or Freedom()
    a, b = np.asarray(estimate, np.complex128), np.asarray(truth, np.complex128)
    if a.shape != b.shape or a.ndim != 2:
        raise RangeError("shapes of two images", value=(a.shape, b.shape), allowed="equal (ny, nx)")
    best = _one(a, b, freedom, False)
    if freedom.twin:
        other = _one(twin_of(a), b, freedom, True)
        best = other if other.correlation > best.correlation else best
    return best


def twin_of(image: Array) -> Array:
    """conj(f(-r)) of an image or volume, r = 0 at pixel n//2 of every axis: the same diffraction pattern as f."""
    axes = tuple(range(image.ndim))
    return np.asarray(np.roll(np.conj(np.flip(image, axes)), [1 - n % 2 for n in image.shape], axes))


def _one(a: Array, b: Array, freedom: Freedom, twin: bool) -> ComplexMatch:
    moved = (0.0, 0.0)
    for _ in range(2 if freedom.ramp and freedom.shift else 1):
        if freedom.ramp:
            a = _without_ramp(a, b)
        if freedom.shift:
            step = shift_between(b - b.mean(), a - a.mean())
            a = shifted(a, (-step[0], -step[1]))
            moved = (moved[0] + step[0], moved[1] + step[1])
    u, v = (a - a.mean(), b - b.mean()) if freedom.contrast else (a, b)
    size, wanted = np.linalg.norm(u), np.linalg.norm(v)
    inner = complex(np.vdot(u, v))
    if not size > 0 or not wanted > 0:
        return ComplexMatch(0.0, 1.0, 0j, moved, twin, np.zeros_like(b))
    correlation = min(1.0, abs(inner) / float(size * wanted))
    factor = inner / float(size) ** 2
    aligned = u * factor + (b.mean() if freedom.contrast else 0)
    return ComplexMatch(correlation, float(np.sqrt(1 - correlation**2)), factor, moved, twin, aligned)


def _without_ramp(a: Array, b: Array) -> Array:
    ny, nx = a.shape
    # the transform of a conj(b) peaks at the ramp's frequency: pixels, the middle first, take the part of frequencies
    fy, fx = spectral_peak(ifftshift(np.conj(a) * b), 1000)
    y, x = np.arange(ny)[:, None], np.arange(nx)[None, :]
    return a * np.exp(-2j * np.pi * (y * fy / ny + x * fx / nx))
