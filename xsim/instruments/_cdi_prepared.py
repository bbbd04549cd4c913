"""A specimen in a lensless camera: its exit wave, and the share of the beam's photons that each pixel gets."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavenumber
from xsim.exposure import Axis, Exposure, FrameTable, Illumination, Truth
from xsim.instruments import _cdi_beam as beams
from xsim.instruments import _cdi_checks as checks
from xsim.instruments._cdi_volume import potential
from xsim.instruments._edges import Edges
from xsim.instruments._ladder import born_note, model_note
from xsim.instruments._maps import by_energy, image_axes, truth_maps
from xsim.instruments._recent import Recent
from xsim.interaction import multislice
from xsim.interaction.transmission import transmission
from xsim.specimen.specimen import Specimen
from xsim.waves.coherence import smeared
from xsim.waves.far_field import polarisation, scattering_vectors
from xsim.waves.fft import fftshift, ifft2, ifftshift
from xsim.waves.grid import Grid

if TYPE_CHECKING:
    from xsim.instruments.cdi import Cdi

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CdiPrepared:
    """The specimen cut into slabs on the grid of its exit wave (slabs None: Born amplitude).

    edges: of a projection, where the wave is averaged over finer samples.
    """

    instrument: Cdi
    specimen: Specimen
    grid: Grid
    slabs: multislice.Slabs | None
    edges: tuple[Edges | None, ...] = ()
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
        expected = np.empty((len(frames), 1, ny, nx))
        for energy, rows in by_energy(frames):
            share = self._recent.get(energy, lambda e=energy: self._share(e))  # type: ignore[misc]
            expected[rows, 0] = photons[rows, None, None] * share
        axes = (Axis("row", np.arange(ny)), Axis("column", np.arange(nx)))
        return Exposure(expected, np.asarray(frames["energy"], np.float64)[:, None], axes, frames, photons)

    def illuminate(self, frames: FrameTable) -> list[Illumination]:
        """The beam, all photons in it, one map per energy; the flat beam's disk on 128 x 128 pixels."""
        instrument = self.instrument
        photons = instrument.flux * np.asarray(frames["time"], np.float64)
        found = []
        for energy, rows in by_energy(frames):
            if beams.finite(instrument):
                grid, share = self.grid, np.abs(beams.wave(instrument, self.grid, energy)) ** 2
            else:
                grid = Grid((128, 128), instrument.beam / 124)
                inside = np.hypot(grid.y[:, None], grid.x[None, :]) <= instrument.beam / 2
                share = inside / inside.sum() / grid.pixel**2
            found.append(Illumination(energy, grid, float(photons[rows].sum()) * share))
        return found

    def measured(self) -> dict[str, str]:
        """Projection, multislice or Born, and the error of slabs at the half period of the detector's edge."""
        energy = self.instrument.energy
        if self.slabs is None:
            return born_note(self.specimen.populations, energy)
        return model_note(self.slabs.cut, self.specimen, energy, self.instrument.pixel(energy))

    def truth(self) -> dict[str, Truth]:
        """The exit wave on the reconstruction's pixels, as far as the detector's frequencies reach, and maps.

        "exit_wave": over that behind the support; in a finite beam that of one photon [1/m], with the "beam" itself.
        """
        instrument = self.instrument
        energy, n = instrument.energy, max(instrument.detector.shape)
        grid = Grid((n, n), instrument.pixel(energy))
        wave = self._resolved(grid, energy)
        found = truth_maps(self.specimen, grid, energy)
        if not beams.finite(instrument):
            incident = complex(beams.wave(instrument, grid, energy))
            exit_wave = Truth(1 + wave / incident, image_axes(grid))
            return {"exit_wave": exit_wave, **found, **potential(self.specimen, grid.pixel, energy)}
        empty = replace(self, specimen=Specimen(), slabs=multislice.sample(Specimen(), self.grid, 1), edges=())
        beam = Truth(empty._resolved(grid, energy), image_axes(grid), "1/m")
        return {"exit_wave": Truth(wave, image_axes(grid), "1/m"), "beam": beam, **found}

    def check_energy(self, energy: float) -> None:
        """Raise SamplingError where speckles at `energy` [eV] are undersampled; warn of light that is too little
        coherent, of a large missing centre and where the Born model is wrong."""
        instrument = self.instrument
        if beams.finite(instrument):
            width = beams.lit_width(instrument, self.grid, energy)
        else:
            width = checks.lateral_width(self.specimen)
        if width == 0:
            return
        checks.oversampling(instrument, width, energy)
        checks.spectrum(instrument, width, energy)
        checks.coherence(instrument, width, energy)
        if self.slabs is None:
            checks.born(self.specimen, energy)

    def _share(self, energy: float) -> FloatArray:
        """Share of the beam's photons (ny, nx) that arrives in each pixel."""
        instrument = self.instrument
        energies, weights = instrument.bandwidth.lines(energy)
        spread = instrument.smear(energy)
        ny, nx = instrument.detector.shape
        margin = 0 if max(spread) == 0 else max(8, math.ceil(6 * max(spread)))
        total = np.zeros((ny + 2 * margin, nx + 2 * margin))
        for line, weight in zip(energies, weights, strict=True):
            total += weight * self._coherent(float(line), margin)
        if margin:
            total = np.maximum(smeared(total, spread), 0)[margin : margin + ny, margin : margin + nx]
        return np.where(instrument.stopped(), 0.0, total)

    def _coherent(self, energy: float, margin: int) -> FloatArray:
        """Share of the photons in the pixels of the detector and of `margin` more at each edge, without a stop."""
        instrument = self.instrument
        (ny, nx), pixel = instrument.detector.shape, float(instrument.detector.pixel)
        q, solid_angle = scattering_vectors(
            (ny + 2 * margin, nx + 2 * margin),
            pixel,
            instrument.distance,
            energy,
            (ny // 2 + margin, nx // 2 + margin),
        )
        factor = solid_angle * polarisation(q, energy, instrument.polarisation)
        return np.asarray(np.abs(self._amplitude(q, energy)) ** 2 * factor)

    def _amplitude(self, q: FloatArray, energy: float) -> NDArray[np.complex128]:
        """f(q), q (ny, nx, 3), for one photon in the beam."""
        if self.slabs is not None:
            return self._scattered(q, energy, self.slabs)
        incident = complex(beams.wave(self.instrument, self.grid, energy))
        return np.asarray(incident * self._passed(energy) * self.specimen.amplitude(q, energy))

    def _passed(self, energy: float) -> complex:
        """The factor by which the support (layers) alone multiplies the wave."""
        support = replace(self.specimen, populations=()).thickness(Grid((1, 1), self.grid.pixel))
        return complex(np.asarray(transmission(support, energy, np.complex128)).ravel()[0]) if support else 1.0

    def _scattered(self, q: FloatArray, energy: float, slabs: multislice.Slabs) -> NDArray[np.complex128]:
        """Amplitude scattered into q (ny, nx, 3) by the exit wave, in a flat beam less that of the support."""
        import finufft

        scattered = np.ascontiguousarray(self._wave(energy, slabs))
        u, v = (np.ascontiguousarray(q[..., i].ravel() * self.grid.pixel) for i in (1, 0))
        far = finufft.nufft2d2(u, v, scattered, eps=1e-7, isign=-1, nthreads=1).reshape(q.shape[:2])
        averaged = np.sinc(q[..., 0] * self.grid.pixel / (2 * np.pi)) * np.sinc(
            q[..., 1] * self.grid.pixel / (2 * np.pi)
        )
        return np.asarray(wavenumber(energy) / (2j * np.pi) * self.grid.pixel**2 * far / averaged)

    def _wave(self, energy: float, slabs: multislice.Slabs) -> NDArray[np.complex128]:
        """The exit wave (ny, nx) [1/m], in a flat beam less that of the support."""
        flat = not beams.finite(self.instrument)
        incident = beams.wave(self.instrument, self.grid, energy)
        # the flat beam's wave as if at the middle of the specimen: as narrow as may be, and not carried far
        middle = sum(slabs.z_range) / 2
        first = middle if slabs.count == 1 else slabs.z_range[0]
        planes = (first, middle) if flat else (0.0, 0.0)
        heights = [slab.z for slab in slabs.slabs]
        path = float(np.abs(np.diff([*(heights if flat else (0.0, *heights)), planes[1]])).sum())
        band = beams.band(self.instrument, self.grid, path, energy)
        given = complex(incident) if flat else incident
        if self.edges and self.edges[0] is not None:
            wave = self._projected(given, energy, slabs, self.edges[0], band)
            return wave - wave[0, 0] if flat else wave
        wave = multislice.exit_wave(slabs, given, energy, planes=planes, band=band, dtype=np.complex128)
        return wave - wave[0, 0] if flat else wave

    def _projected(
        self, incident: Any, energy: float, slabs: multislice.Slabs, edges: Edges, band: float
    ) -> NDArray[np.complex128]:
        """The wave behind a projection with edges, of a flat beam (a number) or of a wave given at z = 0, and there."""
        z = slabs.slabs[0].z
        sharp = multislice.exit_wave(slabs, 1.0, energy, planes=(z, z), dtype=np.complex128)
        index = wavenumber(energy) * np.array([m.optics(energy).decrement for m in slabs.materials])
        sharp = edges.band(sharp, energy, sharp.shape, complex(np.exp(-1j * np.sum(index * slabs.uniform))))
        if not np.ndim(incident):
            return np.asarray(incident * sharp)
        bare = replace(slabs, slabs=(), uniform=np.zeros(len(slabs.materials)))
        there = multislice.exit_wave(bare, incident, energy, planes=(0.0, z), band=band, dtype=np.complex128)
        back: NDArray[np.complex128] = multislice.exit_wave(
            bare, there * sharp, energy, planes=(z, 0.0), band=band, dtype=np.complex128
        )
        return back

    def _resolved(self, grid: Grid, energy: float) -> NDArray[np.complex128]:
        """What `grid` can show of the wave [1/m] over the support's factor, in a flat beam less that of the support."""
        qy, qx = ((np.arange(n) - n // 2) * (2 * np.pi / (n * grid.pixel)) for n in grid.shape)
        q = np.zeros((*grid.shape, 3))
        q[..., 0], q[..., 1] = qx[None, :], qy[:, None]
        far = self._amplitude(q, energy) * (2j * np.pi / wavenumber(energy)) / grid.pixel**2
        return np.asarray(fftshift(ifft2(ifftshift(far)))) / self._passed(energy)
