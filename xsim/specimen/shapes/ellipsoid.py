"""A triaxial ellipsoid.

F(q) is that of the unit ball at |S q| times the volume, S the semi-axes. The thickness raster is exact along one axis
and Gauss-Legendre along the other, under any rotation: see `xsim.specimen.kernels.ellipsoid`. Mass is exact;
pixels on the outline are within 1e-3 of the peak thickness at 1 pixel per semi-axis, 1e-4 at 5.
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


class Ellipsoid(Model):
    """An ellipsoid with `semi_axes` [m] along its own x, y and z."""

    kind: Literal["ellipsoid"] = "ellipsoid"
    semi_axes: tuple[PositiveLength, PositiveLength, PositiveLength]

    @property
    def volume(self) -> float:
        """Volume [m^3]."""
        return float(4 / 3 * np.pi * np.prod(self.semi_axes))

    @property
    def radius(self) -> float:
        """The largest semi-axis [m]."""
        return max(self.semi_axes)

    def add_thickness(self, out: FloatArray, poses: Poses, grid: Grid, z0: float, z1: float) -> None:
        """Add the pixel-averaged length [m] within z0..z1 [m] of every copy to `out` (ny, nx)."""
        from xsim.specimen.kernels.bands import for_bands, in_pixels
        from xsim.specimen.kernels.ellipsoid import add_ellipsoids

        p = in_pixels(poses, grid, z0, z1)
        turns = p.rotations * (p.size[:, None, None] * np.array(self.semi_axes))
        nodes = np.array(np.polynomial.legendre.leggauss(_order(min(self.semi_axes) / grid.pixel)))

        def band(first: int, last: int, items: NDArray[np.int64]) -> None:
            add_ellipsoids(out, (first, last), items, (p.x, p.y, p.z), turns, nodes, (p.z0, p.z1), grid.pixel)

        for_bands(grid.shape[0], p.y, p.size * self.radius, band)

    def add_lines(
        self, out: NDArray[np.float32], slots: NDArray[np.int32], poses: Poses, grid: Grid, z0: float, z1: float
    ) -> None:
        """Add the length [m] within z0..z1 [m] through the middles of fine samples; see `xsim.specimen.cells`."""
        from xsim.specimen.kernels.bands import in_pixels
        from xsim.specimen.kernels.domes import into_cells

        p = in_pixels(poses, grid, z0, z1)
        into_cells(out, slots, p, p.rotations * (p.size[:, None, None] * np.array(self.semi_axes)), grid.pixel)

    def form_factor(self, q: FloatArray) -> NDArray[np.complex128]:
        """Integral of exp(-i q.r) [m^3] for q (..., 3) [rad/m]."""
        return as_complex(self.volume * ball_amplitude(lengths(np.asarray(q) * self.semi_axes)))

    def contains(self, points: FloatArray) -> NDArray[np.bool_]:
        """Whether points (n, 3) [m] lie inside."""
        return np.asarray(lengths(np.asarray(points) / self.semi_axes) <= 1)

    def support(self, directions: FloatArray) -> FloatArray:
        """Farthest points (n, 3) [m] along unit directions (n, 3)."""
        stretched = np.asarray(directions) * self.semi_axes
        return np.asarray(stretched * self.semi_axes / lengths(stretched)[..., None])

    def surface_points(self, count: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Points (n, 3) [m] uniform on the surface and their outward unit normals.

        Points of the unit sphere are kept with probability |u/a| min(a), the local stretch of area.
        """
        axes = np.array(self.semi_axes)
        points, normals = np.empty((0, 3)), np.empty((0, 3))
        while len(points) < count:
            u = random_directions(2 * count + 16, rng)
            stretch = lengths(u / axes)
            keep = rng.uniform(size=len(u)) < stretch * axes.min()
            points = np.concatenate([points, (u * axes)[keep]])
            normals = np.concatenate([normals, (u / axes / stretch[:, None])[keep]])
        return points[:count], normals[:count]

    @classmethod
    def example(cls) -> Any:
        """An ellipsoid of 120 x 80 x 60 nm."""
        return cls(semi_axes=("60 nm", "40 nm", "30 nm"))


def _order(size: float) -> int:
    """Nodes per row for the smallest semi-axis `size` [px]."""
    return int(np.clip(np.ceil(6 + 6 / size), 8, 16))
