"""Spheres without overlap: random sequential addition with a cell list, and pushing apart where that stalls.

Random sequential addition (Widom 1966, doi 10.1063/1.1727338) places one sphere after another, largest first, at
uniformly random points that are free; it stalls near a volume fraction of 0.33 within walls (0.38 without, for
equal spheres). Denser packings start at random and push overlapping pairs apart; they are not in equilibrium.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

FloatArray = NDArray[np.float64]
#: (candidate centres (m, 3), their radii (m,)) -> mask (m,) of those allowed where they are
Filter = Callable[[FloatArray, FloatArray], NDArray[np.bool_]]
#: (radii (m,), generator) -> candidate centres (m, 3)
Proposer = Callable[[FloatArray, np.random.Generator], FloatArray]

#: rounds in which every particle not yet placed is tried once
ROUNDS = 3000


def sequential(
    radii: FloatArray, propose: Proposer, allowed: Filter, rng: np.random.Generator, gap: float, stall: int = 400
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Centres (n, 3) [m] of spheres of `radii` (n,) that keep `gap` between them, and which were placed (n,).

    Gives up after `stall` rounds in a row that placed none.
    """
    from xsim.specimen.kernels_packing import insert

    n = len(radii)
    centers = np.zeros((n, 3))
    placed = np.zeros(n, np.bool_)
    spacing = (gap, 2 * float(radii.max()) + gap)
    table = _Table(n)
    order = np.argsort(-radii, kind="stable")
    idle = 0
    for _ in range(ROUNDS):
        pending = order[~placed[order]]
        if not len(pending) or idle >= stall:
            break
        owners = np.repeat(pending, max(1, min(64, 2000 // len(pending))))
        where = propose(radii[owners], rng)
        good = allowed(where, radii[owners])
        added = insert(where[good], owners[good], radii, spacing, centers, placed, table.heads, table.next)
        idle = 0 if added else idle + 1
    return centers, placed


class _Table:
    """Hashed cell list: `heads` maps a hashed cell to its last sphere, `next` links to the one before."""

    def __init__(self, count: int):
        size = 1 << max(8, int(np.ceil(np.log2(4 * count + 1))))
        self.heads: NDArray[Any] = np.full(size, -1, np.int64)
        self.next: NDArray[Any] = np.full(count, -1, np.int64)


def push_apart(
    radii: FloatArray, low: FloatArray, high: FloatArray, rng: np.random.Generator, gap: float, rounds: int = 4000
) -> tuple[FloatArray, bool]:
    """Centres (n, 3) [m] inside the box low..high (3,) after pushing overlapping pairs apart, and whether all are."""
    reach = radii + gap / 2
    floor, roof = low + radii[:, None], high - radii[:, None]
    centers = floor + rng.random((len(radii), 3)) * (roof - floor)
    pairs = np.zeros((0, 2), np.int64)
    skin = 0.5 * float(radii.mean())
    for step in range(rounds):
        if step % 10 == 0:
            found = cKDTree(centers).query_pairs(2 * float(reach.max()) + skin, output_type="ndarray")
            pairs = found[np.lexsort((found[:, 1], found[:, 0]))]
        delta = centers[pairs[:, 1]] - centers[pairs[:, 0]]
        distance = np.sqrt((delta**2).sum(axis=1))
        overlap = reach[pairs].sum(axis=1) - distance
        touching = overlap > 0
        if not touching.any():
            if step % 10 == 0:
                return centers, True
            pairs = np.zeros((0, 2), np.int64)
            continue
        hit, unit = pairs[touching], delta[touching] / np.maximum(distance[touching], 1e-300)[:, None]
        push = (0.525 * overlap[touching])[:, None] * unit
        for axis in range(3):
            centers[:, axis] -= np.bincount(hit[:, 0], push[:, axis], len(radii))
            centers[:, axis] += np.bincount(hit[:, 1], push[:, axis], len(radii))
        np.clip(centers, floor, roof, out=centers)
    return centers, False
