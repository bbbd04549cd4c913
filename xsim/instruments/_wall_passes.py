"""The compiled search for walls: every sample is worked out alone."""

from __future__ import annotations

from typing import Any

from numba import njit

#: how far beyond the box of a slab samples are looked up: edges reach one out of it, their neighbours two further
REACH = 3


@njit(cache=True, nogil=True)
def mark_walls(sides: Any, phase: Any, at: tuple[Any, Any], limit: float, even: float, span: tuple[int, int]) -> None:
    """Set `sides` (2, n) of the samples that a wall cuts to which of their 3 x 3 neighbours has least and most phase.

    phase (h + 2 REACH, w + 2 REACH): of a slab's box and what is around; at: y and x (n,) in the box of the samples, of
    which those of `span` are looked at. limit: the least phase of a wall; even: how much farther than the 3 x 3
    neighbours the 5 x 5 ones may rise, over the height of the wall.
    """
    for n in range(span[0], span[1]):
        y, x = at[0][n] + REACH, at[1][n] + REACH
        low = high = phase[y - 1, x - 1]
        least, most = 0, 0
        for j in range(3):
            for i in range(3):
                value = phase[y + j - 1, x + i - 1]
                if value < low:
                    low, least = value, 3 * j + i
                if value > high:
                    high, most = value, 3 * j + i
        rise = high - low
        if rise > limit and _even(phase, y, x, low, high, even * rise):
            sides[0, n], sides[1, n] = least, most


@njit(cache=True, nogil=True, inline="always")
def _even(phase: Any, y: int, x: int, low: float, high: float, more: float) -> bool:
    """Whether the 5 x 5 neighbours of a sample leave low..high by no `more`; the corners, most likely to, first."""
    rise = high - low
    for j in (0, 4, 2, 1, 3):
        for i in (0, 4, 2, 1, 3):
            value = phase[y + j - 2, x + i - 2]
            low, high = min(low, value), max(high, value)
        if high - low - rise > more:
            return False
    return True
