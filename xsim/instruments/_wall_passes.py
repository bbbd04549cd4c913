"""The compiled search for walls: every sample is worked out alone."""

from __future__ import annotations

from typing import Any

from numba import njit


@njit(cache=True, nogil=True)
def mark_walls(sides: Any, phase: Any, y: Any, x: Any, limit: float, even: float) -> None:
    """Set `sides` (2, n) of the samples that a wall cuts to which of their 3 x 3 neighbours has least and most phase.

    phase (h, w), zero outside; y, x (n,): the samples. limit: the least phase of a wall; even: how much farther than
    the 3 x 3 neighbours the 5 x 5 ones may rise, over the height of the wall.
    """
    for n in range(y.size):
        low, high, least, most = 0.0, 0.0, 0, 0
        for k in range(9):
            value = _at(phase, y[n] + k // 3 - 1, x[n] + k % 3 - 1)
            if k == 0 or value < low:
                low, least = value, k
            if k == 0 or value > high:
                high, most = value, k
        rise = high - low
        if rise <= limit:
            continue
        for k in range(25):
            value = _at(phase, y[n] + k // 5 - 2, x[n] + k % 5 - 2)
            low, high = min(low, value), max(high, value)
            if high - low - rise > even * rise:
                break
        else:
            sides[0, n], sides[1, n] = least, most


@njit(cache=True, nogil=True, inline="always")
def _at(phase: Any, y: int, x: int) -> float:
    inside = 0 <= y < phase.shape[0] and 0 <= x < phase.shape[1]
    return float(phase[y, x]) if inside else 0.0
