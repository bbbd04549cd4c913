"""Compiled passes of images in partially coherent light: one trip through memory each.

A field is sampled on four interleaved lattices of M points a side (even and odd columns and rows of one of 2M): four
transforms that stay in the cache, with few empty rows, instead of one of four times the size with most of them empty.
Frequency k is added at index k mod M, so the zeroth order alone gives a field that is even to the last bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


def half_steps(first: int, count: int, points: int, dtype: Any) -> NDArray[Any]:
    """Phase factors (count,) of a shift by half a sample of `points`, for frequencies first, first + 1 ..."""
    return np.exp(1j * np.pi * np.arange(first, first + count) / points).astype(dtype)


@njit(cache=True, nogil=True)
def spread(light, pupil, corner, ramps, fields):  # type: ignore[no-untyped-def]
    """fields (2, 2, M, M) = light * pupil (h, w), whose first frequency is `corner` (row, column), on four lattices.

    ramps: `half_steps` along y and x. pupil may be boolean, real or complex.
    """
    fields[:] = 0
    down, along = ramps
    n = fields.shape[3]
    m = fields.shape[2]
    for i in range(light.shape[0]):
        row = (corner[0] + i) % m
        start, column = 0, corner[1] % n
        while start < light.shape[1]:
            stop = min(start + n - column, light.shape[1])
            for j in range(start, stop):
                value = light[i, j] * pupil[i, j]
                fields[0, 0, row, column + j - start] += value
                fields[0, 1, row, column + j - start] += value * along[j]
                value *= down[i]
                fields[1, 0, row, column + j - start] += value
                fields[1, 1, row, column + j - start] += value * along[j]
            start, column = stop, 0


@njit(cache=True, nogil=True)
def add_squares(fields, weight, total):  # type: ignore[no-untyped-def]
    """total += weight |fields|^2, all of one size and precision."""
    field, intensity = fields.ravel(), total.ravel()
    for i in range(field.size):
        value = field[i]
        intensity[i] += weight * (value.real * value.real + value.imag * value.imag)
