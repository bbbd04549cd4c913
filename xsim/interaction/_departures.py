"""Compiled: where a thickness map departs from its value at one pixel, and by how much."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


def departures(
    maps: dict[int, NDArray[Any]], at: tuple[int, int], tolerance: float, dtype: Any
) -> tuple[int, int, tuple[int, ...], NDArray[Any]] | None:
    """Row and column of the box in which any of `maps` (ny, nx) departs from its value at the pixel `at`, and by what.

    Also which maps do, by more than the `tolerance`; the last is (maps that do, h, w) of `dtype`, zero within the
    tolerance. None where no map departs.
    """
    boxes = {index: _box(metres, at, tolerance) for index, metres in maps.items()}
    found = {index: box for index, box in boxes.items() if box[1] > box[0]}
    if not found:
        return None
    lower, upper = np.min(list(found.values()), axis=0), np.max(list(found.values()), axis=0)
    row, column = int(lower[0]), int(lower[2])
    excess = np.empty((len(found), int(upper[1]) - row, int(upper[3]) - column), dtype)
    for number, index in enumerate(found):
        _fill(excess[number], maps[index], (row, column), at, tolerance)
    return row, column, tuple(found), excess


@njit(cache=True, nogil=True)
def _box(metres: Any, at: tuple[int, int], tolerance: float) -> tuple[int, int, int, int]:
    """First row and one past the last, first column and one past the last; zeros for nowhere."""
    ny, nx = metres.shape
    common = metres[at]
    top, bottom, left, right = ny, 0, nx, 0
    for y in range(ny):
        line = metres[y]
        most = 0
        for x in range(nx):
            most += not abs(line[x] - common) <= tolerance
        if most == 0:
            continue
        top, bottom = min(top, y), y + 1
        first, last = 0, nx
        while first < left and abs(line[first] - common) <= tolerance:
            first += 1
        while last > right and abs(line[last - 1] - common) <= tolerance:
            last -= 1
        left, right = min(left, first), max(right, last)
    return (top, bottom, left, right) if bottom > 0 else (0, 0, 0, 0)


@njit(cache=True, nogil=True)
def _fill(out: Any, metres: Any, first: tuple[int, int], at: tuple[int, int], tolerance: float) -> None:
    common, (row, column) = metres[at], first
    for y in range(out.shape[0]):
        line = metres[row + y]
        for x in range(out.shape[1]):
            departure = line[column + x] - common
            out[y, x] = 0.0 if abs(departure) <= tolerance else departure
