r"""Tilts: the specimen rotated about an axis across the beam, exactly (the analytic specimen turns, not an image).

A tilt series of full-field images is a tomogram. A positive tilt about y turns z towards x: (x, z) -> (x cos a + z
sin a, -x sin a + z cos a), the right-handed rotation; about x it turns y towards z. By Crowther's criterion an object
of diameter D needs pi D / d projections over 180 degrees for a resolution d (doi 10.1098/rspa.1970.0119). A specimen
with layers cannot be seen edge-on: the missing wedge.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from xsim.errors import ScenarioError
from xsim.exposure import Axis, FrameTable
from xsim.instruments._protocol import Instrument, Prepared
from xsim.model import Model
from xsim.scans._posed import PosedPrepared, prepare
from xsim.scans._wrap import Scanned, new_axis
from xsim.specimen.specimen import Specimen
from xsim.units import Angle


def rotation_about(axis: Literal["x", "y"], angle: float) -> NDArray[np.float64]:
    """The right-handed rotation (3, 3) by `angle` [rad] about x or y, specimen frame to laboratory frame."""
    c, s = np.cos(angle), np.sin(angle)
    if axis == "x":
        return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


class Tilts(Model):
    """Repeats an instrument over tilts of the specimen; the new axis and the column are `name` [rad].

    axis: of rotation, through the origin. start, stop, count: evenly spaced, both ends included; or `values` instead.
    """

    kind: Literal["tilts"] = "tilts"
    axis: Literal["x", "y"] = "y"
    start: Angle = float(np.deg2rad(-60.0))
    stop: Angle = float(np.deg2rad(60.0))
    count: Annotated[int, Field(ge=1, le=100_000)] = 61
    values: tuple[Angle, ...] | None = None
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] = "tilt"

    @field_validator("values")
    @classmethod
    def _not_empty(cls, values: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if values is not None and not values:
            raise ScenarioError(
                "a scan over no tilts", value="[]", cure="list the tilts, or give start, stop and count"
            )
        return values

    def angles(self) -> NDArray[np.float64]:
        """The tilts [rad] in the order in which they are taken."""
        if self.values is not None:
            return np.array(self.values, np.float64)
        return np.linspace(self.start, self.stop, self.count)

    def frames(self, inner: FrameTable) -> FrameTable:
        """The inner frames at every tilt, tilt slowest."""
        angles = self.angles()
        return new_axis(inner, Axis(self.name, angles, "rad"), {self.name: angles}, {self.name: "rad"})

    def move(self, values: tuple[float, ...]) -> tuple[NDArray[np.float64], tuple[float, float]]:
        """The rotation of one tilt; no shift."""
        return rotation_about(self.axis, values[0]), (0.0, 0.0)

    def pose_name(self, values: tuple[float, ...]) -> str:
        """For example "tilt=12.0 deg"."""
        return f"{self.name}={np.rad2deg(values[0]):.6g} deg"

    def prepare(self, inner: Instrument, specimen: Specimen) -> Prepared:
        """The inner instrument with the tilted specimen; the first and the steepest tilt are prepared at once."""
        angles = self.angles()
        steepest = angles[np.argmax(np.abs(angles))]

        def early(_: PosedPrepared) -> list[tuple[float, ...]]:
            return [(float(steepest),), (float(angles[0]),)]

        return prepare(self, (self.name,), inner, specimen, early)

    def apply(self, instrument: Instrument) -> Scanned:
        """The instrument that takes the tilt series."""
        return Scanned(self, instrument)
