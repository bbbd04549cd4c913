"""Exact thickness of a voxel volume under any rotation: each voxel is a small box of part-filled material.

Between neighbours of equal occupancy there is nothing to see; a face between occupancies a and b is a face of weight
a - b. Runs of equal faces are merged and added as signed edges (`xsim.specimen.kernels.faces`), so the projection
conserves mass, is cut by slabs exactly, and neither misses nor doubles voxels, whatever the ratio of pixel to pitch.
"""

from __future__ import annotations

from math import floor
from typing import Any

import numpy as np
from numba import njit

from xsim.specimen.kernels.faces import VERTICAL, add_face, flush

#: normal a -> directions (u, v) of its faces with u x v = a
_SPAN = np.array([[1, 2], [2, 0], [0, 1]])
#: normal a -> which of u, v the runs follow: y, x, x
_RUN = np.array([0, 1, 0])


@njit(cache=True, nogil=True)
def _scan(padded: Any, axis: int, places: Any, weights: Any) -> int:
    """Merged faces normal to `axis` (0 = x); only counted where `places` is empty. padded: [x, y, z], border of 0."""
    along = _SPAN[axis, _RUN[axis]]
    other = 3 - axis - along
    count = 0
    size = padded.shape
    at = np.zeros(3, np.int64)
    for i in range(1, size[axis]):
        for k in range(1, size[other] - 1):
            previous = 0.0
            for j in range(1, size[along]):
                at[axis], at[along], at[other] = i, j, k
                here = padded[at[0], at[1], at[2]]
                at[axis] = i - 1
                weight = padded[at[0], at[1], at[2]] - here
                if weight != 0 and weight == previous:
                    if len(weights):
                        places[count - 1, 4] += 1
                elif weight != 0:
                    if len(weights):
                        places[count] = (axis, i - 1, j - 1, k - 1, 1)
                        weights[count] = weight
                    count += 1
                previous = weight
    return count


def voxel_faces(occupancy: Any) -> tuple[Any, Any]:
    """Faces of a volume [x, y, z]: places (m, 5) of (normal, plane, start and row in voxels, run), weights (m,)."""
    padded = np.pad(np.asarray(occupancy, np.float64), 1)
    places, weights = [], []
    for axis in range(3):
        count = _scan(padded, axis, np.empty((0, 5), np.int32), np.empty(0))
        place, weight = np.empty((count, 5), np.int32), np.empty(count)
        if count:
            _scan(padded, axis, place, weight)
        places.append(place)
        weights.append(weight)
    return np.concatenate(places), np.concatenate(weights)


@njit(cache=True, nogil=True)
def _corner(work: Any, m: int, turn: Any, at: Any) -> None:
    for k in range(3):
        work[0, m, k] = turn[k, 0] * at[0] + turn[k, 1] * at[1] + turn[k, 2] * at[2]


@njit(cache=True, nogil=True)
def _lay_out(work: Any, turn: Any, half: Any, place: Any) -> None:
    """The four corners of one face [px, about the volume's centre] into work[0]."""
    axis = place[0]
    along = _SPAN[axis, _RUN[axis]]
    other = 3 - axis - along
    at = np.empty(3)
    for m in range(4):
        at[axis] = place[1] - half[axis]
        in_u, in_v = m == 1 or m == 2, m >= 2
        far_along = in_u if along == _SPAN[axis, 0] else in_v
        far_other = in_v if along == _SPAN[axis, 0] else in_u
        at[along] = place[2] + (place[4] if far_along else 0) - half[along]
        at[other] = place[3] + (1 if far_other else 0) - half[other]
        _corner(work, m, turn, at)


@njit(cache=True, nogil=True)
def add_voxels(
    out: Any, rows: tuple[int, int], items: Any, center: tuple[Any, Any, Any], turns: Any, body: Any, slab: Any,
    unit: float,
) -> None:  # fmt: skip
    """Add the volumes `items` to the rows of `out`.

    turns: (n, 3, 3), rotation times voxel pitch [px]; body: (places, weights, half the shape (3,), radius in voxels).
    """
    places, weights, half, radius = body
    nx = out.shape[1]
    sums = np.zeros((3, rows[1] - rows[0], nx))
    work = np.empty((3, 8, 3))
    for n in items:
        x0, y0, z0 = center[0][n], center[1][n], center[2][n]
        turn = turns[n]
        reach = radius * np.sqrt((turn[:, 0] ** 2).sum())
        low, high = max(slab[0] - z0, -reach), min(slab[1] - z0, reach)
        i0, i1 = int(max(floor(x0 - reach), 0.0)), int(min(floor(x0 + reach) + 1, float(nx)))
        j0, j1 = int(max(floor(y0 - reach), float(rows[0]))), int(min(floor(y0 + reach) + 1, float(rows[1])))
        if not high > low or i1 <= i0 or j1 <= j0:
            continue
        for f in range(len(weights)):
            normal = turn[2, places[f, 0]]
            if abs(normal) <= VERTICAL * reach / radius:
                continue
            _lay_out(work, turn, half, places[f])
            corners = work[0, :4]
            if max(corners[0, 1], corners[1, 1], corners[2, 1], corners[3, 1]) + y0 <= j0:
                continue
            if min(corners[0, 1], corners[1, 1], corners[2, 1], corners[3, 1]) + y0 >= j1:
                continue
            add_face(sums, (j0, j1), (i0, i1, x0), y0, (low, high), weights[f], work, 4)
        flush(sums, out, (j0, j1), (i0, i1, x0), high - low, unit)
