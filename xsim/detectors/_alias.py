"""Tables from which a small Poisson number is drawn in one look-up, by Walker's alias method.

Poisson numbers add up: an expectation is floored to the grid of the tables, whose number is looked up, and the small
remainder is drawn elsewhere and added. Below `MIDDLE` the grid has steps of 1/16 and 64 columns, then up to `TOP`
steps of 1/4 and 128 columns; what lies beyond the last column has a probability below 1e-17. An entry holds a
threshold of 56 bits and, in its last 8 bits, the alias; it is compared with the bits of a 64-bit word that follow
those that choose the column. Reference: Vose, IEEE Trans. Softw. Eng. 17, 972 (1991), doi 10.1109/32.92917.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit, uint64
from numpy.typing import NDArray

from xsim.detectors._philox import philox

#: expectations below which the fine and the coarse tables serve
MIDDLE, TOP = 16.0, 48.0
_FINE, _COARSE = 16.0, 4.0  # steps per unit of expectation
_WORD = np.uint64(32)
_BITS = 2.0**56
_NEVER = np.uint64(0xFFFFFFFFFFFFFF00)  # a column that is never left for its alias


@cache
def tables() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Fine (256, 64) and coarse (128, 128) tables."""
    fine = np.arange(int(MIDDLE * _FINE)) / _FINE
    coarse = MIDDLE + np.arange(int((TOP - MIDDLE) * _COARSE)) / _COARSE
    return _aliases(fine, 64), _aliases(coarse, 128)


def _aliases(means: NDArray[np.float64], columns: int) -> NDArray[np.uint64]:
    """Tables (means, columns) of Poisson numbers below `columns`."""
    from scipy.special import gammaln, xlogy

    k = np.arange(columns)
    weights = np.exp(xlogy(k, means[:, None]) - means[:, None] - gammaln(k + 1))
    weights *= columns / weights.sum(axis=1, keepdims=True)
    found = np.empty(weights.shape, np.uint64)
    for table, row in zip(found, weights, strict=True):
        table[:] = _NEVER | k.astype(np.uint64)
        small, large = list(np.flatnonzero(row < 1)), list(np.flatnonzero(row >= 1))
        while small and large:
            low, high = small.pop(), large[-1]
            table[low] = (int(row[low] * _BITS) << 8) | int(high)
            row[high] = (row[high] + row[low]) - 1
            if row[high] < 1:
                small.append(large.pop())
    return found


@njit(cache=True, nogil=True, inline="always")
def look_up(fine, coarse, mean, word):  # type: ignore[no-untyped-def]
    """A Poisson number for `mean` < TOP floored to the tables' grid, by a 64-bit word; and what is left of the mean."""
    if mean < MIDDLE:
        row = int(mean * _FINE)
        column = word >> uint64(58)
        entry = fine[row, column]
        left = mean - row / _FINE
        stays = (word << uint64(6)) < entry
    else:
        row = int((mean - MIDDLE) * _COARSE)
        column = word >> uint64(57)
        entry = coarse[row, column]
        left = mean - MIDDLE - row / _COARSE
        stays = (word << uint64(7)) < entry
    return (int(column) if stays else int(entry & uint64(255))), left


@njit(cache=True, nogil=True, inline="always")
def words(out, first, frame, lane, k0, k1):  # type: ignore[no-untyped-def]
    """Fill `out` (2 n,) with 64-bit words of the counters `first` .. first + n - 1."""
    for j in range(out.size // 2):
        a, b, c, d = philox(first + j, 0, frame, lane, k0, k1)
        out[2 * j] = (uint64(a) << _WORD) | uint64(b)
        out[2 * j + 1] = (uint64(c) << _WORD) | uint64(d)
