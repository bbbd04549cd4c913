"""Ptychography: a coherent spot steps over the specimen with overlap; a far-field pattern is recorded at every point.

    N_j(u) = flux * time * |F[p(r - r_j) t(r)](u)|^2,    sum over all u: the photons transmitted

p is the focal (or pinhole) amplitude with its squares summing to 1, t the specimen's transmission and r_j the point
of the specimen that the beam axis meets in frame j (columns x, y). The detector's pixel L and distance D fix the
pixel of the reconstruction, dx = lambda D/(n L), n pixels across; frames show the detector's pixels, zero angle at
pixel (ny//2, nx//2). The wave is worked out `samples` times finer than dx, so that light scattered beyond the
detector is lost and does not fold back; the thickness of the specimen is averaged over such a sample, which damps
amplitudes at the detector's edge by sinc(1/2 samples): 0.90 for 2, 0.974 for 4.

Range of validity. Fraunhofer diffraction and small angles; intensity at the centre of a pixel times its solid angle,
so the window lambda D/L must hold the probe twice (a SamplingWarning names the ratio). Specimens thicker than 4
d^2/lambda, d the half period at the edge of the detector, need several slabs: `model = "auto"` chooses, and forcing
"projection" then warns. Each slab acts at its middle and the wave travels between them by the angular spectrum.
References: Rodenburg & Maiden, Springer Handbook of Microscopy (doi 10.1007/978-3-030-00069-1_17); Pfeiffer, Nature
Photonics 12, 9 (doi 10.1038/s41566-017-0072-5); overlap: Bunk et al., Ultramicroscopy 108, 481 (doi
10.1016/j.ultramic.2007.08.003).
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

from xsim.constants import wavelength
from xsim.detectors.photon_counter import PhotonCounter
from xsim.errors import RangeError, SamplingError, SamplingWarning
from xsim.exposure import Axis, Exposure, FrameTable, Illumination, Truth
from xsim.instruments._imaging import ImagingDetector
from xsim.instruments._ladder import Ladder, slab_count
from xsim.instruments._maps import binned_grid, by_energy, image_axes, truth_maps
from xsim.instruments._points import fermat_points, raster_points
from xsim.instruments._recent import Recent
from xsim.instruments._scan_wave import (
    ScanOptics,
    centre_of,
    enclosed_diameter,
    far_field,
    inner_band,
    placed,
)
from xsim.instruments._slices import Slices
from xsim.model import Model
from xsim.optics.pinhole import Pinhole
from xsim.optics.pupil import check_aperture
from xsim.optics.zone_plate import ZonePlate
from xsim.specimen.specimen import Specimen
from xsim.units import Energy, Length, PositiveLength, Rate, Time
from xsim.waves.angular_spectrum import check_distance, transfer_function
from xsim.waves.fft import fft2, ifftshift
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]

#: the share of the probe's photons inside what is called its diameter
ENCLOSED = 0.9
#: the largest number of samples of the object
MOST = 6144**2


def _counter() -> PhotonCounter:
    return PhotonCounter.model_validate({"shape": (128, 128)})


class Ptychography(Model):
    """A scanning diffraction microscope; frames are the scan points (columns x, y [m]), one axis `point`.

    field: scanned width and height (x, y) [m]; step: mean distance of neighbours [m]; pattern: "fermat" spiral or
    "raster". defocus: of the specimen's middle (z = 0) downstream of the zone plate's focus [m]. pinhole: used
    instead of the zone plate where given. distance: specimen to detector [m]. flux: on the specimen [photons/s].
    """

    kind: Literal["ptychography"] = "ptychography"
    energy: Energy = 6200.0
    flux: Rate = 1e8
    exposure_time: Time = 0.1
    field: tuple[PositiveLength, PositiveLength] = (1e-6, 1e-6)
    step: PositiveLength = 300e-9
    pattern: Literal["fermat", "raster"] = "fermat"
    zone_plate: ZonePlate = ZonePlate(outermost_zone="50 nm", diameter="100 um", thickness="700 nm")
    defocus: Length = 250e-6
    pinhole: Pinhole | None = None
    distance: PositiveLength = 1.0
    samples: Annotated[int, Field(ge=1, le=8)] = 2
    model: Ladder = "auto"
    detector: ImagingDetector = Field(default_factory=_counter)

    def frames(self) -> FrameTable:
        """One row per scan point with its position on the specimen: columns x, y [m]."""
        y, x = self._points()
        table = FrameTable.single(self.energy, self.exposure_time)
        return table.outer(Axis("point", np.arange(len(x))), {"x": x, "y": y}, {"x": "m", "y": "m"})

    def prepare(self, specimen: Specimen) -> PtychographyPrepared:
        """Sample the object on the grid that `energy` and the detector fix. Raises SamplingError; may warn."""
        prepared = PtychographyPrepared(self, specimen, 0)
        window, state = self.window(self.energy), prepared.at(self.energy)
        self._check(window, state)
        return PtychographyPrepared(self, specimen, 64 * window.shape[0] ** 2, prepared._recent)

    def geometry(self) -> dict[str, Any]:
        """Distance, pixels and beam centre of the detector, pixel of the reconstruction."""
        ny, nx = self.detector.shape
        return {
            "detector_distance [m]": self.distance,
            "detector_pixel [m]": float(self.detector.pixel),
            "beam_center [pixel]": np.array([ny // 2, nx // 2], np.float64),
            "object_pixel [m]": self.pixel(self.energy),
        }

    def pixel(self, energy: float) -> float:
        """Pixel [m] of the reconstruction, lambda D / (n L)."""
        return float(wavelength(energy) * self.distance / (max(self.detector.shape) * self.detector.pixel))

    def window(self, energy: float) -> Grid:
        """The grid of one frame's wave, centred on the beam."""
        n = max(self.detector.shape) * self.samples
        return Grid((n, n), self.pixel(energy) / self.samples)

    def check_energy(self, energy: float) -> None:
        """Raise SamplingError where the grid at `energy` cannot hold the probe."""
        self.probe(energy)

    def probe(self, energy: float) -> NDArray[np.complex128]:
        """Amplitude at z = 0 on `window`, centred, its squares summing to 1."""
        window = self.window(energy)
        if self.pinhole is not None:
            return np.asarray(self.pinhole.probe(window, energy))
        coarse = Grid((window.shape[0] // self.samples,) * 2, self.pixel(energy))
        check_aperture(coarse, energy, float(self.zone_plate.numerical_aperture(energy)), "distance")
        return np.asarray(self.zone_plate.probe(window, energy, self.defocus))

    def object_grid(self, energy: float) -> Grid:
        """The grid that holds the windows of all scan points."""
        y, x = self._points()
        window = self.window(energy)
        reach = 2 * max(float(np.abs(x).max()), float(np.abs(y).max())) / window.pixel
        n = self.samples * (math.ceil((reach + 3) / self.samples) + window.shape[0] // self.samples)
        if n * n > MOST:
            raise SamplingError(
                "the scan needs too large an object",
                field="field",
                value=f"{n} x {n} samples",
                allowed=f"<= {MOST} samples",
                cure="scan a smaller field, or use fewer detector pixels",
            )
        return Grid((n, n), window.pixel)

    def _points(self) -> tuple[FloatArray, FloatArray]:
        if self.pattern == "fermat":
            if self.step > min(self.field):
                limit = f"<= the field, {min(self.field):g} m"
                raise RangeError("scan step", field="step", value=f"{self.step:g} m", allowed=limit, cure="scan finer")
            return fermat_points(self.field, self.step)
        y, x = raster_points(self.field, self.step)
        yy, xx = np.meshgrid(y, x, indexing="ij")
        return yy.ravel(), xx.ravel()

    def _check(self, window: Grid, state: ScanOptics) -> None:
        diameter = enclosed_diameter(np.abs(state.probe) ** 2, window, ENCLOSED)
        ratio = window.extent[0] / diameter
        if ratio < 2:
            wanted = 2 * diameter * self.detector.pixel / wavelength(self.energy)
            text = f"lambda D/(pixel x probe) = {ratio:.3g}, should be >= 2 (probe {diameter:.3g} m)"
            cure = f"move the detector to {wanted:.3g} m or more, or use a smaller probe"
            if ratio < 1:
                raise SamplingError(f"the probe does not fit its window: {text}", field="distance", cure=cure)
            warnings.warn(f"far-field speckles are undersampled: {text}; {cure}", SamplingWarning, stacklevel=3)
        if self.step >= diameter:
            raise SamplingError(
                "neighbouring spots do not overlap",
                field="step",
                value=f"{self.step:.3g} m",
                allowed=f"< the probe's diameter, {diameter:.3g} m; 0.4 of it or less is usual",
                cure="scan finer or defocus the probe",
            )
        if self.step > 0.4 * diameter:
            warnings.warn(
                f"neighbouring spots overlap by {1 - self.step / diameter:.0%} of their diameter {diameter:.3g} m, "
                f"should be >= 60 %; use a step of {0.4 * diameter:.3g} m or less, or defocus the probe",
                SamplingWarning,
                stacklevel=3,
            )


@dataclass(frozen=True, eq=False)
class PtychographyPrepared:
    """The specimen and what its energies fix, kept while in use."""

    instrument: Ptychography
    specimen: Specimen
    frame_bytes: int
    _recent: Recent = attribute(default_factory=lambda: Recent(1))

    def expose(self, frames: FrameTable) -> Exposure:
        """Expected photons (points, 1, ny, nx) float32, each frame from its own row alone."""
        ny, nx = self.instrument.detector.shape
        photons = self.instrument.flux * np.asarray(frames["time"], np.float64)
        x, y = (np.asarray(frames[name], np.float64) for name in ("x", "y"))
        expected = np.empty((len(frames), 1, ny, nx), np.float32)
        for energy, rows in by_energy(frames):
            state = self.at(energy)
            for row in rows:
                pattern = far_field(state, float(x[row]), float(y[row]))
                expected[row, 0] = photons[row] * centre_of(pattern, ny, nx)
        axes = (Axis("row", np.arange(ny)), Axis("column", np.arange(nx)))
        return Exposure(expected, np.asarray(frames["energy"], np.float64)[:, None], axes, frames, photons)

    def illuminate(self, frames: FrameTable) -> list[Illumination]:
        """The spots of all points at z = 0 added up on the reconstruction's pixels, one map per energy."""
        photons = self.instrument.flux * np.asarray(frames["time"], np.float64)
        x, y = (np.asarray(frames[name], np.float64) for name in ("x", "y"))
        found = []
        for energy, rows in by_energy(frames):
            state = self.at(energy)
            spot, total = np.abs(state.probe) ** 2, np.zeros(state.object_grid.shape)
            for row in rows:
                part, _ = placed(state, float(x[row]), float(y[row]))
                total[part] += photons[row] * spot
            bins = self.instrument.samples
            coarse = binned_grid(state.object_grid, bins)
            summed = total.reshape(coarse.shape[0], bins, coarse.shape[1], bins).sum(axis=(1, 3))
            found.append(Illumination(energy, coarse, summed / coarse.pixel**2))
        return found

    def truth(self) -> dict[str, Truth]:
        """The object's complex transmission on the reconstruction's pixels, the probe, and maps of the specimen."""
        instrument = self.instrument
        energy, samples = instrument.energy, instrument.samples
        fine, window = instrument.object_grid(energy), instrument.window(energy)
        grid = Grid((fine.shape[0] // samples,) * 2, instrument.pixel(energy))
        maps = truth_maps(self.specimen, grid, energy)
        wave = np.exp(-maps["optical_density"].values / 2 + 1j * maps["phase"].values)
        probe = samples * inner_band(instrument.probe(energy), window.shape[0] // samples)
        axes = image_axes(Grid((window.shape[0] // samples,) * 2, grid.pixel))
        return {"object": Truth(wave, image_axes(grid)), "probe": Truth(probe, axes), **maps}

    def check_energy(self, energy: float) -> None:
        """Raise SamplingError where the grid at `energy` cannot hold the probe."""
        self.instrument.probe(energy)

    def at(self, energy: float) -> ScanOptics:
        """What `energy` [eV] fixes: the pixel, so the sampled object, the probe and the steps between slabs."""
        return self._recent.get(energy, lambda: self._make(energy))

    def _make(self, energy: float) -> ScanOptics:
        instrument = self.instrument
        window, grid = instrument.window(energy), instrument.object_grid(energy)
        half_period = instrument.pixel(energy)
        slabs = slab_count(instrument.model, self.specimen, energy, half_period)
        slices = Slices.sample(self.specimen, grid, slabs)
        probe = instrument.probe(energy)
        steps = [slices.middles[0], *np.diff(slices.middles)]
        for step in steps:
            check_distance(window, energy, step)
        kernels = [transfer_function(window, energy, step).astype(np.complex64) for step in steps]
        spectrum = fft2(ifftshift(probe)).astype(np.complex64) * kernels[0]
        return ScanOptics(
            window,
            grid,
            probe,
            spectrum,
            slices.transmissions(energy),
            tuple(kernels[1:]),
            window.frequencies(),
        )
