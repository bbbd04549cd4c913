"""Averages over a law of sizes: nodes and weights for the mean of anything that depends on the scale s of a particle.

    <g(s)> = int p(s) g(s) ds = sum_i w_i g(s_i),    sum_i w_i = 1

by Gauss's rule over the law's support (in ln s for lognormal), with nodes enough for s^6 times what turns as
cos(2 reach s), reach = q R: the relative error is below 1e-8. Unbounded laws end where p(s) s^6 has fallen below 1e-14
of its peak. At most `_MOST` nodes are used, enough for a lognormal law of width 0.5 at q R = 30 (1e-9); at
width 1 it is met to 1e-4 at q R = 5 and to 2 % at 30. Laws: see `xsim.specimen.sizes`.
Reference: Abramowitz & Stegun, Handbook of Mathematical Functions, 25.4.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from xsim.specimen.sizes import SMALLEST, Size

FloatArray = NDArray[np.float64]

#: nodes of a panel over which nothing turns
_LEAST, _MOST = 48, 2400
#: standard deviations to which a bell-shaped law is followed
_TAIL = 8.0


def has_law(size: Size | None) -> bool:
    """Whether the scales follow a law that can be averaged over: neither a given list nor no distribution."""
    return size is not None and size.distribution not in ("none", "list")


def nodes(size: Size, reach: float) -> tuple[FloatArray, FloatArray]:
    """Scales (n,) > 0, ascending, and weights (n,) summing to 1, for phases 2 reach s; `size` must have a law."""
    scales, weights = _LAWS[size.distribution](size.relative_width, reach)
    return scales, weights / weights.sum()


def _lognormal(w: float, reach: float) -> tuple[FloatArray, FloatArray]:
    sigma = math.sqrt(math.log1p(w * w))
    low, high = -_TAIL, _TAIL + 6 * sigma
    # the phase turns fastest at the largest sizes that still count
    u, du = _panel(low, high, 2 * reach * sigma * math.exp(sigma * (6 * sigma + 5)))
    return np.exp(sigma * u - sigma**2 / 2), du * np.exp(-(u**2) / 2)


def _normal(w: float, reach: float) -> tuple[FloatArray, FloatArray]:
    u, du = _panel(max(-_TAIL, (SMALLEST - 1) / w), _TAIL + 6 * w, 2 * reach * w)
    return 1 + w * u, du * np.exp(-(u**2) / 2)


def _schulz(w: float, reach: float) -> tuple[FloatArray, FloatArray]:
    from scipy.special import gammainccinv, gammaincinv

    shape = 1 / w**2
    low, high = w**2 * float(gammaincinv(shape, 1e-14)), w**2 * float(gammainccinv(shape + 6, 1e-14))
    s, ds = _panel(low, high, 2 * reach)
    log = (shape - 1) * np.log(s) - s / w**2
    return s, ds * np.exp(log - log.max())


def _uniform(w: float, reach: float) -> tuple[FloatArray, FloatArray]:
    return _panel(1 - math.sqrt(3) * w, 1 + math.sqrt(3) * w, 2 * reach)


def _triangular(w: float, reach: float) -> tuple[FloatArray, FloatArray]:
    half = math.sqrt(6) * w
    s, ds = _two_panels(1 - half, 1 + half, reach)
    return s, ds * (half - np.abs(s - 1))


def _boltzmann(w: float, reach: float) -> tuple[FloatArray, FloatArray]:
    decay = w / math.sqrt(2)
    s, ds = _two_panels(max(SMALLEST, 1 - 34 * decay), 1 + 60 * decay, reach)
    return s, ds * np.exp(-np.abs(s - 1) / decay)


def _two_panels(low: float, high: float, reach: float) -> tuple[FloatArray, FloatArray]:
    """For laws with a kink at 1."""
    (a, da), (b, db) = _panel(low, 1.0, 2 * reach), _panel(1.0, high, 2 * reach)
    return np.concatenate([a, b]), np.concatenate([da, db])


def _panel(low: float, high: float, frequency: float) -> tuple[FloatArray, FloatArray]:
    """Gauss's nodes on low .. high for what turns as cos(frequency u)."""
    half = (high - low) / 2
    x, w = _gauss(min(_MOST, 16 * math.ceil((_LEAST + frequency * half / 2) / 16)))
    return low + half * (1 + x), half * w


@lru_cache(maxsize=64)
def _gauss(count: int) -> tuple[FloatArray, FloatArray]:
    from scipy.special import roots_legendre

    x, w = roots_legendre(count)
    return np.asarray(x), np.asarray(w)


_LAWS: dict[str, Callable[[float, float], tuple[FloatArray, FloatArray]]] = {
    "lognormal": _lognormal,
    "normal": _normal,
    "schulz": _schulz,
    "uniform": _uniform,
    "triangular": _triangular,
    "boltzmann": _boltzmann,
}
