"""A Kirkpatrick-Baez microprobe: mirrors focus the beam on the specimen, at any energy in the same plane.

    flux(E) = flux R(E)^2/R(E_0)^2 (both mirrors),   spot: sinc^2(2 NA x/lambda) per axis, with source image and figure

`mirrors` holds the source (size and distance), the geometry, coating and figure errors of the pair. Each mirror
reflects totally up to the cut-off of its coating, where sqrt(2 delta(E)) = theta (rhodium at 3 mrad: 22 keV); beyond,
the flux falls steeply and a warning says so. The focal plane, 1/f = 1/p + 1/q, is geometry: a scan of `energies` over a
decade needs no refocusing, where a zone plate's focal length goes as E. The diffraction-limited spot shrinks as 1/E
until the source's image and the figure error limit it.

`signal`: "fluorescence" (an energy-dispersive detector at `detector_angle`, the physics of `fluorescence`) or
"transmission" (a counter behind the specimen that takes all transmitted light):

    N(r) = flux time sum_r' p(r' - r) exp(-sum_m mu_m t_m(r'))

`bandwidth`, `harmonics` and `monitor` are those of `absorption`: the monochromator's resolution line by line, its
harmonics in the same spot, I0 as counted with its noise. Scatter of each line is counted at the nominal energy.

Two instruments with the same mirrors give both signals of one scan. Range of validity: straight rays (structures and
depths as in `fluorescence`); light that roughness scatters out of the spot is lost, not followed. With `energies`, one
point (field = step) is a XANES spectrum by fluorescence yield or in transmission, a field a stack; set `energy` to the
highest of the scan, where the spot is smallest. References: Kirkpatrick & Baez, doi 10.1364/JOSA.38.000766; Sutton et
al., Rev. Mineral. Geochem. 49, 429 (2002), doi 10.2138/gsrmg.49.1.429.
"""

from __future__ import annotations

import math
import warnings
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from xsim.detectors.monitor import Monitor
from xsim.detectors.silicon_drift import SiliconDrift
from xsim.errors import RangeError, ValidityWarning
from xsim.exposure import FrameTable
from xsim.instruments._detector_angle import DetectorAngle
from xsim.instruments._field_of_view import warn_of_raster
from xsim.instruments._fluorescence_focus import Focus
from xsim.instruments._fluorescence_prepared import FluorescencePrepared
from xsim.instruments._fluorescence_several import Places, SeveralPrepared, placed, prepared_for
from xsim.instruments._points import raster_frames, raster_grid
from xsim.instruments._probe_transmission import TransmissionPrepared
from xsim.model import Model, Plugin
from xsim.optics.kirkpatrick_baez import KirkpatrickBaez
from xsim.sources.bandwidth import Bandwidth
from xsim.sources.harmonics import Harmonics
from xsim.specimen.specimen import Specimen
from xsim.units import Energy, Length, PositiveLength, Rate, Time

#: reflectivity of the pair below which a warning is due
FAINT = 0.1


