"""A molecule or assembly by its atoms, from a PDB or mmCIF file: protein complexes, viruses, nanoclusters.

Scattering comes from the atoms themselves (`amplitude`, see `xsim.specimen.atoms`), not from a uniform density; what
they displace in a host is taken off by the balls below. The thickness view gives each atom a ball of the volume that
its mass fills at `density`, so the projected mass is that of the atoms and absorption and dose follow from the
population's material; `form_factor` is the transform of those balls. Balls of bonded atoms overlap: their volumes add.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator, model_validator

from xsim.model import Model
from xsim.specimen.atoms import AtomicStructure, Selection
from xsim.specimen.hydration import ATOM, PITCH, Hydration, shell_points
from xsim.specimen.lattice import Scatterers
from xsim.specimen.shape import FloatArray, Poses
from xsim.specimen.shapes._sampling import ball_amplitude, lengths, random_directions
from xsim.specimen.shapes._volume import find_file
from xsim.units import Density
from xsim.waves.grid import Grid

#: radius of the ball that stands for a cell of the shell [m]
_CELL = float(np.cbrt(3 / (4 * np.pi))) * PITCH


class Atoms(Model):
    """The atoms of a PDB or mmCIF `file`: one molecule, or its `assembly`.

    waters and hydrogens: see `xsim.specimen.atoms`; b_factors: damp by one mean B per element; density [kg/m^3]: turns
    masses into the volumes that the atoms displace. hydration: a shell of bound water (xsim.specimen.hydration), which
    scatters, but counts neither as thickness nor in the dose.
    """

    kind: Literal["atoms"] = "atoms"
    file: str
    assembly: str | None = None
    waters: bool = False
    hydrogens: Literal["file", "counted"] = "file"
    b_factors: bool = False
    density: Density = 1350.0
    hydration: Hydration | None = None

    @field_validator("file")
    @classmethod
    def _exists(cls, value: str) -> str:
        find_file(value)
        return value

    @model_validator(mode="after")
    def _readable(self) -> Atoms:
        _ = self.structure
        return self

    @property
    def structure(self) -> AtomicStructure:
        """The atoms about their centre of mass, read once."""
        return AtomicStructure.from_file(find_file(self.file), Selection(self.assembly, self.waters, self.hydrogens))

    @property
    def balls(self) -> Balls:
        """The volume of each atom."""
        return _balls(self.structure, self.density)

    @property
    def volume(self) -> float:
        """Mass over density [m^3]."""
        return float(self.structure.masses.sum() / self.density)

    @property
    def radius(self) -> float:
        """Radius about the centre of mass that holds every ball, and the shell [m]."""
        shell = 0.0 if self.hydration is None else self.hydration.thickness + ATOM
        return float((lengths(self.balls.positions) + np.maximum(self.balls.radii, shell)).max())

    def amplitude(self, q: FloatArray, energy: float) -> NDArray[np.complex128]:
        """Scattering amplitude in vacuum [m] for q (..., 3) [rad/m] in the shape's frame, `energy` [eV]."""
        found = self.structure.amplitude(q, energy, b=self.b_factors)
        return found if self.hydration is None else found + self.hydration.per_volume(energy) * self._shell_volume(q)

    def displaced(self, q: FloatArray) -> NDArray[np.complex128]:
        """Transform of all that atoms and shell displace [m^3] for q (..., 3) [rad/m] in the shape's frame."""
        found = self.form_factor(q)
        return found if self.hydration is None else found + self._shell_volume(q)

    def _shell_volume(self, q: FloatArray) -> NDArray[np.complex128]:
        from xsim.specimen.atoms import phase_sum

        assert self.hydration is not None
        flat = np.ascontiguousarray(np.asarray(q, np.float64).reshape(-1, 3))
        where = shell_points(self.structure.positions, self.hydration.thickness)
        cells = PITCH**3 * ball_amplitude(lengths(flat) * _CELL) * phase_sum(flat, where, np.ones(len(where)))
        return np.asarray(cells).reshape(np.shape(q)[:-1])

    def scatterers(self, energy: float, host: complex = 0.0) -> list[Scatterers]:
        """Its points that scatter alike at `energy` [eV]; host: amplitude per volume [1/m^2] of what it displaces."""
        found = self.structure.scatterers(energy, b=self.b_factors)
        if self.hydration is not None:
            cell = (self.hydration.per_volume(energy) - host) * PITCH**3
            where = shell_points(self.structure.positions, self.hydration.thickness)
            found.append((where, np.ones(len(where)), lambda square: cell * ball_amplitude(np.sqrt(square) * _CELL)))
        if host == 0:
            return found
        balls = self.balls
        for radius in np.unique(balls.radii).tolist():
            where = balls.positions[balls.radii == radius]
            volume = -host * 4 / 3 * np.pi * radius**3

            def factor(square: FloatArray, radius: float = radius, volume: complex = volume) -> Any:
                return volume * ball_amplitude(np.sqrt(square) * radius)

            found.append((where, np.ones(len(where)), factor))
        return found

    def add_thickness(self, out: FloatArray, poses: Poses, grid: Grid, z0: float, z1: float) -> None:
        """Add the exact pixel-averaged length [m] within z0..z1 [m] of every atom's ball to `out` (ny, nx)."""
        from xsim.specimen.kernels.ball import add_balls
        from xsim.specimen.kernels.bands import for_bands, in_pixels

        balls = self.balls
        for n in range(len(poses)):
            turned = np.einsum("ij,nj->ni", poses.rotations[n], balls.positions)
            where = poses.positions[n] + poses.scales[n] * turned
            scales = np.full(len(where), poses.scales[n])
            p = in_pixels(Poses(where, np.empty((0, 3, 3)), scales), grid, z0, z1)
            radius = p.size * balls.radii

            def band(first: int, last: int, items: NDArray[np.int64], p: Any = p, radius: Any = radius) -> None:
                add_balls(out, (first, last), items, (p.x, p.y, p.z), radius, (p.z0, p.z1), grid.pixel)

            for_bands(grid.shape[0], p.y, radius, band)

    def form_factor(self, q: FloatArray) -> NDArray[np.complex128]:
        """Sum of the transforms of the balls [m^3] for q (..., 3) [rad/m]: the volume displaced."""
        from xsim.specimen.atoms import phase_sum

        q = np.asarray(q, np.float64)
        flat = np.ascontiguousarray(q.reshape(-1, 3))
        size = lengths(flat)
        total = np.zeros(len(flat), np.complex128)
        for radius in np.unique(self.balls.radii):
            where = self.balls.positions[self.balls.radii == radius]
            one = 4 / 3 * np.pi * radius**3 * ball_amplitude(size * radius)
            total += one * phase_sum(flat, where, np.ones(len(where)))
        return total.reshape(q.shape[:-1])

    def contains(self, points: FloatArray) -> NDArray[np.bool_]:
        """Whether points (n, 3) [m] lie in any ball."""
        return self.balls.contains(np.asarray(points, np.float64))

    def support(self, directions: FloatArray) -> FloatArray:
        """Farthest points (n, 3) [m] along unit directions (n, 3)."""
        directions = np.asarray(directions, np.float64)
        centres, radii = self.balls.outermost
        best = np.argmax(directions @ centres.T + radii, axis=-1)
        return np.asarray(centres[best] + radii[best, None] * directions)

    def surface_points(self, count: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Points (n, 3) [m] uniform on the surface of the union of the balls and their outward unit normals."""
        balls = self.balls
        share = np.cumsum(balls.radii**2) / np.sum(balls.radii**2)
        points, normals = np.empty((0, 3)), np.empty((0, 3))
        while len(points) < count:
            pick = np.minimum(np.searchsorted(share, rng.uniform(size=8 * count + 64)), len(share) - 1)
            u = random_directions(len(pick), rng)
            here = balls.positions[pick] + balls.radii[pick, None] * u
            free = ~balls.contains(here + 1e-5 * balls.radii[pick, None] * u)
            points, normals = np.concatenate([points, here[free]]), np.concatenate([normals, u[free]])
        return points[:count], normals[:count]

    @classmethod
    def example(cls) -> Any:
        """A protein of some 2400 atoms, about 7 nm across."""
        return cls(file="structures/2cex.pdb")


@dataclass(frozen=True, eq=False)
class Balls:
    """positions (n, 3), radii (n,) [m]."""

    positions: FloatArray
    radii: FloatArray

    @cached_property
    def outermost(self) -> tuple[FloatArray, FloatArray]:
        """The balls that can be farthest in some direction: of each radius those on the hull of the centres."""
        from scipy.spatial import ConvexHull, QhullError

        keep = []
        for radius in np.unique(self.radii):
            mine = np.flatnonzero(self.radii == radius)
            try:
                keep.append(mine[ConvexHull(self.positions[mine]).vertices] if len(mine) > 8 else mine)
            except QhullError:  # all in one plane
                keep.append(mine)
        chosen = np.sort(np.concatenate(keep))
        return self.positions[chosen], self.radii[chosen]

    @cached_property
    def _trees(self) -> list[tuple[float, Any]]:
        from scipy.spatial import cKDTree

        return [(float(r), cKDTree(self.positions[self.radii == r])) for r in np.unique(self.radii)]

    def contains(self, points: FloatArray) -> NDArray[np.bool_]:
        """Whether points (n, 3) lie in any ball."""
        inside = np.zeros(points.shape[:-1], np.bool_)
        for radius, tree in self._trees:
            inside |= tree.query(points, distance_upper_bound=2 * radius)[0] <= radius
        return inside


@lru_cache(maxsize=16)
def _balls(structure: AtomicStructure, density: float) -> Balls:
    return Balls(structure.positions, np.cbrt(3 * structure.masses / density / (4 * np.pi)))
