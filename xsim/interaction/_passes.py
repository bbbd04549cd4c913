"""Compiled passes of multislice over rows of a wave; every pixel is computed alone.

For complex64 the exponential is that of `_cis`, as vector code; complex128 goes through the mathematics library.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xsim.interaction._cis import exponentials


def multiply(wave: NDArray[Any], kernel: NDArray[Any], column: int = 0) -> None:
    """wave (waves, ny, nx) *= kernel (ny, w) in place, in the columns from `column` on; both C-contiguous."""
    _multiply(wave, kernel, column)


def transmit(
    wave: NDArray[Any], excess: NDArray[Any], index: NDArray[Any], at: tuple[int, int], rows: tuple[int, int]
) -> None:
    """wave (waves, ny, nx) *= exp(-i sum_m index_m excess_m) in the box of excess (m, h, w).

    at: (row, column) where the box starts. Only the `rows` (start, stop) of the wave. index: (m,) complex,
    k(delta - i beta) [1/m]. All C-contiguous.
    """
    first, last = max(at[0], rows[0]), min(at[0] + excess.shape[1], rows[1])
    span = first, max(first, last), at[0], at[1]
    if wave.dtype == np.complex64:
        quarters, octaves = -index.real * 2 / math.pi, index.imag / math.log(2)
        per_metre = quarters.astype(np.float32), octaves.astype(np.float32)
        _transmit_single(wave.view(np.float32), excess.astype(np.float32, copy=False), per_metre, span)
    else:
        _transmit_double(wave, excess.astype(np.float64, copy=False), (index.real.copy(), -index.imag), span)


@njit(cache=True, nogil=True)
def _multiply(wave: Any, kernel: Any, column: int) -> None:
    # rows are taken out as such: of a slice of a larger array the compiler does not know that values are neighbours
    for y in range(wave.shape[1]):
        factor = kernel[y]
        for b in range(wave.shape[0]):
            line = wave[b, y, column : column + factor.size]
            for x in range(factor.size):
                line[x] *= factor[x]


@njit(cache=True, nogil=True)
def _transmit_double(wave: Any, excess: Any, per_metre: Any, span: tuple[int, int, int, int]) -> None:
    phase, loss = per_metre
    first, last, row, column = span
    for y in range(first - row, last - row):
        for x in range(excess.shape[2]):
            angle, decay = 0.0, 0.0
            for m in range(excess.shape[0]):
                angle += phase[m] * excess[m, y, x]
                decay += loss[m] * excess[m, y, x]
            if angle != 0.0 or decay != 0.0:
                modulus = math.exp(-decay)
                factor = complex(modulus * math.cos(angle), -modulus * math.sin(angle))
                for b in range(wave.shape[0]):
                    wave[b, row + y, column + x] *= factor


@njit(cache=True, nogil=True)
def _transmit_single(wave: Any, excess: Any, per_metre: Any, span: tuple[int, int, int, int]) -> None:
    quarters, octaves = per_metre
    first, last, row, column = span
    width = excess.shape[2]
    real, imaginary = np.empty(width, np.float32), np.empty(width, np.float32)
    for y in range(first - row, last - row):
        real[:] = 0
        imaginary[:] = 0
        for m in range(excess.shape[0]):
            q, o, metres = quarters[m], octaves[m], excess[m, y]
            for x in range(width):
                real[x] += q * metres[x]
                imaginary[x] += o * metres[x]
        exponentials(real, imaginary)
        for b in range(wave.shape[0]):
            line = wave[b, row + y, 2 * column : 2 * (column + width)]
            for x in range(width):
                old_real, old_imaginary = line[2 * x], line[2 * x + 1]
                line[2 * x] = old_real * real[x] - old_imaginary * imaginary[x]
                line[2 * x + 1] = old_real * imaginary[x] + old_imaginary * real[x]
