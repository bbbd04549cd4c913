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


@njit(cache=True)
def _ball(x: float) -> float:
    """3 (sin x - x cos x) / x^3; the series where the difference would cancel."""
    if x < 0.5:
        y = x * x
        return 1 - y / 10 * (1 - y / 28 * (1 - y / 54 * (1 - y / 88 * (1 - y / 130 * (1 - y / 180)))))
    return 3 * (math.sin(x) - x * math.cos(x)) / (x * x * x)


@njit(cache=True, parallel=True, fastmath=False)
def ball_sum(q: Any, positions: Any, radii: Any) -> Any:
    """sum_i V_i F(|q| R_i) exp(-i q.r_i) [m^3], (m,) complex, over balls of `radii` (n,); threads share out the q."""
    out = np.empty(len(q), np.complex128)
    volumes = 4 / 3 * math.pi * radii**3
    for k in prange(len(q)):
        length = math.sqrt(q[k, 0] ** 2 + q[k, 1] ** 2 + q[k, 2] ** 2)
        real = 0.0
        imag = 0.0
        for i in range(len(positions)):
            phase = q[k, 0] * positions[i, 0] + q[k, 1] * positions[i, 1] + q[k, 2] * positions[i, 2]
            weight = volumes[i] * _ball(length * radii[i])
            real += weight * math.cos(phase)
            imag -= weight * math.sin(phase)
        out[k] = complex(real, imag)
    return out
