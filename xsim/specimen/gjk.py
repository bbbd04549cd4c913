"""Whether convex bodies are apart, many pairs at once: the algorithm of Gilbert, Johnson and Keerthi.

The bodies are apart when the origin lies outside their Minkowski difference A - B. Each step takes the difference's
farthest point w against the nearest point v so far; v.w > 0 proves a gap of v.w / |v|. The nearest point of the simplex
is found by trying all of its faces, which cannot choose a wrong one. Reference: Gilbert, Johnson & Keerthi 1988
(doi 10.1109/56.2083).
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.specimen.shape import Poses

FloatArray = NDArray[np.float64]

#: relative size by which bodies may interpenetrate: touching is allowed
TOUCH = 1e-9
_STEPS = 100
_FACES = [face for k in (1, 2, 3, 4) for face in combinations(range(4), k)]


def farthest(shape: Any, poses: Poses, directions: FloatArray, shrink: float = 1.0) -> FloatArray:
    """Farthest point (n, 3) [m], in the laboratory frame, of the i-th copy along the i-th direction (n, 3)."""
    length = np.sqrt((directions**2).sum(axis=1, keepdims=True))
    unit = directions / np.where(length > 0, length, 1)
    local = shape.support(np.einsum("nij,ni->nj", poses.rotations, unit))
    size = (poses.scales * shrink)[:, None]
    return np.asarray(poses.positions + size * np.einsum("nij,nj->ni", poses.rotations, local), np.float64)


def apart(shape_a: Any, a: Poses, shape_b: Any, b: Poses) -> NDArray[np.bool_]:
    """Whether the i-th copies of two shapes have disjoint hulls (n,); proven, touching within 1e-9 counts as apart."""
    n = len(a)
    result = np.zeros(n, np.bool_)
    size = shape_a.radius * a.scales + shape_b.radius * b.scales
    v = (a.positions - b.positions) / size[:, None]
    v[(v**2).sum(axis=1) == 0] = [1.0, 0.0, 0.0]
    simplex, used = np.zeros((n, 4, 3)), np.zeros((n, 4), np.bool_)
    active = np.arange(n)
    for _ in range(_STEPS):
        if not len(active):
            break
        w = _difference(shape_a, a, shape_b, b, -v[active], active) / size[active, None]
        gap = (v[active] * w).sum(axis=1) > 1e-15 * np.sqrt((v[active] ** 2).sum(axis=1))
        result[active[gap]] = True
        active, w = active[~gap], w[~gap]
        slot = np.argmin(used[active], axis=1)
        simplex[active, slot], used[active, slot] = w, True
        v[active], used[active] = _nearest(simplex[active], used[active])
        # a full simplex holds the origin; a vanishing v is contact
        inside = used[active].all(axis=1) | ((v[active] ** 2).sum(axis=1) < 1e-26)
        active = active[~inside]
    return result


def _difference(
    shape_a: Any, a: Poses, shape_b: Any, b: Poses, direction: FloatArray, rows: NDArray[Any]
) -> FloatArray:
    one = Poses(a.positions[rows], a.rotations[rows], a.scales[rows])
    two = Poses(b.positions[rows], b.rotations[rows], b.scales[rows])
    return farthest(shape_a, one, direction, 1 - TOUCH) - farthest(shape_b, two, -direction, 1 - TOUCH)


def _nearest(points: FloatArray, used: NDArray[np.bool_]) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Point nearest to the origin of each simplex (m, 4, 3), and which corners span it (m, 4)."""
    m = len(points)
    best = np.full(m, np.inf)
    v, keep = np.zeros((m, 3)), np.zeros((m, 4), np.bool_)
    for face in _FACES:
        valid = used[:, face].all(axis=1)
        if not valid.any():
            continue
        rows = np.flatnonzero(valid)
        weights, good = _barycentric(points[rows][:, face])
        rows, weights = rows[good], weights[good]
        candidate = (weights[:, :, None] * points[rows][:, face]).sum(axis=1)
        square = (candidate**2).sum(axis=1)
        better = square < best[rows]
        rows = rows[better]
        best[rows], v[rows] = square[better], candidate[better]
        keep[rows] = False
        keep[np.ix_(rows, face)] = True
    return v, keep


def _barycentric(corners: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Weights (m, k) of the point of each affine hull (m, k, 3) nearest to the origin, and whether all are >= 0."""
    m, k, _ = corners.shape
    if k == 1:
        return np.ones((m, 1)), np.ones(m, np.bool_)
    edges = corners[:, 1:] - corners[:, :1]
    gram = np.einsum("mia,mja->mij", edges, edges)
    right = -np.einsum("mia,ma->mi", edges, corners[:, 0])
    scale = np.einsum("mii->mi", gram).prod(axis=1)
    regular = np.linalg.det(gram) > 1e-13 * scale
    gram[~regular] = np.eye(k - 1)
    rest = np.linalg.solve(gram, right[:, :, None])[:, :, 0]
    weights = np.concatenate([1 - rest.sum(axis=1, keepdims=True), rest], axis=1)
    return weights, regular & (weights >= 0).all(axis=1)
