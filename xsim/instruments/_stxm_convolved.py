"""A scanning image without interference: all transmitted light is taken, so every line of the spectrum is convolved.

One convolution per photon energy gives every point of a map at once; a point between samples (jitter, drift, flight)
is taken from the cubic spline through them, which at 8 to 32 samples per finest fringe follows the map to 1e-4.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xsim.errors import SamplingWarning
from xsim.exposure import Exposure, FrameTable, Illumination, Truth
from xsim.instruments._ladder import model_note
from xsim.instruments._maps import by_energy, truth_maps
from xsim.instruments._points import indices_on, raster_grid
from xsim.instruments._recent import Recent
from xsim.instruments._stxm_light import Light, check_size, instrument_frames, paths, signed, wandering
from xsim.instruments._stxm_unfocused import Unfocused
from xsim.interaction.cutting import Cut
from xsim.specimen.specimen import Specimen
from xsim.waves.fft import fft2, good_size, ifft2
from xsim.waves.grid import Grid

if TYPE_CHECKING:
    from xsim.instruments.stxm import Stxm

FloatArray = NDArray[np.float64]

#: samples per period of the finest fringe of the spot: the first for which the wave grid is no larger than LARGE a side
SAMPLES = (32, 16, 8)
LARGE = 1024
#: a relative bandwidth up to which the spot of mirrors is that of the middle of the spectrum
NARROW = 1e-3
#: the largest number of samples of the wave grid
MOST = 3072**2


def convolved_grid(light: Light) -> tuple[Grid, int]:
    """The grid of the map with its margin, and how many samples it has per scan step. Raises SamplingError."""
    instrument, energy = light.instrument, light.instrument.energy
    points = raster_grid(instrument.field, instrument.step)
    margin, step = light.margin(energy) + wandering(instrument), instrument.step
    cells = [good_size(n + 2 * math.ceil(margin / step - 1e-6)) for n in points.shape]
    coarse = light.per_step(energy)
    for samples in SAMPLES:
        factor = coarse * max(1, math.ceil(step / coarse * samples / (2 * light.half_period(energy)) - 1e-6))
        if factor * max(cells) <= LARGE:
            break
    shape = (factor * cells[0], factor * cells[1])
    check_size(shape, MOST)
    return Grid(shape, step / factor), factor


@dataclass(frozen=True, eq=False)
class StxmPrepared:
    """Thickness maps on the wave grid; the map of one energy is worked out at once and kept for its other points."""

    light: Light
    specimen: Specimen
    grid: Grid
    factor: int
    thickness: dict[Any, FloatArray]
    unfocused: Unfocused
    frame_bytes: int = 64
    _recent: Recent = attribute(default_factory=lambda: Recent(2))
    _transfers: Recent = attribute(default_factory=lambda: Recent(1))

    @staticmethod
    def of(light: Light, specimen: Specimen) -> StxmPrepared:
        """Sample the thickness of every material once. Raises SamplingError."""
        grid, factor = convolved_grid(light)
        unfocused = Unfocused.of(light.instrument, specimen, light)
        prepared = StxmPrepared(light, specimen, grid, factor, specimen.thickness(grid), unfocused)
        prepared.check_energy(light.instrument.energy)
        return prepared

    @property
    def instrument(self) -> Stxm:
        """The microscope."""
        return self.light.instrument

    def expose(self, frames: FrameTable) -> Exposure:
        """Expected photons (points, orders), for a point detector: the wanted energy, then its harmonics."""
        photons = self.light.photons(frames)
        harmonics = self.instrument.harmonics
        orders = np.array([1, *harmonics.orders])
        expected = np.empty((len(frames), len(orders)))
        for energy, chosen in by_energy(frames):
            part = frames.take(chosen)
            seen = self._seen(energy, part)
            y, x = self.instrument.motion.positions(part)
            for _, passed in self.unfocused.arriving(energy, y, x):
                seen = seen + passed
            expected[chosen, 0] = photons[chosen] * seen * harmonics.fundamental
            for column, (order, share) in enumerate(harmonics.orders.items(), start=1):
                expected[chosen, column] = photons[chosen] * share * self._seen(energy, part, order)
        incident = photons * (1 + harmonics.fundamental * self.unfocused.share(frames))
        energies = np.asarray(frames["energy"], np.float64)[:, None] * orders
        return Exposure(expected, energies, (), frames, incident)

    def illuminate(self, frames: FrameTable) -> list[Illumination]:
        """The spots of all points added up, one map per energy, sampled once per half period of the spot or closer."""
        focused = illuminated(self.light, self.grid, self.factor, frames)
        shares = {1: self.instrument.harmonics.fundamental, **self.instrument.harmonics.orders}
        return [
            *(replace(i, energy=n * i.energy, fluence=w * i.fluence) for i in focused for n, w in shares.items()),
            *(replace(i, fluence=shares[1] * i.fluence) for i in self.unfocused.illuminate(frames)),
        ]

    def truth(self) -> dict[str, Truth]:
        """Thickness of each material, phase and optical density on the scan's own grid; where the beam really was."""
        return scan_truth(self.instrument, self.specimen)

    def measured(self) -> dict[str, Any]:
        """Which route and model made the image, of how many slabs."""
        energy = self.instrument.energy
        return {
            "route": "convolution",
            "slabs": 1,
            **model_note(Cut.even(*self.specimen.z_range, 1), self.specimen, energy, self.light.half_period(energy)),
        }

    def check_energy(self, energy: float) -> None:
        """Raise an error or warn where the grid or the optic does not serve `energy` [eV]."""
        self.instrument.check_optic(energy, self.light)
        half_period = self.light.half_period(energy)
        if self.grid.pixel > half_period / 2 * (1 + 1e-9):
            text = f"wave pixel {self.grid.pixel:.3g} m, should be <= {half_period / 2:.3g} m; reduce the scan step"
            warnings.warn(f"the spot at {energy:.6g} eV is sampled coarsely: {text}", SamplingWarning, stacklevel=2)

    def _seen(self, energy: float, frames: FrameTable, order: int = 1) -> FloatArray:
        """Share (points,) of the focused photons that arrive, of a harmonic's beyond the first `order`."""
        self._recent.keep = max(self._recent.keep, 1 + len(self.instrument.harmonics.orders))
        image, spline = self._recent.get((order, energy), lambda: self._image(energy, order))
        if self.instrument.motion.still:
            rows, columns = indices_on(self.grid, frames)
            return np.asarray(image[rows, columns])
        from scipy.ndimage import map_coordinates

        y, x = paths(self.instrument, frames, self.grid, self.light.margin(energy) / 2)
        places = [v / self.grid.pixel + n // 2 for v, n in zip((y, x), self.grid.shape, strict=True)]
        found = map_coordinates(spline, places, order=3, prefilter=False, mode="grid-wrap")
        return np.clip(found.mean(axis=1), 0, 1)

    def _image(self, energy: float, order: int = 1) -> tuple[FloatArray, FloatArray | None]:
        """Share of the photons transmitted with the spot at each sample of the wave grid, and its spline."""
        image = np.zeros(self.grid.shape)
        lines, weights = self.light.lines(energy)
        if self.instrument.mirrors is not None and self.instrument.bandwidth.relative_width <= NARROW:
            # mirrors have one focus, whose width follows each line to second order in the bandwidth at most
            passed = sum(w * self._transmitted(order * float(e)) for e, w in zip(lines, weights, strict=True))
            lines, weights, image = lines[:0], weights[:0], self._blurred(np.asarray(passed), 0, energy, energy)
        for number, (line, weight) in enumerate(zip(lines, weights, strict=True)):
            image += weight * self._line_image(number, float(line), energy, order)
        if self.instrument.motion.still:
            return image, None
        from scipy.ndimage import spline_filter

        return image, spline_filter(image, order=3, mode="grid-wrap")

    def _line_image(self, number: int, line: float, energy: float, order: int) -> FloatArray:
        return self._blurred(self._transmitted(order * line), number, line, energy)

    def _transmitted(self, line: float) -> FloatArray:
        """Share of photons of `line` [eV] that each sample lets through."""
        depth = np.zeros(self.grid.shape)
        for material, metres in self.thickness.items():
            depth += float(material.optics(line).mu_total) * metres
        return np.exp(-depth)

    def _blurred(self, transmitted: FloatArray, number: int, line: float, energy: float) -> FloatArray:
        """The transmission averaged over the spot of `line` [eV]."""
        base = transmitted[0, 0]  # what is uniform stays exact; only the contrast goes through single precision
        contrast = (transmitted - base).astype(np.complex64)
        transfer = np.conj(self._transfer(number, line, energy)).astype(np.complex64)
        return np.asarray(
            np.clip(base + ifft2(fft2(contrast) * transfer, overwrite=True).real.astype(np.float64), 0, 1)
        )

    def _transfer(self, number: int, line: float, energy: float) -> NDArray[np.complex128]:
        """Transform of the spot: the same one at every energy for a zone plate in focus, whose NA goes as lambda."""
        same = self.instrument.mirrors is None and self.light.defocus(energy, energy) == 0
        # so does each line of a spectrum: its defocus, a share of the focal length, falls as the depth of focus does
        key = ("in focus", number) if same else ("transfer", number, energy)
        self._transfers.keep = max(self._transfers.keep, len(self.light.lines(energy)[0]))
        return np.asarray(self._transfers.get(key, lambda: self.light.transfer(self.grid, self.factor, line, energy)))


def illuminated(light: Light, grid: Grid, factor: int, frames: FrameTable) -> list[Illumination]:
    """The spots of all points on the specimen added up; grid: of the maps, with `factor` samples per scan step."""
    instrument = light.instrument
    per_step = min(factor, light.per_step(instrument.energy))
    shape = tuple(n * per_step // factor for n in grid.shape)
    coarse = Grid((shape[0], shape[1]), instrument.step / per_step)
    photons = light.photons(frames)
    found = []
    for energy, chosen in by_energy(frames):
        landed = np.zeros(coarse.shape, np.complex128)
        y, x = paths(instrument, frames.take(chosen), coarse, 0.0)
        rows, columns = (
            np.rint(v / coarse.pixel).astype(np.int64) + n // 2 for v, n in zip((y, x), coarse.shape, strict=True)
        )
        np.add.at(landed, (rows, columns), photons[chosen, None] / x.shape[1])
        lines, weights = light.lines(energy)
        if instrument.mirrors is not None and instrument.bandwidth.relative_width <= NARROW:
            lines, weights = np.array([energy]), np.ones(1)
        spot = sum(
            w * inner_frequencies(light.transfer(grid, factor, float(line), energy), coarse.shape)
            for line, w in zip(lines, weights, strict=True)
        )
        spread = ifft2(fft2(landed, overwrite=True) * spot, overwrite=True)
        found.append(Illumination(energy, coarse, np.maximum(spread.real, 0) / coarse.pixel**2))
    return found


def scan_truth(instrument: Stxm, specimen: Specimen) -> dict[str, Truth]:
    """Maps of the specimen on the scan's own grid, and where the beam really was."""
    points = raster_grid(instrument.field, instrument.step)
    maps = truth_maps(specimen, points, instrument.energy)
    return {**maps, **instrument.motion.truth(instrument_frames(instrument))}


def inner_frequencies(spectrum: NDArray[np.complex128], shape: tuple[int, ...]) -> NDArray[np.complex128]:
    """The frequencies of `spectrum` (FFT order) that a smaller grid of `shape` over the same field carries."""
    out = np.zeros(shape, np.complex128)
    inner = np.ix_(*(signed(n) for n in shape))
    out[inner] = spectrum[inner]
    return out
