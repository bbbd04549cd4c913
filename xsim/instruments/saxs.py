"""Small-angle X-ray scattering: what an area detector records behind an ensemble of particles, in absolute units.

    N(pixel) = N_0 T [ (1/A) dsigma/dOmega(q) + b t ] P dOmega

N_0 photons fall on the specimen during the frame; T is its transmission; dsigma/dOmega the cross section of all
particles within the extent, of area A; b the flat scattering of the matrix [1/m] and t its thickness; P the
polarisation factor and dOmega the pixel's solid angle. dsigma/dOmega over A t is the macroscopic cross section
dSigma/dOmega [1/m], kept with the truth on its own axis. The beam may be wider than the extent, which then repeats.

`interference = "independent"`: each particle in every orientation, no interference between particles (dilute).
`interference = "explicit"`: the coherent sum over the particles where they are, one realisation, with speckle.
Valid in the Born limit: the phase shift across a particle must stay well below 1 (a warning names it).

References: Glatter & Kratky, Small-Angle X-ray Scattering (Academic Press, 1982); polarisation and solid angle:
Pauw, J. Phys. Condens. Matter 25, 383201 (2013), doi 10.1088/0953-8984/25/38/383201.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from xsim.errors import RangeError
from xsim.exposure import Axis, Exposure, FrameTable, Illumination, Truth
from xsim.instruments._imaging import ImagingDetector
from xsim.instruments._ladder import born_note, warn_beyond_born
from xsim.interaction.ensemble import cross_section, sampled_q
from xsim.matter.material import Material
from xsim.model import Model
from xsim.specimen.population import Population
from xsim.specimen.specimen import Specimen
from xsim.units import Energy, Length, NonNegativeLength, PositiveLength, Rate, Time, Unit
from xsim.waves.far_field import polarisation, scattering_vectors
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]
PerLength = Annotated[float, Unit("1/m", ge=0)]


class Saxs(Model):
    """A small-angle scattering camera, in absolute units; one frame per exposure.

    flux [photons/s] falls on the specimen within a beam of diameter `beam` [m]; `distance` [m] from specimen to
    detector; `beam_stop` diameter [m] at the detector; `populations` names those that scatter (all by default);
    `background` [1/m] is the flat dSigma/dOmega of the matrix; `polarisation` +1 is linear along x.
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
    interference: Literal["independent", "explicit"] = "independent"
    background: PerLength = 0.0
    polarisation: float = 1.0
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
        }

    def _center(self) -> tuple[float, float]:
        ny, nx = self.detector.shape
        if self.beam_center is None:
            return float(ny // 2), float(nx // 2)
        return self.beam_center[1] / self.detector.pixel, self.beam_center[0] / self.detector.pixel


@dataclass(frozen=True, eq=False)
class PreparedSaxs:
    """The chosen particles, the area [m^2] they stand for, and the thickness maps of the whole specimen."""

    instrument: Saxs
    specimen: Specimen
    chosen: tuple[Population, ...]
    area: float
    grid: Grid
    thickness: dict[Material, FloatArray]

    @property
    def frame_bytes(self) -> int:
        """Working memory of one frame: a few float64 maps and vectors of the detector."""
        return int(np.prod(self.instrument.detector.shape)) * 8 * 12

    def transmission(self, energy: float) -> float:
        """Mean transmission of the specimen over its extent at `energy` [eV]."""
        depth = np.zeros(self.grid.shape)
        for material, t in self.thickness.items():
            depth += float(material.optics(energy).mu_total) * t
        return 1.0 - self._mean(-np.expm1(-depth))

    def matrix_thickness(self) -> float:
        """Mean thickness of all matter [m]."""
        return float(sum(self._mean(t) for t in self.thickness.values()))

    def _mean(self, values: FloatArray) -> float:
        """Mean over the extent; without layers all that is on the (square) grid belongs to the extent's area."""
        share = 1.0 if self.specimen.layers.materials else self.grid.extent[0] * self.grid.extent[1] / self.area
        return share * float(np.mean(values))

    def measured(self) -> dict[str, Any]:
        """Thickness [m] and transmission of the specimen, which put the frame on an absolute scale; the model used."""
        thickness, model = self.matrix_thickness(), born_note(self.chosen, self.instrument.energy)
        if thickness <= 0:
            return dict(model)
        transmission = self.transmission(self.instrument.energy)
        return {"specimen_thickness [m]": thickness, "specimen_transmission": transmission, **model}

    def curve(self, q: FloatArray, energy: float) -> FloatArray:
        """Scattered fraction per solid angle [1/sr] of the particles at q (n,) [rad/m]."""
        if not self.chosen:
            return np.zeros_like(q)
        return cross_section(self.specimen, self.chosen, q, energy) / self.area

    def expose(self, frames: FrameTable) -> Exposure:
        """Expected photons (frames, 1, y, x)."""
        images = {energy: self._image(energy) for energy in dict.fromkeys(frames["energy"].tolist())}
        incident = self.instrument.flux * frames["time"]
        expected = np.stack([images[e] * n for e, n in zip(frames["energy"].tolist(), incident.tolist(), strict=True)])
        group_energy = frames["energy"][:, None]
        return Exposure(expected[:, None], group_energy, self._axes(), frames, incident)

    def _image(self, energy: float) -> FloatArray:
        """Expected photons per incident photon (y, x)."""
        one = self.instrument
        shape, pixel = tuple(one.detector.shape), one.detector.pixel
        row, column = one._center()
        q, solid_angle = scattering_vectors(shape, pixel, one.distance, energy, (row, column))
        if one.interference == "explicit":
            scattered = self._explicit(q, energy) / self.area
        else:
            length = np.sqrt(np.sum(q * q, axis=-1))
            table = sampled_q(float(length.max()), self.chosen)
            scattered = np.maximum(CubicSpline(table, self.curve(table, energy))(length), 0.0)
        scattered = scattered + one.background * self.matrix_thickness()
        image = scattered * solid_angle * polarisation(q, energy, one.polarisation) * self.transmission(energy)
        y = (np.arange(shape[0]) - row)[:, None] * pixel
        x = (np.arange(shape[1]) - column)[None, :] * pixel
        image[np.hypot(x, y) < one.beam_stop / 2] = 0.0
        return np.asarray(image)

    def _explicit(self, q: FloatArray, energy: float) -> FloatArray:
        parts = Specimen(self.specimen.layers, self.chosen, self.specimen.extent)
        amplitude = parts.amplitude(q, energy)
        return np.asarray(amplitude.real**2 + amplitude.imag**2)

    def _axes(self) -> tuple[Axis, Axis]:
        ny, nx = self.instrument.detector.shape
        row, column = self.instrument._center()
        pixel = self.instrument.detector.pixel
        return Axis("y", (np.arange(ny) - row) * pixel, "m"), Axis("x", (np.arange(nx) - column) * pixel, "m")

    def illuminate(self, frames: FrameTable) -> list[Illumination]:
        """The beam's fluence, taken as even over the extent."""
        area = np.pi * self.instrument.beam**2 / 4
        times: dict[float, float] = {}
        for energy, time in zip(frames["energy"].tolist(), frames["time"].tolist(), strict=True):
            times[energy] = times.get(energy, 0.0) + time
        return [
            Illumination(energy, self.grid, np.full(self.grid.shape, self.instrument.flux * time / area))
            for energy, time in times.items()
        ]

    def truth(self) -> dict[str, Truth]:
        """The macroscopic cross section dSigma/dOmega(q) [1/m] of the particles, noise-free."""
        if self.instrument.interference == "explicit":
            return {}
        thickness = self.matrix_thickness()
        if not self.chosen or thickness <= 0:
            return {}
        q, _ = scattering_vectors(
            tuple(self.instrument.detector.shape),
            self.instrument.detector.pixel,
            self.instrument.distance,
            self.instrument.energy,
            self.instrument._center(),
        )
        axis = sampled_q(float(np.sqrt(np.sum(q * q, axis=-1)).max()), self.chosen)
        curve = self.curve(axis, self.instrument.energy) / thickness
        return {"cross_section": Truth(curve, (Axis("q", axis, "rad/m"),), "1/m")}
