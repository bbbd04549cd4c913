"""Coherent diffraction imaging: the far field of an isolated specimen in a plane wave, without any lens.

    N(u) = fluence * |f(q_u)|^2 * solid angle(u) * P(u)
    f(q) = k/(2 pi i) * integral of (psi - psi_0) exp(-i q.r) d^2r          [m]

psi is the wave behind the specimen, psi_0 behind its support (layers) alone, so f is what the specimen scatters out
of the beam; P is the polarisation factor. f is evaluated at every pixel's own q = k (s - z), on the flat detector as
it stands, by a non-uniform transform (finufft, relative error 1e-7). The thickness is averaged over samples `samples`
times finer than the detector's resolution; the damping by that average is divided out, which is exact for weak
specimens. The direct beam and everything within `beam_stop` (diameter on the detector) is blocked: no photons there.

Models. "projection": psi is the transmission; it lacks the curvature of the Ewald sphere, so it serves specimens
thinner than d^2/lambda, d the half period at the edge of the detector. "multislice": diffraction inside the
specimen. "born": the analytic Born amplitude of the populations on the curved Ewald sphere, for specimens that shift
the phase by much less than 1 rad. "auto" takes projection or multislice, whichever the thickness needs.

Range of validity. The specimen lies wholly within the beam (a disk of uniform fluence, flux * time over its area),
and the pattern is oversampled: lambda D/(pixel L) >= 2 for a specimen of width L, else SamplingError. Plane
monochromatic waves.
References: Miao et al., Nature 400, 342 (doi 10.1038/22498); Chapman & Nugent, Nature Photonics 4, 833 (doi
10.1038/nphoton.2010.240); sampling: Miao, Sayre & Chapman, J. Opt. Soc. Am. A 15, 1662 (doi 10.1364/JOSAA.15.001662).
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xsim.constants import wavelength, wavenumber
from xsim.detectors.photon_counter import PhotonCounter
from xsim.errors import SamplingError, ValidityWarning
from xsim.exposure import Axis, Exposure, FrameTable, Illumination, Truth
from xsim.instruments._imaging import ImagingDetector
from xsim.instruments._ladder import slab_count
from xsim.instruments._maps import by_energy, image_axes, truth_maps
from xsim.instruments._recent import Recent
from xsim.interaction import multislice
from xsim.interaction.transmission import transmission
from xsim.model import Model
from xsim.specimen.specimen import Specimen
from xsim.units import Energy, PositiveLength, Rate, Time
from xsim.waves.far_field import polarisation, scattering_vectors
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]

#: the half period at the detector's edge over that for which slabs are chosen: within d^2/2 lambda of depth the Ewald
#: sphere's curvature changes intensities there by 1.3 % at most (by 19 % within the 2 d^2/lambda that serve an image)
FINER = 2
#: the largest number of samples of the exit wave
MOST = 4096**2


class Cdi(Model):
    """A lensless camera; one frame per exposure (combine with tilts, energies, raster, repeats).

    beam: diameter of the uniform beam [m]; beam_stop: diameter of its stop on the detector [m]; distance: specimen to
    detector [m]; polarisation: degree of linear polarisation along x, -1 to 1; samples: of the exit wave per pixel.
    """

    kind: Literal["cdi"] = "cdi"
    energy: Energy = 6200.0
    flux: Rate = 1e10
    exposure_time: Time = 1.0
    beam: PositiveLength = 10e-6
    distance: PositiveLength = 1.0
    beam_stop: PositiveLength = 300e-6
    polarisation: Annotated[float, Field(ge=-1, le=1)] = 1.0
    samples: Annotated[int, Field(ge=1, le=8)] = 5
    model: Literal["auto", "projection", "born", "multislice"] = "auto"
    detector: ImagingDetector = Field(default_factory=PhotonCounter)

    def frames(self) -> FrameTable:
        """One frame."""
        return FrameTable.single(self.energy, self.exposure_time)

    def prepare(self, specimen: Specimen) -> CdiPrepared:
        """Sample the specimen once. Raises SamplingError if it is too wide for the beam or the detector's pixels."""
        prepared = CdiPrepared(self, specimen, *self._sampled(specimen))
        prepared.check_energy(self.energy)
        return prepared

    def geometry(self) -> dict[str, Any]:
        """Distance, pixels, beam centre and stop of the detector, pixel of the reconstruction."""
        ny, nx = self.detector.shape
        return {
            "detector_distance [m]": self.distance,
            "detector_pixel [m]": float(self.detector.pixel),
            "beam_center [pixel]": np.array([ny // 2, nx // 2], np.float64),
            "beam_stop_diameter [m]": self.beam_stop,
            "object_pixel [m]": self.pixel(self.energy),
            "mask": self.stopped(),
        }

    def pixel(self, energy: float) -> float:
        """Pixel [m] of the reconstruction, lambda D / (n L)."""
        return float(wavelength(energy) * self.distance / (max(self.detector.shape) * self.detector.pixel))

    def stopped(self) -> NDArray[np.bool_]:
        """Pixels (ny, nx) whose centre lies behind the beam stop."""
        ny, nx = self.detector.shape
        y, x = np.arange(ny)[:, None] - ny // 2, np.arange(nx)[None, :] - nx // 2
        return np.asarray(np.hypot(y, x) * self.detector.pixel <= self.beam_stop / 2)

    def _sampled(self, specimen: Specimen) -> tuple[Grid, multislice.Slabs | None]:
        if self.beam_stop < self.detector.pixel:
            raise SamplingError(
                "the direct beam passes the beam stop",
                field="beam_stop",
                value=f"{self.beam_stop:.3g} m",
                allowed=f">= one detector pixel, {self.detector.pixel:.3g} m",
                cure="use a wider beam stop",
            )
        reach = lateral_reach(specimen)
        if reach > self.beam / 2:
            raise SamplingError(
                "the specimen is wider than the beam",
                field="beam",
                value=f"reaches {reach:.3g} m from the axis",
                allowed=f"<= {self.beam / 2:.3g} m",
                cure=f"use a beam of {2 * reach:.3g} m or more, or a smaller specimen",
            )
        pixel = self.pixel(self.energy) / self.samples
        low, high = specimen.z_range
        # room for what multislice scatters sideways inside the specimen
        spread = (high - low) * wavelength(self.energy) / (2 * pixel * self.samples)
        half = math.ceil((reach + min(spread, reach)) / pixel) + 4
        if (2 * half) ** 2 > MOST:
            raise SamplingError(
                "the specimen needs too large a grid",
                field="detector",
                value=f"{2 * half} x {2 * half} samples of {pixel:.3g} m",
                allowed=f"<= {MOST} samples",
                cure="use a smaller specimen, fewer detector pixels or fewer samples",
            )
        grid = Grid((2 * half, 2 * half), pixel)
        if self.model == "born":
            return grid, None
        slabs = slab_count(self.model, specimen, self.energy, self.pixel(self.energy) / FINER)
        return grid, multislice.sample(specimen, grid, slabs)


@dataclass(frozen=True, eq=False)
class CdiPrepared:
    """The specimen cut into slabs on the grid of its exit wave (slabs None: Born amplitude)."""

    instrument: Cdi
    specimen: Specimen
    grid: Grid
    slabs: multislice.Slabs | None
    _recent: Recent = attribute(default_factory=lambda: Recent(2))

    @property
    def frame_bytes(self) -> int:
        """Bytes of working memory per frame."""
        ny, nx = self.instrument.detector.shape
        return 16 * ny * nx

    def expose(self, frames: FrameTable) -> Exposure:
        """Expected photons (frames, 1, ny, nx)."""
        instrument = self.instrument
        ny, nx = instrument.detector.shape
        photons = instrument.flux * np.asarray(frames["time"], np.float64)
        fluence = photons / (math.pi * instrument.beam**2 / 4)
        expected = np.empty((len(frames), 1, ny, nx))
        for energy, rows in by_energy(frames):
            section = self._recent.get(energy, lambda e=energy: self._cross_section(e))  # type: ignore[misc]
            expected[rows, 0] = fluence[rows, None, None] * section
        axes = (Axis("row", np.arange(ny)), Axis("column", np.arange(nx)))
        return Exposure(expected, np.asarray(frames["energy"], np.float64)[:, None], axes, frames, photons)

    def illuminate(self, frames: FrameTable) -> list[Illumination]:
        """The beam's disk on 128 x 128 pixels, all photons in it, one map per energy."""
        grid = Grid((128, 128), self.instrument.beam / 124)
        inside = np.hypot(grid.y[:, None], grid.x[None, :]) <= self.instrument.beam / 2
        share = inside / inside.sum() / grid.pixel**2
        photons = self.instrument.flux * np.asarray(frames["time"], np.float64)
        return [Illumination(energy, grid, float(photons[rows].sum()) * share) for energy, rows in by_energy(frames)]

    def truth(self) -> dict[str, Truth]:
        """The exit wave over that behind the support, and maps of the specimen, on the reconstruction's pixels."""
        instrument = self.instrument
        n = max(instrument.detector.shape)
        grid = Grid((n, n), instrument.pixel(instrument.energy))
        maps = truth_maps(self.specimen, grid, instrument.energy)
        wave = np.exp(-maps["optical_density"].values / 2 + 1j * maps["phase"].values)
        return {"exit_wave": Truth(wave / wave[0, 0], image_axes(grid)), **maps}

    def check_energy(self, energy: float) -> None:
        """Raise SamplingError where speckles at `energy` [eV] are undersampled; warn where the Born model is wrong."""
        instrument = self.instrument
        width = lateral_width(self.specimen)
        if width == 0:
            return
        ratio = wavelength(energy) * instrument.distance / (instrument.detector.pixel * width)
        if ratio < 2:
            wanted = 2 * width * instrument.detector.pixel / wavelength(energy)
            raise SamplingError(
                f"the diffraction pattern is undersampled at {energy:.6g} eV: lambda D/(pixel x specimen width)",
                field="distance",
                value=f"{ratio:.3g} (specimen {width:.3g} m wide)",
                allowed=">= 2",
                cure=f"move the detector to {wanted:.3g} m or more, use smaller pixels or a smaller specimen",
            )
        if self.slabs is None:
            self._check_born(energy)

    def _check_born(self, energy: float) -> None:
        depth = max((float(_contrast_phase(p, energy)) for p in self.specimen.populations if len(p)), default=0.0)
        if depth > 0.3:
            warnings.warn(
                f"Born approximation for a particle that changes the wave by {depth:.3g} rad at {energy:.6g} eV, "
                'valid well below 1; use model = "auto"',
                ValidityWarning,
                stacklevel=3,
            )

    def _cross_section(self, energy: float) -> FloatArray:
        """Photons per unit fluence [m^2] in each pixel."""
        instrument = self.instrument
        detector = instrument.detector
        q, solid_angle = scattering_vectors(tuple(detector.shape), float(detector.pixel), instrument.distance, energy)
        amplitude = self._born(q, energy) if self.slabs is None else self._scattered(q, energy, self.slabs)
        section = np.abs(amplitude) ** 2 * solid_angle * polarisation(q, energy, instrument.polarisation)
        return np.where(instrument.stopped(), 0.0, section)

    def _born(self, q: FloatArray, energy: float) -> NDArray[np.complex128]:
        from dataclasses import replace

        support = replace(self.specimen, populations=()).thickness(Grid((1, 1), self.grid.pixel))
        passed = complex(np.asarray(transmission(support, energy, np.complex128)).ravel()[0]) if support else 1.0
        return np.asarray(passed * self.specimen.amplitude(q, energy))

    def _scattered(self, q: FloatArray, energy: float, slabs: multislice.Slabs) -> NDArray[np.complex128]:
        """Amplitude [m] scattered into q (ny, nx, 3) by the exit wave less that of the support."""
        import finufft

        middle = sum(slabs.z_range) / 2
        planes = (middle, middle) if slabs.count == 1 else (slabs.z_range[0], 0.0)
        exit_wave = np.asarray(multislice.exit_wave(slabs, 1.0, energy, planes=planes, dtype=np.complex128))
        scattered = np.ascontiguousarray(exit_wave - exit_wave[0, 0])
        u, v = (np.ascontiguousarray(q[..., i].ravel() * self.grid.pixel) for i in (1, 0))
        far = finufft.nufft2d2(u, v, scattered, eps=1e-7, isign=-1, nthreads=1).reshape(q.shape[:2])
        averaged = np.sinc(q[..., 0] * self.grid.pixel / (2 * np.pi)) * np.sinc(
            q[..., 1] * self.grid.pixel / (2 * np.pi)
        )
        return np.asarray(wavenumber(energy) / (2j * np.pi) * self.grid.pixel**2 * far / averaged)


def lateral_reach(specimen: Specimen) -> float:
    """Largest |x| or |y| [m] that any particle reaches; 0 without particles."""
    reach = [
        float((np.abs(p.poses.positions[:, :2]).max(axis=1) + p.radii).max()) for p in specimen.populations if len(p)
    ]
    return max(reach, default=0.0)


def lateral_width(specimen: Specimen) -> float:
    """Larger of the specimen's widths along x and y [m], particles alone; 0 without particles."""
    parts = [p for p in specimen.populations if len(p)]
    if not parts:
        return 0.0
    places = np.concatenate([p.poses.positions[:, :2] for p in parts])
    radii = np.concatenate([p.radii for p in parts])[:, None]
    return float(((places + radii).max(axis=0) - (places - radii).min(axis=0)).max())


def _contrast_phase(population: Any, energy: float) -> float:
    """Largest |change| of the complex phase [rad] along a particle's diameter against its host."""
    inside = population.material.optics(energy)
    change = complex(inside.delta, inside.beta)
    if population.host is not None:
        outside = population.host.optics(energy)
        change -= complex(outside.delta, outside.beta)
    return float(2 * population.radii.max() * wavenumber(energy) * abs(change))
