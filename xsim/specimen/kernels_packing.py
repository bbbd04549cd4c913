"""Compiled insertion of spheres into a hashed cell list, and the search for free sites."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True)
def _hash(i: int, j: int, k: int, size: int) -> int:
    return ((i * 73856093) ^ (j * 19349663) ^ (k * 83492791)) & (size - 1)


@njit(cache=True)
def link(numbers: Any, cell: float, centers: Any, heads: Any, links: Any) -> None:
    """Enter spheres whose centres are known into the list, without looking for overlaps."""
    for me in numbers:
        i = int(np.floor(centers[me, 0] / cell))
        j = int(np.floor(centers[me, 1] / cell))
        k = int(np.floor(centers[me, 2] / cell))
        slot = _hash(i, j, k, len(heads))
        links[me] = heads[slot]
        heads[slot] = me


@njit(cache=True)
def insert(
    where: Any, owners: Any, radii: Any, spacing: tuple[float, float], centers: Any, chosen: Any, heads: Any, links: Any
) -> int:
    """Place each owner at the first of its candidates that is free; returns how many were placed. In order.

    spacing: gap between spheres and side of a cell [m]; chosen: (n,) number of the candidate taken, -1 while pending.
    """
    gap, cell = spacing
    size = len(heads)
    added = 0
    for c in range(len(owners)):
        me = owners[c]
        if chosen[me] >= 0:
            continue
        i = int(np.floor(where[c, 0] / cell))
        j = int(np.floor(where[c, 1] / cell))
        k = int(np.floor(where[c, 2] / cell))
        free = True
        for n in range(27):
            other = heads[_hash(i + n // 9 - 1, j + n // 3 % 3 - 1, k + n % 3 - 1, size)]
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
            chosen[me] = c
            added += 1
    return added


@njit(cache=True)
def first_free(sites: Any, points: Any, least: float) -> int:
    """Number of the first of `sites` whose squared distance from all `points` is at least `least`; -1 if none."""
    for s in range(len(sites)):
        free = True
        for p in range(len(points)):
            dx = sites[s, 0] - points[p, 0]
            dy = sites[s, 1] - points[p, 1]
            dz = sites[s, 2] - points[p, 2]
            if dx * dx + dy * dy + dz * dz < least:
                free = False
                break
        if free:
            return s
    return -1
