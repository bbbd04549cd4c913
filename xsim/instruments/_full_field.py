"""The full-field microscope with a specimen in it: images at each photon energy, on the camera's pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavelength, wavenumber
from xsim.exposure import Exposure, FrameTable, Illumination, Truth
from xsim.instruments._beam_lines import with_harmonics
from xsim.instruments._edges import Edges
from xsim.instruments._full_field_harmonics import ORDERS, Haze
from xsim.instruments._full_field_sampling import check_advance, widest_angle
from xsim.instruments._ladder import model_note, warn_of_other_energy
from xsim.instruments._maps import by_energy, image_axes, truth_maps
from xsim.instruments._recent import Recent
from xsim.instruments._seam import Seam
from xsim.instruments._thick import ThickWave, unboxed
from xsim.interaction import multislice
from xsim.interaction.standing import MISSING
from xsim.interaction.validity import structured_middle
from xsim.optics.hopkins import Setting
from xsim.optics.partial_coherence import partially_coherent_image
from xsim.specimen.specimen import Specimen
from xsim.waves.band import inner_band
from xsim.waves.fft import fft2, fftshift, good_size, ifft2, ifftshift
from xsim.waves.grid import Grid

if TYPE_CHECKING:
    from xsim.instruments.full_field import FullField

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FullFieldPrepared:
    """The specimen in slabs on the wave grid; `bins` wave pixels a side make one of the camera's.

    edges: where each occupied slab is averaged over finer samples. seam: how the wave closes on itself. haze: harmonics
    out of focus.
    """

    instrument: FullField
    specimen: Specimen
    slabs: multislice.Slabs
    bins: int
    edges: tuple[Edges | None, ...] = ()
    seam: Seam = attribute(default_factory=Seam)
    haze: Haze | None = None
    _recent: Recent = attribute(default_factory=lambda: Recent(2))

    @property
    def frame_bytes(self) -> int:
        """Bytes of working memory per frame."""
        return 32 * self.instrument.image_grid().shape[0] ** 2 * (1 + len(self.instrument.harmonics.orders))

    def expose(self, frames: FrameTable) -> Exposure:
        """Expected photons (frames, orders, ny, nx): the wanted light, then its harmonics.

        Frames of equal energy share one image.
        """
        instrument, grid = self.instrument, self.instrument.image_grid()
        photons = instrument.flux * np.asarray(frames["time"], np.float64)
        per_pixel = photons * (instrument.pixel / instrument.field) ** 2
        orders = np.array([1, *instrument.harmonics.orders])
        expected = np.empty((len(frames), len(orders), *grid.shape))
        for energy, rows in by_energy(frames):
            images = self._recent.get(energy, lambda e=energy: self._images(e))  # type: ignore[misc]
            expected[rows] = per_pixel[rows][:, None, None, None] * images
        energies = np.asarray(frames["energy"], np.float64)[:, None] * orders
        return Exposure(expected, energies, image_axes(grid), frames, photons)

    def illuminate(self, frames: FrameTable) -> list[Illumination]:
        """The fluence on the field, one map per energy, harmonics among them: even, or the image of the source."""
        field, n = self.instrument.field, self.instrument.image_grid().shape[0]
        photons = self.instrument.flux * np.asarray(frames["time"], np.float64)
        grid = Grid((n, n), field / n)
        found = [
            Illumination(energy, grid, self._light(grid, energy) * (float(photons[rows].sum()) / field**2))
            for energy, rows in by_energy(frames)
        ]
        return with_harmonics(self.instrument, found)

    def truth(self) -> dict[str, Truth]:
        """Thickness of each material, phase and optical density on the image's pixels."""
        return truth_maps(self.specimen, self.instrument.image_grid(), self.instrument.energy)

    def measured(self) -> dict[str, str]:
        """Projection or multislice, and the error of that at the finest half period that passes."""
        energy, cut = self.instrument.energy, self.slabs.cut
        found = model_note(cut, self.specimen, energy, self.instrument.finest_period(energy) / 2)
        if cut.deep.any():
            found["interaction_model"] += f", and <= {MISSING} by light that walls guide beyond the wave's grid"
        return found

    def check_energy(self, energy: float) -> None:
        """Warn where `energy` [eV] needs more slabs than the specimen was cut into, or another phase ring.

        Raises RangeError for a harmonic beyond the tables.
        """
        self.instrument.harmonics.lines(energy)
        half_period = self.instrument.finest_period(energy) / 2
        warn_of_other_energy(self.slabs.cut, self.specimen, energy, half_period, self.instrument.slab_error)
        ring = self.instrument.ring()
        if ring is not None and energy != self.instrument.energy:
            check_advance(ring, energy)

    def _images(self, energy: float) -> FloatArray:
        """Photons (orders, ny, nx) on each of the camera's pixels over those on the specimen there, of each order.

        The wanted light is summed over its spectrum; a harmonic is one line.
        """
        lens = self.instrument.objective
        energies, weights = self.instrument.bandwidth.lines(energy)
        shares = [w * float(lens.efficiency(e)) for e, w in zip(energies, weights, strict=True)]
        wanted = sum(share * self._line(float(e), energy) for e, share in zip(energies, shares, strict=True))
        harmonics = self.instrument.harmonics
        others = [share * self._harmonic(order, energy) for order, share in harmonics.orders.items()]
        return np.stack([harmonics.fundamental * np.asarray(wanted), *others])

    def _harmonic(self, order: int, nominal: float) -> FloatArray:
        """The same of light of `order` times the nominal energy: sharp by that order of the lens, and haze."""
        light = self._light(self.instrument.image_grid(), nominal)
        found = np.zeros(light.shape) if self.haze is None else self.haze.image(order, nominal, light)
        if order in ORDERS:
            efficiency = float(self.instrument.objective.efficiency(order * nominal, order))
            found = found + efficiency * self._line(order * nominal, nominal, order)
        return found

    def _line(self, energy: float, nominal: float, order: int = 1) -> FloatArray:
        """Mean intensity on each of the camera's pixels in light of `energy` [eV], the lens focused for `nominal`.

        order: of the zone plate, which focuses a harmonic as the first order does the wanted light.
        """
        instrument, slabs = self.instrument, self.slabs
        grid = self._image_wave_grid(energy, order)
        incident = np.sqrt(self._light(grid, energy / order)).astype(np.float32)
        if slabs.count == 1:  # a projection acts where the particles are, whatever uniform layers lie about them
            plane, middle = structured_middle(self.specimen), sum(slabs.z_range) / 2
            flat = multislice.exit_wave(slabs, 1.0, energy, planes=(middle, middle))
            if self.edges and self.edges[0] is not None:
                inner = self.edges[0].band(flat, energy, grid.shape, _uniform(slabs, energy), self.seam)
            else:
                inner = inner_band(self.seam.closed(flat), grid.shape)
            wave: Any = unboxed(inner, grid, slabs.grid.pixel) * incident
        else:
            thick = ThickWave.reduced(slabs, grid, energy, self.edges, self.seam)
            layers = (thick.transmissions[0] * incident, *thick.transmissions[1:])
            plane, wave = thick.z[-1], replace(thick, transmissions=layers).behind
        defocus = instrument.focus_shift(energy / order, nominal) - plane
        setting = Setting(grid, energy, instrument.lens(order), instrument.cone(), defocus)
        image = partially_coherent_image(wave, setting, instrument.imaging)
        across = self.seam.period(slabs.grid).shape[0] // self.bins
        return camera_pixels(image, grid, instrument.image_grid(), across)

    def _light(self, grid: Grid, energy: float) -> FloatArray:
        """Intensity on the specimen over its mean on the field."""
        instrument = self.instrument
        aperture = instrument.objective.numerical_aperture(energy)
        found = instrument.cone().light(grid, instrument.field, energy, aperture)
        return np.ones(grid.shape) if found is None else found

    def _image_wave_grid(self, energy: float, order: int = 1) -> Grid:
        """The coarsest grid over the field of the slabs that carries all that matters for the image."""
        instrument, fine = self.instrument, self.seam.period(self.slabs.grid)
        opening = float(instrument.objective.numerical_aperture(energy / order))
        # an image of 2 NA, the light of NA (1 + sigma) that makes it, and more inside a thick specimen
        cone = (1 + instrument.cone().sigma) * opening
        inside = widest_angle(instrument, energy / order, self.slabs.cut.critical)
        widest = max(2 * opening, cone if self.slabs.count == 1 else inside)
        needed = good_size(math.ceil(fine.extent[0] * 2 * widest / float(wavelength(energy)) + 1))
        n = min(needed, fine.shape[0])
        return Grid((n, n), fine.extent[0] / n)


