"""What every shape offers: two views of one solid body, in its own frame with its centre of mass near the origin.

Shapes live in `xsim.specimen.shapes`, one file each, as frozen pydantic models with a `kind`; they are discovered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Poses:
    """Where the copies of a shape are: in the laboratory frame, lengths in metres.

    positions: (n, 3) x, y, z of the shape's origin. rotations: (n, 3, 3) shape frame to laboratory frame.
    scales: (n,) linear size relative to the shape as described.
    """

    positions: FloatArray
    rotations: FloatArray
    scales: FloatArray

    def __len__(self) -> int:
        return len(self.scales)


class Shape(Protocol):
    """A solid body of uniform density."""

    kind: str

    @property
    def volume(self) -> float:
        """Volume [m^3]."""
        ...

    @property
    def radius(self) -> float:
        """Radius of the sphere about the origin that holds the body [m]."""
        ...

    def add_thickness(self, out: FloatArray, poses: Poses, grid: Grid, z0: float, z1: float) -> None:
        """Add to `out` (ny, nx) [m] the length of each copy along z within z0..z1 [m], averaged over each pixel.

        Compiled; copies in the order of `poses`; the same bits for any number of threads. Infinite z0, z1 allowed.
        """
        ...

    def form_factor(self, q: FloatArray) -> NDArray[np.complex128]:
        """Integral of exp(-i q.r) over the body [m^3] for q (..., 3) [rad/m] in the shape's frame."""
        ...

    def contains(self, points: FloatArray) -> NDArray[np.bool_]:
        """Whether points (n, 3) [m] in the shape's frame lie inside."""
        ...

    def support(self, directions: FloatArray) -> FloatArray:
        """Farthest points (n, 3) [m] of the (convex hull of the) body along unit directions (n, 3)."""
        ...

    def surface_points(self, count: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Points (n, 3) [m] uniform in area on the outer surface and their outward unit normals (n, 3)."""
        ...

    @classmethod
    def example(cls) -> Any:
        """A typical member, about 100 nm across, for tests and pictures."""
        ...
