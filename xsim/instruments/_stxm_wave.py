"""A scanning image as interference makes it: the far field behind every point of the scan, cut into segments.

    psi = p(r' - r) t(r')  (thin), or p carried from slab to slab (thick);   N_s(r) = flux time sum_q D_s(q) |F psi|^2

Modes of the source, lines of the spectrum and places on the way of a fly scan are incoherent: intensities add.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavelength, wavenumber
from xsim.errors import SamplingError
from xsim.exposure import Exposure, FrameTable, Illumination, Truth
from xsim.instruments._ladder import model_note
from xsim.instruments._maps import by_energy
from xsim.instruments._recent import Recent
from xsim.instruments._segments import Masks
from xsim.instruments._slices import Slices
from xsim.instruments._stxm_convolved import convolved_grid, illuminated, scan_truth
from xsim.instruments._stxm_light import Light, paths
from xsim.instruments._stxm_unfocused import Unfocused
from xsim.instruments._stxm_window import grids
from xsim.interaction.cutting import Cut
from xsim.interaction.standing import spread
from xsim.specimen.specimen import Specimen
from xsim.waves.angular_spectrum import check_distance, transfer_function
from xsim.waves.band import inner_band
from xsim.waves.fft import fft2, fftshift, ifft2, ifftshift
from xsim.waves.grid import Grid

if TYPE_CHECKING:
    from xsim.instruments.stxm import Stxm

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex64]

#: the object's thickness is sampled so many times finer than the wave, as far as it fits into so many samples
FINE, MOST_FINE = (4, 2), 2**24


@dataclass(frozen=True, eq=False)
class _Line:
    """What one photon energy of the spectrum fixes. spectra: of the modes (n, ny, nx) at the first slab, FFT order."""

    weight: float
    modes: ComplexArray
    spectra: ComplexArray
    transmissions: tuple[ComplexArray, ...]
    kernels: tuple[ComplexArray, ...]
    masks: Masks | None


@dataclass(frozen=True, eq=False)
class StxmWavePrepared:
    """The specimen in slabs on the grid of the object; windows of it are lit one after another."""

    light: Light
    specimen: Specimen
    window: Grid
    object_grid: Grid
    slices: Slices
    unfocused: Unfocused
    frame_bytes: int = 4096
    _recent: Recent = attribute(default_factory=lambda: Recent(1))

    @staticmethod
    def of(light: Light, specimen: Specimen, slabs: Cut) -> StxmWavePrepared:
        """Sample the specimen in `slabs` once. Raises SamplingError; may warn."""
        instrument = light.instrument
        window, grid = grids(light, specimen, slabs)
        kept = slabs.count * max(1, len(specimen.materials)) * math.prod(grid.shape)
        fine = next((k for k in FINE if k * k * kept <= MOST_FINE), 1)
        slices = Slices.sample(specimen, finer(grid, fine, tiled=instrument.segments is None), slabs)
        prepared = StxmWavePrepared(light, specimen, window, grid, slices, Unfocused.of(instrument, specimen, light))
        prepared.check_energy(instrument.energy)
        prepared._at(instrument.energy)
        return prepared

    @property
    def instrument(self) -> Stxm:
        """The microscope."""
        return self.light.instrument

    def expose(self, frames: FrameTable) -> Exposure:
        """Expected photons (points, 1), or (points, 1, segments), each point from its own row alone."""
        segments = self.instrument.segments
        photons = self.light.photons(frames)
        expected = np.zeros((len(frames), 1, 1 if segments is None else len(segments)))
        for energy, chosen in by_energy(frames):
            part, lines = frames.take(chosen), self._at(energy)
            y, x = paths(self.instrument, part, self.object_grid, self.window.extent[0] / 2)
            for row, ys, xs in zip(chosen, y, x, strict=True):
                for place_y, place_x in zip(ys, xs, strict=True):
                    for line in lines:
                        expected[row, 0] += line.weight / len(xs) * self._seen(line, float(place_y), float(place_x))
            self._add_unfocused(expected, energy, chosen, part)
        expected *= photons[:, None, None]
        incident = photons * (1 + self.unfocused.share(frames))
        group_energy = np.asarray(frames["energy"], np.float64)[:, None]
        if segments is None:
            return Exposure(expected[..., 0], group_energy, (), frames, incident)
        return Exposure(expected, group_energy, (segments.axis,), frames, incident)

    def illuminate(self, frames: FrameTable) -> list[Illumination]:
        """The spots of all points added up, one map per energy."""
        grid, factor = convolved_grid(self.light)
        return illuminated(self.light, grid, factor, frames) + self.unfocused.illuminate(frames)

    def truth(self) -> dict[str, Truth]:
        """Thickness of each material, phase and optical density on the scan's own grid; where the beam really was."""
        return scan_truth(self.instrument, self.specimen)

    def measured(self) -> dict[str, Any]:
        """Which route and model made the image, of how many slabs."""
        energy, slabs = self.instrument.energy, self.slices.cut
        return {
            "route": "far field",
            "slabs": slabs.count,
            **model_note(slabs, self.specimen, energy, self.light.half_period(energy)),
        }

    def check_energy(self, energy: float) -> None:
        """Raise an error or warn where the grid or the optic does not serve `energy` [eV]."""
        self.instrument.check_optic(energy, self.light)
        limit, widest = float(wavelength(energy)) / (2 * self.window.pixel), self._widest(energy)
        if widest > limit * (1 + 1e-9):
            raise SamplingError(
                f"the wave grid does not carry the light at {energy:.6g} eV",
                field="energy",
                value=f"angles up to {widest:.3g} rad",
                allowed=f"<= wavelength/(2 pixel) = {limit:.3g} rad",
                cure="set the instrument's energy to the highest of the scan",
            )

    def _widest(self, energy: float) -> float:
        """Largest angle [rad] that must be followed: the outermost ring's, and twice the cone's."""
        one, na = self.instrument, self.light.numerical_aperture(energy)
        ring = 0.0 if one.segments is None else one.segments.rings[-1] * self.light.numerical_aperture(one.energy)
        return max(2 * na, ring)

    def _add_unfocused(self, expected: FloatArray, energy: float, chosen: NDArray[Any], part: FrameTable) -> None:
        one = self.instrument
        y, x = one.motion.positions(part)
        for halo, passed in self.unfocused.arriving(energy, y, x):
            na = self.light.numerical_aperture(one.energy)
            share = np.ones(1) if one.segments is None else one.segments.even(halo.share_between, na)
            expected[chosen, 0] += passed[:, None] * share

    def _seen(self, line: _Line, y: float, x: float) -> FloatArray:
        """Share of the photons in each segment (or in all, (1,)) with the beam at (x, y) [m]."""
        (ny, nx), pixel, shape = self.window.shape, self.window.pixel, self.object_grid.shape
        row, column = round(y / pixel), round(x / pixel)
        part = (
            slice(shape[0] // 2 - ny // 2 + row, shape[0] // 2 - ny // 2 + row + ny),
            slice(shape[1] // 2 - nx // 2 + column, shape[1] // 2 - nx // 2 + column + nx),
        )
        off = (y - row * pixel, x - column * pixel)
        total: Any = 0.0
        for number in range(len(line.modes)):
            wave = self._exit(line, number, part, off)
            if line.masks is None:
                # the sum over the far field is the sum over the exit wave
                total = total + np.array([float(np.sum(wave.real**2 + wave.imag**2, dtype=np.float64))])
            else:
                total = total + line.masks.sums(fft2(wave, overwrite=True)) / wave.size
        return np.asarray(total)

    def _exit(self, line: _Line, number: int, part: tuple[slice, slice], off: tuple[float, float]) -> ComplexArray:
        """The wave (ny, nx) behind the last slab of one mode, centred."""
        if max(abs(v) for v in off) < 1e-6 * self.window.pixel:
            wave = line.modes[number] * line.transmissions[0][part]
        else:  # the fraction of a sample that the window cannot follow is a phase ramp on the spectrum: exact
            ramp = [
                np.exp(-1j * v * q).astype(np.complex64) for v, q in zip(off, self.window.frequencies(), strict=True)
            ]
            wave = fftshift(ifft2(line.spectra[number] * ramp[0] * ramp[1], overwrite=True))
            wave *= line.transmissions[0][part]
        for kernel, transmission in zip(line.kernels, line.transmissions[1:], strict=True):
            spectrum = fft2(wave, overwrite=True)
            spectrum *= kernel
            wave = ifft2(spectrum, overwrite=True)
            wave *= transmission[part]
        return wave

    def _at(self, energy: float) -> list[_Line]:
        return self._recent.get(energy, lambda: self._make(energy))

    def _make(self, energy: float) -> list[_Line]:
        segments, window, slices = self.instrument.segments, self.window, self.slices
        na = self.light.numerical_aperture(self.instrument.energy)
        steps = [float(f"{d:.12e}") for d in np.diff(slices.middles)]  # equal steps differ in their last bits
        here = Light(self.instrument, slices.middles[0])
        found = []
        for line, weight in zip(*here.lines(energy), strict=True):
            for step in steps:
                check_distance(window, float(line), step)
            kernels = {step: transfer_function(window, float(line), step).astype(np.complex64) for step in set(steps)}
            modes = here.modes(window, float(line), energy).astype(np.complex64)
            masks = None if segments is None else segments.masks(window, float(wavenumber(line)) * na)
            found.append(
                _Line(
                    float(weight),
                    modes,
                    fft2(ifftshift(modes)),
                    self._transmissions(float(line)),
                    tuple(kernels[step] for step in steps),
                    masks,
                )
            )
        return found

    def _transmissions(self, line: float) -> tuple[ComplexArray, ...]:
        """Of all slabs at the energy `line` [eV]; of neighbours that are alike once."""
        found: list[ComplexArray] = []
        last: Any = None
        for number, maps in enumerate(self.slices.maps):
            key = maps, float(f"{self.slices.heights[number]:.12e}")
            alike = last is not None and key[0] is last[0] and key[1] == last[1]
            found.append(found[-1] if alike else self._transmission(number, line))
            last = key
        return tuple(found)

    def _transmission(self, slab: int, line: float) -> ComplexArray:
        """Of one slab."""
        phase = np.zeros(self.slices.grid.shape, np.complex128)
        k, shape = float(wavenumber(line)), self.object_grid.shape
        for material, metres in self.slices.maps[slab].items():
            phase += complex(k * material.optics(line).decrement) * metres
        height = self.slices.heights[slab]
        if height:
            fine = phase.shape[0] // shape[0]
            if self.instrument.segments is None:  # the fine samples tile those of the object
                reduced = phase.reshape(shape[0], fine, shape[1], fine).mean(axis=(1, 3))
            else:
                reduced = inner_band(phase, shape)
            smooth = spread(reduced, self.object_grid, line, height)
            return np.exp(-1j * smooth).astype(np.complex64)
        reduce = energy_kept if self.instrument.segments is None else inner_band
        return reduce(np.exp(-1j * phase), shape).astype(np.complex64)


def finer(grid: Grid, fine: int, tiled: bool) -> Grid:
    """`fine` x `fine` samples per pixel of `grid`: tiling its pixels, or with one of them on each pixel's centre."""
    shape, pixel = (grid.shape[0] * fine, grid.shape[1] * fine), grid.pixel / fine
    if not tiled:
        return Grid(shape, pixel)
    x, y = ((n * fine // 2 - n // 2 * fine - (fine - 1) / 2) * pixel for n in reversed(grid.shape))
    return Grid(shape, pixel, (x, y))


def energy_kept(wave: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """Mean phase and rms modulus in each of `shape` pixels: what edges scatter beyond the band still arrives."""
    if wave.shape == shape:
        return wave
    tiles = wave.reshape(shape[0], wave.shape[0] // shape[0], shape[1], -1)
    mean, power = tiles.mean(axis=(1, 3)), (tiles.real**2 + tiles.imag**2).mean(axis=(1, 3))
    size = np.abs(mean)
    return np.asarray(np.where(size > 0, mean / np.maximum(size, 1e-300), 1) * np.sqrt(power))
