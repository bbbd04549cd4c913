"""A prism over any simple polygon: a lithographic feature, a lamella, a letter.

The polygon may be re-entrant; raster and form factor are exact (see `_extruded`).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import field_validator

from xsim.errors import RangeError
from xsim.specimen.shapes._extruded import Copies, Extruded, Layout
from xsim.specimen.shapes._polygon import Polygon
from xsim.units import Length

#: most corners of an outline
MOST = 1000


class Prism(Extruded):
    """The polygon `corners` (x, y) [m], in either sense, drawn out to `height` [m]; placed by its centre of mass."""

    kind: Literal["prism"] = "prism"
    corners: tuple[tuple[Length, Length], ...]

    @field_validator("corners")
    @classmethod
    def _simple(cls, corners: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
        if not 3 <= len(corners) <= MOST:
            raise RangeError("corners of an outline", value=len(corners), allowed=f"3 to {MOST}")
        polygon = Polygon(np.array(corners))
        crossed = polygon.crossing()
        if crossed is not None:
            edges = " and ".join(f"{n} to {(n + 1) % len(corners)}" for n in crossed)
            raise RangeError(
                "an outline that crosses or touches itself",
                value=f"the edges from corner {edges}",
                allowed="edges that meet only at the corners they share",
                cure="list the corners in order along the outline, each once",
            )
        if not abs(polygon.area) > 1e-9 * polygon.size**2:
            raise RangeError("an outline without area", value=f"{abs(polygon.area):.3g} m^2", allowed="> 0 m^2")
        return corners

    def layout(self) -> Layout:
        """The outline about its centre of mass."""
        given = Polygon(np.array(self.corners))
        outline = Polygon((given.corners if given.area > 0 else given.corners[::-1]) - given.centroid)
        return Layout(Copies.single(outline), tuple(Copies.single(pocket) for pocket in outline.pockets))

    @classmethod
    def example(cls) -> Any:
        """A letter F, 90 nm high and 40 nm thick: no symmetry can hide a flip."""
        outline = [(0, 0), (20, 0), (20, 35), (45, 35), (45, 55), (20, 55), (20, 70), (60, 70), (60, 90), (0, 90)]
        return cls(corners=tuple((f"{x} nm", f"{y} nm") for x, y in outline), height="40 nm")
