"""How much of a Bragg reflection or speckle a pulse collects while its atoms move away: the pulse gates itself.

    G = integral_0^1 exp(-a^2 u^(2p)) du = gamma_lower(1/2p, a^2)/(2p a^(1/p)),    a = q sigma(T)

sigma(t) is the rms displacement along q, growing as t^p up to sigma(T) at the end of a flat pulse: p = 1 for atoms at
constant speed v (a = q v T), p = 3/2 for atoms heated at a constant rate. For long pulses T G tends to the turn-off
time T a^(-1/p) Gamma(1 + 1/2p): what comes later adds no more to the reflection. Reference: Barty et al., Nature
Photon. 6, 35 (2012), doi 10.1038/nphoton.2011.297.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gamma, gammainc

from xsim.errors import RangeError

FloatArray = NDArray[np.float64]


def gate(reach: Any, power: float = 1.0) -> FloatArray:
    """G for a = q sigma(T) >= 0, any shape, sigma growing as time to the `power` > 0."""
    a = np.asarray(reach, np.float64)
    if not (np.all(a >= 0) and power > 0):
        raise RangeError("q sigma of a gate", field="reach", value=float(a.min()), allowed=">= 0, with power > 0")
    order, safe = 1 / (2 * power), np.maximum(a, 1e-6)
    full = gamma(order) * gammainc(order, safe**2) * order * safe ** (-2 * order)
    return np.where(a > 1e-6, full, 1.0)


def turn_off(reach: float, duration: float, power: float = 1.0) -> float:
    """Time [s] of the pulse of `duration` [s] whose light adds to the reflection, however long the pulse."""
    if not reach > 0:
        raise RangeError("q sigma of a gate", field="reach", value=reach, allowed="> 0")
    return float(duration * reach ** (-1 / power) * gamma(1 + 1 / (2 * power)))
