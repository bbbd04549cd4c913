"""The light of a probe that passes the specimen, all of it taken: no interference survives.

    N(r) = flux time sum_r' p(r' - r) exp(-sum_m mu_m(E) t_m(r'))

p as on the plane in the middle of the specimen's own structure. Valid where the spot does not change over the depth.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.exposure import Exposure, FrameTable, Illumination, Truth
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
        return TransmissionPrepared(instrument, specimen, LitVoxels.without_voxels(instrument, specimen))

    def check_energy(self, energy: float) -> None:
        """Raise an error or warn where the optic or the grid do not serve `energy` [eV]."""
        self.instrument.check_mirrors(energy)
        self.lit.check_energy(energy)

    def expose(self, frames: FrameTable) -> Exposure:
        """Expected photons (points, 1) on a point detector."""
        y, x = (np.asarray(frames[name], np.float64) for name in ("y", "x"))
        photons = focused_photons(self.lit.focus.optic, self.instrument, frames)
        expected = np.zeros((len(frames), 1))
        for energy, chosen in by_energy(frames):
            for grid, image in self._images(energy).items():
                expected[chosen, 0] += photons[chosen] * value_at(grid, image, y[chosen], x[chosen])
        return Exposure(expected, np.asarray(frames["energy"], np.float64)[:, None], (), frames, photons)

    def illuminate(self, frames: FrameTable) -> list[Illumination]:
        """The spots of all points added up, one map per energy and part of the spot."""
        return self.lit.illuminate(frames, focused_photons(self.lit.focus.optic, self.instrument, frames))

    def measured(self) -> dict[str, Any]:
        """How light is followed, and the spot."""
        told = {"interaction_model": "projection, one spot for all depths"}
        return {**told, **self.lit.spot_numbers(self.instrument.energy)}

    def truth(self) -> dict[str, Truth]:
        """Thickness of each material, phase and optical density on the scan's own grid."""
        points = raster_grid(self.instrument.field, self.instrument.step)
        return truth_maps(self.specimen, points, self.instrument.energy)

    def _images(self, energy: float) -> dict[Grid, FloatArray]:
        found: dict[Grid, FloatArray] = self._seen.get(energy, lambda: self._convolved(energy))
        return found

    def _convolved(self, energy: float) -> dict[Grid, FloatArray]:
        """Share of the light that passes with the spot at each pixel, by grid: they add up."""
        found: dict[Grid, FloatArray] = {}
        for part in self.lit.spot(energy, 0):
            thickness = self._thickness(part.grid)
            depth = np.zeros(part.grid.shape)
            for material, metres in thickness.items():
                depth += float(material.optics(energy).mu_total) * metres
            found[part.grid] = part.gathered([np.exp(-depth)])[0]
        return found

    def _thickness(self, grid: Grid) -> dict[Material, FloatArray]:
        found: dict[Material, FloatArray] = self._maps.get(grid, lambda: self.specimen.thickness(grid))
        return found
