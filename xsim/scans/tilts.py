r"""Tilts: the specimen rotated about an axis across the beam, exactly (the analytic specimen turns, not an image).

A tilt series of full-field images is a tomogram. A positive tilt about y turns z towards x: (x, z) -> (x cos a + z
sin a, -x sin a + z cos a), the right-handed rotation; about x it turns y towards z. By Crowther's criterion an object
of diameter D needs pi D / d projections over 180 degrees for a resolution d (doi 10.1098/rspa.1970.0119). A specimen
with layers cannot be seen edge-on: the missing wedge.

How an exposure is shared among the tilts does not matter to the reconstruction, as long as its total is the same:
dose fractionation (Hegerl & Hoppe, Z. Naturforsch. 31a, 1717 (1976), doi 10.1515/zna-1976-1241; McEwen, Downing &
Glaeser, Ultramicroscopy 60, 357 (1995), doi 10.1016/0304-3991(95)00082-8).

The table of frames and every file carry the tilts that were asked for; what the stage really did is truth.
"""

from __future__ import annotations

import warnings
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from xsim.errors import SamplingWarning, ScenarioError
from xsim.exposure import Axis, FrameTable, Truth
from xsim.instruments._protocol import Instrument, Prepared
from xsim.model import Model
from xsim.scans._axis_errors import AxisErrors
from xsim.scans._posed import PosedPrepared, prepare
from xsim.scans._tilt_order import Scheme, Share, ordered, shares
from xsim.scans._tilt_truth import element_truth, pose_truth, volume_truth
from xsim.scans._wrap import Scanned, new_axis
from xsim.specimen.specimen import Specimen
from xsim.units import Angle, Time


def rotation_about(axis: Literal["x", "y"], angle: float) -> NDArray[np.float64]:
    """The right-handed rotation (3, 3) by `angle` [rad] about x or y, specimen frame to laboratory frame."""
    c, s = np.cos(angle), np.sin(angle)
    if axis == "x":
        return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


class Tilts(Model):
    """Repeats an instrument over tilts of the specimen; the new axis and the column are `name` [rad].

    axis: of rotation, through the origin. start, stop, count: evenly spaced, both ends included; or `values` instead.
    scheme: the order (of start, stop, count) in which they are taken; seed: of a random one. total_exposure [s]: shared
    among all tilts; None: what the instrument's exposure adds up to. share: even, or secant, as 1/cos(tilt).
    errors: what the stage does beyond what it was asked.
    """

    kind: Literal["tilts"] = "tilts"
    axis: Literal["x", "y"] = "y"
    start: Angle = float(np.deg2rad(-60.0))
    stop: Angle = float(np.deg2rad(60.0))
    count: Annotated[int, Field(ge=1, le=100_000)] = 61
    values: tuple[Angle, ...] | None = None
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] = "tilt"
    scheme: Scheme = "continuous"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    total_exposure: Time | None = None
    share: Share = "even"
    errors: AxisErrors = AxisErrors()

    @field_validator("values")
    @classmethod
    def _not_empty(cls, values: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if values is not None and not values:
            raise ScenarioError(
                "a scan over no tilts", value="[]", cure="list the tilts, or give start, stop and count"
            )
        return values

    @model_validator(mode="after")
    def _consistent(self) -> Tilts:
        if self.values is not None and self.scheme != "continuous":
            raise ScenarioError(
                "an order of tilts that are listed", field="scheme", value=self.scheme,
                allowed="continuous", cure="leave out scheme, or give start, stop and count",
            )  # fmt: skip
        shares(self.share, self.angles())
        return self

    def angles(self) -> NDArray[np.float64]:
        """The tilts [rad] in the order in which they are taken."""
        if self.values is not None:
            return np.array(self.values, np.float64)
        return ordered(self.scheme, self.start, self.stop, self.count, self.seed)

    def frames(self, inner: FrameTable) -> FrameTable:
        """The inner frames at every tilt, tilt slowest; the column `name`_number counts the tilts as they are taken."""
        angles = self.angles()
        numbers = np.arange(len(angles))
        columns, units = {self.name: angles, f"{self.name}_number": numbers}, {self.name: "rad"}
        table = new_axis(inner, Axis(self.name, angles, "rad"), columns, {**units, f"{self.name}_number": ""})
        once = np.asarray(inner["time"], np.float64)
        if self.total_exposure is not None:
            once = np.full(len(inner), self.total_exposure / len(angles))
        if self.share == "even":
            return table if self.total_exposure is None else table.with_columns(time=np.tile(once, len(angles)))
        part = shares(self.share, angles) * len(angles)
        return table.with_columns(time=(part[:, None] * once).ravel())

    def move(self, values: tuple[float, ...]) -> tuple[NDArray[np.float64], tuple[float, float]]:
        """The true rotation and shift of one tilt: its angle, and its number where the stage is not perfect."""
        if self.errors.perfect:
            return rotation_about(self.axis, values[0]), (0.0, 0.0)
        number = round(values[1])
        turn = self.errors.rotation(self.axis, values[0], number)
        return turn, self.errors.shift(number, len(self.angles()))

    def pose_name(self, values: tuple[float, ...]) -> str:
        """For example "tilt=12.0 deg"."""
        return f"{self.name}={np.rad2deg(values[0]):.6g} deg"

    def truth(self, inner: dict[str, Truth], energy: float, specimen: Specimen) -> dict[str, Truth]:
        """True poses, the particles' tracks and the volume, for an instrument whose own truth is `inner`."""
        angles = self.angles()
        poses = [self.move(values) for values in self._poses()]
        across = "x" if self.axis == "y" else "y"
        volume = volume_truth(specimen, inner.get("optical_density"), energy, across)
        volumes = {**volume, **element_truth(specimen, inner, across)}
        return {**pose_truth(self.name, angles, poses, specimen), **volumes}

    def prepare(self, inner: Instrument, specimen: Specimen) -> Prepared:
        """The inner instrument with the tilted specimen; the first and the steepest tilt are prepared at once."""
        poses = self._poses()
        steepest = max(poses, key=lambda values: abs(values[0]))

        def early(_: PosedPrepared) -> list[tuple[float, ...]]:
            return [steepest, poses[0]]

        self._check_shifts(inner)
        columns = (self.name,) if self.errors.perfect else (self.name, f"{self.name}_number")
        return prepare(self, columns, inner, specimen, early)

    def _check_shifts(self, inner: Instrument) -> None:
        """Warn where an imperfect axis carries the specimen out of the field of view."""
        field = getattr(inner, "field", None)
        if self.errors.perfect or field is None:
            return
        smallest = float(np.min(field))
        farthest = max(float(np.max(np.abs(self.move(values)[1]))) for values in self._poses())
        if farthest > smallest / 2:
            warnings.warn(
                f"errors: the axis moves the specimen by up to {farthest:.3g} m, out of half the field, "
                f"{smallest / 2:.3g} m; use smaller errors, or a field of {2 * farthest:.3g} m or more",
                SamplingWarning,
                stacklevel=3,
            )

    def _poses(self) -> list[tuple[float, ...]]:
        """What tells one pose from another: the angle, and the number of the tilt where the stage is not perfect."""
        angles = [float(a) for a in self.angles()]
        if self.errors.perfect:
            return [(a,) for a in angles]
        return [(a, float(number)) for number, a in enumerate(angles)]

    def apply(self, instrument: Instrument) -> Scanned:
        """The instrument that takes the tilt series."""
        return Scanned(self, instrument)
