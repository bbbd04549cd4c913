"""Contrast-to-noise ratio of a feature against its background, and Rose's criterion.

    CNR = |mean_f - mean_b| / sqrt((var_f + var_b) / 2)

per pixel; averaged over n independent pixels of a feature it grows with sqrt n, and a feature is seen with confidence
where that exceeds about 5 (Rose, J. Opt. Soc. Am. 38, 196 (1948), doi 10.1364/JOSA.38.000196).
"""

from __future__ import annotations

import numpy as np

from xsim.errors import RangeError
from xsim.exposure import Array


def contrast_to_noise(image: Array, feature: Array, background: Array) -> float:
    """CNR per pixel of the pixels where the masks `feature` and `background` are true. Raises RangeError if empty."""
    inside, outside = np.asarray(image, np.float64)[feature], np.asarray(image, np.float64)[background]
    if len(inside) < 2 or len(outside) < 2:
        raise RangeError("pixels of a feature and its background", value=(len(inside), len(outside)), allowed=">= 2")
    noise = np.sqrt((inside.var(ddof=1) + outside.var(ddof=1)) / 2)
    contrast = abs(inside.mean() - outside.mean())
    return float(contrast / noise) if noise > 0 else (float("inf") if contrast > 0 else 0.0)


def rose(image: Array, feature: Array, background: Array) -> float:
    """Signal-to-noise of the whole feature: CNR times the square root of its pixels, taken as independent."""
    return contrast_to_noise(image, feature, background) * float(np.sqrt(np.count_nonzero(feature)))