def _uniform(slabs: multislice.Slabs, energy: float) -> complex:
    """What uniform layers multiply every ray of `energy` [eV] by."""
    index = [m.optics(energy).decrement for m in slabs.materials]
    total = sum((n * t for n, t in zip(index, slabs.uniform, strict=True)), 0j)
    return complex(np.exp(-1j * wavenumber(energy) * total))


def camera_pixels(image: FloatArray, grid: Grid, pixels: Grid, across: int) -> FloatArray:
    """Mean of a band-limited `image` on `grid` over each of the camera's `pixels`, exact by its Fourier series.

    across: how many of the camera's pixels fit across the grid, which has the same centre.
    """
    qy, qx = grid.frequencies()
    width = pixels.pixel / (2 * np.pi)
    spectrum = fftshift(fft2(ifftshift(image)) * (np.sinc(qy * width) * np.sinc(qx * width)))
    bins = math.ceil(image.shape[0] / across)
    fine = across * bins
    padded = np.zeros((fine, fine), np.complex128)
    first = fine // 2 - image.shape[0] // 2
    inner = slice(first, first + image.shape[0])
    padded[inner, inner] = spectrum
    mean = fftshift(ifft2(ifftshift(padded))).real * (fine / image.shape[0]) ** 2
    centres = fine // 2 + (np.arange(pixels.shape[0]) - pixels.shape[0] // 2) * bins
    return np.asarray(np.maximum(mean[np.ix_(centres, centres)], 0.0))  # rounding may dip below zero in the dark
