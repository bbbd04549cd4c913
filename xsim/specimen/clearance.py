"""How far points are outside or inside the bodies of a population, for placing others around and within them.

For a convex body with support function h(n) the distance of an outside point c is max over n of n.c - h(n); a fixed
set of directions gives a lower bound. The depth of an inside point is taken in a polytope inscribed in the body, again
a lower bound. Both are exact for spheres, the depth for polyhedra too.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.specimen.population import Population

FloatArray = NDArray[np.float64]

#: directions used for bodies that are not spheres
DIRECTIONS = 642
#: shapes that do not fill their convex hull
HOLLOW = ("voxels", "core_shell")


def fills_hull(shape: Any) -> bool:
    """Whether the shape is convex: neither hollow nor a pattern with gaps."""
    return shape.kind not in HOLLOW and not (hasattr(shape, "gaps") and shape.gaps())


@lru_cache(maxsize=8)
def directions(count: int = DIRECTIONS) -> FloatArray:
    """Evenly spread unit vectors (count, 3), a Fibonacci spiral."""
    i = np.arange(count) + 0.5
    z = 1 - 2 * i / count
    angle = np.pi * (1 + 5**0.5) * i
    r = np.sqrt(1 - z * z)
    out = np.stack([r * np.cos(angle), r * np.sin(angle), z], axis=-1)
    out.setflags(write=False)
    return out


def reach(shape: Any, unit: FloatArray) -> FloatArray:
    """Support function h(n) [m] of the shape's hull along unit vectors (n, 3) in its frame."""
    return np.asarray(np.einsum("ni,ni->n", shape.support(unit), unit), np.float64)


@lru_cache(maxsize=64)
def facets(shape: Any) -> tuple[FloatArray, FloatArray]:
    """Outward normals (m, 3) and offsets (m,) [m] of a polytope inscribed in the shape's hull; exact for polyhedra."""
    from scipy.spatial import ConvexHull

    unit = np.concatenate([directions(), np.eye(3), -np.eye(3)])
    points = np.unique(np.round(shape.support(unit) / shape.radius, 12), axis=0)
    hull = ConvexHull(points)
    equations = np.unique(np.round(hull.equations, 11), axis=0)
    normals = equations[:, :3] / np.linalg.norm(equations[:, :3], axis=1, keepdims=True)
    return normals, -equations[:, 3] * shape.radius


def into_frame(points: FloatArray, population: Population, row: int) -> FloatArray:
    """Laboratory points (n, 3) [m] in the frame of one copy, divided by its scale."""
    poses = population.poses
    local = np.einsum("ni,ij->nj", points - poses.positions[row], poses.rotations[row])
    return np.asarray(local / poses.scales[row], np.float64)


def distance(points: FloatArray, population: Population, row: int) -> FloatArray:
    """A lower bound (n,) [m] of the distance of points (n, 3) from one copy's hull; negative inside."""
    shape, scale = population.shape, population.poses.scales[row]
    local = into_frame(points, population, row)
    if shape.kind in ("sphere", "core_shell"):
        return np.asarray((np.sqrt((local**2).sum(axis=1)) - shape.radius) * scale, np.float64)
    unit = np.concatenate([facets(shape)[0], directions()])
    return _highest(local, unit, reach(shape, unit)) * scale


def depth(points: FloatArray, population: Population, row: int) -> FloatArray:
    """A lower bound (n,) [m] of how deep points (n, 3) lie inside one convex body or pattern; negative outside."""
    shape, scale = population.shape, population.poses.scales[row]
    local = into_frame(points, population, row)
    if shape.kind == "sphere":
        return np.asarray((shape.radius - np.sqrt((local**2).sum(axis=1))) * scale, np.float64)
    if hasattr(shape, "depth"):
        return np.asarray(shape.depth(local) * scale, np.float64)
    return -_highest(local, *facets(shape)) * scale


def holds(points: FloatArray, radii: FloatArray, population: Population, row: int) -> NDArray[np.bool_]:
    """Whether spheres (n,) of `radii` about `points` (n, 3) lie wholly inside the material of one copy."""
    if population.shape.kind not in HOLLOW:
        return depth(points, population, row) >= radii
    out = np.zeros(len(points), np.bool_)
    unit = directions(200)
    for i, (point, r) in enumerate(zip(points, radii, strict=True)):
        shell = np.concatenate([[point], point + 1.02 * r * unit, point + 0.5 * r * unit])
        out[i] = bool(np.all(population.shape.contains(into_frame(shell, population, row))))
    return out


def _highest(points: FloatArray, unit: FloatArray, offsets: FloatArray) -> FloatArray:
    """Maximum over the planes of n.c - offset, for each point (n, 3), in blocks that bound the memory."""
    out = np.empty(len(points))
    for start in range(0, len(points), 4096):
        block = points[start : start + 4096]
        out[start : start + 4096] = (np.einsum("ni,mi->nm", block, unit) - offsets).max(axis=1)
    return out
