"""The light of a scanning microscope on the specimen: spectrum, focus, source, and what the stage does with it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xsim.constants import FWHM, wavelength
from xsim.errors import RangeError, SamplingError
from xsim.exposure import FrameTable
from xsim.instruments._optic_flux import Optic, focused_photons
from xsim.instruments._points import raster_frames, raster_grid
from xsim.optics.source_modes import source_modes
from xsim.waves.fft import fft2, fftshift, ifft2, ifftshift
from xsim.waves.grid import Grid

if TYPE_CHECKING:
    from xsim.instruments.stxm import Stxm

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

#: half periods over which the spot of a zone plate is worked out; 0.3 % of its light falls farther out
TAILS = 400
#: half periods of margin round the scanned field, for the tails of the spot
MARGIN = 30
#: the largest share of the light in modes of the source that are left out
LOSS = 1e-3


@dataclass(frozen=True)
class Light:
    """What the optic of `instrument` puts on the plane `height` [m] downstream of z = 0."""

    instrument: Stxm
    height: float = 0.0

    @property
    def optic(self) -> Optic:
        """What makes the focus."""
        return self.instrument.mirrors or self.instrument.zone_plate

    def photons(self, frames: FrameTable) -> FloatArray:
        """Photons in the focus (frames,), which follow what the optic passes at each energy."""
        return focused_photons(self.optic, self.instrument, frames)

    def numerical_aperture(self, energy: float) -> float:
        """Of the focused cone; the larger one of a mirror pair."""
        mirrors = self.instrument.mirrors
        if mirrors is not None:
            return max(mirrors.horizontal.numerical_aperture, mirrors.vertical.numerical_aperture)
        return float(self.instrument.zone_plate.numerical_aperture(energy))

    def half_period(self, energy: float) -> float:
        """Half period [m] of the finest fringe in the spot, lambda/4NA: the probe's Nyquist step."""
        return float(wavelength(energy)) / (4 * self.numerical_aperture(energy))

    def lines(self, energy: float) -> tuple[FloatArray, FloatArray]:
        """Photon energies [eV] and weights of the spectrum about `energy`."""
        return self.instrument.bandwidth.lines(energy)

    def defocus(self, line: float, energy: float) -> float:
        """How far [m] the plane lies downstream of the focus of `line` [eV], the microscope set to `energy`."""
        one = self.instrument
        if one.mirrors is not None:
            return one.defocus + self.height
        kept = energy if one.focus_energy is None else one.focus_energy
        moved = 0.0 if kept == line else float(one.zone_plate.focal_length(kept) - one.zone_plate.focal_length(line))
        return one.defocus + self.height + moved

    def blur(self, energy: float) -> float:
        """Greatest distance [m] of a ray from the axis, over the spectrum."""
        one = self.instrument
        found = []
        for line in self.lines(energy)[0]:
            away = self.defocus(float(line), energy)
            if one.mirrors is None:
                found.append(one.zone_plate.blur(float(line), away))
            else:
                found += [m.blur(float(line), away) for m in (one.mirrors.horizontal, one.mirrors.vertical)]
        return max(found)

    def margin(self, energy: float) -> float:
        """Width [m] round the scanned field over which the spot is felt."""
        return MARGIN * self.half_period(energy) + 2 * self.blur(energy) + max(self.source_image())

    def source_image(self) -> tuple[float, float]:
        """FWHM (x, y) [m] of the source's image in the focus."""
        mirrors = self.instrument.mirrors
        if mirrors is not None:
            return mirrors.horizontal.source_image, mirrors.vertical.source_image
        return self.instrument.source_image

    def modes(self, grid: Grid, line: float, energy: float) -> ComplexArray:
        """Coherent modes (n, ny, nx), centred, squares summing to 1, of the light of one line of the spectrum."""
        probe = _with_full_rim(np.asarray(self.optic.probe(grid, line, self.defocus(line, energy))))
        image = self.source_image()
        return probe[None] if image == (0.0, 0.0) else source_modes(probe, grid, image, LOSS)

    def per_step(self, energy: float) -> int:
        """Samples per scan step that carry the spot's intensity, one per half period or closer."""
        return max(1, math.ceil(self.instrument.step / self.half_period(energy) - 1e-6))

    def transfer(self, grid: Grid, factor: int, line: float, energy: float) -> ComplexArray:
        """Transform of the spot's intensity on `grid` (`factor` samples per step) in FFT order, 1 at zero frequency.

        Light that falls off the grid is folded into it.
        """
        one = self.instrument
        away = self.defocus(line, energy)
        if one.mirrors is not None:
            return one.mirrors.transfer(grid, line, away)
        half_period, coarser = self.half_period(line), self.per_step(line)
        small = [n * coarser // factor for n in grid.shape]
        wide = max(TAILS * half_period, 2.2 * one.zone_plate.blur(line, away))
        repeats = [max(1, math.ceil(wide / (n * grid.pixel))) for n in grid.shape]
        around = Grid((small[0] * repeats[0], small[1] * repeats[1]), one.step / coarser)
        spot = np.abs(one.zone_plate.probe(around, line, away)) ** 2
        sampled = fft2(ifftshift(spot).astype(np.complex128))[:: repeats[0], :: repeats[1]]
        full = np.zeros(grid.shape, np.complex128)
        inner = np.ix_(*(signed(n) for n in small))
        full[inner] = sampled[inner]
        return full * self._source_transfer(grid)

    def _source_transfer(self, grid: Grid) -> Any:
        (across, up), (qy, qx) = self.source_image(), grid.frequencies()
        if across == up == 0:
            return 1.0
        return np.exp(-((across * qx) ** 2 + (up * qy) ** 2) / (2 * FWHM**2))


def _with_full_rim(probe: ComplexArray) -> ComplexArray:
    """A probe with the light, not the amplitude, of its pupil averaged over each frequency cell at the rim.

    So each direction holds its light: else a rim of 48 cells across has 1.4 % of the cone too little.
    """
    far = fft2(ifftshift(probe))
    size = np.abs(far)
    far *= np.sqrt(size.max() / np.maximum(size, 1e-12 * size.max())) * (size > 1e-9 * size.max())
    spot = fftshift(ifft2(far, overwrite=True))
    return np.asarray(spot / math.sqrt(float(np.sum(np.abs(spot) ** 2))))


def signed(count: int) -> NDArray[np.int64]:
    """Frequency indices that `count` samples carry on both sides of zero."""
    return np.arange(-((count - 1) // 2), (count - 1) // 2 + 1)


def wandering(instrument: Stxm) -> float:
    """Greatest distance [m] of the beam from the points that it was sent to, over the instrument's own frames."""
    motion, step = instrument.motion, instrument.step
    if motion.still:
        return 0.0
    frames = instrument_frames(instrument)
    y, x = motion.positions(frames)
    off = max(float(np.abs(x - frames["x"]).max()), float(np.abs(y - frames["y"]).max()))
    return off + float(np.abs(motion.path(step)).max())


def instrument_frames(instrument: Stxm) -> FrameTable:
    """One row per scan point with its position on the specimen: columns x, y [m]."""
    return raster_frames(instrument.energy, instrument.exposure_time, raster_grid(instrument.field, instrument.step))


def paths(instrument: Stxm, frames: FrameTable, room: Grid, reach: float) -> tuple[FloatArray, FloatArray]:
    """True positions (frames, places on the way) of the beam, y and x [m].

    reach: how far from the middle of `room` [m] a beam may stay from its rim. Raises RangeError where it goes beyond.
    """
    y, x = instrument.motion.positions(frames)
    on_the_way = x[:, None] + instrument.motion.path(instrument.step)
    half = [extent / 2 - reach for extent in room.extent]
    worst = max(float(np.abs(on_the_way).max()) - half[0], float(np.abs(y).max()) - half[1])
    if worst > 1e-6 * instrument.step:
        raise RangeError(
            "the stage drifts off the sampled field",
            field="motion.drift",
            value=f"{worst:.3g} m beyond it in frame {int(frames.index[-1])}",
            allowed="within the field and its margin",
            cure="let it drift more slowly, or scan for a shorter time",
        )
    return np.broadcast_to(y[:, None], on_the_way.shape), on_the_way


def check_size(shape: tuple[int, ...], most: int) -> None:
    """Raise SamplingError for a wave grid beyond any memory."""
    if shape[0] * shape[1] > most:
        raise SamplingError(
            "the scan needs too large a wave grid",
            field="field",
            value=f"{shape[0]} x {shape[1]} samples",
            allowed=f"<= {most} samples",
            cure="defocus less, or scan a smaller field: the spot with its tails and the way that it travels must fit",
        )
