"""Fourier ring (2-D) and shell (3-D) correlation: the agreement of two images at each spatial frequency.

    FRC(q) = Re sum_ring A B* / sqrt(sum_ring |A|^2 sum_ring |B|^2)

Two independent halves of the data cross the half-bit threshold (0.2071 + 1.9102/sqrt n)/(1.2071 + 0.9102/sqrt n), n
the number of pixels in the ring, where they share half a bit of information per pixel. Against a noise-free truth the
correlation is the square root of what two full data sets would give, so the threshold there is 1/2 (FSC 0.143 of
half-sets). References: van Heel & Schatz, J. Struct. Biol. 151, 250 (2005), doi 10.1016/j.jsb.2005.05.009; Rosenthal &
Henderson, J. Mol. Biol. 333, 721 (2003), doi 10.1016/j.jmb.2003.07.013.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xsim.errors import RangeError
from xsim.exposure import Array
from xsim.waves.fft import fft1, fftfreq


@dataclass(frozen=True, eq=False)
class RingCorrelation:
    """frequency [1/m]; correlation, half_bit threshold and number of pixels (rings,) of every ring or shell."""

    frequency: Array
    correlation: Array
    half_bit: Array
    count: Array

    def resolution(self, threshold: float | None = None) -> float | None:
        """Half period [m] where the curve first falls below `threshold` (half-bit if None); None if it never does."""
        limit = self.half_bit if threshold is None else np.full(len(self.frequency), threshold)
        # below three pixels in a ring the threshold means nothing; the zero frequency always agrees
        low = np.flatnonzero((self.correlation < limit) & (self.count >= 6) & (self.frequency > 0))
        if not len(low):
            return None
        k = int(low[0])
        f0, f1 = self.frequency[k - 1], self.frequency[k]
        above, below = self.correlation[k - 1] - limit[k - 1], self.correlation[k] - limit[k]
        part = above / (above - below) if above > below and above > 0 else 1.0
        return float(0.5 / (f0 + part * (f1 - f0)))


def half_bit(count: Array) -> Array:
    """The half-bit threshold of rings of `count` independent pixels."""
    root = np.sqrt(np.maximum(np.asarray(count, np.float64), 1))
    return np.asarray((0.2071 + 1.9102 / root) / (1.2071 + 0.9102 / root))


def ring_correlation(first: Array, second: Array, pixel: float, window: bool = True) -> RingCorrelation:
    """Correlation of two images (ny, nx) or volumes (nz, ny, nx) with equal pixels [m], in rings one frequency wide.

    window: multiply by a Hann window after taking the mean off, so that the edges do not correlate. Frequencies
    [1/m] up to Nyquist. Raises RangeError if the shapes differ.
    """
    if first.shape != second.shape or first.ndim not in (2, 3):
        raise RangeError("shapes of two images", value=(first.shape, second.shape), allowed="equal, 2-D or 3-D")
    a, b = (_transform(image, window) for image in (first, second))
    shortest = min(first.shape)
    parts = np.meshgrid(*(fftfreq(n, 1.0) / (2 * np.pi) * shortest for n in first.shape), indexing="ij")
    ring = np.rint(np.sqrt(sum(part**2 for part in parts))).astype(np.int64).ravel()
    inside = ring <= shortest // 2
    ring, cross = ring[inside], (a * np.conj(b)).real.ravel()[inside]
    count = np.bincount(ring)
    power = [np.bincount(ring, (np.abs(image) ** 2).ravel()[inside]) for image in (a, b)]
    below = np.sqrt(power[0] * power[1])
    correlation = np.bincount(ring, cross) / np.where(below > 0, below, 1.0)
    frequency = np.arange(len(count)) / (shortest * pixel)
    return RingCorrelation(frequency, correlation, half_bit(count), count)


def _transform(image: Array, window: bool) -> Array:
    values = np.asarray(image, np.complex128)
    if window:
        values = values - values.mean()
        for axis, n in enumerate(values.shape):
            shape = [1] * values.ndim
            shape[axis] = n
            values = values * np.hanning(n + 2)[1:-1].reshape(shape)
    for axis in range(values.ndim):
        values = fft1(values, axis)
    return values
