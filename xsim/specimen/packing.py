"""Spheres without overlap: random sequential addition with a cell list, and pushing apart where that stalls.

Random sequential addition (Widom 1966, J. Chem. Phys. 44, 3888) places one sphere after another, largest first, at
uniformly random points that are free; it stalls near a volume fraction of 0.33 within walls (0.38 without, for
equal spheres). Denser packings start at random and push overlapping pairs apart; they are not in equilibrium.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

FloatArray = NDArray[np.float64]
#: rounds in which every particle not yet placed is tried at least once
ROUNDS = 3000
#: rounds in a row without success after which the placement is given up
STALL = 100


class Packing:
    """Spheres of `radii` (n,) being placed one after another, `gap` [m] apart, beside `fixed` ones."""

    def __init__(self, radii: FloatArray, gap: float, fixed: tuple[FloatArray, FloatArray] | None = None):
        """fixed: centres (m, 3) and radii (m,) [m] of spheres that are there already."""
        from xsim.specimen.kernels_packing import link

        where, others = fixed if fixed is not None else (np.zeros((0, 3)), np.zeros(0))
        self.count = len(radii)
        self._radii = np.concatenate([radii, others])
        self._centers = np.concatenate([np.zeros((self.count, 3)), where])
        self._chosen = np.full(len(self._radii), -1, np.int64)
        self._spacing = (gap, 2 * float(self._radii.max()) + gap)
        self._heads = np.full(1 << max(8, int(np.ceil(np.log2(4 * len(self._radii) + 1)))), -1, np.int64)
        self._links = np.full(len(self._radii), -1, np.int64)
        self._order = np.argsort(-radii, kind="stable")
        link(np.arange(self.count, len(self._radii)), self._spacing[1], self._centers, self._heads, self._links)
        self._idle = self._rounds = 0

    @property
    def centers(self) -> FloatArray:
        """Centres (n, 3) [m], zero for those not placed."""
        return self._centers[: self.count]

    @property
    def placed(self) -> NDArray[np.bool_]:
        """Which spheres have their place (n,)."""
        return self._chosen[: self.count] >= 0

    def candidates(self) -> NDArray[np.int64] | None:
        """The spheres to propose places for in this round, largest first, few ones repeated; None at the end."""
        pending = self._order[~self.placed[self._order]]
        self._rounds += 1
        if not len(pending) or self._idle >= STALL or self._rounds > ROUNDS:
            return None
        return np.repeat(pending, max(1, 2000 // len(pending)))

    def insert(self, owners: NDArray[np.int64], where: FloatArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Try the sphere `owners[i]` at `where[i]` [m], in order; returns those placed now and the i of their place."""
        from xsim.specimen.kernels_packing import insert

        before = self.placed
        lists = self._centers, self._chosen, self._heads, self._links
        added = insert(np.ascontiguousarray(where), owners, self._radii, self._spacing, *lists)
        self._idle = 0 if added else self._idle + 1
        now = np.flatnonzero(self.placed & ~before)
        return now, self._chosen[now]


def push_apart(
    radii: FloatArray, low: FloatArray, high: FloatArray, rng: np.random.Generator, gap: float, rounds: int = 4000
) -> tuple[FloatArray, bool]:
    """Centres (n, 3) [m] inside the box low..high (3,) after pushing overlapping pairs apart, and whether all are."""
    reach = radii + gap / 2
    wide = reach * 1.0005  # a little further than needed: at a wall only one of a pair moves, and never all the way
    floor, roof = low + radii[:, None], high - radii[:, None]
    centers = floor + rng.random((len(radii), 3)) * (roof - floor)
    pairs = np.zeros((0, 2), np.int64)
    skin = 0.5 * float(radii.mean())
    for step in range(rounds):
        if step % 10 == 0:
            found = cKDTree(centers).query_pairs(2 * float(wide.max()) + skin, output_type="ndarray")
            pairs = found[np.lexsort((found[:, 1], found[:, 0]))]
        delta = centers[pairs[:, 1]] - centers[pairs[:, 0]]
        distance = np.sqrt((delta**2).sum(axis=1))
        if step % 10 == 0 and (distance >= reach[pairs].sum(axis=1)).all():
            return centers, True
        overlap = wide[pairs].sum(axis=1) - distance
        touching = overlap > 0
        hit, unit = pairs[touching], delta[touching] / np.maximum(distance[touching], 1e-300)[:, None]
        push = (0.525 * overlap[touching])[:, None] * unit
        for axis in range(3):
            centers[:, axis] -= np.bincount(hit[:, 0], push[:, axis], len(radii))
            centers[:, axis] += np.bincount(hit[:, 1], push[:, axis], len(radii))
        np.clip(centers, floor, roof, out=centers)
    return centers, False
