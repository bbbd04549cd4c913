"""How a real rotation stage departs from a perfect one: the axis shakes, drifts, leans, and angles are not exact.

Every tilt gets its own errors, drawn from a stream of their own (counter-based, by the number of the tilt), so they
follow from `seed` alone. In the laboratory the specimen is turned by the true angle about an axis that leans by
`wobble`, then moved by the shift: r -> R r + s. Sizes are standard deviations of normal distributions.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xsim.model import Model
from xsim.specimen.rotations import about
from xsim.streams import StreamKey, generator
from xsim.units import Angle, Length, NonNegativeLength

FloatArray = NDArray[np.float64]


class AxisErrors(Model):
    """Errors of a rotation axis. All (x, y) [m] across the beam, whichever way the axis lies.

    offset: of the axis from the middle of the field. jitter: of each tilt anew. drift: from the first tilt to the last,
    evenly. wobble: lean of the axis out of its direction, about both other axes [rad]. angle: error of the tilt [rad].
    seed: of the draws.
    """

    offset: tuple[Length, Length] = (0.0, 0.0)
    jitter: tuple[NonNegativeLength, NonNegativeLength] = (0.0, 0.0)
    drift: tuple[Length, Length] = (0.0, 0.0)
    wobble: Angle = 0.0
    angle: Angle = 0.0
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0

    @property
    def perfect(self) -> bool:
        """Whether nothing departs from the ideal."""
        return not (any(self.offset) or any(self.jitter) or any(self.drift) or self.wobble or self.angle)

    def shift(self, number: int, count: int) -> tuple[float, float]:
        """(x, y) [m] of the specimen at tilt `number` of `count`."""
        part = number / (count - 1) if count > 1 else 0.0
        draws = self._draws("shift", number, 2)
        x, y = (self.offset[k] + self.jitter[k] * float(draws[k]) + self.drift[k] * part for k in range(2))
        return x, y

    def rotation(self, axis: str, angle: float, number: int) -> FloatArray:
        """The true rotation (3, 3) of tilt `number`, meant to be `angle` [rad] about "x" or "y"."""
        error, lean, nod = self._draws("angle", number, 3)
        turn = about(axis, angle + self.angle * float(error))
        if not self.wobble:
            return turn
        other = "x" if axis == "y" else "y"
        return about("z", self.wobble * float(lean)) @ about(other, self.wobble * float(nod)) @ turn

    def _draws(self, name: str, number: int, count: int) -> FloatArray:
        return generator(StreamKey(self.seed, f"tilts/axis/{name}"), number).standard_normal(count)
