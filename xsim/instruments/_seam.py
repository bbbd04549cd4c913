"""Where a periodic wave closes on itself: matter that its border cuts goes over smoothly into that on the other side.

    t(x) -> w(x) t(x) + (1 - w(x)) t(x - L),    w(u) + w(-u) = 1,  u the distance inwards from the border

L is the period of the wave, t the transmission, w an integrated Hann window over `reach` to either side of the border:
the specimen is sampled as far beyond the border. A grating whose period does not fit L has a seam there, which scatters
in all directions, also those that its own orders do not take: structure finer than an objective resolves is seen. Gone
over smoothly, the light stays within about 1/reach of the orders, and its mean does not change. So does L fit: it is
chosen such that the specimen about one border is that about the other, where there is such an L (`fitting`). Of 1:1
gratings beyond the cut-off, 17 to 51 nm, 520 to 8000 eV, images show at most 7e-4 of the mean then (2e-2 with a seam).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.specimen.specimen import Specimen
from xsim.waves.grid import Grid

#: how much wider a wave may become to fit a specimen; share of the mismatch that makes it worth it
WIDER, BETTER = 1.2, 0.1
#: samples across the strips that are compared, and rows of them
FINE, ROWS = 40, 4


@dataclass(frozen=True)
class Seam:
    """reach: samples of the specimen on either side of the border; 0 where nothing lies across it."""

    reach: int = 0

    @staticmethod
    def across(specimen: Specimen, grid: Grid, width: float) -> Seam:
        """Up to `width` [m] to either side of the border of `grid`, if any particle reaches there."""
        reach = int(width / grid.pixel)
        border = max(grid.extent) / 2
        for p in specimen.populations:
            places = np.abs(p.poses.positions[:, :2]).max(axis=1, initial=0.0)
            if np.any((places + p.radii > border - width) & (places - p.radii < border + width)):
                return Seam(reach)
        return Seam()

    def sampled(self, period: Grid) -> Grid:
        """The grid on which the specimen is sampled for a wave of `period`."""
        ny, nx = period.shape
        return Grid((ny + 2 * self.reach, nx + 2 * self.reach), period.pixel, period.center)

    def period(self, sampled: Grid) -> Grid:
        """The grid of the wave whose specimen is `sampled`."""
        return Seam(-self.reach).sampled(sampled)

    def closed(self, values: NDArray[Any]) -> NDArray[Any]:
        """What of `values` (ny, nx) on the grid `sampled` is on one period."""
        if not self.reach:
            return values
        return self._closed(self._closed(values, 0), 1)

    def _closed(self, values: NDArray[Any], axis: int) -> NDArray[Any]:
        width = 2 * self.reach
        found = np.moveaxis(values, axis, 0)
        count = len(found) - width
        u = (np.arange(width) + 0.5) / width
        inside = (u - np.sin(2 * np.pi * u) / (2 * np.pi)).astype(values.real.dtype)[:, None]
        strip = inside * found[:width] + (1 - inside) * found[count:]  # both show the samples about the border
        whole = np.concatenate([strip[self.reach :], found[width:count], strip[: self.reach]])
        return np.ascontiguousarray(np.moveaxis(whole, 0, axis))


def fitting(specimen: Specimen, cells: int, pixel: float, width: float) -> int:
    """How many pixels [m] across a wave has that `specimen` fits best: `cells`, or up to `WIDER` times as many.

    width [m]: of the strips on either side of the border that are compared. Specimens that repeat themselves nowhere
    keep `cells`.
    """
    most = cells + max(8, int((WIDER - 1) * cells))
    if not Seam.across(specimen, Grid((cells, cells), pixel), width).reach:
        return cells  # nothing differs about the border
    fine = max(1, round(FINE * pixel / width))
    counts = np.array([n for n in range(cells, most + 1) if _good(n)] or [cells])
    missed = np.zeros(len(counts))
    for axis in range(2):
        shape = (most * fine + 2 * math.ceil(width / pixel) * fine, ROWS)
        grid = Grid(shape if axis == 0 else shape[::-1], pixel / fine)
        rows = np.stack([t.T if axis else t for t in specimen.thickness(grid).values()])
        missed += _missed(rows - rows.mean(axis=1, keepdims=True), counts * fine, math.ceil(width / pixel) * fine)
    best = int(np.argmin(missed))
    return int(counts[best]) if missed[best] < BETTER * missed[0] else cells


def _missed(rows: NDArray[np.float64], counts: NDArray[np.intp], reach: int) -> NDArray[np.float64]:
    """Share of the variance of `rows` (materials, samples, rows) by which those about the borders of periods of
    `counts` samples differ."""
    middle, variance = rows.shape[1] // 2, float(np.sum(rows * rows, axis=1).mean()) / rows.shape[1]
    if variance < 1e-24 * float(np.abs(rows).max(initial=0.0)) ** 2 or variance == 0:
        return np.zeros(len(counts))
    found = []
    for count in counts:
        low, high = middle - count // 2, middle - count // 2 + count
        gap = rows[:, low - reach : low + reach] - rows[:, high - reach : high + reach]
        found.append(float(np.mean(gap * gap)) / variance)
    return np.array(found)


def _good(number: int) -> bool:
    """Whether a transform of so many samples is fast."""
    for factor in (2, 3, 5, 7, 11, 13, 17, 19, 23):
        while number % factor == 0:
            number //= factor
    return number == 1
