"""The compiled sum over the voxels of a column that gives the light of one line leaving it."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

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
