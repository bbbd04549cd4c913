"""Least of an element that one point of a fluorescence map detects (`xsim.metrics.line_limits`)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from xsim.errors import RangeError
from xsim.exposure import Measurement
from xsim.metrics.detection_limit import Confidence
from xsim.metrics.line_limits import of_measurement
from xsim.model import Model


class DetectionLimitScore(Model):
    """Limit of `line` ("Zn_K") per frame: NAME_atoms, NAME_mass [kg], NAME_area_density [kg/m^2], NAME_background.

    alpha: chance of a false alarm; beta: chance to miss what is at the limit.
    """

    kind: Literal["detection_limit"] = "detection_limit"
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$")]
    line: Annotated[str, Field(pattern=r"^[A-Z][a-z]?_[KLM]$")]
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    beta: Annotated[float, Field(gt=0, lt=0.5)] = 0.05

    def of_measurement(self, measurement: Measurement) -> dict[str, float]:
        """The numbers. Raises RangeError for a line without a standard."""
        found = of_measurement(measurement, Confidence(self.alpha, self.beta))
        for one in found:
            if one.line == self.line:
                numbers = {
                    "atoms": one.atoms, "mass": one.mass, "area_density": one.area_density,
                    "concentration": one.concentration, "background": one.counts.background,
                }  # fmt: skip
                return {f"{self.name}_{key}": value for key, value in numbers.items()}
        known = ", ".join(one.line for one in found) or "none: no line is excited and recorded"
        raise RangeError("line of a detection limit", field="line", value=self.line, allowed=known)
