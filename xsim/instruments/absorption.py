"""Absorption spectroscopy in transmission: how much of a small beam on one spot of the specimen comes through.

    N(E) = flux * time * sum_r w(r) exp(-sum_m mu_m(E) t_m(r))

w is the beam's profile, summing to 1, t_m the thickness of material m on the way and mu_m its total attenuation,
measured near edge included where the material has one. Averaging the transmission, not the thickness, over the beam
keeps the flattening of strong lines by an uneven specimen (the pinhole effect) that an area average would hide.
Combine with the scan `energies`: the geometry is sampled once for the whole spectrum.

The spot is a position, or one particle: `target = "hematite"` follows the particle through rotations and shifts of the
specimen. I0 is recorded without noise as the incident photons of each frame. `element` and `edge` name the edge in the
files that carry it. Range of validity: geometric optics, so a beam and structures well above sqrt(lambda * thickness);
no scattered or fluorescence light reaches the detector; a monochromatic beam without harmonics. The profile is
sampled at 1/64 of its width; a pixel on the rim of something is averaged in thickness (0.3 % at most for a sphere
that nearly fills the beam).

References: Stern & Kim, thickness effect, Phys. Rev. B 23, 3781 (1981), doi 10.1103/PhysRevB.23.3781.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from xsim.constants import FWHM
from xsim.detectors.photon_counter import PhotonCounter
from xsim.errors import RangeError, ScenarioError
from xsim.exposure import Axis, Exposure, FrameTable, Illumination, Truth
from xsim.instruments._imaging import CountingDetector
from xsim.instruments._maps import binned_grid, by_energy
from xsim.matter import elements
from xsim.matter.material import Material
from xsim.model import Model
from xsim.registry import unknown
from xsim.specimen.specimen import Specimen
from xsim.units import Energy, Length, PositiveLength, Rate, Time
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]

#: samples across the width of the beam
SAMPLES = 64
#: pixels along each axis that are put together in the fluence map, on which dose is counted
BINS = 4
#: half the sampled field of a Gaussian beam, in units of its FWHM (4.2 standard deviations)
REACH = 1.8


class Absorption(Model):
    """A beam of diameter `beam` [m] (FWHM if Gaussian) at `position` (x, y) [m] on the specimen or on a particle.

    flux: photons/s in the beam; exposure_time: per energy [s]. target: name of a population, with `target_index` the
    number of its particle: `position` then counts from the particle's centre. element, edge: noted in the files.
    """

    kind: Literal["absorption"] = "absorption"
    energy: Energy = 7130.0
    flux: Rate = 1e9
    exposure_time: Time = 1.0
    beam: PositiveLength = 200e-9
    profile: Literal["gaussian", "top_hat"] = "gaussian"
    position: tuple[Length, Length] = (0.0, 0.0)
    target: str | None = None
    target_index: int = 0
    element: str | None = None
    edge: str | None = None
    detector: CountingDetector = Field(default_factory=PhotonCounter)

    @model_validator(mode="after")
    def _known_edge(self) -> Absorption:
        if self.target_index < 0:
            raise RangeError("number of a particle", field="target_index", value=self.target_index, allowed=">= 0")
        if (self.element is None) != (self.edge is None):
            raise ScenarioError("element and edge belong together", field="edge", cure='give both: "Fe" and "K"')
        if self.element is not None and self.edge is not None:
            known = elements.element(self.element).edges
            if self.edge not in known:
                raise unknown(f"unknown edge of {self.element}", self.edge, list(known), field="edge")
        return self

    def frames(self) -> FrameTable:
        """One frame; the scan `energies` makes it a spectrum."""
        return FrameTable.single(self.energy, self.exposure_time)

    def prepare(self, specimen: Specimen) -> PreparedAbsorption:
        """Sample the thickness under the beam once. Raises UnknownNameError for a target that is not there."""
        grid = self._grid(specimen)
        weights = self._weights(grid)
        thickness = {m: t for m, t in specimen.thickness(grid).items() if t.any()}
        return PreparedAbsorption(self, grid, weights, thickness)

    def geometry(self) -> dict[str, Any]:
        """Beam, element and edge, and the detector's efficiency where it does not depend on energy."""
        found: dict[str, Any] = {"beam [m]": self.beam, "profile": self.profile}
        if self.element is not None and self.edge is not None:
            edge_energy = elements.element(self.element).edges[self.edge]
            found |= {"element": self.element, "edge": self.edge, "edge_energy [eV]": edge_energy}
        efficiency = getattr(self.detector, "efficiency", None)
        if isinstance(efficiency, int | float):
            found["detector_efficiency"] = float(efficiency)
        return found

    def _grid(self, specimen: Specimen) -> Grid:
        x, y = self.position
        if self.target is not None:
            centre = specimen.particle(self.target, self.target_index).poses.positions[0]
            x, y = x + float(centre[0]), y + float(centre[1])
        reach = REACH if self.profile == "gaussian" else 0.5
        count = 2 * BINS * math.ceil(reach * SAMPLES / BINS)
        pixel = self.beam / SAMPLES
        # an even number of pixels: their common middle, half a pixel before pixel n//2, is put on the spot
        return Grid((count, count), pixel, (x + pixel / 2, y + pixel / 2))

    def _weights(self, grid: Grid) -> FloatArray:
        """Share of the photons in each pixel, summing to 1."""
        fine = 8 if self.profile == "top_hat" else 1
        step = grid.pixel / fine
        at = (np.arange(grid.shape[0] * fine) - (grid.shape[0] * fine - 1) / 2) * step
        square = at[:, None] ** 2 + at[None, :] ** 2
        if self.profile == "gaussian":
            weights = np.exp(-square / 2 * (FWHM / self.beam) ** 2)
        else:
            n = grid.shape[0]
            weights = (square <= (self.beam / 2) ** 2).astype(np.float64).reshape(n, fine, n, fine).mean(axis=(1, 3))
        return np.asarray(weights / weights.sum())


