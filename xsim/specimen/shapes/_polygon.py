"""Simple polygons in the plane: area, triangles, convex hull and what the hull holds beside the polygon.

Triangles by clipping ears (Meisters, doi 10.2307/2319703): O(n^2), for outlines of up to some hundred corners.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xsim.specimen.shape import FloatArray

#: relative to the polygon's size, what counts as touching a line
_NEAR = 1e-10


def cross(u: FloatArray, v: FloatArray) -> FloatArray:
    """The z component of u x v for vectors (..., 2)."""
    return np.asarray(u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0], np.float64)


@dataclass(frozen=True, eq=False)
class Polygon:
    """corners (k, 2), counter-clockwise, edges that neither cross nor touch."""

    corners: FloatArray

    @staticmethod
    def rectangle(width: float, length: float) -> Polygon:
        """A rectangle about the origin, `width` along x and `length` along y."""
        x, y = width / 2, length / 2
        return Polygon(np.array([(-x, -y), (x, -y), (x, y), (-x, y)]))

    @property
    def edges(self) -> FloatArray:
        """Vectors (k, 2) from each corner to the next."""
        return np.asarray(np.roll(self.corners, -1, axis=0) - self.corners)

    @property
    def area(self) -> float:
        """Area; negative for corners given clockwise."""
        return float(cross(self.corners, np.roll(self.corners, -1, axis=0)).sum() / 2)

    @property
    def centroid(self) -> FloatArray:
        """Centre of mass (2,)."""
        base = self.corners[0]
        a, b = self.corners - base, np.roll(self.corners, -1, axis=0) - base
        weight = cross(a, b)
        return np.asarray(base + (weight[:, None] * (a + b)).sum(axis=0) / (3 * weight.sum()))

    @property
    def size(self) -> float:
        """Largest extent along x or y."""
        return float(np.ptp(self.corners, axis=0).max())

    @cached_property
    def convex(self) -> bool:
        """Whether no corner is re-entrant."""
        edges = self.edges
        return bool((cross(edges, np.roll(edges, -1, axis=0)) >= -_NEAR * self.size**2).all())

    @cached_property
    def triangles(self) -> NDArray[np.int64]:
        """Corner numbers (m, 3) of triangles that fill the polygon, counter-clockwise."""
        left, found = list(range(len(self.corners))), []
        while len(left) > 3:
            k = self._ear(left)
            three = left[k - 1], left[k], left[(k + 1) % len(left)]
            if self._turn(*three) > 0:
                found.append(three)
            del left[k]
        return np.array([*found, tuple(left)], np.int64)

    def _turn(self, a: int, b: int, c: int) -> float:
        p = self.corners
        return float(cross(p[b] - p[a], p[c] - p[b]))

    def _ear(self, left: list[int]) -> int:
        """Place in `left` of a corner that can be cut off: the one that turns most among those without others in it."""
        flat = _NEAR * self.size**2
        turns = [self._turn(left[k - 1], left[k], left[(k + 1) % len(left)]) for k in range(len(left))]
        for k in np.argsort(turns)[::-1]:
            if turns[k] <= flat:
                break
            three = [left[k - 1], left[k], left[(k + 1) % len(left)]]
            corners = self.corners[three]
            others = self.corners[[n for n in left if n not in three]]
            sides = np.roll(corners, -1, axis=0) - corners
            inside = (cross(sides, others[:, None] - corners) > -flat).all(axis=1)
            same = (np.abs(others[:, None] - corners).max(axis=2) < _NEAR * self.size).any(axis=1)
            if not (inside & ~same).any():
                return int(k)
        return int(np.argmin(np.abs(turns)))  # only straight corners are left

    @cached_property
    def pieces(self) -> tuple[Polygon, ...]:
        """Convex polygons that fill it without overlap."""
        return (self,) if self.convex else tuple(Polygon(self.corners[t]) for t in self.triangles)

    @cached_property
    def hull(self) -> FloatArray:
        """Corners (m, 2) of the convex hull, counter-clockwise."""
        from scipy.spatial import ConvexHull

        return np.asarray(self.corners[ConvexHull(self.corners).vertices])

    @cached_property
    def pockets(self) -> tuple[Polygon, ...]:
        """Convex polygons that fill what its convex hull holds beside it."""
        hull = self.hull
        sides = np.roll(hull, -1, axis=0) - hull
        height = cross(sides, self.corners[:, None] - hull) / np.hypot(*sides.T)
        rim = np.flatnonzero((height < _NEAR * self.size).any(axis=1))
        found: list[Polygon] = []
        for first, last in zip(rim, np.roll(rim, -1), strict=True):
            steps = (last - first) % len(self.corners)
            between = np.arange(first, first + steps + 1) % len(self.corners)
            pocket = Polygon(self.corners[between[::-1]])
            if steps > 1 and pocket.area > _NEAR * self.size**2:
                found += pocket.pieces
        return tuple(found)

    def crossing(self) -> tuple[int, int] | None:
        """Numbers of two edges (from corner n to the next) that cross or touch, neighbours apart; None if none do."""
        p, q = self.corners, np.roll(self.corners, -1, axis=0)
        k, flat = len(p), _NEAR * self.size**2
        ahead = cross((q - p)[:, None], p[None] - p[:, None]), cross((q - p)[:, None], q[None] - p[:, None])
        split = np.minimum(*ahead) <= flat
        split &= np.maximum(*ahead) >= -flat
        low, high = np.minimum(p, q), np.maximum(p, q)
        near = _NEAR * self.size
        split &= split.T & ((low[:, None] <= high + near) & (low[None] <= high[:, None] + near)).all(axis=2)
        n = np.arange(k)
        apart = (n[:, None] - n) % k
        hit = np.argwhere(split & (apart > 1) & (apart < k - 1))
        return None if not len(hit) else (int(hit[0, 0]), int(hit[0, 1]))

    def contains(self, points: FloatArray) -> NDArray[np.bool_]:
        """Whether points (..., 2) lie inside."""
        inside = np.zeros(points.shape[:-1], np.bool_)
        for piece in self.pieces:
            inside |= np.all(
                [cross(side, points - corner) >= 0 for side, corner in zip(piece.edges, piece.corners, strict=True)],
                axis=0,
            )
        return inside

    def depth(self, points: FloatArray) -> FloatArray:
        """Distance (...) of points (..., 2) from the outline, negative outside."""
        square = np.full(points.shape[:-1], np.inf)
        for side, corner in zip(self.edges, self.corners, strict=True):
            away = points - corner
            along = np.clip((away @ side) / (side @ side), 0, 1)
            square = np.minimum(square, ((away - along[..., None] * side) ** 2).sum(axis=-1))
        return np.asarray(np.where(self.contains(points), 1, -1) * np.sqrt(square))
