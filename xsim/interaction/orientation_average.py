"""Averages over all orientations of one particle: <|A|^2> and <A> of its amplitude A(q) at a modulus q.

Directions are Gauss-Legendre in the cosine and evenly spaced in azimuth, n of the one and 2n of the other with
n >= q R + 8: an amplitude of bounding radius R has no finer angular structure, and the error falls below 1e-6 of the
average. What the amplitude's own symmetry repeats is not summed twice: it is found by asking the amplitude (mirrors,
the exchange of x and y, rotation about an axis), so it serves any shape, and bodies of revolution need one angle only.
Valid for q R <= `MAX_QR` (`MAX_QR_AXIAL` for bodies of revolution). Reference: Driscoll & Healy 1994 (doi
10.1006/aama.1994.1008) for the sampling of band-limited functions on the sphere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
#: q (..., 3) [rad/m] -> amplitude (...) [m]
Amplitude = Callable[[Any], Any]

#: largest q R summed for a body without an axis (the number of directions grows as its square), and with one
MAX_QR, MAX_QR_AXIAL = 120.0, 2000.0
#: vectors handled together
_BLOCK = 32768


@dataclass(frozen=True)
class Symmetry:
    """axis: of revolution (0 to 2) or None; mirrors: A unchanged under x, y, z -> -x, -y, -z; square: under x <-> y.

    friedel: |A(-q)| = |A(q)|.
    """

    axis: int | None
    mirrors: tuple[bool, bool, bool]
    square: bool
    friedel: bool

    @property
    def inverted(self) -> bool:
        """A(-q) = A(q) by the mirrors alone."""
        return all(self.mirrors)

    @property
    def limit(self) -> float:
        """Largest q R that is summed."""
        return MAX_QR if self.axis is None else MAX_QR_AXIAL


def symmetry(amplitude: Amplitude, radius: float) -> Symmetry:
    """The symmetry of `amplitude`, found by comparing it at a few general vectors of length up to 12/radius."""
    golden = (np.arange(1, 7) * 0.6180339887498949) % 1
    cosine, azimuth = 2 * golden - 1, 2 * np.pi * ((np.arange(6) * 0.7548776662466927 + 0.13) % 1)
    sine = np.sqrt(1 - cosine**2)
    probe = np.stack([sine * np.cos(azimuth), sine * np.sin(azimuth), cosine], axis=-1)
    probe *= np.array([1.0, 2.3, 3.9, 5.7, 8.1, 12.0])[:, None] / radius
    own = np.asarray(amplitude(probe))
    scale = float(np.abs(np.asarray(amplitude(np.full((1, 3), 1e-3 / radius)))).max())
    close = 1e-9 * max(scale, float(np.abs(own).max()))

    def same(matrix: FloatArray) -> bool:
        turned = np.stack([sum(probe[:, j] * matrix[i, j] for j in range(3)) for i in range(3)], axis=-1)
        return bool(np.all(np.abs(np.asarray(amplitude(turned)) - own) <= close))

    mirrors = tuple(same(np.diag(np.where(np.arange(3) == k, -1.0, 1.0))) for k in range(3))
    square = same(np.eye(3)[[1, 0, 2]])
    axis = next((k for k in range(3) if same(_turn(k, 1.1)) and same(_turn(k, 2.9))), None)
    friedel = bool(np.all(np.abs(np.abs(np.asarray(amplitude(-probe))) - np.abs(own)) <= close))
    return Symmetry(axis, (mirrors[0], mirrors[1], mirrors[2]), square, friedel)


def averages(
    amplitude: Amplitude, radius: float, q: FloatArray, found: Symmetry, mean: bool = True
) -> tuple[FloatArray, ComplexArray]:
    """<|A|^2> (n,) and, if `mean` is asked for, <A> (n,) at moduli q (n,) [rad/m] of a body of bounding radius [m]."""
    square, first = np.empty(len(q)), np.zeros(len(q), np.complex128)
    order = (16 * np.ceil((q * radius + 8) / 16)).astype(int)
    both = not found.inverted and (mean or not found.friedel)
    for n in np.unique(order):
        directions, share = _directions(int(n), found)
        rows, step = np.flatnonzero(order == n), max(1, _BLOCK // len(share))
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            vectors = q[some, None, None] * directions
            a = np.asarray(amplitude(vectors))
            total, sums = a.real**2 + a.imag**2, a
            if both:
                b = np.asarray(amplitude(-vectors))
                total, sums = (total + b.real**2 + b.imag**2) / 2, (a + b) / 2
            # elementwise sums, whose bits do not depend on how many q are taken together
            square[some] = np.sum(total * share, axis=-1)
            first[some] = np.sum(sums * share, axis=-1)
    return square, first


@lru_cache(maxsize=8)
def _directions(order: int, found: Symmetry) -> tuple[FloatArray, FloatArray]:
    """Directions (m, 3) that stand for the (half) sphere under the symmetry, and their shares (m,), summing to 1."""
    from scipy.special import roots_legendre

    cosine, weight = roots_legendre(order)
    if found.axis is not None:  # A(-q) is looked at by `averages`, so half of the cosines do
        keep = cosine > 0
        c, w = cosine[keep], weight[keep]
        vectors = np.zeros((len(c), 3))
        vectors[:, found.axis], vectors[:, (found.axis + 1) % 3] = c, np.sqrt(1 - c**2)
        return vectors, w
    azimuth = (np.arange(2 * order) + 0.5) * np.pi / order
    if found.mirrors[0] and found.mirrors[1]:
        azimuth = azimuth[: order // 4 if found.square else order // 2]
    elif found.mirrors[1]:
        azimuth = azimuth[:order]
    keep = cosine > 0
    c, w = cosine[keep], weight[keep]
    s = np.sqrt(1 - c**2)
    parts = np.broadcast_arrays(s[:, None] * np.cos(azimuth), s[:, None] * np.sin(azimuth), c[:, None])
    return np.stack(parts, axis=-1).reshape(-1, 3), np.repeat(w / len(azimuth), len(azimuth))


def _turn(axis: int, angle: float) -> FloatArray:
    i, j = (axis + 1) % 3, (axis + 2) % 3
    out = np.eye(3)
    out[i, i], out[i, j], out[j, i], out[j, j] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
    return out
