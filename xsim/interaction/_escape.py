"""The compiled sum over the voxels of a column that gives the light of one line leaving it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from numpy.typing import NDArray

if TYPE_CHECKING:
    from xsim.interaction.fluorescence import Incoming

Array = NDArray[np.float64]


@njit(cache=True, nogil=True)
def _sum(inside, after, share, own, attenuation, made, slant, out):  # type: ignore[no-untyped-def]
    materials, slabs, rows, columns = inside.shape
    for k in range(slabs):
        for y in range(rows):
            for x in range(columns):
                source = 0.0
                outwards = 0.0
                slope = own[k, y, x]
                for m in range(materials):
                    metres = inside[m, k, y, x]
                    source += made[m] * metres
                    outwards += attenuation[m] * after[m, k, y, x]
                    slope -= slant * attenuation[m] * metres
                if source == 0.0:
                    continue
                half = 0.5 * slope
                square = half * half
                # mean of the attenuation over the voxel against that at its middle, sinh(half) / half
                mean = 1.0 + square / 6.0 * (1.0 + square / 20.0) if square < 1e-3 else math.sinh(half) / half
                out[y, x] += source * share[k, y, x] * math.exp(-outwards) * mean


def column_sums(
    metres: tuple[Array, Array], beam: tuple[Array, Array], attenuation: Array, made: Array, slant: float
) -> Array:
    """Light of a line (ny, nx) leaving each column.

    metres: in each voxel and after it (materials, slabs, ny, nx) [m]; beam: its share at each voxel's middle and the
    voxel's own depth (slabs, ny, nx); attenuation [1/m] and made [1/(m sr)] per material; slant: one over the cosine
    of the way out, 0 where it does not change with depth inside the voxel.
    """
    out = np.zeros(metres[0].shape[2:])
    _sum(*metres, *beam, attenuation, np.asarray(made, np.float64), slant, out)
    return out


@njit(cache=True, nogil=True)
def _gather(inside, share, own, weights, cell, out):  # type: ignore[no-untyped-def]
    materials, slabs, rows, columns = inside.shape
    lit = np.empty(columns)
    for k in range(slabs):
        for y in range(rows):
            for m in range(materials):
                some = 0.0
                for x in range(columns):
                    half = 0.5 * own[k, y, x]
                    mean = 1.0 + half * half / 6.0 if half < 1e-2 else math.sinh(half) / half
                    lit[x] = inside[m, k, y, x] * share[k, y, x] * mean
                    some += lit[x]
                if some == 0.0:
                    continue
                for line in range(weights.shape[0]):
                    for x in range(columns):
                        out[line, y, x] += weights[line, m, cell[k, y, x]] * lit[x]


def gathered(inside: Array, beam: Incoming, weights: Array, cell: NDArray[np.int64] | None) -> Array:
    """Light (lines, ny, nx) that the beam starts in each column, each metre of it counted by the weight of its place.

    inside: metres (materials, slabs, ny, nx); weights: (lines, materials, places); cell: place of each voxel, None
    where every slab is one.
    """
    if cell is None:
        cell = np.ascontiguousarray(np.broadcast_to(np.arange(inside.shape[1])[:, None, None], inside.shape[1:]))
    out = np.zeros((len(weights), *inside.shape[2:]))
    _gather(inside, beam.share, beam.own, np.ascontiguousarray(weights), cell, out)
    return out
