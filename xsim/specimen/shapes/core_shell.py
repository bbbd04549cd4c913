"""The shell of a spherical core-shell particle: a hollow sphere.

The shell alone is the shape; its core is another part, `core()`, that sits in the hollow with its own material (or
stays what surrounds the particle). Thickness and form factor are differences of two exact spheres.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from xsim.errors import RangeError
from xsim.model import Model
from xsim.specimen.shape import FloatArray, Poses
from xsim.specimen.shapes._sampling import lengths, random_directions
from xsim.specimen.shapes.sphere import Sphere
from xsim.units import PositiveLength, quantity
from xsim.waves.grid import Grid


class CoreShell(Model):
    """A hollow sphere of outer `radius` [m] whose wall is `shell` [m] thick."""

    kind: Literal["core_shell"] = "core_shell"
    radius: PositiveLength
    shell: PositiveLength

    @model_validator(mode="after")
    def _shell_fits(self) -> CoreShell:
        if not self.shell < self.radius:
            raise RangeError(
                "the shell leaves no core",
                field="shell",
                value=quantity(self.shell, "m"),
                allowed=f"< {quantity(self.radius, 'm')} (the outer radius)",
                cure='make the shell thinner, or use kind = "sphere"',
            )
        return self

    def outer(self) -> Sphere:
        """The sphere that the outer surface encloses."""
        return Sphere(radius=quantity(self.radius, "m"))

    def core(self) -> Sphere:
        """The sphere that fills the hollow."""
        return Sphere(radius=quantity(self.radius - self.shell, "m"))

    @property
    def volume(self) -> float:
        """Volume of the wall [m^3]."""
        return self.outer().volume - self.core().volume

    def add_thickness(self, out: FloatArray, poses: Poses, grid: Grid, z0: float, z1: float) -> None:
        """Add the exact pixel-averaged length [m] of wall within z0..z1 [m] of every copy to `out` (ny, nx)."""
        wall, hollow = np.zeros_like(out), np.zeros_like(out)
        self.outer().add_thickness(wall, poses, grid, z0, z1)
        self.core().add_thickness(hollow, poses, grid, z0, z1)
        wall -= hollow
        out += np.maximum(wall, 0.0, out=wall)

    def form_factor(self, q: FloatArray) -> NDArray[np.complex128]:
        """Integral of exp(-i q.r) over the wall [m^3] for q (..., 3) [rad/m]."""
        return self.outer().form_factor(q) - self.core().form_factor(q)

    def contains(self, points: FloatArray) -> NDArray[np.bool_]:
        """Whether points (n, 3) [m] lie in the wall."""
        r = lengths(np.asarray(points))
        return np.asarray((r <= self.radius) & (r >= self.radius - self.shell))

    def support(self, directions: FloatArray) -> FloatArray:
        """Farthest points (n, 3) [m] along unit directions (n, 3)."""
        return self.radius * np.asarray(directions, np.float64)

    def surface_points(self, count: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Points (n, 3) [m] uniform on the outer surface and their outward unit normals."""
        normals = random_directions(count, rng)
        return self.radius * normals, normals

    @classmethod
    def example(cls) -> Any:
        """A shell of 100 nm diameter with a wall of 15 nm."""
        return cls(radius="50 nm", shell="15 nm")
