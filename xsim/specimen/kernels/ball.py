"""Exact pixel averages of the thickness of spheres within a slab.

With the unit ball cut by the plane z = c and a = sqrt(1 - c^2), let Q_c(x, y) be the integral of
(sqrt(1 - u^2 - v^2) - c)_+ over 0..x, 0..y: an elementary function, odd in x and in y. The length above a plane
and hence within a slab is a sum of Q's, and the mean over a pixel is their mixed second difference at its corners:
exact for any radius, down to spheres much smaller than a pixel. Round-off is 1e-16 of the ball's volume per pixel.
"""

from __future__ import annotations

from math import atan, atan2, pi, sqrt
from typing import Any

import numpy as np
from numba import njit

_TINY = 1e-300  # atan2(0, 0) would lose half a sphere when the plane passes through the centre


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _inner(x: float, y: float, c: float) -> float:
    """Q_c for x, y >= 0 inside the circle of the cut."""
    s = sqrt(1.0 - x * x - y * y)
    inverse = 1.0 / max(s, _TINY)
    ends = x * (3.0 - x * x) * atan(y * inverse) + y * (3.0 - y * y) * atan(x * inverse)
    return (x * y * s - atan(x * y * inverse)) / 3.0 + ends / 6.0 - c * x * y


@njit(cache=True, nogil=True, error_model="numpy")
def _strip(x: float, c: float) -> float:
    """Q_c(x, infinity) for 0 <= x <= a: the part of a quarter of the cap out to x."""
    w = sqrt(max((1.0 - c) * (1.0 + c) - x * x, 0.0))
    arcs = (x - x**3 / 3.0) * atan2(w, c) + 2.0 / 3.0 * (atan2(x * c, w) - c * x * w)
    # asin(x / a) as atan2(x, w): near x = a the round-off of w is 1e-8, and only the same w throughout cancels it
    return 0.5 * (arcs - c / 3.0 * (3.0 - c * c) * atan2(x, w))


@njit(cache=True, nogil=True, error_model="numpy")
def _cuts(low: float, high: float) -> tuple[Any, Any, float]:
    """Planes c and weights w with: thickness within low..high = sum of w Q_c; and the footprint's radius."""
    planes = np.zeros(3)
    weights = np.zeros(3)
    weights[0] = (2.0 if low < 0 else 0.0) - (2.0 if high < 0 else 0.0)
    if -1 < low < 1:
        planes[1], weights[1] = abs(low), 1.0 if low >= 0 else -1.0
    if -1 < high < 1:
        planes[2], weights[2] = abs(high), -1.0 if high >= 0 else 1.0
    nearest = max(low, -high, 0.0)
    return np.maximum(planes, _TINY), weights, sqrt(max(1.0 - nearest * nearest, 0.0))


@njit(cache=True, nogil=True, error_model="numpy")
def add_balls(
    out: Any, rows: tuple[int, int], items: Any, center: tuple[Any, Any, Any], radius: Any, slab: Any, unit: float
) -> None:
    """Add the balls `items` to the rows of `out`; lengths in pixels, `unit` metres each (see the module)."""
    nx = out.shape[1]
    above, here = np.zeros(nx + 1), np.zeros(nx + 1)
    strips = np.zeros((3, nx + 1))
    for n in items:
        r, x0, y0, z0 = radius[n], center[0][n], center[1][n], center[2][n]
        low, high = (slab[0] - z0) / r, (slab[1] - z0) / r
        if low >= 1 or high <= -1 or not high > low:
            continue
        planes, weights, reach = _cuts(low, high)
        i0, i1 = int(max(np.floor(x0 - reach * r), 0.0)), int(min(np.ceil(x0 + reach * r), float(nx)))
        j0 = int(max(np.floor(y0 - reach * r), float(rows[0])))
        j1 = int(min(np.ceil(y0 + reach * r), float(rows[1])))
        if i1 <= i0 or j1 <= j0:
            continue
        for t in range(3):
            if weights[t] != 0:
                a = sqrt((1.0 - planes[t]) * (1.0 + planes[t]))
                for i in range(i0, i1 + 1):
                    strips[t, i] = _strip(min(abs((i - x0) / r), a), planes[t])
        for j in range(j0, j1 + 1):
            _corner_row(here, (i0, i1), (x0, (j - y0) / r, r), planes, weights, strips)
            if j > j0:
                for i in range(i0, i1):
                    mean = (here[i + 1] - here[i]) - (above[i + 1] - above[i])
                    out[j - 1, i] += max(mean, 0.0) * r**3 * unit
            above, here = here, above


@njit(cache=True, nogil=True, error_model="numpy")
def _corner_row(
    row: Any, span: tuple[int, int], place: tuple[float, float, float], planes: Any, weights: Any, strips: Any
) -> None:
    """The weighted sum of Q_c at the corners span[0]..span[1] of one row; place: (centre x [px], y, radius [px])."""
    x0, v, r = place
    row[span[0] : span[1] + 1] = 0.0
    for t in range(3):
        w, c = weights[t], planes[t]
        if w == 0:
            continue
        a = sqrt((1.0 - c) * (1.0 + c))
        y = min(abs(v), a)
        rest = _strip(y, c) - pi * (1.0 - c) ** 2 * (2.0 + c) / 12.0
        if v < 0:
            w = -w
        for i in range(span[0], span[1] + 1):
            u = (i - x0) / r
            x = min(abs(u), a)
            q = _inner(x, y, c) if x * x + y * y < a * a else strips[t, i] + rest
            row[i] += w * q if u >= 0 else -w * q
