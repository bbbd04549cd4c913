"""Compiled passes over the edges inside samples; every sample is worked out alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from xsim.interaction._cis import exponentials

#: fine samples whose exponentials are taken at a time
_BLOCK = 2048


@njit(cache=True, nogil=True)
def mark_steps(sharp: Any, excess: Any, index: Any, at: tuple[int, int], limit: float, span: tuple[int, int]) -> None:
    """Set `sharp` (ny, nx) on both sides of where the transmission of excess (m, h, w) at `at` changes by > `limit`.

    Changes in the dark behind something opaque count by the light that is left there. Outside of its box the excess
    is zero. index: (m,) complex, k (delta - i beta) [1/m]. span: the rows of the box, h the one below it, that are
    compared with those above them.
    """
    height, width = excess.shape[1:]
    row, column = at[0], at[1] - 1  # of what is widened by a sample all round
    last = np.zeros((2, width + 2))
    here = np.zeros((2, width + 2))
    for y in range(max(span[0] - 1, 0), span[1]):
        here[:] = 0
        if y < height:
            for m in range(excess.shape[0]):
                phase, loss = index[m].real, -index[m].imag
                for x in range(width):
                    metres = excess[m, y, x]
                    here[0, x + 1] += phase * metres
                    here[1, x + 1] += loss * metres
        if y < span[0]:
            last, here = here, last
            continue
        for x in range(width + 2):
            inside = 0 <= column + x < sharp.shape[1]
            if inside and _changes(here[0, x] - last[0, x], here[1, x], last[1, x], limit):
                if row + y > 0:
                    sharp[row + y - 1, column + x] = True
                if row + y < sharp.shape[0]:
                    sharp[row + y, column + x] = True
            if y == height or x == 0:
                continue
            if _changes(here[0, x] - here[0, x - 1], here[1, x], here[1, x - 1], limit):
                if inside:
                    sharp[row + y, column + x] = True
                if column + x > 0:
                    sharp[row + y, column + x - 1] = True
        last, here = here, last


@njit(cache=True, nogil=True, inline="always")
def _changes(turn: float, one: float, other: float, limit: float) -> bool:
    square = turn * turn + (one - other) * (one - other)
    dark = max(min(one, other), 0.0)
    return square > limit * limit and square * math.exp(-2 * dark) > limit * limit


@njit(cache=True, nogil=True)
def settle(found: Any, base: Any, excess: Any, at: tuple[Any, Any], span: tuple[int, int]) -> None:
    """Particles found (n, fine) become base (n,) plus them, and get the exact mean over fine samples.

    That is `excess` (h, w) at rows and columns `at` (each (n,)), zero outside. Particles are scaled, so that nothing
    stays nothing, or moved where they would have to be scaled by more than twice.
    """
    for n in range(span[0], span[1]):
        cell, y, x = found[n], at[0][n], at[1][n]
        mean = 0.0
        for f in range(cell.size):
            mean += cell[f]
        mean /= cell.size
        inside = 0 <= y < excess.shape[0] and 0 <= x < excess.shape[1]
        wanted = (excess[y, x] if inside else 0.0) - base[n]
        scaled = 0.5 * abs(mean) < abs(wanted) < 2.0 * abs(mean) and wanted * mean > 0
        factor = np.float32(wanted / mean) if scaled else np.float32(1)
        shift = np.float32(base[n] if scaled else base[n] + wanted - mean)
        for f in range(cell.size):
            cell[f] = factor * cell[f] + shift


@njit(cache=True, nogil=True)
def mean_waves(
    wave: Any, moments: Any, places: tuple[Any, Any, Any], excess: Any, per_metre: Any, uniform: Any, span: Any
) -> None:
    """wave[rows, columns] = uniform * mean over fine samples of 2^octaves i^quarters, for the samples of `span`.

    moments (2, n): the same weighted by the fine samples' offsets along y and x. places: rows and columns (n,), offsets
    (2, fine) float32. excess: (m, n, fine) [m]; per_metre: quarter turns and octaves, each (m,) float32 [1/m].
    """
    rows, columns, offsets = places
    quarters, octaves = per_metre
    fine = excess.shape[2]
    block = max(_BLOCK // fine, 1)
    real, imaginary = np.empty(block * fine, np.float32), np.empty(block * fine, np.float32)
    for start in range(span[0], span[1], block):
        stop = min(start + block, span[1])
        real[:] = 0
        imaginary[:] = 0
        for m in range(excess.shape[0]):
            q, o = quarters[m], octaves[m]
            metres = excess[m, start:stop].reshape(-1)
            for x in range(metres.size):
                real[x] += q * metres[x]
                imaginary[x] += o * metres[x]
        exponentials(real, imaginary)
        for n in range(start, stop):
            a, b = np.float32(0), np.float32(0)
            for x in range((n - start) * fine, (n - start + 1) * fine):
                a += real[x]
                b += imaginary[x]
            wave[rows[n], columns[n]] = uniform * (complex(a, b) / fine)
            for axis in range(2):
                a, b = np.float32(0), np.float32(0)
                for x in range(fine):
                    a += real[(n - start) * fine + x] * offsets[axis, x]
                    b += imaginary[(n - start) * fine + x] * offsets[axis, x]
                moments[axis, n] = uniform * (complex(a, b) / fine)
