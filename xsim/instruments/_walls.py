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

from xsim.interaction.multislice import Slab

FloatArray = NDArray[np.float64]

#: how much farther than its neighbours those of a wall may rise, over the height of the wall
EVEN = 0.02
#: samples beyond a slab's box that its walls may lie in or look at
_MARGIN = 3


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
    slab: Slab, sharp: NDArray[np.bool_], excess: NDArray[np.float32], weights: FloatArray, limit: float
) -> Walls:
    """The walls among the sharp samples (ny, nx) of `slab`.

    excess (materials, sharp samples, fine^2) [m]: on fine samples. weights (materials,): phase of each [rad/m]; limit:
    the least phase of a wall [rad].
    """
    from scipy.ndimage import binary_dilation, maximum_filter, minimum_filter

    metres = np.stack([np.zeros(slab.excess.shape[1:])] * len(weights))
    metres[list(slab.materials)] = slab.excess
    metres = np.pad(metres, ((0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN)))
    phase = np.einsum("m,myx->yx", weights, metres)
    low, high = minimum_filter(phase, 3), maximum_filter(phase, 3)
    rise = high - low
    even = maximum_filter(high, 3) - minimum_filter(low, 3) - rise <= EVEN * rise
    rows, columns = np.nonzero(sharp)
    y, x = rows - slab.row + _MARGIN, columns - slab.column + _MARGIN
    inside = (y >= 1) & (y < phase.shape[0] - 1) & (x >= 1) & (x < phase.shape[1] - 1)
    cell = np.flatnonzero(inside)
    cell = cell[(rise[y[cell], x[cell]] > limit) & even[y[cell], x[cell]]]
    y, x, which = y[cell], x[cell], np.arange(len(cell))
    steps = np.arange(9)
    around = y[:, None] + steps // 3 - 1, x[:, None] + steps % 3 - 1
    near = phase[around]
    least, most = near.argmin(axis=1), near.argmax(axis=1)
    sides = [metres[:, around[0][which, k], around[1][which, k]] for k in (least, most)]
    bottom, top = near[which, least], near[which, most]
    share = (phase[y, x] - bottom) / (top - bottom)
    parts = np.einsum("m,mwf->wf", weights, excess[:, cell].astype(np.float64))
    parts = np.clip((parts - bottom[:, None]) / (top - bottom)[:, None], 0, 1)
    moment = np.einsum("af,wf->aw", offsets(math.isqrt(excess.shape[2])), parts) / excess.shape[2]
    cut = np.zeros_like(sharp)
    cut[rows[cell], columns[cell]] = True
    beside = np.nonzero(binary_dilation(cut, np.ones((3, 3), bool)) & ~sharp)
    return Walls(cell, sides[0], sides[1], share, moment, (beside[0], beside[1]))
