"""A homogeneous sphere.

F(q) = V 3 (sin x - x cos x)/x^3, x = qR (Rayleigh 1911). The thickness raster is exact for any radius, down to
spheres much smaller than a pixel, and for any slab: see `xsim.specimen.kernels.ball`.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xsim.model import Model
from xsim.specimen.shape import FloatArray, Poses
from xsim.specimen.shapes._sampling import as_complex, ball_amplitude, lengths, random_directions
from xsim.units import PositiveLength
from xsim.waves.grid import Grid


class Sphere(Model):
    """A sphere of `radius` [m]."""

    kind: Literal["sphere"] = "sphere"
    radius: PositiveLength

    @property
    def volume(self) -> float:
        """Volume [m^3]."""
        return 4 / 3 * np.pi * self.radius**3

    def add_thickness(self, out: FloatArray, poses: Poses, grid: Grid, z0: float, z1: float) -> None:
        """Add the exact pixel-averaged length [m] within z0..z1 [m] of every copy to `out` (ny, nx)."""
        from xsim.specimen.kernels.ball import add_balls
        from xsim.specimen.kernels.bands import for_bands, in_pixels

        p = in_pixels(poses, grid, z0, z1)
        radius = p.size * self.radius

        def band(first: int, last: int, items: NDArray[np.int64]) -> None:
            add_balls(out, (first, last), items, (p.x, p.y, p.z), radius, (p.z0, p.z1), grid.pixel)

        for_bands(grid.shape[0], p.y, radius, band)

    def add_lines(
        self, out: NDArray[np.float32], slots: NDArray[np.int32], poses: Poses, grid: Grid, z0: float, z1: float
    ) -> None:
        """Add the length [m] within z0..z1 [m] through the middles of fine samples; see `xsim.specimen.cells`."""
        from xsim.specimen.kernels.bands import in_pixels
        from xsim.specimen.kernels.domes import into_cells

        p = in_pixels(poses, grid, z0, z1)
        into_cells(out, slots, p, np.eye(3) * (p.size * self.radius)[:, None, None], grid.pixel)

    def form_factor(self, q: FloatArray) -> NDArray[np.complex128]:
        """Integral of exp(-i q.r) [m^3] for q (..., 3) [rad/m]."""
        return as_complex(self.volume * ball_amplitude(lengths(np.asarray(q)) * self.radius))

    def contains(self, points: FloatArray) -> NDArray[np.bool_]:
        """Whether points (n, 3) [m] lie inside."""
        return np.asarray(lengths(np.asarray(points)) <= self.radius)

    def support(self, directions: FloatArray) -> FloatArray:
        """Farthest points (n, 3) [m] along unit directions (n, 3)."""
        return self.radius * np.asarray(directions, np.float64)

    def surface_points(self, count: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Points (n, 3) [m] uniform on the surface and their outward unit normals."""
        normals = random_directions(count, rng)
        return self.radius * normals, normals

    @classmethod
    def example(cls) -> Any:
        """A sphere of 100 nm diameter."""
        return cls(radius="50 nm")
