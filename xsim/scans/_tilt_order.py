"""In which order tilts are taken, and how an exposure is shared among them.

dose_symmetric: from the middle outward, side by side, so that the least tilted views are the least damaged (Hagen,
Wan & Briggs, J. Struct. Biol. 197, 191 (2017), doi 10.1016/j.jsb.2016.06.007). golden: each angle divides the range
by the golden ratio after the one before, so that any part of the series covers it evenly (Köhler, IEEE NSS 2004, doi
10.1109/NSSMIC.2004.1466745). random: the even angles in an order drawn from a seed.

Shares: even, or in proportion to 1/cos(tilt), the thickness of a slab along the beam (Saxton, Baumeister & Hahn,
Ultramicroscopy 13, 57 (1984), doi 10.1016/0304-3991(84)90057-3).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xsim.errors import RangeError
from xsim.streams import StreamKey, generator

FloatArray = NDArray[np.float64]
Scheme = Literal["continuous", "dose_symmetric", "golden", "random"]
Share = Literal["even", "secant"]
#: secants beyond that of this tilt would give one view nearly all of the dose [rad]
STEEPEST = np.deg2rad(89.0)


def ordered(scheme: Scheme, start: float, stop: float, count: int, seed: int) -> FloatArray:
    """`count` angles from `start` to `stop` [rad] in the order in which they are taken."""
    if scheme == "golden":
        part = np.mod(np.arange(count) * (np.sqrt(5) - 1) / 2, 1.0)
        return np.asarray(start + (stop - start) * part)
    angles = np.linspace(start, stop, count)
    if scheme == "dose_symmetric":
        return np.asarray(angles[np.argsort(np.abs(angles - (start + stop) / 2), kind="stable")])
    if scheme == "random":
        keys = generator(StreamKey(seed, "tilts/order")).standard_normal(count)
        return np.asarray(angles[np.argsort(keys, kind="stable")])
    return angles


def shares(share: Share, angles: FloatArray) -> FloatArray:
    """Share of the exposure (n,) of each tilt, adding up to 1. Raises RangeError for a secant near 90 degrees."""
    if share == "even":
        return np.full(len(angles), 1 / len(angles))
    steepest = float(np.max(np.abs(angles)))
    if steepest > STEEPEST:
        raise RangeError(
            "an exposure in proportion to 1/cos(tilt)",
            field="share",
            value=f"a tilt of {np.rad2deg(steepest):.4g} deg",
            allowed=f"<= {np.rad2deg(STEEPEST):.3g} deg",
            cure='tilt less far, or use share = "even"',
        )
    secant = 1 / np.cos(angles)
    return np.asarray(secant / secant.sum())
