"""A rectangular box.

F(q) = V sinc(q_x a/2) sinc(q_y b/2) sinc(q_z c/2). The thickness raster is exact under any rotation and for any
slab: see `xsim.specimen.kernels.faces`.
"""

from __future__ import annotations

from itertools import product
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xsim.model import Model
from xsim.specimen.shape import FloatArray, Poses
from xsim.specimen.shapes._polyhedron import Polyhedron
from xsim.specimen.shapes._sampling import as_complex, sinc
from xsim.units import PositiveLength
from xsim.waves.grid import Grid


def cuboid(sides: tuple[float, float, float]) -> Polyhedron:
    """The polyhedron with the given full sides."""
    return Polyhedron.hull(np.array(list(product((-0.5, 0.5), repeat=3))) * sides)


class Box(Model):
    """A box with full `sides` [m] along its own x, y and z."""

    kind: Literal["box"] = "box"
    sides: tuple[PositiveLength, PositiveLength, PositiveLength]

    @property
    def volume(self) -> float:
        """Volume [m^3]."""
        return self.sides[0] * self.sides[1] * self.sides[2]

    @property
    def radius(self) -> float:
        """Half the space diagonal [m]."""
        return float(np.linalg.norm(self.sides)) / 2

    def add_thickness(self, out: FloatArray, poses: Poses, grid: Grid, z0: float, z1: float) -> None:
        """Add the exact pixel-averaged length [m] within z0..z1 [m] of every copy to `out` (ny, nx)."""
        cuboid(self.sides).add_thickness(out, poses, grid, z0, z1, 1.0)

    def form_factor(self, q: FloatArray) -> NDArray[np.complex128]:
        """Integral of exp(-i q.r) [m^3] for q (..., 3) [rad/m]."""
        return as_complex(self.volume * sinc(np.asarray(q) * self.sides / 2).prod(axis=-1))

    def contains(self, points: FloatArray) -> NDArray[np.bool_]:
        """Whether points (n, 3) [m] lie inside."""
        return np.asarray((np.abs(points) <= np.array(self.sides) / 2).all(axis=-1))

    def support(self, directions: FloatArray) -> FloatArray:
        """Farthest corners (n, 3) [m] along unit directions (n, 3)."""
        return np.where(np.asarray(directions) < 0, -0.5, 0.5) * self.sides

    def surface_points(self, count: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Points (n, 3) [m] uniform on the surface and their outward unit normals."""
        return cuboid(self.sides).surface_points(count, rng)

    @classmethod
    def example(cls) -> Any:
        """A box of 120 x 80 x 60 nm."""
        return cls(sides=("120 nm", "80 nm", "60 nm"))
