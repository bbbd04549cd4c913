"""The specimen of a fluorescence microscope as voxels, on every grid on which a part of its spot is worked out."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.errors import SamplingError, ValidityWarning
from xsim.exposure import FrameTable, Illumination
from xsim.instruments._fluorescence_focus import Focus
from xsim.instruments._fluorescence_slabs import Ways
from xsim.instruments._maps import by_energy
from xsim.instruments._points import raster_grid
from xsim.instruments._recent import Recent
from xsim.instruments._spot import Layout, Part
from xsim.interaction.columns import Columns, columns_of
from xsim.interaction.emission import Cone
from xsim.specimen.specimen import Specimen
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]

#: the largest number of voxels that are kept, in columns that bodies fill or shade: each takes 8 bytes
MOST = 2**26


@dataclass(frozen=True, eq=False)
class LitVoxels:
    """Voxels by grid, and the spot on them: a spot of its own for all slabs within one depth of focus.

    kept: those of the instrument's own energy; others are made when a spot needs them.
    """

    specimen: Specimen
    focus: Focus
    field: tuple[float, float]
    layout: Layout
    cuts: int | FloatArray
    depth: float
    ways: Ways
    kept: dict[Grid, Columns] = attribute(default_factory=dict)
    _others: Recent = attribute(default_factory=lambda: Recent(2))
    _spots: Recent = attribute(default_factory=lambda: Recent(8))

    @staticmethod
    def without_voxels(
        instrument: Any, specimen: Specimen, direction: tuple[float, float, float] = (0.0, 0.0, 1.0)
    ) -> LitVoxels:
        """The spot of `instrument` alone, on grids that hold it. Raises SamplingError, RangeError; may warn."""
        focus, energy = instrument.focus, instrument.energy
        points = raster_grid(instrument.field, instrument.step)
        field = points.extent[1], points.extent[0]
        ways = Ways(specimen, energy, (direction,))
        layout = focus.layout(field, instrument.step, energy, ways.span)
        focus.check(layout, energy)
        return LitVoxels(specimen, focus, field, layout, 1, focus.depth(energy), ways)

    @staticmethod
    def of(instrument: Any, specimen: Specimen, direction: tuple[float, float, float]) -> LitVoxels:
        """Cut the specimen into voxels for the instrument's own energy. Raises SamplingError, RangeError; may warn."""
        empty, energy = LitVoxels.without_voxels(instrument, specimen, direction), instrument.energy
        cuts = empty.ways.cuts(empty.layout.near, instrument.slabs, empty.depth)
        made = replace(empty, cuts=cuts, kept={})
        made.check_depth()
        for grid in {part.grid for height in made.heights() for part in made.spot(energy, height)}:
            made.kept[grid] = made.voxels(grid)
        return made

    def check_energy(self, energy: float) -> None:
        """Raise an error or warn where the optic or the grid do not serve `energy` [eV]."""
        self.focus.check(self.layout, energy)

    def check_depth(self) -> None:
        """Warn of slabs deeper than the depth of focus."""
        low, high = self.ways.span
        if not high > low:
            return
        if isinstance(self.cuts, int):
            thick = (high - low) / self.cuts
        else:
            inside = (self.cuts[1:] > low) & (self.cuts[:-1] < high)
            thick = float(np.max(np.diff(self.cuts)[inside], initial=0.0))
        if thick > 1.5 * self.depth:
            warnings.warn(
                f"slabs of {thick:.3g} m are thicker than the depth of focus, {self.depth:.3g} m to either side: that "
                f"the spot widens inside them is left out; set slabs = {math.ceil((high - low) / self.depth)}, or use "
                "a smaller numerical aperture",
                ValidityWarning,
                stacklevel=5,
            )

    @property
    def slabs(self) -> int:
        """How many."""
        return self.cuts if isinstance(self.cuts, int) else len(self.cuts) - 1

    @property
    def direction(self) -> tuple[float, float, float]:
        """To the detector."""
        return self.ways.directions[0]

    def heights(self) -> range:
        """The numbers of all planes that have a spot of their own: `height` = number times the depth of focus."""
        low, high = self.ways.span if self.ways.free else self.specimen.z_range_on(self.layout.far)
        return range(round(low / self.depth), round(high / self.depth) + 1)

    def spot(self, energy: float, number: int) -> tuple[Part, ...]:
        """The parts of the spot of `energy` [eV] on plane `number`."""
        found: tuple[Part, ...] = self._spots.get(
            (energy, number),
            lambda: self.focus.parts(self.layout, energy, number * self.depth, self.field),
        )
        return found

    def lit(self, energy: float) -> list[tuple[Part, Columns]]:
        """Every part of the spot on every plane, with the slabs of voxels that lie on this plane."""
        found, numbers = [], self.heights()
        for number in numbers:
            for part in self.spot(energy, number):
                columns = self.voxels(part.grid)
                middles = (columns.voxels.edges[1:] + columns.voxels.edges[:-1]) / 2
                nearest = np.clip(np.rint(middles / self.depth).astype(int), numbers[0], numbers[-1])
                on = np.flatnonzero(nearest == number)
                if len(on) and len(columns.voxels.materials):
                    found.append((part, columns.between(int(on[0]), int(on[-1]) + 1)))
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

    def voxels(self, grid: Grid) -> Columns:
        """The specimen on `grid`."""
        if grid in self.kept:
            return self.kept[grid]
        made: Columns = self._others.get(grid, lambda: self._sampled(grid))
        return made

    def _sampled(self, grid: Grid) -> Columns:
        found = columns_of(self.specimen, grid, self.cuts, self.direction, MOST)
        if isinstance(found, Columns):
            return found
        raise SamplingError(
            "the map needs too many voxels",
            field="field",
            value=f"about {found}: {self.slabs} slabs x {len(self.specimen.materials)} materials in each of the "
            f"{grid.shape[0]} x {grid.shape[1]} columns that bodies fill or shade",
            allowed=f"<= {MOST}",
            cure="scan a smaller field, or set fewer slabs",
        )


def cone_of(instrument: Any) -> Cone:
    """What the instrument's detector sees."""
    return Cone(instrument.detector_angle, float(instrument.detector.solid_angle), instrument.polarised)
