"""The structure factor of hard spheres in the Percus-Yevick closure, and how it joins the form factor.

    S(q) = 1 / (1 + 24 phi G(x)/x),   G/x = int_0^1 (a + b t + c t^3) t^2 sin(xt)/(xt) dt,   x = 2 q R
    a = (1 + 2 phi)^2/(1 - phi)^4,   b = -6 phi (1 + phi/2)^2/(1 - phi)^4,   c = phi a/2

Decoupling (positions know nothing of sizes and orientations): I = n [<|F|^2> + |<F>|^2 (S(q, R_eff) - 1)].
Local monodisperse (each particle among its equals): I = n <|F_s|^2 S(q, R_s)>. Both meet where all are equal spheres.
Good to a few percent of S for phi <= 0.4; a fluid of hard spheres freezes at 0.494.
References: Percus & Yevick 1958 (doi 10.1103/PhysRev.110.1); Wertheim 1963 (doi 10.1103/PhysRevLett.10.321); Kotlarchyk
& Chen 1983 (doi 10.1063/1.446055) for decoupling; Pedersen 1994 (doi 10.1107/S0021889893013810) for the other.
"""

from __future__ import annotations

from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.errors import RangeError

FloatArray = NDArray[np.float64]

#: volume fraction at which hard spheres freeze
FREEZING = 0.494


def structure_factor(q: Any, radius: Any, fraction: float) -> FloatArray:
    """S(q) for q [rad/m] and hard radius [m] (broadcast together) at volume `fraction`; 1 at fraction 0.

    Raises RangeError outside 0 <= fraction < 0.494.
    """
    if not 0 <= fraction < FREEZING:
        raise RangeError(
            "volume fraction of hard spheres",
            field="volume_fraction",
            value=fraction,
            allowed=f"0 to {FREEZING} (where they freeze)",
            cure="fewer or smaller particles, or a thicker specimen",
        )
    x = 2 * np.asarray(q, np.float64) * np.asarray(radius, np.float64)
    a = (1 + 2 * fraction) ** 2 / (1 - fraction) ** 4
    b = -6 * fraction * (1 + fraction / 2) ** 2 / (1 - fraction) ** 4
    c = fraction * a / 2
    small = x < 1.5
    y = np.where(small, 1.5, x)
    s, co = np.sin(y), np.cos(y)
    far = a * (s - y * co) / y**3 + b * (2 * y * s + (2 - y**2) * co - 2) / y**4
    far += c * (-(y**4) * co + 4 * ((3 * y**2 - 6) * co + (y**3 - 6 * y) * s + 6)) / y**6
    near, square = np.zeros_like(y), np.where(small, x * x, 0.0)
    for k in range(11, -1, -1):
        term = (-1) ** k / factorial(2 * k + 1) * (a / (2 * k + 3) + b / (2 * k + 4) + c / (2 * k + 6))
        near = near * square + term
    return np.asarray(1 / (1 + 24 * fraction * np.where(small, near, far)))
