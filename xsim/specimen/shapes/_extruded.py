"""Patterns: bodies whose outline in their own x, y plane is the same at every z within their height.

A pattern is one polygon in many places. Its raster is that of one prism in as many poses, exact under any rotation and
for any slab (`xsim.specimen.kernels.faces`); its form factor h sinc(q_z h/2) sum_n exp(-i q.o_n) F_2(q turned by n),
F_2 the polygon's, a sum of triangles (`xsim.specimen.kernels.simplex`). Patterns need not be convex: `solids` are
convex prisms that fill one, `gaps` fill what its convex hull holds beside it, and by these overlaps are judged exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from xsim.model import Model
from xsim.specimen.shape import FloatArray, Poses
from xsim.specimen.shapes._polygon import Polygon
from xsim.specimen.shapes._polyhedron import Polyhedron
from xsim.specimen.shapes._sampling import sinc
from xsim.threads import share, spans
from xsim.units import PositiveLength
from xsim.waves.grid import Grid

#: q vectors per task of the form factor
_BLOCK = 4096


@dataclass(frozen=True, eq=False)
class Copies:
    """`polygon` turned by `angles` (n,) [rad] about z and moved to `offsets` (n, 2) [m]."""

    polygon: Polygon
    offsets: FloatArray
    angles: FloatArray

    @staticmethod
    def single(polygon: Polygon) -> Copies:
        """One copy, where it is."""
        return Copies(polygon, np.zeros((1, 2)), np.zeros(1))

    @staticmethod
    def row(polygon: Polygon, x: NDArray[np.floating]) -> Copies:
        """Copies along x at the places `x` (n,) [m]."""
        return Copies(polygon, np.column_stack([x, np.zeros(len(x))]), np.zeros(len(x)))

    @property
    def turns(self) -> FloatArray:
        """Rotations (n, 2, 2)."""
        c, s = np.cos(self.angles), np.sin(self.angles)
        return np.moveaxis(np.array([[c, -s], [s, c]]), 2, 0)

    @property
    def corners(self) -> FloatArray:
        """Corners (n, k, 2) of every copy."""
        return np.einsum("nij,kj->nki", self.turns, self.polygon.corners) + self.offsets[:, None]

    def posed(self, poses: Poses) -> Poses:
        """Poses (len(poses) * n) of the polygon's prism in every copy of the pattern, copy by copy."""
        turns = np.zeros((len(self.angles), 3, 3))
        turns[:, :2, :2], turns[:, 2, 2] = self.turns, 1.0
        flat = np.column_stack([self.offsets, np.zeros(len(self.offsets))])
        moved = np.einsum("mij,nj->mni", poses.rotations, flat) * poses.scales[:, None, None]
        where = (poses.positions[:, None] + moved).reshape(-1, 3)
        turned = np.einsum("mij,njk->mnik", poses.rotations, turns).reshape(-1, 3, 3)
        return Poses(where, turned, np.repeat(poses.scales, len(self.angles)))


@dataclass(frozen=True, eq=False)
class Layout:
    """body: the pattern; gaps: convex polygons that, with the body, fill its convex hull."""

    body: Copies
    gaps: tuple[Copies, ...] = ()

    @cached_property
    def hull(self) -> FloatArray:
        """Corners (m, 2) of the convex hull [m]."""
        return Polygon(self.body.corners.reshape(-1, 2)).hull

    @cached_property
    def places(self) -> int:
        """How many copies of the polygon there are."""
        return len(self.body.angles)


@lru_cache(maxsize=64)
def prism(polygon: Polygon, height: float) -> Polyhedron:
    """The polygon drawn out to +-height/2 along z, its caps in convex pieces."""
    k = len(polygon.corners)
    low = np.column_stack([polygon.corners, np.full(k, -height / 2)])
    high = np.column_stack([polygon.corners, np.full(k, height / 2)])
    walls = [(n, (n + 1) % k, (n + 1) % k + k, n + k) for n in range(k)]
    caps = [tuple(range(k))] if polygon.convex else [tuple(int(c) for c in t) for t in polygon.triangles]
    lower, upper = [c[::-1] for c in caps], [tuple(n + k for n in c) for c in caps]
    return Polyhedron(np.concatenate([low, high]), (*walls, *lower, *upper))


@lru_cache(maxsize=64)
def _layout(shape: Extruded) -> Layout:
    return shape.layout()


