"""Coulomb explosion of a uniformly charged sphere that holds no electrons back.

    t(eta) = [sqrt(eta (eta - 1)) + ln(sqrt(eta) + sqrt(eta - 1))] / (omega sqrt 2),     omega^2 = q^2 n / 3 eps0 m
    (dR/dt)^2 = 2 omega^2 R0^2 (1 - 1/eta)

eta = R/R0, n ions per volume of charge q and mass m at the start, at rest. Every shell feels the charge inside it, so
that the sphere stays uniform. Exact for ions of one charge to mass ratio that are all charged at once. Reference:
Last, Schek & Jortner, J. Chem. Phys. 107, 6685 (1997), doi 10.1063/1.474911.
"""

from __future__ import annotations

import numpy as np
from scipy.constants import atomic_mass, e, epsilon_0
from scipy.optimize import brentq

from xsim.errors import RangeError


def coulomb_rate(charge: float, density: float, mass: float) -> float:
    """omega [1/s]: charge [e] and mass [u] of the ions, density [1/m^3] before the explosion."""
    for name, value in (("charge", charge), ("density", density), ("mass", mass)):
        if not 0 < value < np.inf:
            raise RangeError(f"{name} of exploding ions", field=name, value=value, allowed="finite, > 0")
    return float(np.sqrt((charge * e) ** 2 * density / (3 * epsilon_0 * mass * atomic_mass)))


def explosion_time(expansion: float, rate: float) -> float:
    """Time [s] after which the sphere is `expansion` = R/R0 times as large; rate = omega [1/s]."""
    if not 1 <= expansion < np.inf:
        raise RangeError("expansion of a sphere", field="expansion", value=expansion, allowed=">= 1")
    root = np.sqrt(expansion - 1)
    return float((np.sqrt(expansion) * root + np.log(np.sqrt(expansion) + root)) / (rate * np.sqrt(2)))


def explosion_size(time: float, rate: float) -> float:
    """R/R0 at `time` [s]: the inverse of `explosion_time`."""
    if not 0 <= time < np.inf:
        raise RangeError("time", field="time", value=time, allowed=">= 0 s")
    if time == 0:
        return 1.0
    # faster than the final speed sqrt 2 omega R0 it never grows
    most = 2.0 + np.sqrt(2) * rate * time
    return float(brentq(lambda eta: explosion_time(eta, rate) - time, 1.0, most, xtol=1e-14, rtol=1e-13))
