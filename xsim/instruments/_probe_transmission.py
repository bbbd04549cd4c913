"""The light of a probe that passes the specimen, all of it taken: no interference survives.

    N(r) = flux time sum_i w_i sum_r' p(r' - r) exp(-sum_m mu_m(E_i) t_m(r'))

E_i, w_i are the lines of the beam, its harmonics among them, which share its spot. p as on the plane in the middle of
the specimen's own structure. Valid where the spot does not change over the depth.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.errors import ValidityWarning
from xsim.exposure import Exposure, FrameTable, Illumination, Truth
from xsim.instruments._beam_lines import BeamLine, beam_lines, with_harmonics
from xsim.instruments._fluorescence_voxels import LitVoxels
from xsim.instruments._maps import by_energy, truth_maps
from xsim.instruments._optic_flux import focused_photons
from xsim.instruments._points import raster_grid
from xsim.instruments._recent import Recent
from xsim.instruments._spot import value_at
from xsim.matter.material import Material
from xsim.specimen.specimen import Specimen
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TransmissionPrepared:
    """Thickness of every material on the grids of the spot; one convolution per energy gives every point."""

    instrument: Any
    specimen: Specimen
    lit: LitVoxels
    frame_bytes: int = 64
    _maps: Recent = attribute(default_factory=lambda: Recent(4))
    _seen: Recent = attribute(default_factory=lambda: Recent(2))

    @staticmethod
    def of(instrument: Any, specimen: Specimen) -> TransmissionPrepared:
        """The specimen in the probe of `instrument`. Raises SamplingError, RangeError; may warn."""
        made = TransmissionPrepared(instrument, specimen, LitVoxels.without_voxels(instrument, specimen))
        made._check_depth()
        return made

    def _check_depth(self) -> None:
        """Warn of structure deeper than the depth of focus, with how wide the spot is at its ends."""
        energy, (low, high) = self.instrument.energy, self.lit.ways.span
        far = max(abs(low), abs(high))
        if far <= self.lit.depth:
            return
        focus, mirrors = self.lit.focus, self.instrument.mirrors
        blur = max(m.blur(energy, focus.away(energy, z)) for m in (mirrors.horizontal, mirrors.vertical)
                   for z in (low, high))  # fmt: skip
        warnings.warn(
            f"structure reaches {far:.3g} m from the plane z = 0, depth of focus {self.lit.depth:.3g} m to either "
            f"side: there the spot is {2 * blur:.3g} m wide, and that of z = 0 is taken for all depths; use a smaller "
            "numerical aperture, or a thinner specimen",
            ValidityWarning,
            stacklevel=4,
        )

    def check_energy(self, energy: float) -> None:
        """Raise an error or warn where the optic or the grid do not serve `energy` [eV]."""
        self.instrument.harmonics.lines(energy)
        self.instrument.check_mirrors(energy)
        self.lit.check_energy(energy)

    def expose(self, frames: FrameTable) -> Exposure:
        """Expected photons (points, orders) on a point detector: the wanted light, then its harmonics."""
        y, x = (np.asarray(frames[name], np.float64) for name in ("y", "x"))
        photons = focused_photons(self.lit.focus.optic, self.instrument, frames)
        orders = np.array([1, *self.instrument.harmonics.orders])
        expected = np.zeros((len(frames), len(orders)))
        for energy, chosen in by_energy(frames):
            for (order, grid), image in self._images(energy).items():
                column = int(np.flatnonzero(orders == order)[0])
                expected[chosen, column] += photons[chosen] * value_at(grid, image, y[chosen], x[chosen])
        return Exposure(expected, np.asarray(frames["energy"], np.float64)[:, None] * orders, (), frames, photons)

    def illuminate(self, frames: FrameTable) -> list[Illumination]:
        """The spots of all points added up, one map per energy and part of the spot."""
        photons = focused_photons(self.lit.focus.optic, self.instrument, frames)
        return with_harmonics(self.instrument, self.lit.illuminate(frames, photons))

    def measured(self) -> dict[str, Any]:
        """How light is followed, and the spot."""
        told = {"interaction_model": "projection, one spot for all depths"}
        return {**told, **self.lit.spot_numbers(self.instrument.energy)}

    def truth(self) -> dict[str, Truth]:
        """Thickness of each material, phase and optical density on the scan's own grid."""
        points = raster_grid(self.instrument.field, self.instrument.step)
        return truth_maps(self.specimen, points, self.instrument.energy)

    def _images(self, energy: float) -> dict[tuple[int, Grid], FloatArray]:
        found: dict[tuple[int, Grid], FloatArray] = self._seen.get(energy, lambda: self._convolved(energy))
        return found

    def _convolved(self, energy: float) -> dict[tuple[int, Grid], FloatArray]:
        """Share of the light that passes with the spot at each pixel, by order and grid: grids add up."""
        found: dict[tuple[int, Grid], FloatArray] = {}
        lines = beam_lines(self.instrument, energy)
        for part in self.lit.spot(energy, 0):
            for order in dict.fromkeys(line.order for line in lines):
                passed = self._passed(part.grid, [line for line in lines if line.order == order])
                found[order, part.grid] = part.gathered([passed])[0]
        return found

    def _passed(self, grid: Grid, lines: list[BeamLine]) -> FloatArray:
        """Share of all photons that each pixel lets through in these lines."""
        total = np.zeros(grid.shape)
        for line in lines:
            depth = np.zeros(grid.shape)
            for material, metres in self._thickness(grid).items():
                depth += float(material.optics(line.energy).mu_total) * metres
            total += line.share * np.exp(-depth)
        return total

    def _thickness(self, grid: Grid) -> dict[Material, FloatArray]:
        found: dict[Material, FloatArray] = self._maps.get(grid, lambda: self.specimen.thickness(grid))
        return found
