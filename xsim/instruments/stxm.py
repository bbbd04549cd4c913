"""Scanning transmission X-ray microscopy: a focused spot steps over the specimen, all transmitted light is counted.

    N(r) = flux * time * sum_r' |p(r' - r)|^2 exp(-sum_m mu_m(E) t_m(r'))

p is the focal amplitude of the zone plate (or mirror pair) on the specimen, its squares summing to 1, t_m the
thickness of material m and mu_m its total attenuation: light that a large detector behind the specimen no longer
sees. No interference survives when all transmitted light is taken, so the image is the incoherent convolution, exact
in the projection approximation, and one convolution per energy gives every point of a map at once.

Range of validity. The specimen must lie within the depth of focus (+-2 dr^2/lambda for a zone plate): beyond, the
spot widens inside it and a ValidityWarning names thickness and limit. The detector must take the whole transmitted
cone. An order-sorting aperture is assumed to stop all orders but the first. `flux` is the flux in the focal spot,
i.e. what meets the specimen. By default the optic is refocused at every energy; with `focus_energy` it stays where
that energy is in focus (a zone plate's focal length is proportional to energy; a mirror pair's focus does not move).

Thickness is averaged over samples of 1/32 to 1/8 of the finest period of the spot (the finest for which 1024 a side
suffice), so an opaque edge moves out by about half a sample.

Combine with the scan `energies` for a spectroscopic stack: the geometry is sampled once for all energies.
References: Jacobsen, X-ray Microscopy (doi 10.1017/9781139924542), ch. 4; Kirz, Jacobsen & Howells, Q. Rev. Biophys.
28, 33 (doi 10.1017/S0033583500003139).
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
from xsim.errors import SamplingError, SamplingWarning, ValidityWarning
from xsim.exposure import Exposure, FrameTable, Illumination, Truth
from xsim.instruments._maps import by_energy, truth_maps
from xsim.instruments._points import indices_on, raster_frames, raster_grid
from xsim.instruments._recent import Recent
from xsim.model import Model, Plugin
from xsim.optics.kirkpatrick_baez import KirkpatrickBaez
from xsim.optics.zone_plate import ZonePlate
from xsim.specimen.specimen import Specimen
from xsim.units import Energy, Length, PositiveLength, Rate, Time
from xsim.waves.fft import fft2, good_size, ifft2, ifftshift
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]

#: samples per period of the finest fringe of the spot: the first for which the wave grid is no larger than LARGE a side
SAMPLES = (32, 16, 8)
LARGE = 1024
#: half periods of margin round the scanned field, for the tails of the spot
MARGIN = 30
#: half periods over which the spot of a zone plate is worked out; 0.3 % of its light falls farther out
TAILS = 400
#: the largest number of samples of the wave grid
MOST = 3072**2


class Stxm(Model):
    """A scanning transmission microscope; frames are the scan points, axes y (slow) and x.

    field: scanned width and height (x, y) [m]; step [m]; exposure_time: per point [s]; flux: in the spot [photons/s].
    mirrors: used instead of the zone plate where given. defocus: of the specimen downstream of the focus [m].
    """

    kind: Literal["stxm"] = "stxm"
    energy: Energy = 520.0
    flux: Rate = 1e8
    exposure_time: Time = 1e-3
    field: tuple[PositiveLength, PositiveLength] = (1e-6, 1e-6)
    step: PositiveLength = 25e-9
    zone_plate: ZonePlate = ZonePlate()
    mirrors: KirkpatrickBaez | None = None
    defocus: Length = 0.0
    focus_energy: Energy | None = None
    detector: Annotated[Any, Plugin("detectors")] = Field(default_factory=PhotonCounter)

    def frames(self) -> FrameTable:
        """One row per scan point with its position on the specimen: columns x, y [m]."""
        return raster_frames(self.energy, self.exposure_time, raster_grid(self.field, self.step))

    def prepare(self, specimen: Specimen) -> StxmPrepared:
        """Sample the thickness of every material once. Raises SamplingError; warns outside the depth of focus."""
        points = raster_grid(self.field, self.step)
        margin = MARGIN * self._half_period(self.energy) + 2 * abs(self._defocus(self.energy)) * self._na(self.energy)
        cells = [good_size(n + 2 * math.ceil(margin / self.step - 1e-6)) for n in points.shape]
        coarse = self._per_step(self.energy)
        for samples in SAMPLES:
            factor = coarse * max(
                1, math.ceil(self.step / coarse * samples / (2 * self._half_period(self.energy)) - 1e-6)
            )
            if factor * max(cells) <= LARGE:
                break
        shape = [factor * n for n in cells]
        grid = Grid((shape[0], shape[1]), self.step / factor)
        if shape[0] * shape[1] > MOST:
            raise SamplingError(
                "the scan needs too large a wave grid",
                field="field",
                value=f"{shape[0]} x {shape[1]} samples",
                allowed=f"<= {MOST} samples",
                cure="scan a smaller field",
            )
        prepared = StxmPrepared(self, specimen, grid, factor, specimen.thickness(grid))
        prepared.check_energy(self.energy)
        return prepared

    def geometry(self) -> dict[str, Any]:
        """Step, focal length and spot."""
        return {
            "step [m]": self.step,
            "focal_half_period [m]": self._half_period(self.energy),
            "focal_length [m]": float(self.zone_plate.focal_length(self.energy)) if self.mirrors is None else math.nan,
            "stxm_scan_type": "sample image",
        }

    def _na(self, energy: float) -> float:
        if self.mirrors is not None:
            return max(self.mirrors.horizontal.numerical_aperture, self.mirrors.vertical.numerical_aperture)
        return float(self.zone_plate.numerical_aperture(energy))

    def _half_period(self, energy: float) -> float:
        """Half period [m] of the finest fringe in the spot, lambda/4NA: the probe's Nyquist step."""
        return float(wavelength(energy)) / (4 * self._na(energy))

    def _defocus(self, energy: float) -> float:
        if self.mirrors is not None or self.focus_energy is None:
            return self.defocus
        plate = self.zone_plate
        return self.defocus + float(plate.focal_length(self.focus_energy) - plate.focal_length(energy))

    def _per_step(self, energy: float) -> int:
        """Samples per scan step that carry the spot's intensity, one per half period or closer."""
        return max(1, math.ceil(self.step / self._half_period(energy) - 1e-6))

    def _transfer(self, grid: Grid, factor: int, energy: float) -> NDArray[np.complex128]:
        """Transform of the spot's intensity on `grid`, FFT order, 1 at zero frequency; tails fold into the grid."""
        if self.mirrors is not None:
            return np.asarray(fft2(ifftshift(self.mirrors.probe_intensity(grid, energy)).astype(np.complex128)))
        half_period, coarser = self._half_period(energy), self._per_step(energy)
        small = [n * coarser // factor for n in grid.shape]
        repeats = [max(1, math.ceil(TAILS * half_period / (n * grid.pixel))) for n in grid.shape]
        wide = Grid((small[0] * repeats[0], small[1] * repeats[1]), self.step / coarser)
        spot = np.abs(self.zone_plate.probe(wide, energy, self._defocus(energy))) ** 2
        sampled = fft2(ifftshift(spot).astype(np.complex128))[:: repeats[0], :: repeats[1]]
        full = np.zeros(grid.shape, np.complex128)
        inner = np.ix_(*(_signed(n) for n in small))
        full[inner] = sampled[inner]
        return full


@dataclass(frozen=True, eq=False)
class StxmPrepared:
    """Thickness maps on the wave grid; the map of one energy is worked out at once and kept for its other points."""

    instrument: Stxm
    specimen: Specimen
    grid: Grid
    factor: int
    thickness: dict[Any, FloatArray]
    frame_bytes: int = 64
    _recent: Recent = attribute(default_factory=lambda: Recent(2))
    _transfers: Recent = attribute(default_factory=lambda: Recent(1))

    def expose(self, frames: FrameTable) -> Exposure:
        """Expected photons (points, 1), for a point detector."""
        rows, columns = indices_on(self.grid, frames)
        photons = self.instrument.flux * np.asarray(frames["time"], np.float64)
        expected = np.empty((len(frames), 1))
        for energy, chosen in by_energy(frames):
            image = self._recent.get(energy, lambda e=energy: self._image(e))  # type: ignore[misc]
            expected[chosen, 0] = photons[chosen] * image[rows[chosen], columns[chosen]]
        return Exposure(expected, np.asarray(frames["energy"], np.float64)[:, None], (), frames, photons)

    def illuminate(self, frames: FrameTable) -> list[Illumination]:
        """The spots of all points added up, one map per energy, sampled once per half period of the spot or closer."""
        instrument = self.instrument
        per_step = instrument._per_step(instrument.energy)
        shape = tuple(n * per_step // self.factor for n in self.grid.shape)
        grid = Grid((shape[0], shape[1]), instrument.step / per_step)
        photons = instrument.flux * np.asarray(frames["time"], np.float64)
        found = []
        for energy, chosen in by_energy(frames):
            rows, columns = indices_on(grid, frames.take(chosen))
            landed = np.zeros(grid.shape, np.complex128)
            np.add.at(landed, (rows, columns), photons[chosen])
            spread = ifft2(fft2(landed, overwrite=True) * _inner(self._transfer(energy), grid.shape), overwrite=True)
            found.append(Illumination(energy, grid, np.maximum(spread.real, 0) / grid.pixel**2))
        return found

    def truth(self) -> dict[str, Truth]:
        """Thickness of each material, phase and optical density on the scan's own grid."""
        instrument = self.instrument
        points = raster_grid(instrument.field, instrument.step)
        return truth_maps(self.specimen, points, instrument.energy, all_losses=True)

    def check_energy(self, energy: float) -> None:
        """Raise SamplingError or warn where the grid or the model does not serve `energy` [eV]."""
        instrument = self.instrument
        half_period = instrument._half_period(energy)
        if self.grid.pixel > half_period / 2 * (1 + 1e-9):
            text = f"wave pixel {self.grid.pixel:.3g} m, should be <= {half_period / 2:.3g} m; reduce the scan step"
            warnings.warn(f"the spot at {energy:.6g} eV is sampled coarsely: {text}", SamplingWarning, stacklevel=2)
        reach = max(abs(z) for z in self.specimen.z_range)
        limit = 2 * (2 * half_period) ** 2 / wavelength(energy)
        if reach > limit:
            warnings.warn(
                f"the specimen reaches {reach:.3g} m from the plane z = 0, the depth of focus at {energy:.6g} eV only "
                f"{limit:.3g} m to either side: the spot widens there, which this model leaves out; move it to z = 0, "
                "use a coarser zone plate, or ptychography",
                ValidityWarning,
                stacklevel=2,
            )

    def _transfer(self, energy: float) -> NDArray[np.complex128]:
        instrument = self.instrument
        # a zone plate in focus gives the same spot at every energy: NA is proportional to the wavelength
        same = instrument.mirrors is None and instrument._defocus(energy) == 0
        key = "in focus" if same else ("transfer", energy)
        return self._transfers.get(key, lambda: instrument._transfer(self.grid, self.factor, energy))

    def _image(self, energy: float) -> FloatArray:
        """Share of the photons transmitted with the spot at each sample of the wave grid."""
        depth = np.zeros(self.grid.shape)
        for material, metres in self.thickness.items():
            depth += float(material.optics(energy).mu_total) * metres
        transmitted = np.exp(-depth)
        base = transmitted[0, 0]  # what is uniform stays exact; only the contrast goes through single precision
        contrast = (transmitted - base).astype(np.complex64)
        transfer = np.conj(self._transfer(energy)).astype(np.complex64)
        return np.asarray(
            np.clip(base + ifft2(fft2(contrast) * transfer, overwrite=True).real.astype(np.float64), 0, 1)
        )


def _signed(count: int) -> NDArray[np.int64]:
    """Frequency indices that `count` samples carry on both sides of zero."""
    return np.arange(-((count - 1) // 2), (count - 1) // 2 + 1)


def _inner(spectrum: NDArray[np.complex128], shape: tuple[int, int]) -> NDArray[np.complex128]:
    """The frequencies of `spectrum` (FFT order) that a smaller grid of `shape` over the same field carries."""
    out = np.zeros(shape, np.complex128)
    inner = np.ix_(*(_signed(n) for n in shape))
    out[inner] = spectrum[inner]
    return out
