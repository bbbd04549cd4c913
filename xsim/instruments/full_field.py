"""Full-field transmission X-ray microscopy: a condenser lights the field, a zone plate images it onto a camera.

    N(pixel) = flux * time * (pixel / field)^2 * eta_1 * <I>_pixel
    I(r) = sum_s w_s | F^-1 { P(q + q_s) F{psi_s}(q) } |^2

Abbe's sum over the mutually incoherent points s of the condenser (a disk or annulus of radius sigma in units of the
objective's numerical aperture); psi_s is the wave behind the specimen lit by point s, P the zone plate's pupil with
its central stop and defocus, eta_1 the efficiency of its first order. An empty field gives I = 1 where the
condenser's whole cone enters the open pupil. The light is spread evenly over the square `field`; the zone plate loses
light behind the specimen, so the specimen's dose counts all of it. The image stands upright, on the specimen's scale.

Range of validity. One photon energy with a bandwidth below 1/N (N zones); shift-invariant imaging; other orders of
the zone plate are stopped. Specimens thicker than 4 d^2/lambda, d = lambda/[2 NA (1 + sigma)], need multislice:
`model = "auto"` chooses, and forcing "projection" then warns with the numbers. The thickness is averaged
over samples of 1/64 to 1/16 (projection, the finest for which 2048 a side suffice) or 1/8 (multislice) of the finest
period that passes: amplitudes at the cut-off are damped by 0.04 to 0.6 % or 2.6 %, and the edge of something opaque
moves out by about half a sample (`wave_pixel` sets it). By default the objective is refocused at every energy; with
`focus_energy` it stays where that energy is in focus, the focal length being proportional to energy.
References: Attwood & Sakdinawat, X-Rays and Extreme Ultraviolet Radiation (doi 10.1017/CBO9781107477629), ch. 10;
Chao et al., Nature 435, 1210 (doi 10.1038/nature03719); Hopkins, doi 10.1098/rspa.1953.0071.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xsim.constants import wavelength
from xsim.detectors.camera import Camera
from xsim.errors import RangeError, SamplingError, SamplingWarning
from xsim.exposure import Exposure, FrameTable, Illumination, Truth
from xsim.instruments._imaging import ImagingDetector
from xsim.instruments._ladder import Ladder, slab_count
from xsim.instruments._maps import by_energy, image_axes, truth_maps
from xsim.instruments._recent import Recent
from xsim.instruments._scan_wave import inner_band
from xsim.instruments._thick import ThickWave
from xsim.interaction import multislice
from xsim.interaction.validity import structured_middle
from xsim.model import Model
from xsim.optics.condenser import Condenser
from xsim.optics.imaging import abbe_image
from xsim.optics.zone_plate import ZonePlate
from xsim.specimen.specimen import Specimen
from xsim.units import Energy, Length, PositiveLength, Rate, Time
from xsim.waves.fft import fft2, good_size, ifft2
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]

#: samples per finest period that passes the objective: the first for which the wave is no larger than LARGE a side
SAMPLES = {"projection": (64, 32, 16), "multislice": (8,)}
LARGE = 2048
#: margin round the field in outermost zone widths, against light that wraps round the periodic grid
MARGIN = 8
#: the largest number of samples of the wave
MOST = 6144**2


class FullField(Model):
    """A full-field microscope; one frame per exposure (combine with tilts, energies, raster, repeats).

    flux: photons/s on the square `field` (width [m]) at the specimen. pixel: of the camera divided by the magnification
    [m]. defocus: the image shows the plane this far downstream of the specimen's middle (z = 0) [m].
    """

    kind: Literal["full_field"] = "full_field"
    energy: Energy = 520.0
    flux: Rate = 1e8
    exposure_time: Time = 0.2
    field: PositiveLength = 1e-6
    pixel: PositiveLength = 10e-9
    objective: ZonePlate = ZonePlate()
    condenser: Condenser = Condenser()
    defocus: Length = 0.0
    focus_energy: Energy | None = None
    model: Ladder = "auto"
    wave_pixel: PositiveLength | None = None
    detector: ImagingDetector = Field(default_factory=Camera)

    def frames(self) -> FrameTable:
        """One image."""
        return FrameTable.single(self.energy, self.exposure_time)

    def prepare(self, specimen: Specimen) -> FullFieldPrepared:
        """Cut the specimen into as many slabs as it needs. Raises SamplingError; may warn."""
        self._check()
        half_period = self._finest_period(self.energy) / 2
        slabs = slab_count(self.model, specimen, self.energy, half_period)
        grid, bins = self._wave_grid(slabs, specimen)
        return FullFieldPrepared(self, specimen, multislice.sample(specimen, grid, slabs), bins)

    def geometry(self) -> dict[str, Any]:
        """Pixel at the specimen, magnification and focal length."""
        focal = float(self.objective.focal_length(self.energy))
        magnification = float(self.detector.pixel) / self.pixel
        return {
            "pixel [m]": self.pixel,
            "magnification": magnification,
            "camera_pixel [m]": float(self.detector.pixel),
            "focal_length [m]": focal,
            "objective_to_camera [m]": focal * (1 + magnification),
            "fluence_per_second [1/m^2/s]": self.flux / self.field**2,
            "objective_efficiency": float(self.objective.efficiency(self.energy)),
        }

    def image_grid(self) -> Grid:
        """The camera's pixels at the specimen, round(field / pixel) a side."""
        n = max(1, round(self.field / self.pixel))
        return Grid((n, n), self.pixel)

    def focus_shift(self, energy: float) -> float:
        """How far downstream of z = 0 the plane lies that is in focus at `energy` [m]."""
        if self.focus_energy is None:
            return self.defocus
        lens = self.objective
        return self.defocus + float(lens.focal_length(self.focus_energy) - lens.focal_length(energy))

    def _finest_period(self, energy: float) -> float:
        """lambda / [NA (1 + sigma)]: nothing finer passes [m]."""
        return float(wavelength(energy) / (self.objective.numerical_aperture(energy) * (1 + self.condenser.sigma)))

    def _check(self) -> None:
        n, period = self.image_grid().shape[0], self._finest_period(self.energy)
        if self.pixel > self.field:
            limit = f"<= the field, {self.field:.3g} m"
            raise RangeError("pixel", field="pixel", value=f"{self.pixel:.3g} m", allowed=limit, cure="magnify more")
        if n > min(self.detector.shape):
            raise SamplingError(
                "the camera is smaller than the image of the field",
                field="field",
                value=f"{n} pixels",
                allowed=f"<= {min(self.detector.shape)} pixels of the camera",
                cure=f"use a field of {min(self.detector.shape) * self.pixel:.3g} m or less, a larger pixel or camera",
            )
        if self.pixel > period / 2 * (1 + 1e-9):
            warnings.warn(
                f"pixel {self.pixel:.3g} m is coarser than half the finest period that passes, {period / 2:.3g} m: "
                "detail aliases; magnify more",
                SamplingWarning,
                stacklevel=3,
            )

    def _wave_grid(self, slabs: int, specimen: Specimen) -> tuple[Grid, int]:
        """The grid of the wave with its margin, and how many of its pixels make one of the camera's."""
        finest, lens = self._finest_period(self.energy), self.objective
        opening = float(lens.numerical_aperture(self.energy)) * (1 + self.condenser.sigma)
        low, high = specimen.z_range
        spread = (high - low) * opening if slabs > 1 else 0.0
        defocus = self.focus_shift(self.energy) - structured_middle(specimen)
        reach = max(abs(defocus) * opening, lens.blur(self.energy, defocus))
        margin = MARGIN * lens.outermost_zone + spread + 2 * reach
        cells = good_size(self.image_grid().shape[0] + 2 * math.ceil(margin / self.pixel - 1e-6))

        for samples in SAMPLES["projection" if slabs == 1 else "multislice"]:
            bins = max(1, math.ceil(self.pixel / (self.wave_pixel or finest / samples) - 1e-9))
            if cells * bins <= LARGE:
                break
        if (cells * bins) ** 2 > MOST:
            raise SamplingError(
                "the field needs too large a wave grid",
                field="field",
                value=f"{cells * bins} x {cells * bins} samples",
                allowed=f"<= {MOST} samples",
                cure="use a smaller field, or a larger wave_pixel",
            )
        return Grid((cells * bins, cells * bins), self.pixel / bins), bins


