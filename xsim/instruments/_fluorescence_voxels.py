"""The specimen of a fluorescence microscope as voxels, on every grid on which a part of its spot is worked out."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.errors import SamplingError, SamplingWarning, ValidityWarning
from xsim.exposure import FrameTable, Illumination
from xsim.instruments._fluorescence_focus import Focus
from xsim.instruments._maps import by_energy
from xsim.instruments._points import raster_grid
from xsim.instruments._recent import Recent
from xsim.instruments._spot import Layout, Part
from xsim.interaction.emission import Cone
from xsim.interaction.fluorescence import Voxels, sample
from xsim.matter.lines import emission
from xsim.specimen.specimen import Specimen
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]

#: the largest number of voxels
MOST = 2**27
#: optical depth per voxel that the number of slabs aims at, where a warning is due, and the limits of that number
DEPTH, TOO_DEEP, FEWEST_SLABS, MOST_SLABS = 0.2, 0.5, 4, 64
#: lines below this energy [eV] do not decide the number of slabs: no window lets them pass
SEEN = 1e3


@dataclass(frozen=True, eq=False)
class LitVoxels:
    """Voxels by grid, and the spot on them: a spot of its own for all slabs within one depth of focus.

    kept: those of the instrument's own energy; others are made when a spot needs them.
    """

    specimen: Specimen
    focus: Focus
    field: tuple[float, float]
    layout: Layout
    slabs: int
    depth: float
    direction: tuple[float, float, float]
    kept: dict[Grid, Voxels] = attribute(default_factory=dict)
    _others: Recent = attribute(default_factory=lambda: Recent(2))
    _spots: Recent = attribute(default_factory=lambda: Recent(8))

    @staticmethod
    def without_voxels(instrument: Any, specimen: Specimen) -> LitVoxels:
        """The spot of `instrument` alone, on grids that hold it. Raises SamplingError, RangeError; may warn."""
        focus, energy = instrument.focus, instrument.energy
        points = raster_grid(instrument.field, instrument.step)
        field = points.extent[1], points.extent[0]
        layout = focus.layout(field, instrument.step, energy, specimen.z_range)
        focus.check(layout, energy)
        return LitVoxels(specimen, focus, field, layout, 1, focus.depth(energy), (0.0, 0.0, 1.0))

    @staticmethod
    def of(instrument: Any, specimen: Specimen, direction: tuple[float, float, float]) -> LitVoxels:
        """Cut the specimen into voxels for the instrument's own energy. Raises SamplingError, RangeError; may warn."""
        empty, energy = LitVoxels.without_voxels(instrument, specimen), instrument.energy
        slabs = instrument.slabs or slab_count(specimen, empty.layout.near, energy, direction, empty.depth)
        made = replace(empty, slabs=slabs, direction=direction, kept={})
        made.check_depth()
        for grid in {part.grid for height in made.heights() for part in made.spot(energy, height)}:
            made.kept[grid] = made.voxels(grid)
        return made

    def check_energy(self, energy: float) -> None:
        """Raise an error or warn where the optic or the grid do not serve `energy` [eV]."""
        self.focus.check(self.layout, energy)

    def check_depth(self) -> None:
        """Warn of slabs deeper than the depth of focus."""
        low, high = self.specimen.z_range
        thick = (high - low) / self.slabs
        if thick > 1.5 * self.depth:
            warnings.warn(
                f"slabs of {thick:.3g} m are thicker than the depth of focus, {self.depth:.3g} m to either side: that "
                f"the spot widens inside them is left out; set slabs = {math.ceil((high - low) / self.depth)}, or use "
                "a smaller numerical aperture",
                ValidityWarning,
                stacklevel=5,
            )

    def heights(self) -> range:
        """The numbers of all planes that have a spot of their own: `height` = number times the depth of focus."""
        low, high = self.specimen.z_range_on(self.layout.far)
        return range(round(low / self.depth), round(high / self.depth) + 1)

    def spot(self, energy: float, number: int) -> tuple[Part, ...]:
        """The parts of the spot of `energy` [eV] on plane `number`."""
        found: tuple[Part, ...] = self._spots.get(
            (energy, number),
            lambda: self.focus.parts(self.layout, energy, number * self.depth, self.field),
        )
        return found

    def lit(self, energy: float) -> list[tuple[Part, Voxels]]:
        """Every part of the spot on every plane, with the slabs of voxels that lie on this plane."""
        found, numbers = [], self.heights()
        for number in numbers:
            for part in self.spot(energy, number):
                voxels = self.voxels(part.grid)
                middles = (voxels.edges[1:] + voxels.edges[:-1]) / 2
                nearest = np.clip(np.rint(middles / self.depth).astype(int), numbers[0], numbers[-1])
                on = np.flatnonzero(nearest == number)
                if len(on) and len(voxels.materials):
                    found.append((part, voxels.between(int(on[0]), int(on[-1]) + 1)))
        return found

    def illuminate(self, frames: FrameTable, photons: FloatArray) -> list[Illumination]:
        """The fluence of all points' spots on the plane z = 0, `photons` (frames,) in the focus of each."""
        y, x = (np.asarray(frames[name], np.float64) for name in ("y", "x"))
        found = []
        for energy, chosen in by_energy(frames):
            for part in self.spot(energy, 0):
                landed = np.zeros(part.grid.shape)
                places = (v[chosen] / part.grid.pixel + n // 2 for v, n in zip((y, x), landed.shape, strict=True))
                np.add.at(landed, tuple(np.rint(place).astype(np.int64) for place in places), photons[chosen])
                fluence = part.spread(landed) / part.grid.pixel**2
                found.append(Illumination(energy, part.grid, fluence, pose=part.name))
        return found

    def spot_numbers(self, energy: float) -> dict[str, float]:
        """Of the spot on the plane z = 0: its area 1/peak [m^2], shares of its light in the core and folded back."""
        parts = self.spot(energy, 0)
        peak = sum(float(part.kernel.max()) / part.grid.pixel**2 for part in parts)
        return {
            "probe_area [m^2]": 1 / peak,
            "probe_core_share": parts[0].share if not parts[0].name else 0.0,
            "probe_folded_share": self.focus.folded_share(self.layout, energy),
            "unfocused_share": self.focus.unfocused_share(energy),
        }

    def voxels(self, grid: Grid) -> Voxels:
        """The specimen on `grid`."""
        if grid in self.kept:
            return self.kept[grid]
        count = self.slabs * grid.shape[0] * grid.shape[1] * max(1, len(self.specimen.materials))
        if count > MOST:
            materials = len(self.specimen.materials)
            raise SamplingError(
                "the map needs too many voxels",
                field="field",
                value=f"{self.slabs} slabs x {grid.shape[0]} x {grid.shape[1]} x {materials} materials",
                allowed=f"<= {MOST}",
                cure="scan a smaller field, or set fewer slabs",
            )
        made: Voxels = self._others.get(grid, lambda: sample(self.specimen, grid, self.slabs, self.direction))
        return made


def slab_count(
    specimen: Specimen, grid: Grid, energy: float, direction: tuple[float, float, float], focus_depth: float
) -> int:
    """Slabs so thin that no voxel is optically thick on the way in or out, nor thicker than the depth of focus [m]."""
    whole = {material: float(t.max()) for material, t in specimen.thickness(grid).items() if t.any()}
    seen = {line.energy for m in whole for line, _ in emission(m, energy) if line.energy >= SEEN}
    slant = max(abs(direction[2]), math.cos(math.radians(80)))

    def depth(energy: float) -> float:
        return sum(float(m.optics(energy).mu_total) * t for m, t in whole.items())

    low, high = specimen.z_range
    deepest = depth(energy) + max((depth(energy) for energy in seen), default=0.0) / slant
    wanted = max(math.ceil(deepest / DEPTH), math.ceil((high - low) / focus_depth))
    slabs = int(np.clip(wanted, FEWEST_SLABS, MOST_SLABS))
    if deepest / slabs > TOO_DEEP:
        warnings.warn(
            f"voxels are {deepest / slabs:.2g} absorption lengths deep, should be <= {TOO_DEEP}: absorption of the "
            f"softest lines is followed coarsely; set slabs = {math.ceil(deepest / DEPTH)}",
            SamplingWarning,
            stacklevel=4,
        )
    return slabs


def cone_of(instrument: Any) -> Cone:
    """What the instrument's detector sees."""
    return Cone(instrument.detector_angle, float(instrument.detector.solid_angle), instrument.polarised)
