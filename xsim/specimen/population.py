"""One shape of one material in many places: arrays, not a list of objects."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.matter.material import Material
from xsim.specimen.gjk import farthest
from xsim.specimen.shape import Poses
from xsim.specimen.sizes import Size

FloatArray = NDArray[np.float64]

#: copies whose farthest points are sought at a time: bounds the memory for bodies with many corners
_BLOCK = 2048


@dataclass(frozen=True, eq=False)
class Population:
    """Copies of `shape` made of `material` that displace `host` (None: vacuum), at `poses` [m].

    index: (n,) number of each copy in the population as described; the default counts from 0. size: the law from which
    the scales were drawn, if there is one. Copies of one described
    population that sit in different materials are kept as several of these, with the same name.
    """

    name: str
    shape: Any
    material: Material
    host: Material | None
    poses: Poses
    index: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    size: Size | None = None

    def __post_init__(self) -> None:
        if len(self.index) != len(self.poses):
            object.__setattr__(self, "index", np.arange(len(self.poses), dtype=np.int64))

    def __len__(self) -> int:
        return len(self.poses)

    @property
    def radii(self) -> FloatArray:
        """Radius of each copy's bounding sphere [m], shape (n,)."""
        return self.shape.radius * self.poses.scales

    @property
    def volumes(self) -> FloatArray:
        """Volume of each copy [m^3], shape (n,)."""
        return self.shape.volume * self.poses.scales**3

    @cached_property
    def z_extents(self) -> tuple[FloatArray, FloatArray]:
        """Lowest and highest z [m] of each copy as it is turned, each (n,): exact, by the support function."""
        z = self.poses.positions[:, 2]
        if self.shape.kind == "sphere":
            return z - self.radii, z + self.radii
        low, high = np.empty(len(self)), np.empty(len(self))
        for start in range(0, len(self), _BLOCK):
            rows = np.arange(start, min(start + _BLOCK, len(self)))
            some, up = take(self.poses, rows), np.broadcast_to([0.0, 0.0, 1.0], (len(rows), 3))
            low[rows], high[rows] = farthest(self.shape, some, -up)[:, 2], farthest(self.shape, some, up)[:, 2]
        return low, high

    @property
    def z_range(self) -> tuple[float, float]:
        """Lowest and highest z [m] of any copy, (inf, -inf) if there is none; a flat box counts its height alone."""
        if not len(self):
            return np.inf, -np.inf
        low, high = self.z_extents
        return float(low.min()), float(high.max())

    def moved(self, rotation: FloatArray, shift: FloatArray) -> Population:
        """Every copy turned about the origin by `rotation` (3, 3), then moved by `shift` (3,) [m]."""
        p = self.poses
        # einsum keeps one fixed order of additions per particle, whatever their number (BLAS does not)
        positions = np.einsum("ij,nj->ni", rotation, p.positions) + shift
        rotations = np.einsum("ij,njk->nik", rotation, p.rotations)
        return replace(self, poses=Poses(positions, rotations, p.scales))

    def take(self, rows: NDArray[Any]) -> Population:
        """Only the copies chosen by `rows` (mask or numbers), in their order."""
        return replace(self, poses=take(self.poses, rows), index=self.index[rows])


def take(poses: Poses, rows: NDArray[Any]) -> Poses:
    """The chosen copies."""
    return Poses(poses.positions[rows], poses.rotations[rows], poses.scales[rows])


def at(positions: Any, scales: Any = 1.0, rotations: Any = None) -> Poses:
    """Poses at `positions` (n, 3) [m], with one scale or (n,), and one rotation (3, 3), (n, 3, 3) or none."""
    where = np.atleast_2d(np.asarray(positions, np.float64))
    n = len(where)
    turned = np.eye(3) if rotations is None else np.asarray(rotations, np.float64)
    sizes = np.broadcast_to(np.asarray(scales, np.float64), (n,))
    return Poses(where, np.broadcast_to(turned, (n, 3, 3)).copy(), sizes.copy())
