"""Compiled direct sums of phases exp(-i q.r) over positions, in double precision.

Each q is summed over the positions in their order, and threads share out the q: neither their number nor the number of
q asked for at once changes a bit.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xsim.threads import share, spans

#: q handled by one job
_BLOCK = 2048


def phase_sum(q: NDArray[np.float64], positions: NDArray[np.float64], weights: Any = None) -> NDArray[np.complex128]:
    """sum_i w_i exp(-i q.r_i), (m,) complex, for q (m, 3) [rad/m], positions (n, 3) [m] and weights (n,), default 1."""
    weight = np.ones(len(positions)) if weights is None else np.ascontiguousarray(weights, np.float64)
    out = np.empty(len(q), np.complex128)
    share(_phases, ((q[a:b], positions, weight, out[a:b]) for a, b in spans(len(q), _BLOCK)))
    return out


def ball_sum(
    q: NDArray[np.float64], positions: NDArray[np.float64], radii: NDArray[np.float64]
) -> NDArray[np.complex128]:
    """sum_i V_i F(|q| R_i) exp(-i q.r_i) [m^3], (m,) complex, over balls of `radii` (n,) [m]."""
    out = np.empty(len(q), np.complex128)
    volumes = 4 / 3 * math.pi * radii**3
    share(_balls, ((q[a:b], positions, radii, volumes, out[a:b]) for a, b in spans(len(q), _BLOCK)))
    return out


@njit(cache=True, nogil=True)
def _phases(q: Any, positions: Any, weights: Any, out: Any) -> None:
    for k in range(len(q)):
        real = imaginary = 0.0
        for i in range(len(positions)):
            phase = q[k, 0] * positions[i, 0] + q[k, 1] * positions[i, 1] + q[k, 2] * positions[i, 2]
            real += weights[i] * math.cos(phase)
            imaginary -= weights[i] * math.sin(phase)
        out[k] = complex(real, imaginary)


@njit(cache=True, nogil=True)
def _ball(x: float) -> float:
    """3 (sin x - x cos x) / x^3; the series where the difference would cancel."""
    if x < 0.5:
        y = x * x
        return 1 - y / 10 * (1 - y / 28 * (1 - y / 54 * (1 - y / 88 * (1 - y / 130 * (1 - y / 180)))))
    return 3 * (math.sin(x) - x * math.cos(x)) / (x * x * x)


@njit(cache=True, nogil=True)
def _balls(q: Any, positions: Any, radii: Any, volumes: Any, out: Any) -> None:
    for k in range(len(q)):
        length = math.sqrt(q[k, 0] ** 2 + q[k, 1] ** 2 + q[k, 2] ** 2)
        real = imaginary = 0.0
        for i in range(len(positions)):
            phase = q[k, 0] * positions[i, 0] + q[k, 1] * positions[i, 1] + q[k, 2] * positions[i, 2]
            weight = volumes[i] * _ball(length * radii[i])
            real += weight * math.cos(phase)
            imaginary -= weight * math.sin(phase)
        out[k] = complex(real, imaginary)
