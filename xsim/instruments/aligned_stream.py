"""A stream of molecules, aligned by a laser, in a steady X-ray beam: the powder pattern that alignment makes sharp.

    N(pixel) = M (F/A) t <|f(R^T q, E)|^2> P dOmega,      M = n pi/4 min(w, b)^2 max(w, b)

F is the flux in a beam of diameter b and area A, t the exposure time, n the number density of a stream of diameter w
that crosses the beam; M molecules are lit at once: n pi/4 w^2 b in a beam wider than the stream, n pi/4 b^2 w in a
narrower one. R is drawn by the laser's field (xsim.interaction.alignment), f the Born amplitude of one molecule. The
mean over orientations is incoherent: molecules stand apart at random. Each passes the beam once, in pi b/(4 v) on
average, so that the dose is that of one passage, however long the exposure.

Valid for a dilute stream in vacuum, molecules in thermal equilibrium (adiabatic) that are small against the laser's
wavelength, and the Born limit. The time for detail d goes as d^-4. References: Spence & Doak, Phys. Rev. Lett. 92,
198102 (2004), doi 10.1103/PhysRevLett.92.198102; Starodub et al., J. Synchrotron Rad. 15, 62 (2008), doi
10.1107/S0909049507048893.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from xsim.errors import ScenarioError
from xsim.exposure import FrameTable
from xsim.instruments._aligned_checks import (
    check_alone,
    warn_if_crowded,
    warn_of_few_photons,
    warn_of_laser,
)  # fmt: skip
from xsim.instruments._aligned_prepared import PreparedAlignedStream, prepared_stream
from xsim.instruments._imaging import PlacedDetector
from xsim.instruments._ladder import warn_beyond_born
from xsim.instruments._shot_checks import warn_beyond_tables, warn_if_undersampled
from xsim.instruments._shot_picture import alone
from xsim.instruments._shot_pixels import module_geometry
from xsim.model import Model
from xsim.specimen.specimen import Specimen
from xsim.specimen.turning import Way
from xsim.units import (
    Energy,
    Intensity,
    NonNegativeLength,
    NumberDensity,
    PositiveLength,
    Rate,
    Speed,
    Temperature,
    Time,
    Volume,
)  # fmt: skip

FloatArray = NDArray[np.float64]
Direction = tuple[float, float, float]


class Laser(Model):
    """The field that aligns: `intensity`, `wavelength`, and its polarisation.

    share: of the intensity along `axis`, 1 for linear, 1/2 for circular polarisation; beam: where the laser goes,
    across `axis`. Directions are x, y, z with the X-rays along z.
    """

    intensity: Intensity = 1e12
    wavelength: PositiveLength = 1064e-9
    share: Annotated[float, Field(ge=0.5, le=1)] = 1.0
    axis: Direction = (0.0, 1.0, 0.0)
    beam: Direction = (1.0, 0.0, 0.0)

    @model_validator(mode="after")
    def _across(self) -> Laser:
        axis, beam = np.array(self.axis), np.array(self.beam)
        size = float(np.linalg.norm(axis) * np.linalg.norm(beam))
        if not 0 < size < np.inf or abs(float(np.dot(axis, beam))) > 1e-6 * size:
            raise ScenarioError(
                "a laser is polarised across its beam", field="axis", value=f"{self.axis}, beam {self.beam}",
                allowed="two directions of finite length at right angles", cure="turn laser.axis or laser.beam",
            )  # fmt: skip
        return self

    def frame(self) -> FloatArray:
        """Rows (3, 3): main axis, minor axis, beam."""
        axis, beam = (np.array(v) / np.linalg.norm(v) for v in (self.axis, self.beam))
        return np.stack([axis, np.cross(beam, axis), beam])


class AlignedStream(Model):
    """Diffraction of a stream of laser-aligned molecules, one frame.

    flux: photons per second in the beam of diameter `beam`. `density`, `width`, `speed` of the stream; `temperature`:
    of the molecules' rotation. `particle`: name of the population that makes the molecule; all together without.
    `refractive_index`: of its matter for the laser, from which its polarisability follows (an ellipsoid of the same
    volume and second moments); or `polarisability`: volumes along the specimen's x, y, z. `amplitude`: see
    xsim.specimen.turning. `tolerance`: relative, of amplitudes, and of the mean over orientations where it is summed
    orientation by orientation (elliptical light), for which at most `orientations` are drawn from `orientation_seed`.
    """

    kind: Literal["aligned_stream"] = "aligned_stream"
    energy: Energy = 8_000.0
    flux: Rate = 1e13
    exposure_time: Time = 60.0
    beam: PositiveLength = 10e-6
    density: NumberDensity = 1e17
    width: PositiveLength = 10e-6
    speed: Annotated[Speed, Field(gt=0)] = 100.0
    temperature: Temperature = 300.0
    laser: Laser = Laser()
    particle: str | None = None
    refractive_index: Annotated[float, Field(gt=1, lt=10)] = 1.5
    polarisability: tuple[Volume, Volume, Volume] | None = None
    distance: PositiveLength = 1.0
    beam_stop: NonNegativeLength = 1e-3
    detector: PlacedDetector = None
    polarisation: float = 1.0
    amplitude: Way = "auto"
    tolerance: Annotated[float, Field(gt=1e-8, lt=1)] = 1e-2
    orientations: Annotated[int, Field(ge=64)] = 20_000
    orientation_seed: int = 1

    def model_post_init(self, context: Any) -> None:
        """Give the default detector, a coarse photon counter."""
        if self.detector is None:
            from xsim.registry import lookup

            counter = lookup("detectors", "photon_counter").model_validate({"shape": (64, 64), "pixel": "200 um"})
            object.__setattr__(self, "detector", counter)

    def frames(self) -> FrameTable:
        """One frame."""
        return FrameTable.single(self.energy, self.exposure_time)

    def prepare(self, specimen: Specimen) -> PreparedAlignedStream:
        """Find the polarisability and the mean pattern; warns with the numbers. Raises RangeError."""
        check_alone(specimen)
        specimen = alone(specimen, self.particle)
        warn_if_crowded(self, specimen)
        warn_of_laser(self, specimen)
        prepared = prepared_stream(self, specimen)
        warn_if_undersampled(self, specimen)
        warn_beyond_tables(self, specimen, prepared.seen)
        warn_beyond_born(specimen.populations, self.energy, "raise the energy or use smaller particles")
        warn_of_few_photons(self, prepared)
        return prepared

    @property
    def molecules(self) -> float:
        """Mean number of molecules in the beam at once."""
        return float(self.density * np.pi / 4 * min(self.beam, self.width) ** 2 * max(self.beam, self.width))

    @property
    def passage(self) -> float:
        """Mean time that a molecule spends in the beam [s]."""
        return float(np.pi * self.beam / (4 * self.speed))

    @property
    def fluence_rate(self) -> float:
        """Photons per area and time in the beam [1/m^2/s]."""
        return float(self.flux / (np.pi * self.beam**2 / 4))

    def geometry(self) -> dict[str, Any]:
        """Distances and pixel sizes [m], beam centre [pixels], the stream and the laser's main axis."""
        ny, nx = self.detector.shape
        return {
            "detector_distance [m]": self.distance,
            "pixel [m]": self.detector.pixel,
            "beam_center_x [pixel]": float(nx // 2),
            "beam_center_y [pixel]": float(ny // 2),
            "beam_stop_diameter [m]": self.beam_stop,
            "beam_diameter [m]": self.beam,
            "energy [eV]": self.energy,
            "polarisation": self.polarisation,
            "laser_axis": self.laser.frame()[0],
            "laser_intensity [W/m^2]": self.laser.intensity,
            "molecules_in_beam": self.molecules,
            "passage_time [s]": self.passage,
            **module_geometry(self.detector),
        }
