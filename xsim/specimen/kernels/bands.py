"""Splits a raster into bands of rows that threads work on independently.

Each pixel belongs to one band and each band takes its particles in their order, so the result has the same bits for
any number of threads (see `xsim.threads`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xsim.specimen.shape import FloatArray, Poses
from xsim.threads import share
from xsim.waves.grid import Grid

#: rows per band
BAND = 32
#: pixels to fill below which starting threads costs more than it saves
SERIAL_WORK = 30_000


@dataclass(frozen=True, eq=False)
class PixelPoses:
    """Poses in units of pixels, with pixel (row j, column i) covering j..j+1, i..i+1; all (n,) but rotations (n, 3, 3).

    size: pixels per metre of the shape's own frame. z0, z1: the slab [px].
    """

    x: FloatArray
    y: FloatArray
    z: FloatArray
    size: FloatArray
    rotations: FloatArray
    z0: float
    z1: float


def in_pixels(poses: Poses, grid: Grid, z0: float, z1: float) -> PixelPoses:
    """Poses [m] and a slab [m] in the pixel frame of `grid`."""
    ny, nx = grid.shape
    p = grid.pixel
    position = np.asarray(poses.positions, np.float64)
    x = (position[:, 0] - grid.center[0]) / p + (nx // 2 + 0.5)
    y = (position[:, 1] - grid.center[1]) / p + (ny // 2 + 0.5)
    size = np.ascontiguousarray(poses.scales, np.float64) / p
    rotations = np.ascontiguousarray(poses.rotations, np.float64)
    return PixelPoses(x, y, np.ascontiguousarray(position[:, 2] / p), size, rotations, z0 / p, z1 / p)


@njit(cache=True, nogil=True)
def _band_span(y: float, reach: float, rows: int, band: int) -> tuple[int, int]:
    """First band touched and one past the last."""
    low, high = np.floor(y - reach), np.floor(y + reach)
    if not (high >= 0 and low < rows):
        return 0, 0
    return int(max(low, 0.0)) // band, int(min(high, rows - 1.0)) // band + 1


@njit(cache=True, nogil=True)
def _sort_into_bands(
    y: NDArray[np.float64], reach: NDArray[np.float64], rows: int, band: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Counting sort: the particles that touch each band, in index order: (first item of each band, items)."""
    bands = (rows + band - 1) // band
    start = np.zeros(bands + 1, np.int64)
    for n in range(len(y)):
        first, last = _band_span(y[n], reach[n], rows, band)
        for b in range(first, last):
            start[b + 1] += 1
    for b in range(bands):
        start[b + 1] += start[b]
    fill = start.copy()
    items = np.empty(start[bands], np.int64)
    for n in range(len(y)):
        first, last = _band_span(y[n], reach[n], rows, band)
        for b in range(first, last):
            items[fill[b]] = n
            fill[b] += 1
    return start, items


def for_bands(
    rows: int,
    y: FloatArray,
    reach: FloatArray,
    task: Callable[[int, int, NDArray[np.int64]], None],
    *,
    band: int = BAND,
) -> None:
    """Call task(first row, last row, particles) for every band of rows that particles at `y` +- `reach` [px] touch."""
    if len(y) == 0:
        return
    start, items = _sort_into_bands(y, reach, rows, band)
    jobs = [
        (b * band, min((b + 1) * band, rows), items[start[b] : start[b + 1]])
        for b in range(len(start) - 1)
        if start[b + 1] > start[b]
    ]
    work = float(np.sum(np.minimum(2 * reach + 1, rows) ** 2))
    share(task, jobs, 1 if work < SERIAL_WORK else None)
