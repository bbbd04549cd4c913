"""The compiled sums over the voxels of each column that give the light leaving it: of many lines in one pass.

A voxel's light leaves weakened by exp(-d) sinh(h)/h, d the optical depth of the way in to its middle and out again, h
half the change of that depth across it. Rows of voxels are worked out together, all lines of a row before the next, so
that a row stays in the fast memory of a core and its arithmetic runs on several numbers at once: exp is a polynomial
on [-1/8, 0] raised to a power of 8 (1e-10), sinh(h)/h its series. Rows that are optically thick (d > 64 or h > 1) go
through exp(-(d - |h|)) (1 - exp(-2|h|)) / 2|h| instead, which neither overflows nor vanishes however deep a voxel is.
No sum depends on how rows are shared out over threads.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xsim.threads import share, spans

if TYPE_CHECKING:
    from xsim.interaction.fluorescence import Incoming

Array = NDArray[np.float64]

#: rows of columns that one thread works out at a time
ROWS = 16
#: optical depth and half depth of a voxel up to which a row is thin
THIN, HALF = 64.0, 1.0
# written as numbers, for a division in a loop, even of constants, keeps it from working on several numbers at once
#: coefficients of exp(r) and of sinh(h)/h in h^2, each over the one before
_E2, _E3, _E4, _E5, _E6, _E7, _E8 = (1 / math.factorial(n) for n in range(2, 9))
_S1, _S2, _S3, _S4, _S5, _S6 = (1 / (2 * n * (2 * n + 1)) for n in range(1, 7))


@njit(cache=True, nogil=True)
def _through(depth, half):  # type: ignore[no-untyped-def]
    """exp(-depth) sinh(half) / half, the mean of the attenuation over a voxel; depth >= |half|."""
    size = abs(half)
    mean = 1.0 - size if size < 1e-9 else -math.expm1(-2.0 * size) / (2.0 * size)
    return math.exp(size - depth) * mean


@njit(cache=True, nogil=True, fastmath={"contract"})
def _thin(depth, half, deepest, source, out):  # type: ignore[no-untyped-def]
    """Add source exp(-depth) sinh(half) / half of a thin row to `out`; overwrites `depth`."""
    powers, scale = 0, 1.0
    while deepest * scale > 0.125:
        scale *= 0.125
        powers += 1
    for x in range(depth.size):
        r = -depth[x] * scale
        high = _E5 + r * (_E6 + r * (_E7 + r * _E8))
        depth[x] = 1.0 + r * (1.0 + r * (_E2 + r * (_E3 + r * (_E4 + r * high))))
    for _ in range(powers):
        for x in range(depth.size):
            second = depth[x] * depth[x]
            fourth = second * second
            depth[x] = fourth * fourth
    for x in range(depth.size):
        s = half[x] * half[x]
        high = 1.0 + s * _S3 * (1.0 + s * _S4 * (1.0 + s * _S5 * (1.0 + s * _S6)))
        out[x] += source[x] * depth[x] * (1.0 + s * _S1 * (1.0 + s * _S2 * high))


@njit(cache=True, nogil=True)
def _present(metres, k, y, found, most):  # type: ignore[no-untyped-def]
    """How many materials are in a row, their numbers in `found`, the most metres of each in `most`."""
    count = 0
    for m in range(metres.shape[0]):
        largest = 0.0
        for x in range(metres.shape[3]):
            largest = max(largest, abs(metres[m, k, y, x]))
        if largest > 0:
            found[count], most[count] = m, largest
            count += 1
    return count


@njit(cache=True, nogil=True, fastmath={"contract"})
def _add(total, factor, values):  # type: ignore[no-untyped-def]
    for x in range(total.size):
        total[x] += factor * values[x]


@njit(cache=True, nogil=True)
def _leaving(metres, beam, lines, slant, out, first, stop):  # type: ignore[no-untyped-def]
    (inside, after), (before, own), (attenuation, made) = metres, beam, lines
    materials, slabs, _, columns = inside.shape
    here, beyond = np.empty(materials, np.int64), np.empty(materials, np.int64)
    most_here, most_beyond = np.empty(materials), np.empty(materials)
    source, depth, half = np.empty(columns), np.empty(columns), np.empty(columns)
    for y in range(first, stop):
        for k in range(slabs):
            n, b = _present(inside, k, y, here, most_here), _present(after, k, y, beyond, most_beyond)
            most_in, most_own = np.max(before[k, y]), np.max(own[k, y])
            for line in range(made.shape[0]):
                source[:] = 0.0
                lit = False
                half[:] = 0.5 * own[k, y]
                thickest, deepest = most_own, most_in
                for i in range(n):
                    m = here[i]
                    if made[line, m] != 0.0:
                        _add(source, made[line, m], inside[m, k, y])
                        lit = True
                if not lit:
                    continue
                for i in range(n):
                    slope = slant * attenuation[line, here[i]]
                    thickest += abs(slope) * most_here[i]
                    _add(half, -0.5 * slope, inside[here[i], k, y])
                depth[:] = before[k, y]
                for i in range(b):
                    deepest += attenuation[line, beyond[i]] * most_beyond[i]
                    _add(depth, attenuation[line, beyond[i]], after[beyond[i], k, y])
                if deepest <= THIN and thickest <= 2 * HALF:
                    _thin(depth, half, deepest, source, out[line, y])
                else:
                    for x in range(columns):
                        if source[x] != 0.0:
                            out[line, y, x] += source[x] * _through(depth[x], half[x])


def column_sums(metres: tuple[Array, Array], beam: Incoming, attenuation: Array, made: Array, slant: float) -> Array:
    """Light (lines, ny, nx) of lines leaving each column.

    metres: in each voxel and after it (materials, slabs, ny, nx) [m]; attenuation [1/m] and made [1/(m sr)] of each
    line in each material (lines, materials); slant: one over the cosine of the way out, 0 where it does not change with
    depth inside the voxel.
    """
    out = np.zeros((len(made), *metres[0].shape[2:]))
    lines = np.ascontiguousarray(attenuation), np.ascontiguousarray(made)
    values = metres, (beam.before, beam.own), lines, slant, out
    share(_leaving, [(*values, *span) for span in spans(out.shape[1], ROWS)])
    return out


@njit(cache=True, nogil=True)
def _started(inside, beam, weights, cell, out, first, stop):  # type: ignore[no-untyped-def]
    """cell: place of each voxel (slabs, ny, nx), or (slabs, 1, 1) where a slab is one place."""
    before, own = beam
    materials, slabs, _, columns = inside.shape
    lit, mean = np.empty(columns), np.empty(columns)
    flat = cell.shape[2] == 1
    for y in range(first, stop):
        for k in range(slabs):
            for x in range(columns):
                mean[x] = _through(before[k, y, x], 0.5 * own[k, y, x])
            for m in range(materials):
                if not inside[m, k, y].any():
                    continue
                for x in range(columns):
                    lit[x] = inside[m, k, y, x] * mean[x]
                for line in range(weights.shape[0]):
                    if flat:
                        _add(out[line, y], weights[line, m, cell[k, 0, 0]], lit)
                    else:
                        for x in range(columns):
                            out[line, y, x] += weights[line, m, cell[k, y, x]] * lit[x]


def gathered(inside: Array, beam: Incoming, weights: Array, cell: NDArray[np.int64] | None) -> Array:
    """Light (lines, ny, nx) that the beam starts in each column, each metre of it counted by the weight of its place.

    inside: metres (materials, slabs, ny, nx); weights: (lines, materials, places); cell: place of each voxel, None
    where every slab is one.
    """
    if cell is None:
        cell = np.arange(inside.shape[1])[:, None, None]
    out = np.zeros((len(weights), *inside.shape[2:]))
    parts = np.ascontiguousarray(inside), (beam.before, beam.own)
    values = (*parts, np.ascontiguousarray(weights), np.ascontiguousarray(cell), out)
    share(_started, [(*values, *span) for span in spans(out.shape[1], ROWS)])
    return out
