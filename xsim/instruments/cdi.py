"""Coherent diffraction imaging: the far field of an isolated specimen, or of the part that a finite beam lights.

    N(u) = photons * sum_i w_i |f(q_u, E_i)|^2 * solid angle(u) * P(u), convolved with the transform of mu
    f(q) = k/(2 pi i) * integral of psi exp(-i q.r) d^2r

psi is the wave behind the specimen for one photon in the beam. In the "flat" profile (a plane wave, uniform within a
disk of diameter `beam`) psi is taken less the wave behind the support (layers) alone, so f is what the specimen
scatters out of the beam, which the beam stop must catch whole. The profiles "gaussian" and "pinhole" are finite waves:
they multiply the specimen, which may be wider, and their own light is part of the pattern. f is evaluated at every
pixel's own q = k (s - z), on the flat detector as it stands, by a non-uniform transform (finufft, relative error
1e-7). The thickness is averaged over samples `samples` times finer than the detector's resolution; the damping by that
average is divided out. What sharp edges scatter beyond the samples' band folds back: at the detector's edge it changes
the intensity of weak specimens by some 4 % at 3 samples and 1 % at 5, less than half of that half way out. Where the
phase or loss changes by 0.1 rad or more within a sample, a projection averages the wave and tells the spectrum where in
the sample the edge lies (`xsim.instruments._edges`): a gold disk of 60 nm at 700 eV is right at the detector's edge to
1 % rms at 3 samples and 0.3 % at 5. P is the polarisation
factor. No photons arrive within `beam_stop` (diameter on the detector).

Coherence. mu = exp(-d^2/2 c^2) with c the `coherence_length` across the beam (x, y): a Schell-model beam, whose
pattern is the coherent one convolved with a Gaussian of rms angle lambda/(2 pi c), exactly for every profile while
that angle times the specimen's depth stays below the resolution. A `bandwidth` adds the patterns of its lines E_i:
speckles smear along q where the path difference across the specimen passes lambda^2/d lambda.

Models. "projection": psi is the transmission; it lacks the curvature of the Ewald sphere, so it serves specimens
thinner than d^2/lambda, d the half period at the edge of the detector. "multislice": diffraction inside the
specimen. "born": the analytic Born amplitude of the populations on the curved Ewald sphere, for specimens that shift
the phase by much less than 1 rad in the flat beam. "auto" takes projection or multislice, as the thickness needs,
in slabs that get the share `slab_error` of the light at half of d wrong (5 %).

Losses. The wave loses what atoms absorb and what they scatter each by itself, Rayleigh and Compton, as in every other
technique (`xsim.matter.material.Optics`); that light is not drawn: it spreads over all directions.

Range of validity. The specimen lies wholly within a flat beam, and the pattern is oversampled: lambda D/(pixel L) >= 2
for a specimen (or lit field) of width L, else SamplingError. The beam stop hides beam_stop L/(lambda D) speckles
across: more than 3 are warned of, because no support then holds what is missing.
References: Miao et al., Nature 400, 342 (doi 10.1038/22498); Chapman & Nugent, Nature Photonics 4, 833 (doi
10.1038/nphoton.2010.240); sampling: Miao, Sayre & Chapman, J. Opt. Soc. Am. A 15, 1662 (doi 10.1364/JOSAA.15.001662);
coherence: Vartanyants & Robinson, J. Phys.: Condens. Matter 13, 10593 (doi 10.1088/0953-8984/13/47/305); missing
centre: Thibault et al., Acta Cryst. A 62, 248 (doi 10.1107/S0108767306016515).
"""

from __future__ import annotations

import math
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from xsim.constants import wavelength
from xsim.detectors.photon_counter import PhotonCounter
from xsim.errors import ScenarioError
from xsim.exposure import FrameTable
from xsim.instruments import _cdi_beam as beams
from xsim.instruments import _cdi_checks as checks
from xsim.instruments._cdi_prepared import CdiPrepared
from xsim.instruments._edges import Edges
from xsim.instruments._far_field import far_field_geometry, object_pixel
from xsim.instruments._imaging import ImagingDetector
from xsim.instruments._ladder import SlabError, room_for, slab_cut
from xsim.interaction import multislice
from xsim.model import Model
from xsim.sources.bandwidth import Bandwidth
from xsim.specimen.specimen import Specimen
from xsim.units import Energy, NonNegativeLength, PositiveLength, Rate, Time
from xsim.waves.grid import Grid

#: the half period at the detector's edge over that for which slabs are chosen: within d^2/2 lambda of depth the Ewald
#: sphere's curvature changes intensities there by 1.3 % at most (by 19 % within the 2 d^2/lambda that serve an image)
FINER = 2


