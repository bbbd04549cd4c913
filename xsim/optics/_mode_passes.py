"""Compiled sums for the modes of partially coherent light, each in a fixed order: the same bits on every machine.

Matrix products and decompositions of threaded libraries change their last bits with the number of threads.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


def add_products(pupil: NDArray[Any], parts: NDArray[Any], corner: tuple[int, int], kernels: NDArray[Any]) -> None:
    """kernels (k, ...) += parts (k,) * pupil (h, w), whose first frequency lies at `corner` of the kernels."""
    (_add_open if pupil.dtype == np.bool_ else _add_products)(pupil, parts, corner, kernels)


@njit(cache=True, nogil=True)
def _add_products(pupil, parts, corner, kernels):  # type: ignore[no-untyped-def]
    for i in range(pupil.shape[0]):
        for k in range(kernels.shape[0]):
            part = parts[k]
            for j in range(pupil.shape[1]):
                kernels[k, corner[0] + i, corner[1] + j] += part * pupil[i, j]


@njit(cache=True, nogil=True)
def _add_open(pupil, parts, corner, kernels):  # type: ignore[no-untyped-def]
    """The same where the pupil is but open or shut, run by run of what is open."""
    width = pupil.shape[1]
    for i in range(pupil.shape[0]):
        start = 0
        while start < width:
            if not pupil[i, start]:
                start += 1
                continue
            stop = start
            while stop < width and pupil[i, stop]:
                stop += 1
            for k in range(kernels.shape[0]):
                line, part = kernels[k, corner[0] + i, corner[1] + start : corner[1] + stop], parts[k]
                for j in range(line.size):
                    line[j] += part
            start = stop


@njit(cache=True, nogil=True)
def orthonormalise(rows):  # type: ignore[no-untyped-def]
    """Make the rows (k, n) orthonormal in place, one after the other, twice over."""
    for _ in range(2):
        for k in range(rows.shape[0]):
            for j in range(k):
                overlap = 0j
                for i in range(rows.shape[1]):
                    overlap += np.conj(rows[j, i]) * rows[k, i]
                for i in range(rows.shape[1]):
                    rows[k, i] -= overlap * rows[j, i]
            power = 0.0
            for i in range(rows.shape[1]):
                power += rows[k, i].real ** 2 + rows[k, i].imag ** 2
            for i in range(rows.shape[1]):
                rows[k, i] /= math.sqrt(power)


@njit(cache=True, nogil=True)
def product(a, b):  # type: ignore[no-untyped-def]
    """Matrix product, summed in a fixed order: the same bits everywhere, unlike that of a threaded library."""
    found = np.zeros((a.shape[0], b.shape[1]), np.complex128)
    for i in range(a.shape[0]):
        for k in range(a.shape[1]):
            value = a[i, k]
            for j in range(b.shape[1]):
                found[i, j] += value * b[k, j]
    return found


@njit(cache=True, nogil=True)
def gram(columns):  # type: ignore[no-untyped-def]
    """Overlaps (n, n) sum_q conj(a_s) a_t of n rows, which are the columns of A."""
    n = columns.shape[0]
    found = np.zeros((n, n), np.complex128)
    for s in range(n):
        for t in range(s + 1):
            real, imaginary = 0.0, 0.0
            for q in range(columns.shape[1]):
                one, two = columns[s, q], columns[t, q]
                real += one.real * two.real + one.imag * two.imag
                imaginary += one.real * two.imag - one.imag * two.real
            found[s, t] = complex(real, imaginary)
            found[t, s] = complex(real, -imaginary)
    return found