class Extruded(Model):
    """A pattern of `height` [m] along its own z, which is the beam unless it is turned."""

    height: PositiveLength

    def layout(self) -> Layout:
        """The outline."""
        raise NotImplementedError

    @property
    def volume(self) -> float:
        """Volume [m^3]."""
        return _layout(self).body.polygon.area * _layout(self).places * self.height

    @property
    def radius(self) -> float:
        """Distance of the farthest corner [m]."""
        return float(np.hypot(np.hypot(*_layout(self).hull.T).max(), self.height / 2))

    def add_thickness(self, out: FloatArray, poses: Poses, grid: Grid, z0: float, z1: float) -> None:
        """Add the exact pixel-averaged length [m] within z0..z1 [m] of every copy to `out` (ny, nx)."""
        body = _layout(self).body
        prism(body.polygon, self.height).add_thickness(out, body.posed(poses), grid, z0, z1, 1.0)

    def form_factor(self, q: FloatArray) -> NDArray[np.complex128]:
        """Integral of exp(-i q.r) [m^3] for q (..., 3) [rad/m]; error below 1e-14 of the volume at any q."""
        q = np.asarray(q, np.float64)
        body = _layout(self).body
        flat = np.ascontiguousarray(q[..., :2].reshape(-1, 2))
        total = np.zeros(len(flat), np.complex128)
        for turn, offset in zip(body.turns, body.offsets, strict=True):
            phase = flat[:, 0] * offset[0] + flat[:, 1] * offset[1]
            total += np.exp(-1j * phase) * polygon_transform(body.polygon, flat @ turn)
        return np.asarray(self.height * sinc(q[..., 2] * self.height / 2) * total.reshape(q.shape[:-1]))

    def contains(self, points: FloatArray) -> NDArray[np.bool_]:
        """Whether points (n, 3) [m] lie inside."""
        points = np.asarray(points, np.float64)
        body = _layout(self).body
        inside = np.zeros(points.shape[:-1], np.bool_)
        for turn, offset in zip(body.turns, body.offsets, strict=True):
            inside |= body.polygon.contains((points[..., :2] - offset) @ turn)
        return np.asarray(inside & (np.abs(points[..., 2]) <= self.height / 2))

    def depth(self, points: FloatArray) -> FloatArray:
        """Radius (n,) [m] of the largest ball about points (n, 3) [m] within the pattern; not positive outside."""
        body = _layout(self).body
        deepest = np.full(len(points), -np.inf)
        for turn, offset in zip(body.turns, body.offsets, strict=True):
            deepest = np.maximum(deepest, body.polygon.depth((points[:, :2] - offset) @ turn))
        return np.asarray(np.minimum(deepest, self.height / 2 - np.abs(points[:, 2])))

    def support(self, directions: FloatArray) -> FloatArray:
        """Farthest corners (n, 3) [m] along unit directions (n, 3)."""
        d = np.asarray(directions, np.float64)
        hull = _layout(self).hull
        flat = hull[np.argmax(d[..., :2] @ hull.T, axis=-1)]
        return np.concatenate([flat, np.where(d[..., 2:] < 0, -0.5, 0.5) * self.height], axis=-1)

    def surface_points(self, count: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Points (n, 3) [m] uniform on the surface and their outward unit normals."""
        body = _layout(self).body
        points, normals = prism(body.polygon, self.height).surface_points(count, rng)
        place = rng.integers(_layout(self).places, size=count)
        turn = body.turns[place]
        for vectors in (points, normals):
            vectors[:, :2] = np.einsum("nij,nj->ni", turn, vectors[:, :2])
        points[:, :2] += body.offsets[place]
        return points, normals

    def facets(self) -> tuple[FloatArray, FloatArray]:
        """Outward unit normals (m, 3) of the convex hull's faces and their distances (m,) [m] from the origin."""
        hull = _layout(self).hull
        side = np.roll(hull, -1, axis=0) - hull
        out = np.column_stack([side[:, 1], -side[:, 0], np.zeros(len(side))]) / np.hypot(*side.T)[:, None]
        normals = np.concatenate([out, [[0, 0, 1.0], [0, 0, -1.0]]])
        walls = (out[:, :2] * hull).sum(axis=1)
        return normals, np.concatenate([walls, np.full(2, self.height / 2)])

    def solids(self) -> tuple[tuple[Polyhedron, Copies], ...]:
        """Convex prisms that fill it without overlap, each in many places."""
        body = _layout(self).body
        return tuple(self._solid(Copies(piece, body.offsets, body.angles)) for piece in body.polygon.pieces)

    def gaps(self) -> tuple[tuple[Polyhedron, Copies], ...]:
        """Convex prisms that fill what its convex hull holds beside it."""
        return tuple(self._solid(gap) for gap in _layout(self).gaps)

    def _solid(self, copies: Copies) -> tuple[Polyhedron, Copies]:
        return prism(copies.polygon, self.height), copies


def polygon_transform(polygon: Polygon, q: FloatArray) -> NDArray[np.complex128]:
    """Integral of exp(-i q.r) over the polygon [m^2] for q (n, 2) [rad/m]."""
    from xsim.specimen.kernels.simplex import sum_triangles

    q, triangles = np.ascontiguousarray(q, np.float64), polygon.triangles
    a, b, c = np.moveaxis(polygon.corners[triangles], 1, 0)
    areas = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
    out: NDArray[np.complex128] = np.empty(len(q), np.complex128)

    def block(start: int, stop: int) -> None:
        sum_triangles(q[start:stop], polygon.corners, triangles, areas, out[start:stop])

    share(block, spans(len(q), _BLOCK))
    return out
