"""Ptychography with a specimen in it: what each photon energy fixes, and the frames that follow."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from dataclasses import field as attribute
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavelength
from xsim.errors import SamplingError, SamplingWarning
from xsim.exposure import Axis, Exposure, FrameTable, Illumination, Truth
from xsim.instruments._ladder import model_note, room_for, slab_cut
from xsim.instruments._maps import by_energy, image_axes, truth_maps
from xsim.instruments._object import band_limited
from xsim.instruments._recent import Recent
from xsim.instruments._scan_shift import sharpened, shift_kernel
from xsim.instruments._scan_wave import (
    ScanOptics,
    add_patterns,
    centring,
    probe_band,
    window_samples,
)
from xsim.interaction.cutting import Cut
from xsim.interaction.standing import GUIDED
from xsim.interaction.validity import structured_middle
from xsim.optics.source_modes import source_modes
from xsim.specimen.specimen import Specimen
from xsim.waves.angular_spectrum import check_distance, transfer_function
from xsim.waves.band import inner_band
from xsim.waves.fft import fft2, good_size, ifftshift
from xsim.waves.grid import Grid

if TYPE_CHECKING:
    from xsim.instruments.ptychography import Ptychography

FloatArray = NDArray[np.float64]

#: the largest number of samples of the object
MOST = 6144**2

#: a line of the spectrum: its weight, and what its energy fixes
Line = tuple[float, ScanOptics]


@dataclass(frozen=True, eq=False)
class PtychographyPrepared:
    """The specimen and what its energies fix, kept while in use."""

    instrument: Ptychography
    specimen: Specimen
    frame_bytes: int
    _recent: Recent = attribute(default_factory=lambda: Recent(1))

    def expose(self, frames: FrameTable) -> Exposure:
        """Expected photons (points, 1, ny, nx) float32, each frame from its own row alone."""
        instrument = self.instrument
        ny, nx = instrument.detector.shape
        photons = instrument.flux * np.asarray(frames["time"], np.float64)
        y, x = instrument.motion.positions(frames)
        path = instrument.motion.path(instrument.step)
        expected = np.empty((len(frames), 1, ny, nx), np.float32)
        for energy, rows in by_energy(frames):
            part = np.empty((len(rows), ny, nx), np.float32) if len(rows) < len(frames) else expected[:, 0]
            places = np.repeat(y[rows, None], len(path), axis=1), x[rows, None] + path
            for number, (weight, state) in enumerate(self.at(energy)):
                add_patterns(state, places, photons[rows] * weight / len(path), part, anew=number == 0)
            if len(rows) < len(frames):
                expected[rows, 0] = part
        axes = (Axis("row", np.arange(ny)), Axis("column", np.arange(nx)))
        return Exposure(expected, np.asarray(frames["energy"], np.float64)[:, None], axes, frames, photons)

    def measured(self) -> dict[str, str]:
        """Projection or multislice, and the error of that at the half period of the detector's edge."""
        energy = self.instrument.energy
        slabs = self.at(energy)[0][1].cut
        return model_note(slabs, self.specimen, energy, self.object_grid(energy).pixel)

    def illuminate(self, frames: FrameTable) -> list[Illumination]:
        """The spots of all points at z = 0 added up on the reconstruction's pixels, one map per energy."""
        instrument = self.instrument
        photons = instrument.flux * np.asarray(frames["time"], np.float64)
        y, x = instrument.motion.positions(frames)
        found = []
        for energy, rows in by_energy(frames):
            grid, spot = self.object_grid(energy), self.spot(energy)
            n, total = len(spot), np.zeros(grid.shape)
            corner = np.rint(np.stack([y, x], axis=1) / grid.pixel).astype(np.int64) + grid.shape[0] // 2 - n // 2
            for row in rows:
                top, left = corner[row]
                total[top : top + n, left : left + n] += photons[row] * spot
            found.append(Illumination(energy, grid, total / grid.pixel**2))
        return found

    def truth(self) -> dict[str, Truth]:
        """The object's projected transmission on the reconstruction's pixels (the part of its spectrum that they hold),
        the probe (modes first where there are several), maps of the specimen, and true positions where not commanded.
        """
        instrument = self.instrument
        energy = instrument.energy
        grid = self.object_grid(energy)
        maps = truth_maps(self.specimen, grid, energy)
        wave = band_limited(self.specimen, self._fine(grid), grid.shape[0], energy)
        probes = self.probes(energy)
        axes = image_axes(Grid(probes.shape[1:], grid.pixel))
        modes = (Axis("mode", np.arange(len(probes))), *axes)
        probe = Truth(probes[0], axes) if len(probes) == 1 else Truth(probes, modes)
        return {"object": Truth(wave, image_axes(grid)), "probe": probe, **maps,
                **instrument.motion.truth(instrument.frames())}  # fmt: skip

    def check_energy(self, energy: float) -> None:
        """Raise SamplingError where the grid at `energy` cannot hold the probe."""
        self.instrument.check_energy(energy)

    def object_grid(self, energy: float) -> Grid:
        """The reconstruction's pixels over the windows of all scan points."""
        instrument = self.instrument
        frames, pixel = instrument.frames(), instrument.pixel(energy)
        reach = max(float(np.abs(v).max()) for v in (*instrument.motion.positions(frames), frames["x"], frames["y"]))
        reach += 6 * instrument.motion.jitter + (instrument.step if instrument.motion.fly > 1 else 0.0)
        count = 8 * good_size(math.ceil((2 * reach / pixel + 3 + max(instrument.detector.shape)) / 8))
        if 4 * count * count > MOST:
            raise SamplingError(
                "the scan needs too large an object",
                field="field",
                value=f"{count} x {count} pixels of {pixel:.3g} m",
                allowed=f"<= {math.isqrt(MOST) // 2} pixels across",
                cure="scan a smaller field, or use fewer detector pixels",
            )
        return Grid((count, count), pixel)

    def at(self, energy: float) -> tuple[Line, ...]:
        """The lines of the spectrum about `energy` [eV]: each with its own pixel, so its own object and probe."""
        lines: tuple[Line, ...] = self._recent.get(energy, lambda: self._lines(energy))
        return lines

    def probes(self, energy: float) -> NDArray[np.complex128]:
        """The probe's modes (m, n, n) at z = 0 on the reconstruction's pixels."""
        modes = self.at(energy)[len(self.at(energy)) // 2][1].modes
        n = max(self.instrument.detector.shape)
        scale = modes.shape[-1] / n
        return np.asarray([scale * inner_band(mode, (n, n)) for mode in modes])

    def spot(self, energy: float) -> FloatArray:
        """Share of a frame's photons (n, n) on each of the reconstruction's pixels, the path of a fly scan included."""
        instrument = self.instrument
        spot = np.sum(np.abs(self.probes(energy)) ** 2, axis=0)
        path = instrument.motion.path(instrument.step)
        moved = np.zeros_like(spot)
        for offset in np.rint(path / instrument.pixel(energy)).astype(int):
            moved += np.roll(spot, offset, axis=1)
        return np.asarray(moved / moved.sum())

    def _lines(self, energy: float) -> tuple[Line, ...]:
        energies, weights = self.instrument.bandwidth.lines(energy)
        return tuple((float(w), self._make(float(e), energy)) for e, w in zip(energies, weights, strict=True))

    def _make(self, energy: float, nominal: float) -> ScanOptics:
        instrument = self.instrument
        n, pixel = max(instrument.detector.shape), instrument.pixel(energy)
        band = probe_band(instrument.probe(energy, Grid((2 * n, 2 * n), pixel / 2), nominal)) * 2
        whole = self.object_grid(energy)
        cut = self._cut(energy, whole)
        guided = GUIDED * cut.critical * 2 * pixel / float(wavelength(energy))
        size = window_samples(n, max(band, guided))
        window = Grid((size, size), pixel * n / size)
        probe = instrument.probe(energy, window, nominal)
        modes = source_modes(probe, window, instrument.source_image, instrument.mode_loss)
        modes *= np.linalg.norm(probe)  # light beyond the window's band is lost
        grid = Grid((whole.shape[0] * size // n,) * 2, window.pixel)
        heights, transmissions = self._slabs(energy, whole, grid.shape[0], cut)
        steps = [heights[0], *np.diff(heights)]
        for step in steps:
            check_distance(window, energy, step)
        kernels = [transfer_function(window, energy, step).astype(np.complex64) for step in steps]
        spectra = np.stack([fft2(ifftshift(mode)) * kernels[0] for mode in modes])
        kernel = shift_kernel(spectra)
        sharp = sharpened(spectra, kernel)
        phase = centring(grid.shape[0], size)
        last = transmissions[-1] * (phase[:, None] * phase).astype(np.complex64)
        transmissions = (*transmissions[:-1], last)
        return ScanOptics(window, grid, modes, sharp, kernel, transmissions, tuple(kernels[1:]), cut)

    def _cut(self, energy: float, whole: Grid) -> Cut:
        """Where the specimen is cut for `energy` [eV] and the reconstruction's pixels; may warn."""
        instrument, specimen = self.instrument, self.specimen
        room = partial(room_for, whole, specimen)
        found = slab_cut(instrument.model, specimen, energy, whole.pixel, instrument.slab_error, room)
        return found if found.count == 1 else found.over(*specimen.z_range_on(whole))

    def _slabs(self, energy: float, whole: Grid, count: int, cut: Cut) -> tuple[list[float], tuple[NDArray[Any], ...]]:
        """Heights [m] at which the slabs act, and their transmissions (count, count)."""
        specimen, fine = self.specimen, self._fine(whole, math.ceil(count / whole.shape[0]))
        if cut.count == 1:
            return [structured_middle(specimen)], (band_limited(specimen, fine, count, energy),)
        bounds = [(float(a), float(b)) for a, b in pairwise(cut.edges)]
        filled = [float(f"{h:.12e}") for h in np.diff(cut.edges) * cut.deep]
        waves = tuple(band_limited(specimen, fine, count, energy, *s) for s in zip(bounds, filled, strict=True))
        return [(low + high) / 2 for low, high in bounds], waves

    def _fine(self, grid: Grid, least: int = 2) -> Grid:
        """Samples of the specimen over `grid`: as fine as asked for, as far as memory goes, at least 2 a pixel."""
        least = max(2, least)
        whole, wanted = grid.shape[0], max(least, self.instrument.samples)
        fit = max(least, math.isqrt(MOST) // whole)
        if fit < wanted:
            warnings.warn(
                f"samples: the object of {whole} pixels across is sampled {fit} times finer, not {wanted} times (limit "
                f"{math.isqrt(MOST)} samples across); scan a smaller field for edges as sharp as asked for",
                SamplingWarning,
                stacklevel=2,
            )
        finer = min(wanted, fit)
        return Grid((whole * finer,) * 2, grid.pixel / finer)