class Microprobe(Model):
    """A mirror microprobe; frames are the scan points, axes y (slow) and x.

    field: scanned width and height (x, y) [m]; step [m]; exposure_time: per point [s]; flux: in the spot at `energy`
    [photons/s], at other energies of a scan as the mirrors reflect. defocus: of the plane z = 0 downstream of the focus
    [m]. detector: energy-dispersive for fluorescence, a counter for transmission (its default follows `signal`).
    detector_angle: from the direction of the beam [rad]; detectors: several of this kind, for fluorescence, at places
    of their own instead. polarised: horizontally. slabs: along the beam (None: found).
    secondary: layers and bodies excited by fluorescence and scatter from inside the specimen too, or by the beam alone.
    """

    kind: Literal["microprobe"] = "microprobe"
    signal: Literal["fluorescence", "transmission"] = "fluorescence"
    energy: Energy = 12e3
    flux: Rate = 1e10
    exposure_time: Time = 20e-3
    field: tuple[PositiveLength, PositiveLength] = (1e-6, 1e-6)
    step: PositiveLength = 100e-9
    mirrors: KirkpatrickBaez = KirkpatrickBaez()
    defocus: Length = 0.0
    bandwidth: Bandwidth = Bandwidth()
    harmonics: Harmonics = Harmonics()
    monitor: Monitor | None = None
    detector: Annotated[Any, Plugin("detectors")] = Field(default_factory=SiliconDrift)
    detector_angle: DetectorAngle = math.radians(120)
    detectors: Places = ()
    polarised: bool = True
    slabs: Annotated[int, Field(ge=1, le=1024)] | None = None
    secondary: bool = True

    @model_validator(mode="before")
    @classmethod
    def _counter_behind(cls, table: Any) -> Any:
        if isinstance(table, dict) and table.get("signal") == "transmission" and "detector" not in table:
            return {**table, "detector": {"kind": "photon_counter"}}
        return table

    @model_validator(mode="after")
    def _fitting_detector(self) -> Microprobe:
        dispersive = hasattr(self.detector, "solid_angle")
        if dispersive != (self.signal == "fluorescence"):
            raise RangeError(
                f"{self.signal} and this detector do not go together",
                field="detector",
                value=getattr(self.detector, "kind", self.detector),
                allowed="an energy-dispersive detector for fluorescence, a counter or camera for transmission",
                cure='leave it out, or use detector = "sdd_50mm2" for fluorescence',
            )
        if self.detectors and not dispersive:
            cure = 'leave it out, or set signal = "fluorescence"'
            raise RangeError(
                "one counter stands behind the specimen", field="detectors", value=len(self.detectors), cure=cure
            )
        return self

    def frames(self) -> FrameTable:
        """One row per scan point with its position on the specimen: columns x, y [m]."""
        return raster_frames(self.energy, self.exposure_time, raster_grid(self.field, self.step))

    def prepare(self, specimen: Specimen) -> FluorescencePrepared | SeveralPrepared | TransmissionPrepared:
        """Sample the specimen once. Raises SamplingError, RangeError; may warn."""
        self.harmonics.lines(self.energy)
        self.check_mirrors(self.energy)
        warn_of_raster(specimen, *self.field, self.step, self.focus.width(self.energy))
        if self.signal == "transmission":
            return TransmissionPrepared.of(self, specimen)
        return prepared_for(self, specimen)

    def check_mirrors(self, energy: float) -> None:
        """Warn of an energy [eV] beyond the cut-off of the coating."""
        share = float(self.mirrors.reflectivity(energy))
        if share < FAINT:
            found = np.geomspace(0.05 * energy, energy, 200)
            useful = found[np.asarray(self.mirrors.reflectivity(found)) >= FAINT]
            limit = f"up to {useful.max():.3g} eV" if len(useful) else "at no lower energy"
            warnings.warn(
                f"mirrors: {self.mirrors.coating} reflects {share:.2g} of {energy:.6g} eV at these angles, at least "
                f"{FAINT:g} {limit}; use a smaller grazing angle, a heavier coating or a lower energy",
                ValidityWarning,
                stacklevel=3,
            )

    def geometry(self) -> dict[str, Any]:
        """Step, spot, mirrors; detector angle and solid angle where it looks from the side."""
        width, height = self.mirrors.fwhm(self.energy)
        found = {
            "step [m]": self.step,
            "signal": self.signal,
            "spot_x [m]": float(width),
            "spot_y [m]": float(height),
            "mirror_reflectivity": float(self.mirrors.reflectivity(self.energy)),
            "focal_distance [m]": self.mirrors.vertical.focal_distance,
            "stxm_scan_type": "sample image",
        }
        if self.signal == "fluorescence":
            found |= placed(self)
        return found | self.bandwidth.geometry(self.energy) | self.harmonics.geometry()

    @property
    def focus(self) -> Focus:
        """The spot."""
        return Focus(self.mirrors, defocus=self.defocus)
