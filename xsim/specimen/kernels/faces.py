"""Exact pixel averages of the thickness of bodies with flat faces, by signed edges.

The length of a closed body along z within z0..z1 is the sum over its faces of sign(n_z) clamp(z_face, z0, z1). Each
face is cut at the planes into polygons on which that is linear, g = a + b x + c y; by Green's theorem the integral
of g over polygon and pixel is a sum over directed edges of the integral of g to the right of the edge. An edge is
split at rows and columns: the pixel that holds a piece gets its exact integral (two-point Gauss), the pixels to its
right get whole-pixel integrals, kept as running sums along the row. A face's direction carries its sign.

All lengths in pixels, relative to the body's centre. Faces nearer to vertical than `VERTICAL` are left out: together
with the round-off of steep faces that is at most about 1e-8 of the body's size per pixel, and 1e-13 ordinarily.
"""

from __future__ import annotations

from math import floor, sqrt
from typing import Any

import numpy as np
from numba import njit

#: |n_z| of a unit normal below which a face is vertical
VERTICAL = 1e-8
_GAUSS = 0.5 / sqrt(3.0)


@njit(cache=True, nogil=True)
def _add_piece(sums: Any, row: int, column: int, window: Any, g: Any, piece: Any) -> None:
    """One edge piece (x0, y0, x1, y1, sign) within one pixel; sums: (here, running, running slope)."""
    x0, y0, x1, y1, sign = piece
    i0, i1, center = window
    dy = sign * (y1 - y0)
    if column >= i1 or dy == 0:
        return
    a, b, c = g
    following = column + 1
    if column < i0:
        following = i0
    else:
        edge = column + 1 - center
        mx, my, hx, hy = 0.5 * (x0 + x1), 0.5 * (y0 + y1), _GAUSS * (x1 - x0), _GAUSS * (y1 - y0)
        total = 0.0
        for t in (-1.0, 1.0):
            x, y = mx + t * hx, my + t * hy
            total += (edge - x) * (a + c * y + 0.5 * b * (edge + x))
        sums[0, row, column - i0] -= 0.5 * dy * total
    if following < i1:
        sums[1, row, following - i0] -= dy * (a + c * 0.5 * (y0 + y1))
        sums[2, row, following - i0] -= dy * b


@njit(cache=True, nogil=True)
def _add_edge(sums: Any, rows: Any, window: Any, y_center: float, g: Any, edge: Any) -> None:
    """Split the edge (xa, ya, xb, yb) at rows and columns and add its pieces."""
    xa, ya, xb, yb = edge
    sign = 1.0
    if yb < ya:
        xa, ya, xb, yb, sign = xb, yb, xa, ya, -1.0
    if not yb > ya:
        return
    center = window[2]
    slope = (xb - xa) / (yb - ya)
    for j in range(max(floor(ya + y_center), rows[0]), min(floor(yb + y_center) + 1, rows[1])):
        ys, ye = max(ya, j - y_center), min(yb, j + 1 - y_center)
        if not ye > ys:
            continue
        xs = xa if ys == ya else xa + (xb - xa) * ((ys - ya) / (yb - ya))
        xe = xb if ye == yb else xa + (xb - xa) * ((ye - ya) / (yb - ya))
        column, last = floor(xs + center), floor(xe + center)
        if max(column, last) < window[0]:  # wholly left of the window: one piece does
            column = last
        step = 1 if last > column else -1
        while column != last:
            x_cut = (column + 1 if step > 0 else column) - center
            y_cut = min(max(ys + (x_cut - xs) / slope, ys), ye)
            _add_piece(sums, j - rows[0], column, window, g, (xs, ys, x_cut, y_cut, sign))
            xs, ys, column = x_cut, y_cut, column + step
        _add_piece(sums, j - rows[0], column, window, g, (xs, ys, xe, ye, sign))


@njit(cache=True, nogil=True)
def _add_polygon(sums: Any, rows: Any, window: Any, y_center: float, g: Any, polygon: Any, count: int) -> None:
    for m in range(count):
        n = m + 1 if m + 1 < count else 0
        edge = (polygon[m, 0], polygon[m, 1], polygon[n, 0], polygon[n, 1])
        _add_edge(sums, rows, window, y_center, g, edge)


@njit(cache=True, nogil=True)
def _clip(source: Any, count: int, z: float, keep: float, target: Any) -> int:
    """The part of a polygon with keep * (its z - z) >= 0, into `target`; returns its number of corners."""
    kept = 0
    for m in range(count):
        n = m + 1 if m + 1 < count else 0
        here, there = keep * (source[m, 2] - z), keep * (source[n, 2] - z)
        if here >= 0:
            target[kept] = source[m]
            kept += 1
        if (here > 0 and there < 0) or (here < 0 and there > 0):
            t = here / (here - there)
            target[kept] = source[m] + t * (source[n] - source[m])
            target[kept, 2] = z
            kept += 1
    return kept