@dataclass(frozen=True, eq=False)
class PreparedAbsorption:
    """The beam's profile and the thickness [m] of each material under it, on `grid`."""

    instrument: Absorption
    grid: Grid
    weights: FloatArray
    thickness: dict[Material, FloatArray]

    @property
    def frame_bytes(self) -> int:
        """Working memory of one energy: a few maps."""
        return 32 * self.weights.size

    def measured(self) -> dict[str, str]:
        """How light is followed: along straight rays."""
        return {"interaction_model": "straight rays, no diffraction"}

    def transmission(self, energy: float) -> float:
        """Share of the beam that comes through at `energy` [eV]."""
        depth = np.zeros(self.grid.shape)
        for material, metres in self.thickness.items():
            depth += float(material.optics(energy).mu_total) * metres
        return 1.0 - float(np.sum(self.weights * -np.expm1(-depth)))

    def expose(self, frames: FrameTable) -> Exposure:
        """Expected photons (frames, 1) on a point detector."""
        energies = np.asarray(frames["energy"], np.float64)
        photons = self.instrument.flux * np.asarray(frames["time"], np.float64)
        expected = np.empty((len(frames), 1))
        for energy, rows in by_energy(frames):
            expected[rows, 0] = photons[rows] * self.transmission(energy)
        return Exposure(expected, energies[:, None], (), frames, photons)

    def illuminate(self, frames: FrameTable) -> list[Illumination]:
        """The beam's profile once per energy, with the photons of all its frames."""
        photons = self.instrument.flux * np.asarray(frames["time"], np.float64)
        grid = binned_grid(self.grid, BINS)
        ny, nx = grid.shape
        per_area = self.weights.reshape(ny, BINS, nx, BINS).sum(axis=(1, 3)) / grid.pixel**2
        return [Illumination(energy, grid, per_area * float(photons[rows].sum())) for energy, rows in by_energy(frames)]

    def truth(self) -> dict[str, Truth]:
        """The noise-free spectrum and each material's own coefficient on a fine energy axis, and mean thicknesses."""
        energies = self._fine_energies()
        axes = (Axis("energy", energies, "eV"),)
        depth = np.array([-math.log(max(self.transmission(float(e)), 1e-300)) for e in energies])
        found = {"optical_density": Truth(depth, axes)}
        for material, metres in self.thickness.items():
            found[f"mu_{material.name}"] = Truth(np.asarray(material.optics(energies).mu_total), axes, "1/m")
            found[f"mean_thickness_{material.name}"] = Truth(np.array(np.sum(self.weights * metres)), (), "m")
        return found

    def _fine_energies(self) -> FloatArray:
        """Energies 10 % around the instrument's own, half an eV apart near every edge of a material in the beam."""
        centre = self.instrument.energy
        low, high = max(0.9 * centre, elements.LOWEST), min(1.1 * centre, elements.HIGHEST)
        symbols = {symbol for material in self.thickness for symbol, _ in material.composition}
        edges = sorted({e for symbol in symbols for e in elements.element(symbol).edges.values() if low < e < high})
        parts = [np.linspace(low, high, 201), *(np.arange(e - 20, e + 60, 0.5) for e in edges[:20])]
        energies = np.unique(np.concatenate(parts))
        return energies[(energies >= low) & (energies <= high)]
