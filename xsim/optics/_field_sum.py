"""Sums of squared fields, each made from the few frequencies that pass a pupil: the inner loop of every image."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.optics._image_passes import add_squares, cut_lines, fill_lines, fill_strip
from xsim.threads import share, spans, thread_count, use_threads
from xsim.waves.fft import ifft1

#: bytes of rows or columns transformed in one call: half of a small second-level cache
_BYTES = 2**18


class FieldSum:
    """Weighted sum of |fields|^2 on `shape` (N_y, N_x) samples, in the precision of fields of type `dtype`.

    strips (n, N_y, width): the sum so far, strips of columns one after the other. Threads share each field; the bits
    do not depend on how many.
    """

    def __init__(self, shape: tuple[int, int], dtype: Any):
        self.shape = shape
        size = np.dtype(dtype).itemsize
        self._rows = max(1, _BYTES // (size * shape[1]))
        widest = max(8, _BYTES // (size * shape[0]) // 8 * 8)
        count = math.ceil(shape[1] / widest)
        self._columns = math.ceil(shape[1] / count)
        self.strips = np.zeros((count, shape[0], self._columns), np.empty(0, dtype).real.dtype)
        self._dtype = dtype
        self._parts = np.empty(0, dtype)
        self._spare: list[NDArray[Any]] = []

    def add(self, light: NDArray[Any], pupil: NDArray[Any], corner: tuple[int, int], weight: float) -> None:
        """Add weight |field|^2, the field's Fourier coefficients being light * pupil (h, w).

        corner: signed frequency (row, column) of the first of these. pupil may be boolean, real or complex.
        """
        count, rows, columns = len(self.strips), light.shape[0], self._columns
        if self._parts.size < count * rows * columns:
            self._parts = np.empty(count * rows * columns, self._dtype)
        parts = self._parts[: count * rows * columns].reshape(count, rows, columns)
        scale = self.strips.dtype.type(weight)

        def along(start: int, stop: int) -> None:
            lines, kept = self._buffer(stop - start, self.shape[1])
            fill_lines(light[start:stop], pupil[start:stop], corner[1], lines)
            cut_lines(ifft1(lines, -1, overwrite=True, scaled=False, workers=1), start, parts)
            self._spare.append(kept)

        def down(index: int) -> None:
            strip, kept = self._buffer(self.shape[0], columns)
            fill_strip(parts[index], corner[0], strip)
            add_squares(ifft1(strip, 0, overwrite=True, scaled=False, workers=1), scale, self.strips[index])
            self._spare.append(kept)

        share(along, spans(rows, self._rows))
        share(down, [(index,) for index in range(count)])

    def _buffer(self, rows: int, columns: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """An array of that shape, and what it is part of, kept for reuse: fresh memory costs as much as a pass."""
        try:
            kept = self._spare.pop()
        except IndexError:
            kept = np.empty(max(self._rows * self.shape[1], self.shape[0] * self._columns), self._dtype)
        return kept[: rows * columns].reshape(rows, columns), kept


def joined(strips: NDArray[Any], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Strips (n, N_y, width) as one picture of `shape` (N_y, N_x)."""
    picture = strips.transpose(1, 0, 2).reshape(shape[0], -1)[:, : shape[1]]
    return np.ascontiguousarray(picture, np.float64)


def sum_in_threads(jobs: Sequence[Callable[[], NDArray[Any]]]) -> NDArray[np.float64]:
    """Sum of what all jobs return, always in their order; each runs on one thread, as many at a time as there are."""
    done: dict[int, NDArray[Any]] = {}
    total: list[NDArray[np.float64]] = []
    count, lock = 0, Lock()

    def task(index: int) -> None:
        nonlocal count
        with use_threads(1):
            found = jobs[index]()
        with lock:
            done[index] = found
            while count in done:
                part = done.pop(count)
                if total:
                    np.add(total[0], part, out=total[0])
                else:
                    total.append(part.astype(np.float64))
                count += 1

    share(task, [(index,) for index in range(len(jobs))], thread_count())
    return total[0]
