"""Walls: samples that the side of a body cuts in two, between an even thickness on one hand and on the other.

    <T> = (1 - f) T_low + f T_high,    f = (phi - phi_low)/(phi_high - phi_low)

phi is the phase of the sample's mean thickness, phi_low and phi_high those of the least and the greatest of its 3 x 3
neighbours. Exact for a straight wall along the beam, however it is turned. A slope is no wall: it rises on beyond the
neighbours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim import threads
from xsim.interaction.multislice import Slab

FloatArray = NDArray[np.float64]

#: how much farther than its neighbours those of a wall may rise, over the height of the wall
EVEN = 0.02
#: samples that one thread looks at
_BLOCK = 1 << 13


@dataclass(frozen=True, eq=False)
class Walls:
    """Numbers (w,) of the sharp samples that a wall cuts: `cell`.

    low, high: excess [m] (materials, w) on either side; share (w,): of the high side; moment (2, w): of the high side
    along y and x about the middle, in widths of a sample. beside: rows and columns of other samples next to walls.
    """

    cell: NDArray[np.intp]
    low: FloatArray
    high: FloatArray
    share: FloatArray
    moment: FloatArray
    beside: tuple[NDArray[np.intp], NDArray[np.intp]]

    def waves(self, index: NDArray[np.complex128]) -> tuple[Any, Any]:
        """Mean transmission (w,) and its moments (2, w); index: k (delta - i beta) [1/m] of each material."""
        low, high = (np.exp(-1j * np.einsum("m,mw->w", index, side)) for side in (self.low, self.high))
        return low + self.share * (high - low), self.moment * (high - low)


def offsets(fine: int) -> FloatArray:
    """Places (2, fine^2) of the fine samples of a sample along y and x, in its widths."""
    places = (np.arange(fine) + 0.5) / fine - 0.5
    return np.stack([places.repeat(fine), np.tile(places, fine)])


def find_walls(
    slab: Slab,
    where: tuple[NDArray[np.bool_], NDArray[np.intp], NDArray[np.intp]],
    excess: NDArray[np.float32],
    weights: FloatArray,
    limit: float,
) -> Walls:
    """The walls among the sharp samples of `slab`; where: which these are (ny, nx), their rows and columns (n,).

    excess (materials, sharp samples, fine^2) [m]: on fine samples. weights (materials,): phase of each [rad/m]; limit:
    the least phase of a wall [rad].
    """
    from xsim.instruments._wall_passes import REACH, mark_walls

    sharp, rows, columns = where
    y, x = rows - slab.row, columns - slab.column
    _, height, width = slab.excess.shape
    around = np.zeros((height + 2 * REACH, width + 2 * REACH))
    phase = around[REACH:-REACH, REACH:-REACH]
    np.einsum("m,myx->yx", weights[list(slab.materials)], slab.excess, dtype=np.float64, out=phase)
    sides = np.full((2, len(rows)), -1, np.intp)

    def work(start: int, stop: int) -> None:
        mark_walls(sides, around, (y, x), limit, EVEN, (start, stop))

    threads.share(work, threads.spans(len(rows), _BLOCK))
    cell = np.flatnonzero(sides[0] >= 0)
    neighbours = [(y[cell] + step // 3 - 1, x[cell] + step % 3 - 1) for step in sides[:, cell]]
    (bottom,), (top,) = (_looked_up(phase[None], *place) for place in neighbours)
    low, high = (np.zeros((len(weights), len(cell))) for _ in range(2))
    for side, place in zip((low, high), neighbours, strict=True):
        side[list(slab.materials)] = _looked_up(slab.excess, *place)
    share = (_looked_up(phase[None], y[cell], x[cell])[0] - bottom) / (top - bottom)
    parts = np.einsum("m,mwf->wf", weights, excess[:, cell].astype(np.float64))
    parts = np.clip((parts - bottom[:, None]) / (top - bottom)[:, None], 0, 1)
    moment = np.einsum("af,wf->aw", offsets(math.isqrt(excess.shape[2])), parts) / excess.shape[2]
    return Walls(cell, low, high, share, moment, _beside(sharp, rows[cell], columns[cell]))


def _looked_up(values: NDArray[Any], y: NDArray[np.intp], x: NDArray[np.intp]) -> FloatArray:
    """Values (m, h, w) at the samples y, x (n,), zero outside: (m, n)."""
    inside = (y >= 0) & (y < values.shape[1]) & (x >= 0) & (x < values.shape[2])
    found = np.zeros((len(values), len(y)))
    found[:, inside] = values[:, y[inside], x[inside]]
    return found


def _beside(
    sharp: NDArray[np.bool_], rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The samples that are not `sharp` themselves among the neighbours of those at rows and columns."""
    if not len(rows):
        return rows, columns
    ny, nx = sharp.shape
    steps = np.arange(9)[:, None]
    y, x = (rows + steps // 3 - 1).ravel(), (columns + steps % 3 - 1).ravel()
    inside = (y >= 0) & (y < ny) & (x >= 0) & (x < nx)
    near = np.unique(y[inside] * nx + x[inside])
    found = np.divmod(near[~sharp.ravel()[near]], nx)
    return found[0], found[1]
