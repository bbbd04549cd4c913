"""Absorption spectroscopy: how much of a small beam on one spot comes through, and how much it makes fluoresce.

    N(E) = flux * time * sum_i w_i sum_r w(r) exp(-sum_m mu_m(E_i) t_m(r))

w is the beam's profile, summing to 1, t_m the thickness of material m on the way and mu_m its total attenuation,
measured near edge included where the material has one. Averaging the transmission, not the thickness, over the beam
keeps the flattening of strong lines by an uneven specimen (the pinhole effect) that an area average would hide.
Combine with the scan `energies`: the geometry is sampled once for the whole spectrum.

The light. E_i, w_i are the lines of the monochromator's resolution (`bandwidth`) and its `harmonics`, which fill up
strong absorption. `monitor` counts the beam before the specimen: I0 has its counting noise, is kept in the files and
used by reconstructions; without one, I0 is known exactly. The dose counts all light, harmonics at their own energy.

Fluorescence yield. With `fluorescence`, a second detector counts the photons of a window of energies (partial yield)
or all (total yield) that leave towards it; counts then have an axis "channel": transmission, fluorescence. The beam's
attenuation in depth and self-absorption on the way out are followed voxel by voxel, so thick samples show
over-absorption: strong lines look weaker, in the limit as mu_el/(mu_tot(E) + g mu_tot(E_f)). Below 1/8 of the beam's
width the fluorescence is averaged. Both detectors are of the kind `detector`; the second sees all its window alike.

The spot is a position, or one particle: `target = "hematite"` follows the particle through rotations and shifts of the
specimen. `element` and `edge` name the edge in the files that carry it. Range of validity: geometric optics, so a beam
and structures well above sqrt(lambda * thickness); no scattered or fluorescence light reaches the detector in
transmission; electron yield is left out. The profile is sampled at 1/64 of its width; a pixel on the rim of
something is averaged in thickness (0.3 % at most for a sphere that nearly fills the beam).

References: Stern & Kim, thickness effect, Phys. Rev. B 23, 3781 (1981), doi 10.1103/PhysRevB.23.3781; Troeger et al.,
full correction of self-absorption, Phys. Rev. B 46, 3283 (1992), doi 10.1103/PhysRevB.46.3283.
"""

from __future__ import annotations

import math
import warnings
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from xsim.constants import FWHM
from xsim.detectors.monitor import Monitor
from xsim.detectors.photon_counter import PhotonCounter
from xsim.errors import RangeError, SamplingWarning, ScenarioError, ValidityWarning
from xsim.exposure import FrameTable
from xsim.instruments._absorption_prepared import PreparedAbsorption
from xsim.instruments._imaging import CountingDetector
from xsim.instruments._maps import binned_grid
from xsim.instruments._yield import FluorescenceYield, Yield
from xsim.matter import elements
from xsim.model import Model
from xsim.registry import unknown
from xsim.sources.bandwidth import Bandwidth
from xsim.sources.harmonics import Harmonics
from xsim.specimen.specimen import Specimen
from xsim.units import Energy, Length, PositiveLength, Rate, Time
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]

#: samples across the width of the beam
SAMPLES = 64
#: half the sampled field of a Gaussian beam, in units of its FWHM (4.2 standard deviations)
REACH = 1.8
#: pixels along each axis that are put together for the fluorescence
YIELD_BINS = 8
#: lines of a spectrum farther apart than this near an edge [eV] step over its features
COARSE = 2.0


