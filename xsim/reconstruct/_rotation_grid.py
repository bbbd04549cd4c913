"""Rotations spread evenly over all orientations: the 600-cell, its tetrahedra cut n times along every edge.

The 120 corners of the 600-cell are the icosahedral rotations as unit quaternions; the points of the lattice with n
steps along each of its 720 edges, pushed out onto the sphere and counted once for q and -q, are 10 (n + 5 n^3)
rotations, neighbours (2 pi/5)/n rad apart along the edges, which resolve angles of about
0.944/n rad. A point at the distance |p| from the centre before it is pushed out stands for a share of all orientations
proportional to 1/|p|^4, which is its weight.

Quaternions are w, x, y, z, w >= 0. Reference: Loh & Elser, Phys. Rev. E 80, 026705 (2009), appendix C, doi
10.1103/PhysRevE.80.026705.
"""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np

from xsim.errors import RangeError
from xsim.exposure import Array

GOLDEN = (1 + 5**0.5) / 2
#: angle that a level resolves, times the level [rad]
STEP = 0.944
#: levels beyond this (some 3e6 rotations) serve no data that fits a machine
MOST = 40


def rotation_count(level: int) -> int:
    """Number of rotations of a level."""
    return 10 * (level + 5 * level**3)


def level_for(step: float) -> int:
    """The least level whose rotations are at most `step` [rad] apart."""
    return max(1, int(np.ceil(STEP / step)))


@cache
def rotation_grid(level: int) -> tuple[Array, Array]:
    """Quaternions (m, 4) and their weights (m,), which add up to 1. Raises RangeError for a level outside 1..40."""
    if not 1 <= level <= MOST:
        raise RangeError("level of the rotation grid", field="level", value=level, allowed=f"1 to {MOST}")
    corners = _corners()
    near = np.isclose(corners @ corners.T, GOLDEN / 2)
    cells = _cliques(near)
    steps = [s for s in itertools.product(range(level + 1), repeat=4) if sum(s) == level]
    points = np.einsum("sk,ckx->csx", np.array(steps) / level, corners[np.array(cells)]).reshape(-1, 4)
    points = points * _sign(points)[:, None]
    _, first = np.unique(np.rint(points * 1e7).astype(np.int64), axis=0, return_index=True)
    points = points[first]
    size = np.linalg.norm(points, axis=1)
    weight = size**-4.0
    quaternions, weight = points / size[:, None], weight / weight.sum()
    for array in (quaternions, weight):
        array.setflags(write=False)  # kept for the next caller
    return quaternions, weight


def matrices(quaternions: Array) -> Array:
    """Rotation matrices (..., 3, 3) of unit quaternions (..., 4)."""
    w, x, y, z = np.moveaxis(np.asarray(quaternions, np.float64), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows, np.float64), (0, 1), (-2, -1))


def _corners() -> Array:
    """The 120 corners (120, 4) of the 600-cell."""
    found = [sign * np.eye(4)[k] for k in range(4) for sign in (1.0, -1.0)]
    found += [np.array(s) / 2 for s in itertools.product((1.0, -1.0), repeat=4)]
    even = [p for p in itertools.permutations(range(4)) if np.linalg.det(np.eye(4)[list(p)]) > 0]
    for a, b, c in itertools.product((1.0, -1.0), repeat=3):
        base = np.array([a * GOLDEN, b, c / GOLDEN, 0.0]) / 2
        found += [base[list(p)] for p in even]
    return np.array(found)


def _cliques(near: Array) -> list[tuple[int, int, int, int]]:
    """The sets of four corners all of which are neighbours: the 600 cells."""
    around = [set(np.flatnonzero(row).tolist()) for row in near]
    return [
        (a, b, c, d)
        for a in range(len(near))
        for b in sorted(n for n in around[a] if n > a)
        for c in sorted(n for n in around[a] & around[b] if n > b)
        for d in sorted(n for n in around[a] & around[b] & around[c] if n > c)
    ]


def _sign(points: Array) -> Array:
    """+1 or -1 for each point (m, 4), so that its first component that is not zero becomes positive."""
    solid = np.where(np.abs(points) > 1e-9, np.sign(points), 0.0)
    first = np.argmax(solid != 0, axis=1)
    return np.take_along_axis(solid, first[:, None], axis=1)[:, 0]
