"""Fluorescence yield of one spot: photons of a window of energies that leave towards a detector, voxel by voxel.

    N_f/N_0 = Omega sum_lines sum_r w(r) sum_k exp(-sum_m mu_m(E) A_mk) sum_m Y_m t_mk exp(-sum_m mu_m(E_f) P_mk)

(see `xsim.interaction.fluorescence`), with the vacancies following the measured absorption near an edge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator

from xsim.errors import RangeError, SamplingError
from xsim.instruments._detector_angle import DetectorAngle
from xsim.interaction.emission import Cone, groups
from xsim.interaction.fluorescence import Voxels, escape, incoming, sample
from xsim.model import Model
from xsim.specimen.specimen import Specimen
from xsim.units import Energy, PositiveLength
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]

#: slabs along the beam
SLABS = 64


class FluorescenceYield(Model):
    """A detector of `diameter` [m] at `distance` [m] and `angle` from the beam's direction [rad] that counts photons.

    window: energies (from, to) [eV] that it counts, such as ["6.2 keV", "6.6 keV"] for Fe K alpha; without it, all
    lines and scatter (total yield). polarised: the beam horizontally, in the plane of the detector.
    """

    diameter: PositiveLength = 11.3e-3
    distance: PositiveLength = 50e-3
    angle: DetectorAngle = math.radians(135)
    window: tuple[Energy, Energy] | None = None
    polarised: bool = True

    @field_validator("window")
    @classmethod
    def _rising(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not value[0] < value[1]:
            raise RangeError("window of energies", value=f"{value[0]:g} .. {value[1]:g} eV", allowed="a rising pair")
        return value

    @property
    def solid_angle(self) -> float:
        """Of the disk seen from the specimen [sr]."""
        return 2 * math.pi * (1 - math.cos(math.atan(self.diameter / 2 / self.distance)))

    def cone(self) -> Cone:
        """What the detector sees."""
        return Cone(self.angle, self.solid_angle, self.polarised)

    def counts(self, energy: float) -> bool:
        """Whether photons of `energy` [eV] fall into the window."""
        return self.window is None or self.window[0] <= energy <= self.window[1]

    def geometry(self) -> dict[str, float]:
        """Angle and solid angle."""
        return {"fluorescence_angle [rad]": self.angle, "fluorescence_solid_angle [sr]": self.solid_angle}


@dataclass(frozen=True, eq=False)
class Yield:
    """The specimen in voxels under the beam, `weights` (ny, nx) its share of the photons in each column."""

    detector: FluorescenceYield
    voxels: Voxels
    weights: FloatArray
    families: list[tuple[str, str]]

    @staticmethod
    def of(detector: FluorescenceYield, specimen: Specimen, beam: tuple[Grid, FloatArray]) -> Yield:
        """Cut the specimen into voxels under the beam, its grid and its share of the photons in each of the pixels."""
        grid, weights = beam
        cone = detector.cone()
        if not specimen.populations:  # alike everywhere: one column, so wide that every way out stays in it
            depth = specimen.z_range[1] - specimen.z_range[0]
            grid, weights = Grid((1, 1), max(grid.pixel, depth)), np.ones((1, 1))
        try:
            voxels = sample(specimen, grid, SLABS, cone.direction)
        except (RangeError, SamplingError) as error:
            error.field = "fluorescence.angle"
            raise
        symbols = sorted({symbol for m in voxels.materials for symbol, _ in m.composition})
        known = [(symbol, shell) for symbol in symbols for shell in "KLM"]
        return Yield(detector, voxels, weights, [*known, ("", "Compton"), ("", "elastic")])

    def photons(self, energy: float) -> tuple[FloatArray, FloatArray]:
        """Photons of each family into the detector per photon of `energy` [eV], and their mean energies [eV]."""
        cone, beam = self.detector.cone(), incoming(self.voxels, energy)
        total, power = np.zeros(len(self.families)), np.zeros(len(self.families))
        for group in groups(self.voxels.materials, energy, cone):
            if not self.detector.counts(group.energy):
                continue
            name = (group.element, group.family) if group.element else ("", group.label.split()[0])
            out = escape(self.voxels, beam, group.energy, group.made)
            number = self.families.index(name)
            found = cone.solid_angle * float(np.sum(self.weights * out))
            total[number] += found
            power[number] += found * group.energy
        return total, np.where(total > 0, power / np.where(total > 0, total, 1), energy)
