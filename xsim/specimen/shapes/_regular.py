"""Regular and semi-regular solids described by their edge: everything but their corners."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.model import Model
from xsim.specimen.shape import FloatArray, Poses
from xsim.specimen.shapes._polyhedron import Polyhedron
from xsim.units import PositiveLength
from xsim.waves.grid import Grid


@cache
def _unit_body(kind: type[RegularSolid]) -> Polyhedron:
    return Polyhedron.hull(kind.unit_corners())


class RegularSolid(Model):
    """A convex solid about its centre whose edges are all `edge` [m] long."""

    edge: PositiveLength

    @staticmethod
    def unit_corners() -> FloatArray:
        """Corners (nv, 3) for an edge of 1."""
        raise NotImplementedError

    @property
    def body(self) -> Polyhedron:
        """The polyhedron for an edge of 1."""
        return _unit_body(type(self))

    @property
    def volume(self) -> float:
        """Volume [m^3]."""
        return self.body.volume * self.edge**3

    @property
    def radius(self) -> float:
        """Circumradius [m]."""
        return self.body.radius * self.edge

    def add_thickness(self, out: FloatArray, poses: Poses, grid: Grid, z0: float, z1: float) -> None:
        """Add the exact pixel-averaged length [m] within z0..z1 [m] of every copy to `out` (ny, nx)."""
        self.body.add_thickness(out, poses, grid, z0, z1, self.edge)

    def form_factor(self, q: FloatArray) -> NDArray[np.complex128]:
        """Integral of exp(-i q.r) [m^3] for q (..., 3) [rad/m]; error below 1e-14 of the volume at any q."""
        return self.body.form_factor(np.asarray(q) * self.edge) * self.edge**3

    def contains(self, points: FloatArray) -> NDArray[np.bool_]:
        """Whether points (n, 3) [m] lie inside."""
        return self.body.contains(np.asarray(points) / self.edge)

    def support(self, directions: FloatArray) -> FloatArray:
        """Farthest corners (n, 3) [m] along unit directions (n, 3)."""
        return self.body.support(directions) * self.edge

    def surface_points(self, count: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Points (n, 3) [m] uniform on the surface and their outward unit normals."""
        points, normals = self.body.surface_points(count, rng)
        return points * self.edge, normals

    @classmethod
    def example(cls) -> Any:
        """A solid of 100 nm circumscribed diameter."""
        return cls(edge=f"{50 / _unit_body(cls).radius!r} nm")