@njit(cache=True, nogil=True)
def add_face(
    sums: Any, rows: Any, window: Any, y_center: float, slab: Any, weight: float, work: Any, count: int
) -> None:
    """Add weight * sign(n_z) * clamp(z, slab) of the polygon work[0, :count] (x, y, z), counted from outside.

    sums: (3, rows, columns); window: (first column, one past the last, x centre); work: (3, >= count + 2, 3) scratch.
    """
    polygon = work[0]
    nx = ny = nz = cx = cy = cz = 0.0
    for m in range(count):
        p, q = polygon[m], polygon[m + 1 if m + 1 < count else 0]
        nx += (p[1] - q[1]) * (p[2] + q[2])
        ny += (p[2] - q[2]) * (p[0] + q[0])
        nz += (p[0] - q[0]) * (p[1] + q[1])
        cx, cy, cz = cx + p[0], cy + p[1], cz + p[2]
    if not abs(nz) > VERTICAL * sqrt(nx * nx + ny * ny + nz * nz):
        return
    low, high = slab
    b, c = -nx / nz, -ny / nz
    a = (cz - b * cx - c * cy) / count - low
    plane = (weight * a, weight * b, weight * c)
    z_min, z_max = polygon[:count, 2].min(), polygon[:count, 2].max()
    if z_max <= low:
        return
    if z_min >= low and z_max <= high:
        _add_polygon(sums, rows, window, y_center, plane, polygon, count)
        return
    if z_max > high:
        above = _clip(polygon, count, high, 1.0, work[1])
        _add_polygon(sums, rows, window, y_center, (weight * (high - low), 0.0, 0.0), work[1], above)
    if z_min < high:
        part = _clip(polygon, count, high, -1.0, work[1])
        part = _clip(work[1], part, low, 1.0, work[2])
        _add_polygon(sums, rows, window, y_center, plane, work[2], part)


@njit(cache=True, nogil=True)
def flush(sums: Any, out: Any, rows: Any, window: Any, limit: float, unit: float) -> None:
    """Turn the sums of one body into lengths, add them to `out` and clear the sums; limit: slab thickness [px]."""
    i0, i1, center = window
    for j in range(rows[0], rows[1]):
        run = slope = 0.0
        for i in range(i1 - i0):
            run += sums[1, j - rows[0], i]
            slope += sums[2, j - rows[0], i]
            value = sums[0, j - rows[0], i] + run + slope * (i + i0 + 0.5 - center)
            out[j, i + i0] += min(max(value, 0.0), limit) * unit
            sums[0, j - rows[0], i] = sums[1, j - rows[0], i] = sums[2, j - rows[0], i] = 0.0


@njit(cache=True, nogil=True)
def add_polyhedra(
    out: Any, rows: tuple[int, int], items: Any, center: tuple[Any, Any, Any], rotations: Any, body: Any, slab: Any,
    unit: float,
) -> None:  # fmt: skip
    """Add the polyhedra `items` to the rows of `out`.

    center: x, y, z [px] (n,) each; rotations: (n, 3, 3) including the scale [px per unit of the corners]; body:
    (corners (nv, 3), faces (nf, most) counter-clockwise from outside, corner counts (nf,)); slab [px]; unit [m/px].
    """
    corners, faces, counts = body
    nx = out.shape[1]
    sums = np.zeros((3, rows[1] - rows[0], nx))
    work = np.empty((3, faces.shape[1] + 4, 3))
    turned = np.empty_like(corners)
    for n in items:
        x0, y0, z0 = center[0][n], center[1][n], center[2][n]
        for m in range(len(corners)):
            for k in range(3):
                r = rotations[n, k]
                turned[m, k] = r[0] * corners[m, 0] + r[1] * corners[m, 1] + r[2] * corners[m, 2]
        low, high = max(slab[0] - z0, turned[:, 2].min()), min(slab[1] - z0, turned[:, 2].max())
        if not high > low:
            continue
        i0 = int(max(floor(turned[:, 0].min() + x0), 0.0))
        i1 = int(min(floor(turned[:, 0].max() + x0) + 1, float(nx)))
        j0 = int(max(floor(turned[:, 1].min() + y0), float(rows[0])))
        j1 = int(min(floor(turned[:, 1].max() + y0) + 1, float(rows[1])))
        if i1 <= i0 or j1 <= j0:
            continue
        window, span = (i0, i1, x0), (j0, j1)
        for f in range(len(faces)):
            for m in range(counts[f]):
                work[0, m] = turned[faces[f, m]]
            add_face(sums, span, window, y0, (low, high), 1.0, work, counts[f])
        flush(sums, out, span, window, high - low, unit)
