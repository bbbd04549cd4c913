"""Modulation of lines of a known period: (max - min)/(max + min) of their profile (`xsim.metrics.modulation`)."""

from __future__ import annotations

from typing import Literal

from xsim.exposure import Array
from xsim.metrics.modulation import modulation
from xsim.metrics.scores._image import ImageScore
from xsim.units import Angle, PositiveLength


class ModulationScore(ImageScore):
    """Modulation of lines of `period` [m], as NAME with its standard error as NAME_error.

    angle: of the direction across the lines, from x towards y [rad].
    """

    kind: Literal["modulation"] = "modulation"
    period: PositiveLength
    angle: Angle = 0.0

    def numbers(self, image: Array, pixel: float) -> dict[str, float]:
        """The modulation and its standard error."""
        found = modulation(image, pixel, self.period, self.angle)
        return {"": found.value, "_error": found.error}
