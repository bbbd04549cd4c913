"""Direct sums over atoms: the reference for the non-uniform FFT, and faster than it for few atoms."""

from __future__ import annotations

from math import cos, sin
from typing import Any

from numba import njit


@njit(cache=True, nogil=True)
def weighted_phase_sum(q: Any, positions: Any, weights: Any, out: Any) -> None:
    """out (m,) complex = sum_i w_i exp(-i q.r_i) for q (m, 3), positions (n, 3), weights (n,)."""
    for k in range(len(q)):
        real = imaginary = 0.0
        for i in range(len(weights)):
            phase = q[k, 0] * positions[i, 0] + q[k, 1] * positions[i, 1] + q[k, 2] * positions[i, 2]
            real += weights[i] * cos(phase)
            imaginary -= weights[i] * sin(phase)
        out[k] = complex(real, imaginary)
