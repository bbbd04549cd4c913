"""Small-angle X-ray scattering: what an area detector records behind an ensemble of particles, in absolute units.

    N(pixel) = N_0 T [ (1/A) dsigma/dOmega(q) + b t ] P dOmega

N_0 photons fall on the specimen during the frame; T is its transmission; dsigma/dOmega the cross section of all
particles within the extent, of area A; b the flat scattering of the matrix [1/m] and t its thickness; P the
polarisation factor and dOmega the pixel's solid angle. dsigma/dOmega over A t, and b with it, is the macroscopic cross
section dSigma/dOmega [1/m], kept with the truth on its own axis. The beam may be wider than the extent, which repeats.

`interference`: "independent": each particle in every orientation, none interferes with another (dilute); "decoupling"
and "local_monodisperse": hard spheres of a Percus-Yevick fluid, see `xsim.interaction.hard_spheres`; "explicit": the
coherent sum over the particles where they are, one realisation, with speckle. The first three average sizes over
their law (`sizes = "law"`), as a beam does that meets billions, or over those that were drawn.
`smear` lets beam, divergence, pixels and bandwidth blur the curve (`_saxs_smearing`; a speckle pattern is blurred by
the Gaussian of equal variance); pixels are otherwise taken at their centres. Fringes finer than two pixels are
warned of.
Valid in the Born limit: the phase shift across a particle must stay well below 1 (a warning names it).

References: Glatter & Kratky, Small-Angle X-ray Scattering (Academic Press, 1982); polarisation and solid angle:
Pauw, J. Phys. Condens. Matter 25, 383201 (2013), doi 10.1088/0953-8984/25/38/383201.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xsim.errors import RangeError
from xsim.exposure import FrameTable
from xsim.instruments._imaging import ImagingDetector
from xsim.instruments._ladder import warn_beyond_born
from xsim.instruments._saxs_prepared import PreparedSaxs
from xsim.interaction.ensemble import Sizes
from xsim.interaction.hard_spheres import FREEZING
from xsim.model import Model
from xsim.sources.bandwidth import Bandwidth
from xsim.specimen.population import Population
from xsim.specimen.specimen import Specimen
from xsim.units import Energy, Length, NonNegativeLength, PositiveLength, Rate, Temperature, Time, Unit
from xsim.waves.far_field import scattering_vectors
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]
PerLength = Annotated[float, Unit("1/m", ge=0)]
Tilt = Annotated[float, Unit("rad", gt=-1.4, lt=1.4)]


class Saxs(Model):
    """A small-angle scattering camera, in absolute units; one frame per exposure.

    flux [photons/s] falls on the specimen within a beam of diameter `beam` [m]; `distance` [m] from specimen to
    detector; `beam_stop` diameter [m] at the detector; `populations` names those that scatter (all by default);
    `background` [1/m] is a flat dSigma/dOmega; `solvent` adds the density fluctuations and Compton scattering of the
    layers (`_saxs_solvent`) at `temperature` [K]; `polarisation` +1 is linear along x. `volume_fraction`, `hard_radius`
    [m]: of hard spheres, by default those of the particles. `divergence` [rad]: full width at half maximum. `tilt` of
    the detector [rad] about x and about y, the latter first, through the point that the beam hits.
    """

    kind: Literal["saxs"] = "saxs"
    energy: Energy = 12_000.0
    flux: Rate = 1e11
    exposure_time: Time = 1.0
    beam: PositiveLength = 100e-6
    distance: PositiveLength = 2.0
    beam_stop: NonNegativeLength = 3e-3
    detector: ImagingDetector = None
    populations: tuple[str, ...] | None = None
    interference: Literal["independent", "explicit", "decoupling", "local_monodisperse"] = "independent"
    sizes: Sizes = "law"
    volume_fraction: Annotated[float, Field(gt=0, lt=FREEZING)] | None = None
    hard_radius: PositiveLength | None = None
    background: PerLength = 0.0
    solvent: bool = False
    temperature: Temperature = 293.15
    polarisation: Annotated[float, Field(ge=-1, le=1)] = 1.0
    smear: bool = False
    divergence: Annotated[float, Unit("rad", ge=0)] = 0.0
    bandwidth: Bandwidth = Bandwidth()
    tilt: tuple[Tilt, Tilt] = (0.0, 0.0)
    beam_center: tuple[Length, Length] | None = None

    def model_post_init(self, context: Any) -> None:
        """Give the default detector, a quarter-megapixel photon counter."""
        if self.detector is None:
            from xsim.registry import lookup

            counter = lookup("detectors", "photon_counter").model_validate({"shape": (256, 256), "pixel": "344 um"})
            object.__setattr__(self, "detector", counter)

    def frames(self) -> FrameTable:
        """One frame."""
        return FrameTable.single(self.energy, self.exposure_time)

    def prepare(self, specimen: Specimen) -> PreparedSaxs:
        """Choose the particles and the area they stand for. Raises RangeError if the specimen states no extent."""
        # the beam sees the extent of a tilted film foreshortened
        area = specimen.extent[0] * specimen.extent[1] * float(np.cos(specimen.layers.tilt))
        chosen = self._chosen(specimen)
        if area <= 0:
            if chosen:
                raise RangeError(
                    "scattering in absolute units needs the area that the particles stand for",
                    field="specimen.extent",
                    value=specimen.extent,
                    allowed="> 0 m",
                    cure="state the extent of the specimen",
                )
            area = self.beam**2
        side = max(specimen.extent) or self.beam
        grid = Grid((64, 64), side / 64, (float(specimen.shift[0]), float(specimen.shift[1])))
        prepared = PreparedSaxs(self, specimen, chosen, area, grid, specimen.thickness(grid))
        warn_beyond_born(prepared.chosen, self.energy, "raise the energy or use smaller particles")
        prepared.check()
        return prepared

    def _chosen(self, specimen: Specimen) -> tuple[Population, ...]:
        if self.populations is None:
            return specimen.populations
        try:
            return tuple(p for name in self.populations for p in specimen.population(name))
        except LookupError as error:
            if hasattr(error, "field"):
                error.field = "populations"
            raise

    def geometry(self) -> dict[str, Any]:
        """Distances and pixel sizes [m], beam centre [pixels]."""
        row, column = self._center()
        return {
            "detector_distance [m]": self.distance,
            "pixel [m]": self.detector.pixel,
            "beam_center_x [pixel]": column,
            "beam_center_y [pixel]": row,
            "beam_diameter [m]": self.beam,
            "beam_stop_diameter [m]": self.beam_stop,
            "energy [eV]": self.energy,
            "polarisation": self.polarisation,
            "detector_tilt_x [rad]": self.tilt[0],
            "detector_tilt_y [rad]": self.tilt[1],
            "smeared": self.smear,
            "divergence [rad]": self.divergence,
            **self.bandwidth.geometry(self.energy),
        }

    def place(self) -> dict[str, Any]:
        """The detector as `isotropic_frame` takes it."""
        return {
            "pixel": self.detector.pixel,
            "distance": self.distance,
            "stop": self.beam_stop,
            "center": self._center(),
            "tilt": self.tilt,
            "polarisation": self.polarisation,
        }

    def largest_q(self, energy: float) -> float:
        """|q| [rad/m] of the corner of the detector that is farthest from the beam, at `energy` [eV]."""
        (ny, nx), pixel, (row, column) = self.detector.shape, self.detector.pixel, self._center()
        corners = [(row - i, column - j) for i in (0, ny - 1) for j in (0, nx - 1)]
        reach = [scattering_vectors((1, 1), pixel, self.distance, energy, c, self.tilt)[0] for c in corners]
        return max(float(np.sqrt(np.sum(q * q))) for q in reach)

    def _center(self) -> tuple[float, float]:
        ny, nx = self.detector.shape
        if self.beam_center is None:
            return float(ny // 2), float(nx // 2)
        return self.beam_center[1] / self.detector.pixel, self.beam_center[0] / self.detector.pixel
