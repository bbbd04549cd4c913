"""Interpolates a cubic lattice of complex numbers at many points: width^3 neighbours each, kernel from a table.

Each point sums its neighbours in one fixed order and threads share out the points, so neither their number nor the
number of points asked for at once changes a bit.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xsim.threads import share, spans

#: points handled by one job
_BLOCK = 4096
#: entries of the table of the kernel per node; it is interpolated linearly
STEPS = 1024


def kernel_table(width: int, beta: float) -> NDArray[np.float32]:
    """The kernel exp(beta (sqrt(1 - (2 t / width)^2) - 1)) at t = k + s - width/2, (STEPS + 2, width) for s = 0..1."""
    s = np.arange(STEPS + 2)[:, None] / STEPS
    t = (np.arange(width)[None, :] + 1 - s) - width / 2
    inside = np.clip(1 - (2 * t / width) ** 2, 0, None)
    return np.where(np.abs(t) <= width / 2, np.exp(beta * (np.sqrt(inside) - 1)), 0.0).astype(np.float32)


def gather(
    lattice: NDArray[np.complex64], q: NDArray[np.float64], turn: NDArray[np.float64], table: NDArray[np.float32]
) -> NDArray[np.complex64]:
    """Values (m,) at the points `turn` q of the lattice, in nodes from node (n//2, n//2, n//2); q (m, 3), turn (3, 3).

    Points whose neighbours are not all on the lattice give NaN.
    """
    out = np.empty(len(q), np.complex64)
    pairs = lattice.view(np.float32)
    turn = np.ascontiguousarray(turn, np.float64)
    share(_gatherer(table.shape[1]), ((pairs, q[a:b], turn, table, out[a:b]) for a, b in spans(len(q), _BLOCK)))
    return out


@cache
def _gatherer(width: int) -> Any:
    """The loop compiled for one width of the kernel, so that its inner loops are unrolled."""

    @njit(nogil=True, cache=True, error_model="numpy")
    def gather_points(pairs: Any, q: Any, turn: Any, table: Any, out: Any) -> None:
        nodes, steps = pairs.shape[0], table.shape[0] - 2
        weights = np.empty((3, width), np.float32)
        start = np.empty(3, np.uint64)
        for m in range(len(q)):
            inside = True
            for axis in range(3):
                at = turn[axis, 0] * q[m, 0] + turn[axis, 1] * q[m, 1] + turn[axis, 2] * q[m, 2]
                at += nodes // 2 - 0.5 * width  # the kernel reaches half its width to both sides
                first = math.floor(at)
                if not (first >= -1 and first < nodes - width):
                    inside = False
                    break
                start[axis] = first + 1
                place = (at - first) * steps
                entry = int(place)
                part = np.float32(place - entry)
                for k in range(width):
                    weights[axis, k] = table[entry, k] + part * (table[entry + 1, k] - table[entry, k])
            if not inside:
                out[m] = complex(np.nan, np.nan)
                continue
            x, y, z = start[0], start[1], start[2] * np.uint64(2)
            real = imaginary = np.float32(0)
            for a in range(np.uint64(width)):
                for b in range(np.uint64(width)):
                    row = pairs[x + a, y + b]
                    one = two = np.float32(0)
                    for k in range(np.uint64(width)):
                        one += weights[2, k] * row[z + k + k]
                        two += weights[2, k] * row[z + k + k + np.uint64(1)]
                    weight = weights[0, a] * weights[1, b]
                    real += weight * one
                    imaginary += weight * two
            out[m] = complex(real, imaginary)

    return gather_points