@dataclass(frozen=True, eq=False)
class FullFieldPrepared:
    """The specimen in slabs on the wave grid; `bins` wave pixels a side make one of the camera's."""

    instrument: FullField
    specimen: Specimen
    slabs: multislice.Slabs
    bins: int
    _recent: Recent = attribute(default_factory=lambda: Recent(2))

    @property
    def frame_bytes(self) -> int:
        """Bytes of working memory per frame."""
        return 32 * self.instrument.image_grid().shape[0] ** 2

    def expose(self, frames: FrameTable) -> Exposure:
        """Expected photons (frames, 1, ny, nx); frames of equal energy share one image."""
        instrument, grid = self.instrument, self.instrument.image_grid()
        photons = instrument.flux * np.asarray(frames["time"], np.float64)
        per_pixel = photons * (instrument.pixel / instrument.field) ** 2
        expected = np.empty((len(frames), 1, *grid.shape))
        for energy, rows in by_energy(frames):
            image = self._recent.get(energy, lambda e=energy: self._image(e))  # type: ignore[misc]
            share = per_pixel[rows] * float(instrument.objective.efficiency(energy))
            expected[rows, 0] = share[:, None, None] * image
        energies = np.asarray(frames["energy"], np.float64)[:, None]
        return Exposure(expected, energies, image_axes(grid), frames, photons)

    def illuminate(self, frames: FrameTable) -> list[Illumination]:
        """The even fluence on the field, one map per energy."""
        field, n = self.instrument.field, self.instrument.image_grid().shape[0]
        photons = self.instrument.flux * np.asarray(frames["time"], np.float64)
        grid = Grid((n, n), field / n)
        return [
            Illumination(energy, grid, np.full(grid.shape, float(photons[rows].sum()) / field**2))
            for energy, rows in by_energy(frames)
        ]

    def truth(self) -> dict[str, Truth]:
        """Thickness of each material, phase and optical density on the image's pixels."""
        return truth_maps(self.specimen, self.instrument.image_grid(), self.instrument.energy)

    def check_energy(self, energy: float) -> None:
        """Warn where `energy` [eV] would need more slabs than the specimen was cut into."""
        slab_count("projection" if self.slabs.count == 1 else "auto", self.specimen, energy, self._half_period(energy))

    def _half_period(self, energy: float) -> float:
        return self.instrument._finest_period(energy) / 2

    def _image(self, energy: float) -> FloatArray:
        """Mean intensity on each of the camera's pixels relative to the light on the specimen."""
        instrument, slabs = self.instrument, self.slabs
        grid = self._image_wave_grid(energy)
        if slabs.count == 1:  # a projection acts where the particles are, whatever uniform layers lie about them
            plane, middle = structured_middle(self.specimen), sum(slabs.z_range) / 2
            flat = multislice.exit_wave(slabs, 1.0, energy, planes=(middle, middle))
            wave: Any = inner_band(flat, grid.shape[0])
        else:
            thick = ThickWave.reduced(slabs, grid, energy)
            plane, wave = thick.z[-1], thick.behind
        image = abbe_image(
            wave,
            grid,
            energy,
            instrument.objective,
            *instrument.condenser.directions(),
            defocus=instrument.focus_shift(energy) - plane,
        )
        return _camera_pixels(image, grid, instrument.image_grid())

    def _image_wave_grid(self, energy: float) -> Grid:
        """The coarsest grid that divides the camera's pixels and carries all that matters for the image."""
        instrument, cells = self.instrument, self.slabs.grid.shape[0] // self.bins
        opening = float(instrument.objective.numerical_aperture(energy))
        # an image of 2 NA, the light of NA (1 + sigma) that makes it, 5/3 of that inside a thick specimen
        widest = max(2.0, (1 if self.slabs.count == 1 else 5 / 3) * (1 + instrument.condenser.sigma)) * opening
        bins = min(self.bins, math.ceil(instrument.pixel * 2 * widest / float(wavelength(energy)) - 1e-9))
        return Grid((cells * bins, cells * bins), instrument.pixel / bins)


def _camera_pixels(image: FloatArray, grid: Grid, pixels: Grid) -> FloatArray:
    """Mean of a band-limited `image` on `grid` over each of the camera's `pixels`, exact by its Fourier series."""
    qy, qx = grid.frequencies()
    width = pixels.pixel / (2 * np.pi)
    mean = ifft2(fft2(image) * (np.sinc(qy * width) * np.sinc(qx * width))).real
    bins = round(pixels.pixel / grid.pixel)
    centres = grid.shape[0] // 2 + (np.arange(pixels.shape[0]) - pixels.shape[0] // 2) * bins
    return np.asarray(np.maximum(mean[np.ix_(centres, centres)], 0.0))  # rounding may dip below zero in the dark
