"""The angle between the beam's direction and a detector that looks from the side."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import AfterValidator

from xsim.errors import RangeError
from xsim.units import Angle


def _sideways(value: float) -> float:
    if not math.radians(10) <= value <= math.radians(170):
        raise RangeError("angle of the detector", value=f"{math.degrees(value):.4g} deg", allowed="10 .. 170 deg")
    return value


#: from the direction of the beam [rad], 10 degrees clear of it and of the way back
DetectorAngle = Annotated[Angle, AfterValidator(_sideways)]
