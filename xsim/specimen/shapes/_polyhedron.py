"""Convex polyhedra about their centre: raster, form factor, containment, support and surface of one body.

Shared by the flat-faced shapes. Lengths in the unit in which the corners are given, times `scale`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xsim.specimen.shape import FloatArray, Poses
from xsim.threads import share, spans
from xsim.waves.grid import Grid

#: q vectors per task of the form factor
_BLOCK = 4096


@dataclass(frozen=True, eq=False)
class Polyhedron:
    """corners (nv, 3); faces: tuples of corner numbers, counter-clockwise seen from outside; origin inside."""

    corners: FloatArray
    faces: tuple[tuple[int, ...], ...]

    @staticmethod
    def hull(corners: FloatArray) -> Polyhedron:
        """The convex hull of corners, all of which lie on it; coplanar triangles are merged into one face."""
        from scipy.spatial import ConvexHull

        planes = ConvexHull(corners).equations
        size = np.abs(corners).max()
        faces: dict[tuple[int, ...], tuple[int, ...]] = {}
        for normal, offset in zip(planes[:, :3], planes[:, 3], strict=True):
            members = np.flatnonzero(np.abs(corners @ normal + offset) < 1e-9 * size)
            middle = corners[members].mean(axis=0)
            u = corners[members[0]] - middle
            v = np.cross(normal, u)
            angle = np.arctan2((corners[members] - middle) @ v, (corners[members] - middle) @ u)
            ring = tuple(int(m) for m in members[np.argsort(angle)])
            faces.setdefault(tuple(sorted(ring)), ring)
        return Polyhedron(np.ascontiguousarray(corners, np.float64), tuple(faces[key] for key in sorted(faces)))

    @cached_property
    def triangles(self) -> NDArray[np.int64]:
        """Faces as fans of triangles (m, 3)."""
        return np.array([(f[0], f[k], f[k + 1]) for f in self.faces for k in range(1, len(f) - 1)], np.int64)

    @cached_property
    def volumes(self) -> FloatArray:
        """Signed volumes (m,) of the tetrahedra from the origin to each triangle."""
        a, b, c = np.moveaxis(self.corners[self.triangles], 1, 0)
        return np.asarray(np.einsum("ij,ij->i", a, np.cross(b, c)) / 6)

    @property
    def volume(self) -> float:
        """Volume."""
        return float(self.volumes.sum())

    @cached_property
    def radius(self) -> float:
        """Distance of the farthest corner."""
        return float(np.sqrt((self.corners**2).sum(axis=1).max()))

    @cached_property
    def planes(self) -> tuple[FloatArray, FloatArray]:
        """Outward unit normals (nf, 3) and distances (nf,) from the origin."""
        a, b, c = (self.corners[[f[k] for f in self.faces]] for k in range(3))
        normal = np.cross(b - a, c - b)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        return normal, np.einsum("ij,ij->i", normal, a)

    @cached_property
    def _arrays(self) -> tuple[FloatArray, NDArray[np.int64], NDArray[np.int64]]:
        counts = np.array([len(face) for face in self.faces], np.int64)
        padded = np.zeros((len(self.faces), counts.max()), np.int64)
        for row, face in zip(padded, self.faces, strict=True):
            row[: len(face)] = face
        return self.corners, padded, counts

    @cached_property
    def _half(self) -> NDArray[np.int64] | None:
        """Triangles of one half, when every face has its image under inversion; else None."""
        tolerance = 1e-9 * self.radius
        distance = np.linalg.norm(self.corners[:, None] + self.corners[None], axis=2)
        image = distance.argmin(axis=1)
        if distance.min(axis=1).max() > tolerance:
            return None
        index = {frozenset(face): n for n, face in enumerate(self.faces)}
        keep = []
        for n, face in enumerate(self.faces):
            other = index.get(frozenset(int(image[c]) for c in face))
            if other is None or other == n:
                return None
            if n < other:
                keep += [(face[0], face[k], face[k + 1]) for k in range(1, len(face) - 1)]
        return np.array(keep, np.int64)

    def add_thickness(self, out: FloatArray, poses: Poses, grid: Grid, z0: float, z1: float, scale: float) -> None:
        """Add the exact pixel-averaged length within z0..z1 of every copy; scale [m per unit of the corners]."""
        from xsim.specimen.kernels.bands import for_bands, in_pixels
        from xsim.specimen.kernels.faces import add_polyhedra

        p = in_pixels(poses, grid, z0, z1)
        turns = p.rotations * (p.size * scale)[:, None, None]
        body = self._arrays

        def band(first: int, last: int, items: NDArray[np.int64]) -> None:
            add_polyhedra(out, (first, last), items, (p.x, p.y, p.z), turns, body, (p.z0, p.z1), grid.pixel)

        for_bands(grid.shape[0], p.y, p.size * scale * self.radius, band)

    def form_factor(self, q: FloatArray) -> NDArray[np.complex128]:
        """Integral of exp(-i q.r) for q (..., 3), lengths in the unit of the corners; real where inversion allows."""
        from xsim.specimen.kernels.simplex import sum_tetrahedra

        flat = np.ascontiguousarray(np.asarray(q, np.float64).reshape(-1, 3))
        half = self._half
        triangles = self.triangles if half is None else half
        a, b, c = np.moveaxis(self.corners[triangles], 1, 0)
        volumes = np.einsum("ij,ij->i", a, np.cross(b, c)) / 6
        out: NDArray[np.complex128] = np.empty(len(flat), np.complex128)

        def block(start: int, stop: int) -> None:
            sum_tetrahedra(flat[start:stop], self.corners, triangles, volumes, out[start:stop])

        share(block, spans(len(flat), _BLOCK))
        if half is not None:
            out = np.asarray(2 * out.real, np.complex128)
        return out.reshape(np.shape(q)[:-1])

    def contains(self, points: FloatArray) -> NDArray[np.bool_]:
        """Whether points (n, 3) lie inside."""
        normal, distance = self.planes
        return np.asarray((np.asarray(points) @ normal.T <= distance).all(axis=-1))

    def support(self, directions: FloatArray) -> FloatArray:
        """Farthest corners (n, 3) along directions (n, 3)."""
        return np.asarray(self.corners[np.argmax(np.asarray(directions) @ self.corners.T, axis=-1)])

    def surface_points(self, count: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Points (n, 3) uniform on the surface and their outward unit normals."""
        a, b, c = np.moveaxis(self.corners[self.triangles], 1, 0)
        normal = np.cross(b - a, c - a)
        area = np.linalg.norm(normal, axis=1)
        pick = np.searchsorted(np.cumsum(area) / area.sum(), rng.uniform(size=count), side="right")
        pick = np.minimum(pick, len(area) - 1)
        u, v = rng.uniform(size=(2, count))
        fold = u + v > 1
        u, v = np.where(fold, 1 - u, u), np.where(fold, 1 - v, v)
        points = a[pick] + u[:, None] * (b - a)[pick] + v[:, None] * (c - a)[pick]
        return points, normal[pick] / area[pick, None]