class Cdi(Model):
    """A lensless camera; one frame per exposure (combine with tilts, energies, raster, repeats).

    beam [m]: diameter of the flat beam's disk or of the pinhole, FWHM of the gaussian's intensity at its waist;
    beam_distance: of waist or pinhole upstream of z = 0 [m]; beam_stop: diameter of its stop on the detector [m];
    coherence_length: rms, along x and y [m], none for full coherence; distance: specimen to detector [m];
    polarisation: degree of linear polarisation along x, -1 to 1; samples: of the exit wave per pixel.
    """

    kind: Literal["cdi"] = "cdi"
    energy: Energy = 6200.0
    bandwidth: Bandwidth = Bandwidth()
    flux: Rate = 1e10
    exposure_time: Time = 1.0
    profile: Literal["flat", "gaussian", "pinhole"] = "flat"
    beam: PositiveLength = 10e-6
    beam_distance: NonNegativeLength = 0.0
    coherence_length: tuple[PositiveLength, PositiveLength] | None = None
    distance: PositiveLength = 1.0
    beam_stop: PositiveLength = 300e-6
    polarisation: Annotated[float, Field(ge=-1, le=1)] = 1.0
    samples: Annotated[int, Field(ge=1, le=8)] = 5
    model: Literal["auto", "projection", "born", "multislice"] = "auto"
    slab_error: SlabError = None
    detector: ImagingDetector = Field(default_factory=PhotonCounter)

    @model_validator(mode="after")
    def _fits(self) -> Cdi:
        if self.profile == "flat" and self.beam_distance > 0:
            cure = 'use profile = "gaussian" or "pinhole", or leave it out'
            raise ScenarioError("a flat beam has no waist", field="beam_distance", value=self.beam_distance, cure=cure)
        if self.profile != "flat" and self.model == "born":
            raise ScenarioError(
                "the Born amplitude is that of a plane wave",
                field="model",
                value=f'"born" with profile "{self.profile}"',
                allowed='profile "flat"',
                cure='use model = "auto"',
            )
        return self

    def frames(self) -> FrameTable:
        """One frame."""
        return FrameTable.single(self.energy, self.exposure_time)

    def prepare(self, specimen: Specimen) -> CdiPrepared:
        """Sample the specimen once. Raises SamplingError if it is too wide for the beam or the detector's pixels."""
        checks.beam(self)
        checks.stop(self)
        grid = self._grid(specimen)
        slabs, edges = None, tuple[Edges | None, ...]()
        if self.model != "born":
            room, half_period = partial(room_for, grid, specimen), self.pixel(self.energy) / FINER
            cut = slab_cut(self.model, specimen, self.energy, half_period, self.slab_error, room)
            slabs = multislice.sample(specimen, grid, cut, energy=self.energy)
            edges = Edges.sample(specimen, slabs, self.energy) if cut.count == 1 else ()
        prepared = CdiPrepared(self, specimen, grid, slabs, edges)
        prepared.check_energy(self.energy)
        return prepared

    def geometry(self) -> dict[str, Any]:
        """Distance, pixels, beam centre and stop of the detector, its bad pixels, pixel of the reconstruction."""
        return {
            **far_field_geometry(self.detector, self.distance, self.energy),
            **self.bandwidth.geometry(self.energy),
            "beam_stop_diameter [m]": self.beam_stop,
            "mask": self.stopped() | getattr(self.detector, "gaps", False),
        }

    def pixel(self, energy: float) -> float:
        """Pixel [m] of the reconstruction, lambda D / (n L)."""
        return object_pixel(self.detector, self.distance, energy)

    def stopped(self) -> NDArray[np.bool_]:
        """Pixels (ny, nx) whose centre lies behind the beam stop."""
        ny, nx = self.detector.shape
        y, x = np.arange(ny)[:, None] - ny // 2, np.arange(nx)[None, :] - nx // 2
        return np.asarray(np.hypot(y, x) * self.detector.pixel <= self.beam_stop / 2)

    def smear(self, energy: float) -> tuple[float, float]:
        """Rms (y, x) [detector pixels] by which partial coherence spreads the pattern."""
        if self.coherence_length is None:
            return 0.0, 0.0
        x, y = (
            float(wavelength(energy) * self.distance / (2 * math.pi * c * self.detector.pixel))
            for c in self.coherence_length
        )
        return y, x

    def _grid(self, specimen: Specimen) -> Grid:
        """The exit wave's samples."""
        pixel = self.pixel(self.energy) / self.samples
        if beams.finite(self):
            half = math.ceil(beams.reach(self, self.energy) / pixel) + 4
        else:
            reach = checks.fits_beam(self, specimen)
            if reach > 0:  # before a grid is asked for that only so fine a pattern would need
                checks.oversampling(self, checks.lateral_width(specimen), self.energy)
            low, high = specimen.z_range
            # room for what multislice scatters sideways inside the specimen
            spread = (high - low) * wavelength(self.energy) / (2 * pixel * self.samples)
            half = math.ceil((reach + min(spread, reach)) / pixel) + 4
        half = max(half, beams.march_half(self, specimen, pixel))
        checks.memory(half, pixel)
        return Grid((2 * half, 2 * half), pixel)
