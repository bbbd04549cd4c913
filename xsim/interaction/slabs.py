"""A specimen cut into slabs on a grid, free of energy: what multislice carries a wave through.

Per slab, the departure of each material's thickness from its value at one place (`Slab.reference`), cropped to the box
where it differs. What is the same everywhere is pulled out as one factor, and slabs that hold nothing else are left
out, both exactly; neighbours that are alike, of bodies that stand through them, are kept once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavenumber
from xsim.errors import SamplingError
from xsim.interaction._heights import heights
from xsim.interaction.cutting import Cut
from xsim.waves.grid import Grid

if TYPE_CHECKING:
    from xsim.matter.material import Material
    from xsim.specimen.specimen import Specimen

#: k beta t of the corner, of all slabs together, above which slabs are told as the excess over clearer pixels instead
DARK = 10.0


@dataclass(frozen=True, eq=False)
class Slab:
    """One occupied slab, acting at height `z` [m]: excess thickness over the uniform part, in a box of the grid.

    materials: (m,) indices into `Slabs.materials`. excess: (m, h, w) [m], float32 or float64, its first pixel at
    (row, column) of the grid, over the thickness at the pixel `reference`. bounds: the heights [m] between which it
    lies, infinite at the ends of the specimen. height: 0, or how high [m] the slab is filled by bodies that stand
    through it (see `xsim.interaction.standing`).
    """

    z: float
    row: int
    column: int
    materials: tuple[int, ...]
    excess: NDArray[np.floating]
    bounds: tuple[float, float] = (-np.inf, np.inf)
    reference: tuple[int, int] = (0, 0)
    height: float = 0.0

    @property
    def box(self) -> tuple[slice, slice]:
        """Rows and columns of the grid that the slab changes."""
        height, width = self.excess.shape[1:]
        return slice(self.row, self.row + height), slice(self.column, self.column + width)


@dataclass(frozen=True, eq=False)
class Slabs:
    """A specimen cut into slabs on a grid; no energy in it; picklable.

    uniform: (len(materials),) metres of each material taken out of every ray; slabs: those that are not uniform, in
    order of z.
    """

    grid: Grid
    cut: Cut
    materials: tuple[Material, ...]
    uniform: NDArray[np.float64]
    slabs: tuple[Slab, ...]

    @property
    def z_range(self) -> tuple[float, float]:
        """Heights [m] of the two faces."""
        return float(self.cut.edges[0]), float(self.cut.edges[-1])

    @property
    def count(self) -> int:
        """How many slabs the specimen was cut into."""
        return self.cut.count

    def thickness(self) -> dict[Material, NDArray[np.float64]]:
        """The projection: metres of each material (ny, nx), summed over all slabs."""
        total = {m: np.full(self.grid.shape, t) for m, t in zip(self.materials, self.uniform, strict=True)}
        for slab in self.slabs:
            for index, excess in zip(slab.materials, slab.excess, strict=True):
                total[self.materials[index]][slab.box] += excess
        return total

    @property
    def nbytes(self) -> int:
        """Memory held [byte]."""
        return sum({id(slab.excess): slab.excess.nbytes for slab in self.slabs}.values())


def sample(
    specimen: Specimen, grid: Grid, slabs: int | Cut, dtype: Any = np.float32, energy: float | None = None
) -> Slabs:
    """Cut `specimen` into `slabs` of equal thickness, or as told, on `grid`; thicknesses are kept as `dtype`.

    energy [eV]: of the light, for which each slab's excess is taken over its clearest pixel where the corner is dark.
    """
    z0, z1 = specimen.z_range_on(grid)
    if z1 <= z0:
        z0, z1 = -0.5 * grid.pixel, 0.5 * grid.pixel  # nothing there: any slab will do
    cut = slabs.over(z0, z1) if isinstance(slabs, Cut) else Cut.even(z0, z1, slabs)
    # the outermost slabs take whatever reaches past the nominal faces
    lower, upper = cut.edges[:-1].copy(), cut.edges[1:].copy()
    lower[0], upper[-1] = -np.inf, np.inf
    maps = (specimen.thickness(grid, float(a), float(b)) for a, b in zip(lower, upper, strict=True))
    found = from_maps(maps, grid, cut.edges, dtype, heights(specimen, cut.edges) if cut.count > 1 else None, energy)
    filled = dict(zip(zip(lower, upper, strict=True), np.diff(cut.edges) * cut.deep, strict=True))
    placed = tuple(replace(slab, height=float(filled[slab.bounds])) for slab in found.slabs)
    return replace(found, slabs=placed, cut=cut)


def from_maps(
    maps: Iterable[Mapping[Material, Any]],
    grid: Grid,
    edges: NDArray[np.float64],
    dtype: Any = np.float32,
    acting: NDArray[np.float64] | None = None,
    energy: float | None = None,
) -> Slabs:
    """Slabs from thickness maps: one {material: (ny, nx) [m]} for each interval of `edges` (n + 1,) [m].

    acting: heights (n,) [m] at which they act; the middles of the intervals by default. energy: as in `sample`.
    """
    from xsim.interaction._departures import departures

    acting = (edges[1:] + edges[:-1]) / 2 if acting is None else acting
    lower, upper = edges[:-1].copy(), edges[1:].copy()
    lower[0], upper[-1] = -np.inf, np.inf
    materials: list[Material] = []
    uniform: list[float] = []
    slabs: list[Slab] = []
    for number, (slab_map, z) in enumerate(zip(maps, acting, strict=True)):
        held: dict[int, NDArray[Any]] = {}
        for material, metres in slab_map.items():
            if metres.shape != tuple(grid.shape):
                raise SamplingError(
                    "thickness map and grid differ in shape", value=metres.shape, allowed=str(grid.shape)
                )
            if material not in materials:
                materials.append(material)
                uniform.append(0.0)
            held[materials.index(material)] = np.asarray(metres)
        at = (0, 0) if energy is None else _clear(held, materials, energy, DARK / (len(edges) - 1))
        for index, metres in held.items():
            uniform[index] += float(metres[at])
        # rounding of a displaced host is not structure
        found = departures(held, at, 1e-12 * float(edges[number + 1] - edges[number]), dtype)
        if found is not None:
            row, column, present, excess = found
            bounds = float(lower[number]), float(upper[number])
            slab = Slab(float(z), row, column, present, excess, bounds, at)
            slabs.append(_once(slab, slabs[-1] if slabs else None))
    cut = Cut(edges, np.zeros(len(edges) - 1, np.bool_))
    return Slabs(grid, cut, tuple(materials), np.array(uniform, np.float64), tuple(slabs))


def _clear(held: Mapping[int, NDArray[Any]], materials: list[Material], energy: float, most: float) -> tuple[int, int]:
    """The corner, or the first of the clearest pixels where those keep k beta t (> `most`) more of the wave.

    Over something opaque an excess would be a gain that no number holds.
    """
    losses = {m: -float(wavenumber(energy) * materials[m].optics(energy).decrement.imag) for m in held}
    if sum(losses[m] * float(t[0, 0]) for m, t in held.items()) <= most:
        return 0, 0
    loss: Any = sum(losses[m] * t for m, t in held.items())
    if loss[0, 0] - loss.min() <= most:
        return 0, 0
    row, column = np.unravel_index(int(np.argmin(loss)), loss.shape)
    return int(row), int(column)


def _once(slab: Slab, last: Slab | None) -> Slab:
    """`slab`, sharing its values with the `last` one where they are the same."""
    if last is None or (slab.box, slab.materials) != (last.box, last.materials):
        return slab
    return replace(slab, excess=last.excess) if np.array_equal(slab.excess, last.excess) else slab
