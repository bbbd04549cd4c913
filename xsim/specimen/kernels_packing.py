"""Compiled insertion of spheres into a hashed cell list, for `xsim.specimen.packing`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True)
def _hash(i: int, j: int, k: int, size: int) -> int:
    return ((i * 73856093) ^ (j * 19349663) ^ (k * 83492791)) & (size - 1)


@njit(cache=True)
def insert(
    where: Any, owners: Any, radii: Any, spacing: tuple[float, float], centers: Any, placed: Any, heads: Any, links: Any
) -> int:
    """Place each owner at the first of its candidates that is free; returns how many were placed. In order.

    spacing: gap between spheres and side of a cell [m].
    """
    gap, cell = spacing
    size = len(heads)
    added = 0
    for c in range(len(owners)):
        me = owners[c]
        if placed[me]:
            continue
        i = int(np.floor(where[c, 0] / cell))
        j = int(np.floor(where[c, 1] / cell))
        k = int(np.floor(where[c, 2] / cell))
        free = True
        for di in range(-1, 2):
            for dj in range(-1, 2):
                for dk in range(-1, 2):
                    other = heads[_hash(i + di, j + dj, k + dk, size)]
                    while free and other >= 0:
                        dx = centers[other, 0] - where[c, 0]
                        dy = centers[other, 1] - where[c, 1]
                        dz = centers[other, 2] - where[c, 2]
                        need = radii[me] + radii[other] + gap
                        if dx * dx + dy * dy + dz * dz < need * need:
                            free = False
                        other = links[other]
        if free:
            for a in range(3):
                centers[me, a] = where[c, a]
            slot = _hash(i, j, k, size)
            links[me] = heads[slot]
            heads[slot] = me
            placed[me] = True
            added += 1
    return added
