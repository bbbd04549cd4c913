"""The specimen: layers and populations, without pixels and without photon energy until asked.

Two views serve every technique: metres of each material along the beam on a grid (`thickness`), and the Born
amplitude f(q, E) = (k^2 / 2 pi) * integral of (-d_delta + i d_beta) exp(-i q.r) d^3r in metres, contrast against the
material displaced (`amplitude`). The Fourier slice theorem ties them. A part displaces what it sits in: its length is
added to its material and taken from its host, so the lengths of all materials add up to those of the layers.

z runs along the beam; the stack of layers is centred on z = 0, the first layer upstream (lowest z), laterally infinite.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim import constants
from xsim.errors import RangeError, UnknownNameError
from xsim.matter.material import Material
from xsim.registry import unknown
from xsim.specimen import rotations
from xsim.specimen.layers import Layers
from xsim.specimen.population import Population, take
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Specimen:
    """Immutable and picklable. extent: (x, y) [m] region in which particles were placed (0, 0 if unstated)."""

    layers: Layers = field(default_factory=Layers)
    populations: tuple[Population, ...] = ()
    extent: tuple[float, float] = (0.0, 0.0)
    rotation: FloatArray = field(default_factory=lambda: np.eye(3))
    shift: FloatArray = field(default_factory=lambda: np.zeros(3))

    @staticmethod
    def from_table(table: dict[str, Any], seed: int = 1) -> Specimen:
        """Build the specimen described by a scenario's `[specimen]` table; raises errors of `xsim.errors`."""
        from xsim.specimen.description import SpecimenDescription

        return SpecimenDescription.model_validate(table).build(seed)

    @property
    def materials(self) -> tuple[Material, ...]:
        """Every material present: layers from upstream, then populations in order."""
        return tuple(dict.fromkeys([*self.layers.materials, *(p.material for p in self.populations)]))

    @property
    def z_range(self) -> tuple[float, float]:
        """Lowest and highest z [m] of anything in it; tilted layers count over the `extent` (see `z_range_on`)."""
        half = self.extent[0] / 2, self.extent[1] / 2
        corners = np.array([[i * half[0], j * half[1], 0.0] for i in (-1, 1) for j in (-1, 1)])
        turned = np.einsum("ij,nj->ni", self.rotation, corners) + self.shift
        low, high = turned.min(axis=0), turned.max(axis=0)
        return self._z_range((low[0], high[0]), (low[1], high[1]))

    def z_range_on(self, grid: Grid) -> tuple[float, float]:
        """Lowest and highest z [m] of anything over the whole of `grid`, which tilted layers reach across."""
        x0, x1, y0, y1 = grid.edges
        return self._z_range((x0, x1), (y0, y1))

    def _z_range(self, x: tuple[float, float], y: tuple[float, float]) -> tuple[float, float]:
        low, high = self.layers.z_range(x, y)
        for p in self.populations:
            bottom, top = p.z_range
            low, high = min(low, bottom), max(high, top)
        return (low, high) if low <= high else (0.0, 0.0)

    def thickness(self, grid: Grid, z0: float = -math.inf, z1: float = math.inf) -> dict[Material, FloatArray]:
        """Metres of each material along z within z0..z1 [m], averaged over each pixel: {material: (ny, nx) float64}.

        Every material of the specimen has an entry. Infinite z0, z1 are allowed. Raises RangeError if z1 < z0.
        """
        if not z1 >= z0:
            raise RangeError("a slab ends before it begins", value=(z0, z1), allowed="z1 >= z0")
        maps = {material: np.zeros(grid.shape) for material in self.materials}
        for material, part in zip(self.layers.materials, self.layers.thickness(grid, z0, z1), strict=True):
            maps[material] += part
        displaced = dict.fromkeys(maps, False)
        for p in self.populations:
            own = _population_thickness(p, grid, z0, z1)
            if own is None:
                continue
            maps[p.material] += own
            if p.host is not None:
                maps[p.host] -= own
                displaced[p.host] = True
        for material, lost in displaced.items():
            if lost:
                _clip_round_off(maps[material], material.name, max(float(m.max()) for m in maps.values()))
        return maps

    def amplitude(self, q: FloatArray, energy: float) -> NDArray[np.complex128]:
        """Born amplitude f [m] of the populations at q (..., 3) [rad/m] and photon `energy` [eV], host subtracted."""
        from xsim.specimen.amplitude import copy_amplitude, scattering_volume, scatters_by_itself

        q = np.asarray(q, np.float64)
        total = np.zeros(q.shape[:-1], np.complex128)
        own = np.zeros(q.shape[:-1], np.complex128)
        for p in self.populations:
            if len(p) and scatters_by_itself(p.shape):
                own += scattering_volume(p, q, copy_amplitude(p, energy))
            elif len(p):
                total += -contrast(p.material, p.host, energy) * scattering_volume(p, q)
        return constants.wavenumber(energy) ** 2 / (2 * np.pi) * total + own

    def rotated(self, rotation: FloatArray) -> Specimen:
        """The specimen turned exactly about the origin by `rotation` (3, 3), laboratory frame."""
        # einsum sums in another order over a strided view (one of many rotations) than over a plain matrix
        turn = np.ascontiguousarray(rotation, np.float64)
        if not rotations.is_rotation(turn):
            raise RangeError(
                "not a rotation matrix", field="rotation", value=turn.tolist(), allowed="orthogonal, det 1"
            )
        return replace(
            self,
            layers=self.layers.rotated(turn),
            populations=tuple(p.moved(turn, np.zeros(3)) for p in self.populations),
            rotation=turn @ self.rotation,
            shift=turn @ self.shift,
        )

    def shifted(self, dx: float, dy: float, dz: float = 0.0) -> Specimen:
        """The specimen moved by (dx, dy, dz) [m]."""
        step = np.array([dx, dy, dz], np.float64)
        moved = tuple(p.moved(np.eye(3), step) for p in self.populations)
        return replace(self, layers=self.layers.shifted(step), populations=moved, shift=self.shift + step)

    def population(self, name: str) -> tuple[Population, ...]:
        """The populations called `name` (several if their copies sit in different materials)."""
        found = tuple(p for p in self.populations if p.name == name)
        if not found:
            raise unknown("unknown population", name, list(dict.fromkeys(p.name for p in self.populations)))
        return found

    def particle(self, name: str, index: int = 0) -> Population:
        """One copy, number `index` of the population `name`, as a population of one."""
        parts = self.population(name)
        for p in parts:
            rows = np.flatnonzero(p.index == index)
            if len(rows):
                return p.take(rows)
        count = sum(len(p) for p in parts)
        raise UnknownNameError(f"{name} has no such particle", value=index, allowed=f"0 to {count - 1}")

    def particle_table(self) -> dict[str, NDArray[Any]]:
        """One row per particle: name ("labels[3]"), population, index, material, host, position [m], radius [m] ..."""
        groups = self.populations
        sizes = [len(p) for p in groups]

        def repeated(values: list[str]) -> NDArray[Any]:
            return np.repeat(np.array(values, dtype=np.str_) if values else np.zeros(0, np.str_), sizes)

        return {
            "name": np.array([f"{p.name}[{i}]" for p in groups for i in p.index], dtype=np.str_),
            "population": repeated([p.name for p in groups]),
            "index": np.concatenate([np.zeros(0, np.int64), *(p.index for p in groups)]),
            "material": repeated([p.material.name for p in groups]),
            "host": repeated([p.host.name if p.host else "" for p in groups]),
            "position": np.concatenate([np.zeros((0, 3)), *(p.poses.positions for p in groups)]),
            "radius": np.concatenate([np.zeros(0), *(p.radii for p in groups)]),
            "volume": np.concatenate([np.zeros(0), *(p.volumes for p in groups)]),
            "scale": np.concatenate([np.zeros(0), *(p.poses.scales for p in groups)]),
            "quaternion": np.concatenate(
                [np.zeros((0, 4)), *(rotations.to_quaternion(p.poses.rotations) for p in groups)]
            ),
        }


