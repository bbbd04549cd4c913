"""Sharpness of an edge: the edge-spread function, its 10-90 % distance, and the Gaussian that it is nearest to.

    ESF(u) = low + (high - low) [1 + erf((u - u0)/(sqrt 2 sigma))]/2,     10-90 % = 2.5631 sigma

u runs across the edge; a slanted edge samples it finer than the pixel. The 10-90 % distance counts crossings of the
measured profile, whatever its form; sigma fits the form above. Reference: ISO 12233 (slanted-edge method); Attwood &
Sakdinawat, doi 10.1017/CBO9781107477629, ch. 10 (knife-edge test).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from xsim.errors import RangeError
from xsim.exposure import Array

#: share of the profile at each end that gives its levels
_ENDS = 0.2


@dataclass(frozen=True)
class EdgeResponse:
    """position [m] of the half level; width [m]: 10-90 % distance; sigma [m] of the Gaussian; low, high levels."""

    position: float
    width: float
    sigma: float
    low: float
    high: float


def edge_profile(
    image: Array, pixel: float, angle: float = 0.0, reach: float | None = None, step: float = 0.5
) -> tuple[Array, Array]:
    """(distance [m], mean) across an edge through pixel (ny//2, nx//2) of an image (ny, nx) of `pixel` [m].

    angle: of the direction across the edge, from x towards y [rad]. reach: largest distance [m], by default half the
    image's shorter side. step: of the profile in pixels; empty steps are left out.
    """
    values = np.asarray(image, np.float64)
    ny, nx = values.shape
    y, x = np.arange(ny) - ny // 2, np.arange(nx) - nx // 2
    across = x[None, :] * math.cos(angle) + y[:, None] * math.sin(angle)
    limit = (min(ny, nx) // 2 if reach is None else reach / pixel) + 1e-9
    inside = np.abs(across) <= limit
    number = np.rint(across[inside] / step).astype(np.int64)
    first = number.min()
    count = np.bincount(number - first)
    total, where = (np.bincount(number - first, part) for part in (values[inside], across[inside]))
    kept = count > 0
    return where[kept] / count[kept] * pixel, total[kept] / count[kept]


def edge_response(distance: Array, profile: Array) -> EdgeResponse:
    """Width and place of the edge in a profile (n,) over `distance` (n,) [m], rising or falling.

    Raises RangeError if the profile is too short or has no edge.
    """
    from scipy.optimize import curve_fit
    from scipy.special import erf

    u, v = np.asarray(distance, np.float64), np.asarray(profile, np.float64)
    if len(u) < 8:
        raise RangeError("points of an edge profile", value=len(u), allowed=">= 8")
    span = u[-1] - u[0]
    start, end = float(v[u <= u[0] + _ENDS * span].mean()), float(v[u >= u[-1] - _ENDS * span].mean())
    rise = end - start
    if not abs(rise) > 1e-12 * float(np.abs(v).max()):
        raise RangeError("a profile without an edge", value=f"{rise:.3g} between its ends", allowed="a step")
    share = (v - start) / rise
    middle = _crossing(u, share, 0.5, None)
    low, high = _crossing(u, share, 0.1, middle), _crossing(u, share, 0.9, middle)

    def form(x: Array, a: float, b: float, place: float, sigma: float) -> Array:
        return np.asarray(a + (b - a) / 2 * (1 + erf((x - place) / (math.sqrt(2) * sigma))))

    guess = (start, end, middle, max(abs(high - low) / 2.5631, 1e-3 * span))
    fitted = curve_fit(form, u, v, guess, maxfev=5000)[0]
    return EdgeResponse(middle, abs(high - low), abs(float(fitted[3])), min(start, end), max(start, end))


def _crossing(u: Array, share: Array, level: float, near: float | None) -> float:
    """Where the profile passes `level` going up: nearest to `near`, or in the middle of all its crossings."""
    k = np.flatnonzero((share[:-1] < level) & (share[1:] >= level))
    if not len(k):
        raise RangeError("a profile that never passes a level", value=f"{100 * level:g} %", allowed="a whole edge")
    part = (level - share[k]) / (share[k + 1] - share[k])
    places = u[k] + part * (u[k + 1] - u[k])
    return float(places[np.argmin(np.abs(places - near))] if near is not None else places[len(places) // 2])
