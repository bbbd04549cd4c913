"""Compiled sum of phases over positions, for `xsim.specimen.amplitude`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit, prange


@njit(cache=True, parallel=True, fastmath=False)
def phase_sum(q: Any, positions: Any) -> Any:
    """sum_i exp(-i q.r_i), (m,) complex, for q (m, 3) [rad/m] and positions (n, 3) [m]; threads share out the q."""
    out = np.empty(len(q), np.complex128)
    for k in prange(len(q)):
        real = 0.0
        imag = 0.0
        for i in range(len(positions)):
            phase = q[k, 0] * positions[i, 0] + q[k, 1] * positions[i, 1] + q[k, 2] * positions[i, 2]
            real += math.cos(phase)
            imag -= math.sin(phase)
        out[k] = complex(real, imag)
    return out