def contrast(material: Material, host: Material | None, energy: float) -> complex:
    """`Optics.decrement` of `material` less that of `host` (None: vacuum) at `energy` [eV]."""
    inside = complex(material.optics(energy).decrement)
    return inside - complex(host.optics(energy).decrement) if host is not None else inside


def _population_thickness(p: Population, grid: Grid, z0: float, z1: float) -> FloatArray | None:
    """Length of the copies within the slab (ny, nx) [m], or None where none reaches grid and slab."""
    x0, x1, y0, y1 = grid.edges
    (x, y, z), r = p.poses.positions.T, p.radii
    touched = (z + r > z0) & (z - r < z1) & (x + r > x0) & (x - r < x1) & (y + r > y0) & (y - r < y1)
    if not touched.any():
        return None
    out = np.zeros(grid.shape)
    p.shape.add_thickness(out, p.poses if touched.all() else take(p.poses, touched), grid, z0, z1)
    return out


def _clip_round_off(values: FloatArray, name: str, scale: float) -> None:
    """Set round-off below zero to zero; more than that means that parts overlap, which is an error."""
    lowest = float(values.min())
    if lowest < -1e-6 * scale:
        raise RangeError(
            f"more of {name} is displaced than there is",
            value=f"{lowest:.3g} m",
            allowed=f">= {-1e-6 * scale:.3g} m",
            cure="two parts overlap, or a part sticks out of its host",
        )
    np.maximum(values, 0, out=values)
