"""Raster: the same measurement at each point of a rectangular grid, by moving the specimen through the beam.

Instruments that scan by nature (scanning transmission, fluorescence, ptychography) have their own raster; this one is
for any other: a mosaic of full-field images, diffraction patterns from place to place. The columns `x` and `y` [m]
are where on the specimen the beam axis meets it, so the specimen itself moves by (-x, -y).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xsim.errors import ScenarioError
from xsim.exposure import Axis, FrameTable, Truth
from xsim.instruments._points import raster_points
from xsim.instruments._protocol import Instrument, Prepared
from xsim.model import Model
from xsim.scans._posed import PosedPrepared, prepare
from xsim.scans._wrap import Scanned, new_axis
from xsim.specimen.specimen import Specimen
from xsim.units import PositiveLength


class Raster(Model):
    """Repeats an instrument over a grid of positions; the new axes are `y` and `x` [m], y slowest.

    field: width and height (x, y) [m]. step: distance of neighbours [m]; round(field / step) points per axis.
    """

    kind: Literal["raster"] = "raster"
    field: tuple[PositiveLength, PositiveLength] = (4e-6, 4e-6)
    step: PositiveLength = 1e-6

    def frames(self, inner: FrameTable) -> FrameTable:
        """The inner frames at every point, y slowest, then x. Raises ScenarioError where x or y is scanned already."""
        taken = sorted({"x", "y"} & set(inner.columns))
        if taken:
            raise ScenarioError(
                "this instrument scans x and y already", value="raster", cure="use the instrument's own field and step"
            )
        y, x = raster_points(self.field, self.step)
        table = new_axis(inner, Axis("x", x, "m"), {"x": x}, {"x": "m"})
        return new_axis(table, Axis("y", y, "m"), {"y": y}, {"y": "m"})

    def move(self, values: tuple[float, ...]) -> tuple[NDArray[np.float64], tuple[float, float]]:
        """The shift that brings the point (x, y) of the specimen onto the axis; no rotation."""
        return np.eye(3), (0.0 - values[0], 0.0 - values[1])

    def pose_name(self, values: tuple[float, ...]) -> str:
        """None: the specimen keeps its orientation, and the dose of neighbouring fields adds up place by place."""
        return ""

    def truth(self, inner: dict[str, Truth], energy: float, specimen: Specimen) -> dict[str, Truth]:
        """Nothing that the table of frames does not tell."""
        return {}

    def prepare(self, inner: Instrument, specimen: Specimen) -> Prepared:
        """The inner instrument with the specimen at each point; the first point is prepared at once."""
        y, x = raster_points(self.field, self.step)

        def early(_: PosedPrepared) -> list[tuple[float, ...]]:
            return [(float(x[0]), float(y[0]))]

        return prepare(self, ("x", "y"), inner, specimen, early)

    def apply(self, instrument: Instrument) -> Scanned:
        """The instrument that takes the raster."""
        return Scanned(self, instrument)
