"""Scanning X-ray fluorescence: a focused spot steps over the specimen, an energy-dispersive detector counts its light.

    N_line(r) = flux * time * Omega * sum_r' |p(r' - r)|^2 J_line(r')

p is the focus of the mirror pair (or zone plate) on the specimen, its squares summing to 1, Omega the detector's
solid angle, and J_line(r') the photons of the line per incident photon and steradian that leave the column r' towards
the detector: excitation by the beam as it weakens with depth, all lines of all elements with cascades, absorption on
the way out through the specimen in three dimensions (`xsim.interaction.fluorescence`), and elastic and Compton
scatter (`xsim.interaction.emission`). The detector lies in the horizontal plane, which is that of the polarisation, at
`detector_angle` from the direction of the beam: 90 degrees sees least scatter, more than 90 looks at the lit side.

Range of validity. The specimen lies within the depth of focus; beyond, the spot widens inside it and a
ValidityWarning says so. Primary excitation only: enhancement by fluorescence of other elements is left out (some
percent of Fe K under Zn, up to half of S K under Ca K in thick matter). A layer cannot be left along itself: with flat
layers the detector must stay 10 degrees away from their plane. Lines below 200 eV are left out.

References: Sherman, Spectrochim. Acta 7, 283 (1955), doi 10.1016/0371-1951(55)80041-0; xraylib,
doi 10.1016/j.sab.2011.09.011; Vincze et al., Spectrochim. Acta B 48, 553 (1993), doi 10.1016/0584-8547(93)80060-8.
"""

from __future__ import annotations

import math
import warnings
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, field_validator

from xsim.detectors.silicon_drift import SiliconDrift
from xsim.errors import RangeError, SamplingError, SamplingWarning
from xsim.exposure import FrameTable
from xsim.instruments._fluorescence_focus import Focus
from xsim.instruments._fluorescence_prepared import FluorescencePrepared
from xsim.instruments._points import raster_frames, raster_grid
from xsim.interaction.emission import Cone
from xsim.interaction.fluorescence import sample
from xsim.matter.lines import emission
from xsim.model import Model, Plugin
from xsim.optics.kirkpatrick_baez import KirkpatrickBaez
from xsim.optics.zone_plate import ZonePlate
from xsim.specimen.specimen import Specimen
from xsim.units import Angle, Energy, PositiveLength, Rate, Time
from xsim.waves.grid import Grid

#: the largest number of voxels
MOST = 2**27
#: optical depth per voxel that the number of slabs aims at, where a warning is due, and the limits of that number
DEPTH, TOO_DEEP, FEWEST_SLABS, MOST_SLABS = 0.2, 0.5, 4, 64
#: lines below this energy [eV] do not decide the number of slabs: no window lets them pass
SEEN = 1e3


class Fluorescence(Model):
    """A scanning fluorescence microscope; frames are the scan points, axes y (slow) and x.

    field: scanned width and height (x, y) [m]; step [m]; exposure_time: per point [s]; flux: in the spot [photons/s].
    zone_plate: used instead of the mirrors where given. detector: energy-dispersive, its own area and distance give the
    solid angle; detector_angle: from the direction of the beam [rad]. polarised: horizontally (False: not at all).
    slabs: of the specimen along the beam (None: so many that the absorption is followed).
    """

    kind: Literal["fluorescence"] = "fluorescence"
    energy: Energy = 12e3
    flux: Rate = 1e10
    exposure_time: Time = 20e-3
    field: tuple[PositiveLength, PositiveLength] = (1e-6, 1e-6)
    step: PositiveLength = 50e-9
    mirrors: KirkpatrickBaez = KirkpatrickBaez()
    zone_plate: ZonePlate | None = None
    detector: Annotated[Any, Plugin("detectors")] = Field(default_factory=SiliconDrift)
    detector_angle: Angle = math.radians(120)
    polarised: bool = True
    slabs: int | None = None

    @field_validator("detector")
    @classmethod
    def _dispersive(cls, value: Any) -> Any:
        if not hasattr(value, "solid_angle"):
            raise RangeError(
                "fluorescence needs an energy-dispersive detector",
                value=getattr(value, "kind", value),
                allowed="silicon_drift",
                cure='use detector = "sdd_50mm2"',
            )
        return value

    @field_validator("detector_angle")
    @classmethod
    def _sideways(cls, value: float) -> float:
        if not math.radians(10) <= value <= math.radians(170):
            raise RangeError("detector_angle", value=f"{math.degrees(value):.4g} deg", allowed="10 .. 170 deg")
        return value

    @field_validator("slabs")
    @classmethod
    def _some(cls, value: int | None) -> int | None:
        if value is not None and not 1 <= value <= 1024:
            raise RangeError("slabs", value=value, allowed="1 .. 1024")
        return value

    def frames(self) -> FrameTable:
        """One row per scan point with its position on the specimen: columns x, y [m]."""
        return raster_frames(self.energy, self.exposure_time, raster_grid(self.field, self.step))

    def prepare(self, specimen: Specimen) -> FluorescencePrepared:
        """Cut the specimen into voxels and follow the ways in and out once. Raises SamplingError; may warn."""
        points = raster_grid(self.field, self.step)
        grid = self.focus.grid(points, self.energy)
        self.focus.check_depth(specimen, self.energy)
        slabs = self.slabs or self._slabs(specimen, grid)
        count = slabs * grid.shape[0] * grid.shape[1] * max(1, len(specimen.materials))
        if count > MOST:
            raise SamplingError(
                "the map needs too many voxels",
                field="field",
                value=f"{slabs} slabs x {grid.shape[0]} x {grid.shape[1]} x {len(specimen.materials)} materials",
                allowed=f"<= {MOST}",
                cure="scan a smaller field, or set fewer slabs",
            )
        cone = Cone(self.detector_angle, float(self.detector.solid_angle), self.polarised)
        voxels = sample(specimen, grid, slabs, cone.direction)
        return FluorescencePrepared(self, specimen, voxels, grid, cone)

    def geometry(self) -> dict[str, Any]:
        """Step, detector angle and solid angle."""
        return {
            "step [m]": self.step,
            "detector_angle [rad]": self.detector_angle,
            "detector_distance [m]": float(self.detector.distance),
            "solid_angle [sr]": float(self.detector.solid_angle),
        }

    @property
    def focus(self) -> Focus:
        """The spot."""
        return Focus(self.mirrors, self.zone_plate)

    def _slabs(self, specimen: Specimen, grid: Grid) -> int:
        """Slabs so thin that no voxel is optically thick on the way in or out."""
        whole = {material: float(t.max()) for material, t in specimen.thickness(grid).items() if t.any()}
        seen = {line.energy for m in whole for line, _ in emission(m, self.energy) if line.energy >= SEEN}
        slant = max(abs(math.cos(self.detector_angle)), math.cos(math.radians(80)))

        def depth(energy: float) -> float:
            return sum(float(m.optics(energy).mu_total) * t for m, t in whole.items())

        deepest = depth(self.energy) + max((depth(energy) for energy in seen), default=0.0) / slant
        slabs = int(np.clip(math.ceil(deepest / DEPTH), FEWEST_SLABS, MOST_SLABS))
        if deepest / slabs > TOO_DEEP:
            warnings.warn(
                f"voxels are {deepest / slabs:.2g} absorption lengths deep, should be <= {TOO_DEEP}: absorption of the "
                f"softest lines is followed coarsely; set slabs = {math.ceil(deepest / DEPTH)}",
                SamplingWarning,
                stacklevel=3,
            )
        return slabs
