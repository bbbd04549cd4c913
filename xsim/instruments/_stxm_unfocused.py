"""What the light that an order-sorting aperture lets through, though it should not, adds to a scan and to the dose.

The annuli of the unfocused orders are tens of micrometres wide and move with the beam. They are worked out on a coarse
grid of their own: the light of an order that arrives is its share times the mean transmission under its annulus.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xsim.exposure import FrameTable, Illumination
from xsim.instruments._maps import by_energy
from xsim.instruments._recent import Recent
from xsim.instruments._stxm_light import Light
from xsim.optics.order_sorting import Halo
from xsim.specimen.specimen import Specimen
from xsim.waves.fft import fft2, good_size, ifft2, ifftshift
from xsim.waves.grid import Grid

if TYPE_CHECKING:
    from xsim.instruments.stxm import Stxm

FloatArray = NDArray[np.float64]

#: pixels across the widest annulus
PIXELS = 160


@dataclass(frozen=True, eq=False)
class Unfocused:
    """Thickness of every material under the annuli; without an aperture (grid None) there is no such light."""

    instrument: Stxm
    light: Light
    grid: Grid | None = None
    thickness: dict[Any, FloatArray] = attribute(default_factory=dict)
    _recent: Recent = attribute(default_factory=lambda: Recent(2))

    @staticmethod
    def of(instrument: Stxm, specimen: Specimen, light: Light) -> Unfocused:
        """The specimen as the unfocused orders see it."""
        none = Unfocused(instrument, light)
        halos = none.halos(instrument.energy)
        if not halos:
            return none
        widest = 2 * max(halo.outer for halo in halos)
        pixel = max(widest / PIXELS, max(instrument.field) / PIXELS)
        ny, nx = (good_size(math.ceil((widest + width) / pixel) + 4) for width in reversed(instrument.field))
        grid = Grid((ny, nx), pixel)
        return Unfocused(instrument, light, grid, specimen.thickness(grid))

    def halos(self, energy: float) -> tuple[Halo, ...]:
        """The unfocused orders on the specimen."""
        aperture, plate = self.instrument.order_sorting, self.instrument.zone_plate
        return () if aperture is None else aperture.halos(plate, energy, self.light.defocus(energy, energy))

    def share(self, frames: FrameTable) -> FloatArray:
        """Photons in unfocused orders per focused photon (frames,)."""
        found = np.zeros(len(frames))
        for energy, rows in by_energy(frames):
            found[rows] = sum(halo.share for halo in self.halos(energy))
        return found

    def arriving(self, energy: float, y: FloatArray, x: FloatArray) -> list[tuple[Halo, FloatArray]]:
        """Each order with the photons (n,) per focused photon that pass the specimen, the beam at y, x (n,) [m]."""
        if self.grid is None:
            return []
        from scipy.ndimage import map_coordinates

        grid, found = self.grid, []
        rows, columns = (v / grid.pixel + n // 2 for v, n in zip((y, x), grid.shape, strict=True))
        for halo, image in zip(self.halos(energy), self._images(energy), strict=True):
            found.append((halo, halo.share * map_coordinates(image, [rows, columns], order=1, mode="nearest")))
        return found

    def illuminate(self, frames: FrameTable) -> list[Illumination]:
        """Their fluence, the beam resting in the middle of its scan: the annuli are far wider than the scan."""
        photons = self.light.photons(frames)
        found = []
        for energy, rows in by_energy(frames):
            if self.grid is None or not self.halos(energy):
                continue
            total = sum((h.share * h.kernel(self.grid) for h in self.halos(energy)), np.zeros(self.grid.shape))
            fluence = total * float(photons[rows].sum()) / self.grid.pixel**2
            found.append(Illumination(energy, self.grid, fluence, pose="unfocused orders"))
        return found

    def _images(self, energy: float) -> list[FloatArray]:
        return self._recent.get(energy, lambda: self._convolved(energy))

    def _convolved(self, energy: float) -> list[FloatArray]:
        """Mean transmission under each annulus, centred on each pixel."""
        assert self.grid is not None
        depth = np.zeros(self.grid.shape)
        for material, metres in self.thickness.items():
            depth += float(material.optics(energy).mu_total) * metres
        spectrum = fft2(np.exp(-depth).astype(np.complex128))
        kernels = [fft2(ifftshift(h.kernel(self.grid)).astype(np.complex128)) for h in self.halos(energy)]
        return [np.clip(ifft2(spectrum * np.conj(kernel), overwrite=True).real, 0, 1) for kernel in kernels]
