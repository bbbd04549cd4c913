"""A spot in parts, each on a grid that suits it: the core on fine pixels, wide tails and halos on coarse ones.

    map(r) = sum over parts of sum_r' p(r' - r) J(r')

p is the share of the light in each pixel, J what a pixel gives per photon that falls on it. The parts together hold
all the light: where the core's window ends, the blocks of the coarse grid begin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from xsim.waves.fft import fft2, good_size, ifft2
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Layout:
    """Where a spot is worked out.

    near: fine pixels over the field and the core. far: coarse ones, `block` (odd) fine pixels wide, over the field and
    the tails. window, reach: half widths of core and tails in coarse pixels, the middle one not counted.
    """

    near: Grid
    far: Grid
    block: int
    window: int
    reach: int

    @property
    def fine(self) -> int:
        """Fine pixels across the tails, odd."""
        return (2 * self.reach + 1) * self.block

    def split(self, along_y: FloatArray, along_x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Core and tails of a spot that is a product of two lines (fine,)."""
        core = along_y[self._core][:, None] * along_x[self._core][None, :]
        tails = self._blocks(along_y)[:, None] * self._blocks(along_x)[None, :]
        return core, self._without_core(tails)

    def split_image(self, spot: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Core and tails of a spot (fine, fine)."""
        n = 2 * self.reach + 1
        tails = spot.reshape(n, self.block, n, self.block).sum(axis=(1, 3))
        return spot[self._core, self._core], self._without_core(tails)

    @property
    def _core(self) -> slice:
        edge = (self.reach - self.window) * self.block
        return slice(edge, self.fine - edge)

    def _blocks(self, line: FloatArray) -> FloatArray:
        return np.asarray(line.reshape(-1, self.block).sum(axis=1))

    def _without_core(self, tails: FloatArray) -> FloatArray:
        inside = slice(self.reach - self.window, self.reach + self.window + 1)
        tails[inside, inside] = 0.0
        return tails


@dataclass(frozen=True, eq=False)
class Part:
    """Part of the light: `kernel` (odd, odd), the share in each pixel of `grid`, centred; name: "" for the core."""

    name: str
    grid: Grid
    kernel: FloatArray

    @property
    def share(self) -> float:
        """Photons in it per photon of the focus."""
        return float(self.kernel.sum())

    def gathered(self, maps: Sequence[FloatArray]) -> list[FloatArray]:
        """What the spot gets of each of `maps` (ny, nx) >= 0 with its middle on each pixel."""
        share = self.share
        base = [float(values.min()) for values in maps]  # what is uniform stays exact
        found = [np.full(self.grid.shape, share * low) for low in base]
        uneven = [k for k, values in enumerate(maps) if float(values.max()) > base[k]]
        if not uneven or share == 0:
            return found
        transfer = np.conj(self._transfer)
        for first, second in zip_longest(uneven[::2], uneven[1::2]):
            # the spot is real, so one transform serves two maps
            wave = (maps[first] - base[first]).astype(np.complex128)
            if second is not None:
                wave += 1j * (maps[second] - base[second])
            both = ifft2(fft2(wave, overwrite=True) * transfer, overwrite=True)
            found[first] += both.real
            if second is not None:
                found[second] += both.imag
        return [np.maximum(values, 0) for values in found]

    def spread(self, landed: FloatArray) -> FloatArray:
        """Photons (ny, nx) per pixel of spots whose middles landed so often on each pixel."""
        return np.maximum(ifft2(fft2(landed.astype(np.complex128)) * self._transfer, overwrite=True).real, 0)

    @cached_property
    def _transfer(self) -> NDArray[np.complex128]:
        ny, nx = self.kernel.shape
        whole = np.zeros(self.grid.shape, np.complex128)
        whole[:ny, :nx] = self.kernel
        return fft2(np.roll(whole, (-(ny // 2), -(nx // 2)), (0, 1)), overwrite=True)


def around(field: tuple[float, float], kernel: int, pixel: float) -> Grid:
    """A grid of `pixel` over the field (y, x) [m] with room for a kernel of `kernel` pixels."""
    ny, nx = (good_size(int(np.ceil(width / pixel)) + kernel + 3) for width in field)
    return Grid((ny, nx), pixel)


def value_at(grid: Grid, image: FloatArray, y: FloatArray, x: FloatArray) -> FloatArray:
    """`image` on `grid` at points y, x (n,) [m]: on a pixel its own value, between pixels by straight lines."""
    from scipy.ndimage import map_coordinates

    rows, columns = (v / grid.pixel + n // 2 for v, n in zip((y, x), grid.shape, strict=True))
    near_y, near_x = np.rint(rows).astype(np.int64), np.rint(columns).astype(np.int64)
    if np.abs(rows - near_y).max(initial=0) < 1e-6 and np.abs(columns - near_x).max(initial=0) < 1e-6:
        return np.asarray(image[near_y, near_x])
    return np.asarray(map_coordinates(image, [rows, columns], order=1, mode="nearest"))
