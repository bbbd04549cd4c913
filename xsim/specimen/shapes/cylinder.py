"""A solid circular cylinder: a rod or a disc.

F(q) = V sinc(q_z L/2) 2 J1(x)/x, x = q_perp D/2. The thickness is that of a prism of equal cross-section with so many
sides that they stray from the circle by less than a hundredth of a pixel, rastered exactly under any rotation
(`xsim.specimen.kernels.faces`): mass and slabs are exact, and only angular harmonics of the order of the sides differ.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xsim.model import Model
from xsim.specimen.shape import FloatArray, Poses
from xsim.specimen.shapes._polyhedron import Polyhedron
from xsim.specimen.shapes._sampling import as_complex, sinc
from xsim.units import PositiveLength
from xsim.waves.grid import Grid

#: greatest distance between circle and prism [px]
_SAG = 0.01


@lru_cache(maxsize=64)
def _prism(diameter: float, length: float, sides: int) -> Polyhedron:
    """A prism about z with the cross-section's area of the cylinder."""
    r = diameter / 2 * np.sqrt(2 * np.pi / (sides * np.sin(2 * np.pi / sides)))
    phi = 2 * np.pi * np.arange(sides) / sides
    ring = np.stack([r * np.cos(phi), r * np.sin(phi)], axis=-1)
    low = np.column_stack([ring, np.full(sides, -length / 2)])
    high = np.column_stack([ring, np.full(sides, length / 2)])
    walls = [(n, (n + 1) % sides, (n + 1) % sides + sides, n + sides) for n in range(sides)]
    caps = [tuple(range(sides))[::-1], tuple(range(sides, 2 * sides))]
    return Polyhedron(np.concatenate([low, high]), (*walls, *caps))


class Cylinder(Model):
    """A cylinder of `diameter` [m] and `length` [m] along its own z."""

    kind: Literal["cylinder"] = "cylinder"
    diameter: PositiveLength
    length: PositiveLength

    @property
    def volume(self) -> float:
        """Volume [m^3]."""
        return np.pi / 4 * self.diameter**2 * self.length

    @property
    def radius(self) -> float:
        """Radius of the sphere through both rims [m]."""
        return float(np.hypot(self.diameter, self.length)) / 2

    def add_thickness(self, out: FloatArray, poses: Poses, grid: Grid, z0: float, z1: float) -> None:
        """Add the pixel-averaged length [m] within z0..z1 [m] of every copy to `out` (ny, nx)."""
        wanted = np.pi * np.sqrt(self.diameter / grid.pixel / (4 * _SAG))
        sides = 4 * int(np.clip(np.ceil(wanted / 4), 8, 128))
        _prism(self.diameter, self.length, sides).add_thickness(out, poses, grid, z0, z1, 1.0)

    def form_factor(self, q: FloatArray) -> NDArray[np.complex128]:
        """Integral of exp(-i q.r) [m^3] for q (..., 3) [rad/m]."""
        from scipy.special import j1

        q = np.asarray(q, np.float64)
        x = np.hypot(q[..., 0], q[..., 1]) * self.diameter / 2
        safe = np.where(x < 1e-8, 1.0, x)
        disc = np.where(x < 1e-8, 1.0, 2 * j1(safe) / safe)
        return as_complex(self.volume * disc * sinc(q[..., 2] * self.length / 2))

    def contains(self, points: FloatArray) -> NDArray[np.bool_]:
        """Whether points (n, 3) [m] lie inside."""
        p = np.asarray(points)
        inside = np.hypot(p[..., 0], p[..., 1]) <= self.diameter / 2
        return np.asarray(inside & (np.abs(p[..., 2]) <= self.length / 2))

    def support(self, directions: FloatArray) -> FloatArray:
        """Farthest points (n, 3) [m] along unit directions (n, 3)."""
        d = np.asarray(directions, np.float64)
        across = np.hypot(d[..., 0], d[..., 1])[..., None]
        rim = np.where(across > 0, d[..., :2] / np.where(across > 0, across, 1.0), 0.0) * self.diameter / 2
        cap = np.where(d[..., 2:] < 0, -0.5, 0.5) * self.length
        return np.concatenate([rim, cap], axis=-1)

    def surface_points(self, count: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Points (n, 3) [m] uniform on the surface and their outward unit normals."""
        wall, caps = self.diameter * self.length, self.diameter**2 / 2
        where, phi, u = rng.uniform(size=(3, count)) * [[wall + caps], [2 * np.pi], [1.0]]
        on_wall = where < wall
        side = np.where(where < wall + caps / 2, 1.0, -1.0)
        rho = np.where(on_wall, 1.0, np.sqrt(u)) * self.diameter / 2
        z = np.where(on_wall, u - 0.5, side / 2) * self.length
        points = np.stack([rho * np.cos(phi), rho * np.sin(phi), z], axis=-1)
        flat, zero = np.where(on_wall, 1.0, 0.0), np.where(on_wall, 0.0, side)
        return points, np.stack([flat * np.cos(phi), flat * np.sin(phi), zero], axis=-1)

    @classmethod
    def example(cls) -> Any:
        """A rod of 50 nm diameter and 100 nm length."""
        return cls(diameter="50 nm", length="100 nm")
