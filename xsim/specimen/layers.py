"""A stack of flat, laterally infinite layers, in any orientation, with its exact thickness along the beam.

A layer fills the points r with low <= n.r < high, n being the unit normal. Along the line at (x, y) the length inside
z0..z1 is [C(s + n_z z1) - C(s + n_z z0)] / n_z with s = n_x x + n_y y and C(u) = clip(u, low, high), and C is the
difference of two ramps, whose mean over a square pixel is a difference of cubic ramps. Valid for tilts of the
normal up to 80 degrees from the beam: beyond, the path through an infinite layer diverges and is refused.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from xsim.errors import RangeError
from xsim.matter.material import Material
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]

#: largest angle between the layers' normal and the beam
MAX_TILT = math.radians(80)


@dataclass(frozen=True, eq=False)
class Layers:
    """`materials` (n) between the planes normal.r = `edges` (n + 1, ascending) [m]; empty = vacuum."""

    materials: tuple[Material, ...] = ()
    edges: FloatArray = field(default_factory=lambda: np.zeros(1))
    normal: FloatArray = field(default_factory=lambda: np.array([0.0, 0.0, 1.0]))

    @staticmethod
    def stack(materials: tuple[Material, ...], thicknesses: tuple[float, ...]) -> Layers:
        """Layers of `thicknesses` [m] from upstream (lowest z) to downstream, the stack centred on z = 0."""
        edges = np.concatenate([[0.0], np.cumsum(np.asarray(thicknesses, np.float64))])
        return Layers(tuple(materials), edges - edges[-1] / 2)

    def __len__(self) -> int:
        return len(self.materials)

    def rotated(self, rotation: FloatArray) -> Layers:
        """The stack turned about the origin; raises RangeError when its normal then lies > 80 degrees off the beam."""
        normal = np.asarray(rotation, np.float64) @ self.normal
        turned = Layers(self.materials, self.edges, normal)
        if len(self) and turned.tilt > MAX_TILT + 1e-9:
            raise RangeError(
                "the beam's path through tilted infinite layers diverges",
                field="layers",
                value=f"{math.degrees(turned.tilt):.4g} degrees",
                allowed="layers tilted by at most 80 degrees from facing the beam",
                cure="use smaller tilts, or describe the support as a box of finite size",
            )
        return turned

    def shifted(self, shift: FloatArray) -> Layers:
        """The stack moved by `shift` (3,) [m]."""
        return Layers(self.materials, self.edges + float(self.normal @ shift), self.normal)

    @property
    def tilt(self) -> float:
        """Angle between the normal (either side) and the beam [rad]."""
        return math.atan2(math.hypot(self.normal[0], self.normal[1]), abs(self.normal[2]))

    def z_range(self, x: tuple[float, float], y: tuple[float, float]) -> tuple[float, float]:
        """Lowest and highest z [m] of the stack over the rectangle x[0]..x[1], y[0]..y[1] [m]."""
        if not len(self):
            return math.inf, -math.inf
        s = np.array([self.normal[0] * a + self.normal[1] * b for a in x for b in y])
        z = (self.edges[[0, -1]][:, None] - s) / self.normal[2]
        return float(z.min()), float(z.max())

    def index_at(self, points: FloatArray) -> NDArray[np.int64]:
        """Number of the layer that holds each point (n, 3) [m]; -1 outside the stack."""
        if not len(self):
            return np.full(len(points), -1, np.int64)
        height = points @ self.normal
        index = np.searchsorted(self.edges, height, side="right") - 1
        return np.where((height >= self.edges[0]) & (height <= self.edges[-1]), np.minimum(index, len(self) - 1), -1)

    def thickness(self, grid: Grid, z0: float, z1: float) -> list[FloatArray]:
        """Length [m] of each layer along z within z0..z1, averaged over each pixel: one (ny, nx) view per layer."""
        n = self.normal if self.normal[2] > 0 else -self.normal
        edges = self.edges if self.normal[2] > 0 else -self.edges
        # only the axes along which a layer is tilted are evaluated; the others are broadcast
        s = np.zeros((1, 1))
        s = s + n[0] * grid.x[None, :] if n[0] != 0 else s
        s = s + n[1] * grid.y[:, None] if n[1] != 0 else s
        half = abs(n[0]) * grid.pixel / 2, abs(n[1]) * grid.pixel / 2
        levels = [(s + n[2] * z) if math.isfinite(z) else None for z in (z0, z1)]
        out = []
        for one, other in itertools.pairwise(edges):
            low, high = min(one, other), max(one, other)
            upper = high if levels[1] is None else _clipped(levels[1], low, high, half)
            lower = low if levels[0] is None else _clipped(levels[0], low, high, half)
            out.append(np.broadcast_to(np.asarray((upper - lower) / n[2], np.float64), grid.shape))
        return out


def _clipped(u: FloatArray, low: float, high: float, half: tuple[float, float]) -> FloatArray:
    """Pixel mean of clip(u, low, high) where u varies linearly by +-half[0], +-half[1] across the pixel."""
    reach = half[0] + half[1]
    out = np.clip(u, low, high)
    for edge, sign in ((low, 1.0), (high, -1.0)):
        near = np.abs(u - edge) < reach
        if near.any():
            v = u[near] - edge
            out[near] += sign * (_mean_ramp(v, max(half), min(half)) - np.maximum(v, 0))
    return out


def _mean_ramp(u: FloatArray, a: float, b: float) -> FloatArray:
    """Mean of max(u + X + Y, 0) with X, Y uniform in +-a, +-b (a >= b >= 0, a > 0)."""
    if b < 1e-5 * a:  # the cubic differences would cancel; neglecting b errs by b^2 / a^2
        return (np.maximum(u + a, 0) ** 2 - np.maximum(u - a, 0) ** 2) / (4 * a)
    cubes = [sign * np.maximum(u + i * a + j * b, 0) ** 3 for i, j, sign in _CORNERS]
    return np.asarray(sum(cubes) / (24 * a * b), np.float64)


_CORNERS = ((1, 1, 1.0), (1, -1, -1.0), (-1, 1, -1.0), (-1, -1, 1.0))