class Absorption(Model):
    """A beam of diameter `beam` [m] (FWHM if Gaussian) at `position` (x, y) [m] on the specimen or on a particle.

    flux: photons/s in the beam; exposure_time: per energy [s]. target: name of a population, with `target_index` the
    number of its particle: `position` then counts from the particle's centre. element, edge: noted in the files.
    bandwidth: the monochromator's resolution. monitor: measures I0; None in Python for an I0 that is known.
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
    bandwidth: Bandwidth = Bandwidth()
    harmonics: Harmonics = Harmonics()
    monitor: Monitor | None = Monitor()
    fluorescence: FluorescenceYield | None = None
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

    def aimed(self, specimen: Specimen) -> Absorption:
        """The same beam at the place where its target is in `specimen`: it stays there when the target is taken out."""
        if self.target is None:
            return self
        centre = specimen.particle(self.target, self.target_index).poses.positions[0]
        place = (self.position[0] + float(centre[0]), self.position[1] + float(centre[1]))
        return self.model_copy(update={"position": place, "target": None})

    def frames(self) -> FrameTable:
        """One frame; the scan `energies` makes it a spectrum."""
        return FrameTable.single(self.energy, self.exposure_time)

    def prepare(self, specimen: Specimen) -> PreparedAbsorption:
        """Sample the thickness under the beam once; may warn.

        Raises UnknownNameError for a target that is not there, RangeError for harmonics beyond the tables or a
        fluorescence detector that looks along the layers.
        """
        self.check_energy(self.energy)
        grid = self._grid(specimen)
        weights = self._weights(grid)
        thickness = {m: t for m, t in specimen.thickness(grid).items() if t.any()}
        if self.element is not None and not any(self.element in dict(m.composition) for m in thickness):
            warnings.warn(
                f"no {self.element} lies under the beam: the spectrum will have no {self.edge} edge; aim at a "
                "particle that holds it by target or position, or name another element",
                ValidityWarning,
                stacklevel=2,
            )
        light = (
            None if self.fluorescence is None else Yield.of(self.fluorescence, specimen, self._coarse(grid, weights))
        )
        return PreparedAbsorption(self, grid, weights, thickness, light)

    def check_energy(self, energy: float) -> None:
        """Raise an error or warn where harmonics or bandwidth do not serve `energy` [eV]."""
        self.harmonics.lines(energy)
        lines = self.bandwidth.lines(energy)[0]
        widest = float(np.diff(lines).min()) if len(lines) > 1 else 0.0
        if widest > COARSE:
            warnings.warn(
                f"the lines that stand for the bandwidth are {widest:.3g} eV apart at {energy:.6g} eV, should be <= "
                f"{COARSE:g} eV to meet near edges; set bandwidth.samples = {self._enough(energy)}",
                SamplingWarning,
                stacklevel=3,
            )

    def geometry(self) -> dict[str, Any]:
        """Beam, element and edge, and the detector's efficiency where it does not depend on energy."""
        found: dict[str, Any] = {"beam [m]": self.beam, "profile": self.profile}
        if self.element is not None and self.edge is not None:
            edge_energy = elements.element(self.element).edges[self.edge]
            found |= {"element": self.element, "edge": self.edge, "edge_energy [eV]": edge_energy}
        efficiency = getattr(self.detector, "efficiency", None)
        if isinstance(efficiency, int | float):
            found["detector_efficiency"] = float(efficiency)
        if self.fluorescence is not None:
            found |= self.fluorescence.geometry()
        return found | self.bandwidth.geometry(self.energy) | self.harmonics.geometry()

    def _grid(self, specimen: Specimen) -> Grid:
        x, y = self.aimed(specimen).position
        reach = REACH if self.profile == "gaussian" else 0.5
        # whole numbers of the larger pixels of dose and fluorescence
        count = 2 * YIELD_BINS * math.ceil(reach * SAMPLES / YIELD_BINS)
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

    def _coarse(self, grid: Grid, weights: FloatArray) -> tuple[Grid, FloatArray]:
        """The beam on the pixels on which fluorescence is followed: its grid and its share in each."""
        ny, nx = grid.shape[0] // YIELD_BINS, grid.shape[1] // YIELD_BINS
        return binned_grid(grid, YIELD_BINS), weights.reshape(ny, YIELD_BINS, nx, YIELD_BINS).sum(axis=(1, 3))

    def _enough(self, energy: float) -> int:
        samples = self.bandwidth.samples
        while samples < 101 and float(np.diff(self._finer(samples).lines(energy)[0]).min()) > COARSE:
            samples += 2
        return min(samples, 101)

    def _finer(self, samples: int) -> Bandwidth:
        return self.bandwidth.model_copy(update={"samples": samples})
