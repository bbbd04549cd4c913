"""Scanning X-ray fluorescence: a focused spot steps over the specimen, an energy-dispersive detector counts its light.

    N_line(r) = flux * time * Omega * sum_r' |p(r' - r)|^2 J_line(r')

p is the focus of the mirror pair (or zone plate) on the specimen, its squares summing to 1, Omega the detector's
solid angle, and J_line(r') the photons of the line per incident photon and steradian that leave the column r' towards
the detector: excitation by the beam as it weakens with depth, all lines of all elements with cascades, absorption on
the way out through the specimen in three dimensions (`xsim.interaction.fluorescence`), and elastic and Compton
scatter (`xsim.interaction.emission`). The detector lies in the horizontal plane, which is that of the polarisation, at
`detector_angle` from the direction of the beam: 90 degrees sees least scatter, more than 90 looks at the lit side.

The spot keeps its tails, and the unfocused orders that the zone plate's `order_sorting` aperture lets through; a
specimen deeper than the depth of focus is met at every depth by the spot that is there (`_fluorescence_focus`). `flux`
is that of the focused light at `energy`; at the other energies of a scan it follows what the optic passes. A zone
plate is refocused at every energy, unless `focus_energy` says where it stays in focus; the focus of mirrors stays.

`bandwidth` and `harmonics` excite line by line (a mirror's focus is the same for all energies, and the n-th order of a
zone plate focuses the n-th harmonic there; both keep the halo of unfocused orders); `monitor` counts I0.

Range of validity. Straight rays: no diffraction inside the specimen. Layers and bodies are excited by fluorescence and
scatter from inside the specimen as well, to first order (`xsim.interaction.enhancement`, `xsim.interaction.bodies`). A
layer cannot be left along itself: with flat layers the detector must stay 10 degrees away from their plane. Lines below
200 eV are left out.

References: Sherman, Spectrochim. Acta 7, 283 (1955), doi 10.1016/0371-1951(55)80041-0; xraylib,
doi 10.1016/j.sab.2011.09.011; Vincze et al., Spectrochim. Acta B 48, 553 (1993), doi 10.1016/0584-8547(93)80060-8.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from xsim.detectors.monitor import Monitor
from xsim.detectors.silicon_drift import SiliconDrift
from xsim.errors import RangeError
from xsim.exposure import FrameTable
from xsim.instruments._detector_angle import DetectorAngle
from xsim.instruments._field_of_view import warn_of_raster
from xsim.instruments._fluorescence_focus import Focus
from xsim.instruments._fluorescence_prepared import FluorescencePrepared
from xsim.instruments._fluorescence_several import Places, SeveralPrepared, placed, prepared_for
from xsim.instruments._points import raster_frames, raster_grid
from xsim.model import Model, Plugin
from xsim.optics.kirkpatrick_baez import KirkpatrickBaez
from xsim.optics.order_sorting import OrderSortingAperture
from xsim.optics.zone_plate import ZonePlate
from xsim.sources.bandwidth import Bandwidth
from xsim.sources.harmonics import Harmonics
from xsim.specimen.specimen import Specimen
from xsim.units import Energy, Length, NonNegativeLength, PositiveLength, Rate, Time


class Fluorescence(Model):
    """A scanning fluorescence microscope; frames are the scan points, axes y (slow) and x.

    field: scanned width and height (x, y) [m]; step [m]; exposure_time: per point [s]; flux: in the spot at `energy`
    [photons/s]. zone_plate: used instead of the mirrors where given, with its order-sorting aperture and the FWHM
    (x, y) [m] of the source's image in its focus. defocus: of the plane z = 0 downstream of the focus [m]. detector:
    energy-dispersive, its own area and distance give the solid angle; detector_angle: from the direction of the beam
    [rad]; detectors: several of this kind at places of their own instead.
    polarised: horizontally (False: not at all). slabs: of the specimen along the beam (None: so many that the
    absorption and the spot are followed). secondary: layers and bodies excited by fluorescence and scatter from
    inside the specimen too (`xsim.interaction.enhancement`, `bodies`), or by the beam alone.
    """

    kind: Literal["fluorescence"] = "fluorescence"
    energy: Energy = 12e3
    flux: Rate = 1e10
    exposure_time: Time = 20e-3
    field: tuple[PositiveLength, PositiveLength] = (1e-6, 1e-6)
    step: PositiveLength = 50e-9
    mirrors: KirkpatrickBaez = KirkpatrickBaez()
    zone_plate: ZonePlate | None = None
    order_sorting: OrderSortingAperture | None = None
    source_image: tuple[NonNegativeLength, NonNegativeLength] = (0.0, 0.0)
    defocus: Length = 0.0
    bandwidth: Bandwidth = Bandwidth()
    harmonics: Harmonics = Harmonics()
    monitor: Monitor | None = None
    focus_energy: Energy | None = None
    detector: Annotated[Any, Plugin("detectors")] = Field(default_factory=SiliconDrift)
    detector_angle: DetectorAngle = math.radians(120)
    detectors: Places = ()
    polarised: bool = True
    slabs: int | None = None
    secondary: bool = True

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

    @field_validator("slabs")
    @classmethod
    def _some(cls, value: int | None) -> int | None:
        if value is not None and not 1 <= value <= 1024:
            raise RangeError("slabs", value=value, allowed="1 .. 1024")
        return value

    @model_validator(mode="after")
    def _of_a_zone_plate(self) -> Fluorescence:
        given = {"order_sorting": self.order_sorting, "source_image": max(self.source_image),
                 "focus_energy": self.focus_energy}  # fmt: skip
        for name, value in given.items():
            if self.zone_plate is None and value:
                cure = "leave it out, or give a zone_plate; mirrors tell their own source and keep their focus"
                raise RangeError(f"{name} belongs to a zone plate, and there is none", field=name, cure=cure)
        return self

    def frames(self) -> FrameTable:
        """One row per scan point with its position on the specimen: columns x, y [m]."""
        return raster_frames(self.energy, self.exposure_time, raster_grid(self.field, self.step))

    def prepare(self, specimen: Specimen) -> FluorescencePrepared | SeveralPrepared:
        """Cut the specimen into voxels and follow the ways in and out once. Raises SamplingError; may warn."""
        self.harmonics.lines(self.energy)
        warn_of_raster(specimen, *self.field, self.step, self.focus.width(self.energy))
        return prepared_for(self, specimen)

    def geometry(self) -> dict[str, Any]:
        """Step, detector angle and solid angle, of each detector if there are several; spread and harmonics."""
        light = self.bandwidth.geometry(self.energy) | self.harmonics.geometry()
        return {"step [m]": self.step, **placed(self), **light}

    @property
    def focus(self) -> Focus:
        """The spot."""
        if self.zone_plate is None:
            return Focus(self.mirrors, defocus=self.defocus)
        return Focus(self.zone_plate, self.order_sorting, self.source_image, self.defocus, self.focus_energy)
