"""How wide a small bright feature looks: its full widths at half maximum over the rim of the part, and its contrast."""

from __future__ import annotations

from typing import Literal

import numpy as np

from xsim.exposure import Array
from xsim.metrics.scores._image import ImageScore

#: contrast below which an image is flat but for rounding
FLAT = 1e-9


class SpotScore(ImageScore):
    """FWHM [m] along x as NAME and along y as NAME_y, through the brightest pixel; NAME_contrast = 1 - rim / peak.

    The rim's median is the ground. A width that reaches the rim is none (NaN), as is that of a flat image.
    """

    kind: Literal["spot"] = "spot"

    def numbers(self, image: Array, pixel: float) -> dict[str, float]:
        """The widths and the contrast."""
        rim = np.concatenate([image[0], image[-1], image[1:-1, 0], image[1:-1, -1]])
        ground, peak = float(np.median(rim)), float(image.max())
        row, column = np.unravel_index(int(image.argmax()), image.shape)
        level = (ground + peak) / 2
        if not peak > ground * (1 + FLAT):
            return {"": np.nan, "_y": np.nan, "_contrast": 0.0}
        widths = [width(line, int(at), level) * pixel for line, at in ((image[row], column), (image[:, column], row))]
        return {"": widths[0], "_y": widths[1], "_contrast": 1 - ground / peak if peak > 0 else float("nan")}


def width(line: Array, at: int, level: float) -> float:
    """Distance [pixels] between the two places around `at` where `line` (n,) falls to `level`; NaN if it does not."""
    low = np.flatnonzero(line[: at + 1] <= level)
    high = np.flatnonzero(line[at:] <= level)
    if not len(low) or not len(high):
        return float("nan")
    i, j = int(low[-1]), at + int(high[0])
    left = i + (level - line[i]) / (line[i + 1] - line[i])
    right = j - (level - line[j]) / (line[j - 1] - line[j])
    return float(right - left)
