"""How little of an element can be detected: Currie's limits of a line over its background, exact for few counts.

A window of c channels round the line holds g counts, m channels beside it hold b counts; q = c/m. Without the element
g and b are Poisson numbers of means B and B/q. It is detected where g exceeds what the background makes by chance:

    P(G >= g | g + b) = I_p(g, b + 1) <= alpha,   p = q/(1 + q)        (exact: binomial given g + b)
    L_C = k_alpha sqrt(B (1 + q)),   L_D = L_C + k_beta sqrt(L_D + B (1 + q))        (Currie, many counts)

I_p is the regularised incomplete beta function, k the normal quantile. alpha: chance to detect what is not there;
beta: chance to miss what makes L_D net counts on the average. For alpha = beta = 0.05 and q = 1, L_D = 2.71 +
4.65 sqrt(B). The exact rule is used throughout: numbers are whole, so its own chance of a false alarm (`false_alarm`)
lies below alpha, the more so the fewer the counts; L_D is such that beta holds exactly.

In matter: a film of area density a [kg/m^2] makes n a counts per incident photon in the window, so a_D = L_D/(N n);
one point in the middle of the spot, where the fluence per photon is 1/A, makes as much as a film of mass/A: m_D =
a_D A, in atoms N_A m_D / M. As a concentration: a_D over the area density of everything in the beam.

Valid for a background that runs straight under the line, and counts without dead time. References: Currie, Anal. Chem.
40, 586 (1968), doi 10.1021/ac60259a007; the exact rule: Przyborowski & Wilenski, Biometrika 31, 313 (1940), doi
10.1093/biomet/31.3-4.313.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import betainc, gammainc, ndtri, xlogy
from scipy.special import gammaln as log_gamma

from xsim.errors import RangeError

FloatArray = NDArray[np.float64]

#: standard deviations of the background's counts that are summed over
_REACH = 9.0


@dataclass(frozen=True)
class Confidence:
    """alpha: chance of a false alarm; beta: chance to miss what is as much as the detection limit."""

    alpha: float = 0.05
    beta: float = 0.05

    def __post_init__(self) -> None:
        for name in ("alpha", "beta"):
            value = getattr(self, name)
            if not 0 < value < 0.5:
                raise RangeError(f"chance of an error {name}", field=name, value=value, allowed="0 .. 0.5, both out")


@dataclass(frozen=True)
class CountLimit:
    """Limits of one line: `background` counts in its window on the average, `ratio` q of window to background channels.

    critical, detection: net counts L_C and L_D; false_alarm: the rule's own chance of one, <= alpha.
    """

    background: float
    ratio: float
    critical: float
    detection: float
    false_alarm: float
    confidence: Confidence


def currie(background: float, ratio: float = 1.0, confidence: Confidence = Confidence()) -> tuple[float, float]:
    """L_C and L_D [net counts] by Currie's formulas, for many counts. background: in the window; ratio: q."""
    _check(background, ratio)
    a, b = (-float(ndtri(x)) for x in (confidence.alpha, confidence.beta))
    noise = background * (1 + ratio)
    critical = a * math.sqrt(noise)
    # (L - L_C)^2 = b^2 (L + noise), the larger root
    half = critical + b * b / 2
    return critical, half + math.sqrt(half * half - critical**2 + b * b * noise)


def threshold(beside: NDArray[np.int64] | FloatArray, ratio: float = 1.0, alpha: float = 0.05) -> FloatArray:
    """Fewest counts in the window, same shape, that detect the line with `beside` counts in the channels beside it."""
    b = np.asarray(beside, np.float64)
    share = ratio / (1 + ratio)
    low, high = np.zeros(b.shape), np.ceil(ratio * b + 12 * np.sqrt(ratio * (1 + ratio) * (b + 1)) + 60 * (1 + ratio))
    if np.any(betainc(high, b + 1, share) > alpha):
        raise RangeError("chance of a false alarm", field="alpha", value=alpha, allowed=">= 1e-12")
    while np.any(high - low > 1):  # the chance falls with the counts: low fails, high passes
        middle = np.floor((low + high) / 2)
        passes = betainc(np.maximum(middle, 1), b + 1, share) <= alpha
        high, low = np.where(passes, middle, high), np.where(passes, low, middle)
    return np.asarray(high)


def detected(inside: FloatArray, beside: FloatArray, ratio: float = 1.0, alpha: float = 0.05) -> NDArray[np.bool_]:
    """Whether counts in the window and beside it, same shapes, show the line with less than `alpha` of false alarm."""
    return np.asarray(np.asarray(inside) >= threshold(beside, ratio, alpha))


def power(net: float, background: float, ratio: float = 1.0, alpha: float = 0.05) -> float:
    """Chance to detect a line of `net` counts on the average over `background` counts in its window."""
    _check(background, ratio)
    b, chance = _beside(background / ratio)
    return float(np.sum(chance * gammainc(threshold(b, ratio, alpha), net + background)))


def count_limit(background: float, ratio: float = 1.0, confidence: Confidence = Confidence()) -> CountLimit:
    """The exact limits over an average `background` [counts] in the window; ratio: q = window / background channels.

    critical: the least net counts that detect, averaged over what the background channels may hold.
    """
    _check(background, ratio)
    alpha, beta = confidence.alpha, confidence.beta
    b, chance = _beside(background / ratio)
    needed = threshold(b, ratio, alpha)
    critical = float(np.sum(chance * (needed - ratio * b)))

    def seen(net: float) -> float:
        return float(np.sum(chance * gammainc(needed, net + background)))

    high = 4 * currie(background, ratio, confidence)[1] + 40
    while seen(high) < 1 - beta:
        high *= 2
    detection = float(brentq(lambda net: seen(net) - (1 - beta), 0.0, high))
    return CountLimit(background, ratio, critical, detection, seen(0.0), confidence)


def _beside(mean: float) -> tuple[FloatArray, FloatArray]:
    """Counts (n,) that the background channels may hold, and their chances, summing to 1."""
    spread = _REACH * math.sqrt(mean) + 20
    b = np.arange(max(0, math.floor(mean - spread)), math.ceil(mean + spread) + 1, dtype=np.float64)
    chance = np.exp(xlogy(b, mean) - mean - log_gamma(b + 1))
    return b, chance / chance.sum()


def _check(background: float, ratio: float) -> None:
    if not (background >= 0 and math.isfinite(background)):
        raise RangeError("counts of a background", value=background, allowed=">= 0")
    if not (ratio > 0 and math.isfinite(ratio)):
        raise RangeError("channels of the window over those beside it", value=ratio, allowed="> 0")
