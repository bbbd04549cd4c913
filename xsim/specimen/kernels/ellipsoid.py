"""Pixel averages of the thickness of ellipsoids within a slab: exact along x, Gauss-Legendre along y.

An ellipsoid is r = L u, |u| <= 1, with L the Cholesky factor of its covariance in the order (y, x, z). At fixed y its
section is an ellipse in (x, z): with w in -1..1 across it, mid-plane m + k w and half-chord b sqrt(1 - w^2). The area
above a plane z is elementary: nothing or the whole chord outside the two points where the plane cuts the ellipse, a
segment between them. Rows are integrated with nodes placed between the row's edges or the ellipsoid's own, so the
volume of the whole is exact; a length never exceeds the slab's. Pixels that the outline crosses carry the only error.
"""

from __future__ import annotations

from math import acos, asin, atan2, ceil, cos, floor, pi, sqrt
from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def _cholesky(turn: Any) -> tuple[float, float, float, float, float, float]:
    """Factor of turn turn^T in the order y, x, z: l11, l21, l22, l31, l32, l33."""
    yy = xx = zz = yx = yz = xz = 0.0
    for k in range(3):
        x, y, z = turn[0, k], turn[1, k], turn[2, k]
        yy, xx, zz, yx, yz, xz = yy + y * y, xx + x * x, zz + z * z, yx + y * x, yz + y * z, xz + x * z
    l11 = sqrt(yy)
    l21, l31 = yx / l11, yz / l11
    l22 = sqrt(xx - l21 * l21)
    l32 = (xz - l31 * l21) / l22
    return l11, l21, l22, l31, l32, sqrt(zz - l31 * l31 - l32 * l32)


@njit(cache=True, nogil=True)
def _plane(z: float, m: float, k: float, b: float) -> tuple[float, float, float, float, float]:
    """How the plane z divides a section: (w_a, w_b, full left of w_a, full right of w_b, z - m)."""
    rho = sqrt(k * k + b * b)
    c = (z - m) / rho
    if c >= 1.0:
        return -1.0, -1.0, 0.0, 0.0, 0.0
    if c <= -1.0:
        return 1.0, 1.0, 1.0, 0.0, 0.0
    psi, alpha = atan2(b, k), acos(c)
    left = 1.0 if psi + alpha > pi else 0.0
    right = 1.0 if psi - alpha < 0.0 else 0.0
    return cos(psi + alpha), cos(psi - alpha), left, right, z - m


@njit(cache=True, nogil=True, inline="always")
def _bow(w: float) -> float:
    """Integral of sqrt(1 - w^2) from 0."""
    return 0.5 * (w * sqrt(max(1.0 - w * w, 0.0)) + asin(w))


@njit(cache=True, nogil=True)
def _area_above(w: float, bow: float, plane: Any, k: float, b: float) -> float:
    """Area of the section above the plane and left of w (bow: _bow(w)), in units of the half-width."""
    wa, wb, left, right, h = plane
    area = 0.0
    if left > 0.0:
        area += 2.0 * b * ((bow if w < wa else _bow(wa)) + 0.25 * pi)
    if w > wa and wb > wa:
        end, bow_end = (w, bow) if w < wb else (wb, _bow(wb))
        area += (end - wa) * (0.5 * k * (end + wa) - h) + b * (bow_end - _bow(wa))
    if right > 0.0 and w > wb:
        area += 2.0 * b * (bow - _bow(wb))
    return area


@njit(cache=True, nogil=True)
def _add_row(line: Any, span: tuple[int, int], x0: float, section: Any, slab: Any) -> None:
    """Add one section's area within the slab between columns; section: (middle, half-width, m, k, b, weight)."""
    middle, half, m, k, b, weight = section
    below, above = _plane(slab[0], m, k, b), _plane(slab[1], m, k, b)
    first = max(span[0], floor(x0 + middle - half))
    last = min(span[1], ceil(x0 + middle + half))
    before = 0.0
    for i in range(first, last + 1):
        w = min(max((i - x0 - middle) / half, -1.0), 1.0)
        bow = _bow(w)
        here = _area_above(w, bow, below, k, b) - _area_above(w, bow, above, k, b)
        if i > first:
            line[i - 1] += weight * half * (here - before)
        before = here


@njit(cache=True, nogil=True)
def add_ellipsoids(
    out: Any, rows: tuple[int, int], items: Any, center: tuple[Any, Any, Any], turns: Any, nodes: Any, slab: Any,
    unit: float,
) -> None:  # fmt: skip
    """Add the ellipsoids `items` to the rows of `out`; lengths in pixels, `unit` metres each.

    turns: (n, 3, 3), rotation with the semi-axes [px] on its columns; nodes: (2, k) of the rule on -1..1.
    """
    nx = out.shape[1]
    line = np.zeros(nx)
    for n in items:
        x0, y0, z0 = center[0][n], center[1][n], center[2][n]
        l11, l21, l22, l31, l32, l33 = _cholesky(turns[n])
        depth = sqrt(l31 * l31 + l32 * l32 + l33 * l33)
        low, high = max(slab[0] - z0, -depth), min(slab[1] - z0, depth)
        width = sqrt(l21 * l21 + l22 * l22)
        i0, i1 = int(max(floor(x0 - width), 0.0)), int(min(ceil(x0 + width), float(nx)))
        j0, j1 = int(max(floor(y0 - l11), float(rows[0]))), int(min(ceil(y0 + l11), float(rows[1])))
        if not high > low or i1 <= i0 or j1 <= j0:
            continue
        for j in range(j0, j1):
            y_low, y_high = max(j - y0, -l11), min(j + 1 - y0, l11)
            for t in range(nodes.shape[1]):
                u = 0.5 * (y_low + y_high + (y_high - y_low) * nodes[0, t]) / l11
                rest = sqrt(max(1.0 - u * u, 0.0))
                weight = 0.5 * (y_high - y_low) * nodes[1, t]
                if rest > 0.0 and weight > 0.0:
                    section = (l21 * u, l22 * rest, l31 * u, l32 * rest, l33 * rest, weight)
                    _add_row(line, (i0, i1), x0, section, (low, high))
            for i in range(i0, i1):
                out[j, i] += min(max(line[i], 0.0), high - low) * unit
                line[i] = 0.0
