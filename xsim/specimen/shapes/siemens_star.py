"""A Siemens star: spokes whose period shrinks towards the middle, a resolution test of every period and direction.

At the radius r the half-period is pi r / spokes. Spokes and gaps have the same angle; a spoke's ends are straight, from
corner to corner on the inner and the outer circle. Raster and form factor are exact (see `_extruded`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from xsim.errors import RangeError
from xsim.specimen.shapes._extruded import Copies, Extruded, Layout
from xsim.specimen.shapes._polygon import Polygon
from xsim.units import PositiveLength, quantity


class SiemensStar(Extruded):
    """`spokes` spokes from `inner_radius` to `outer_radius` [m], the first along +x."""

    kind: Literal["siemens_star"] = "siemens_star"
    spokes: Annotated[int, Field(ge=3, le=10_000)] = 36
    inner_radius: PositiveLength
    outer_radius: PositiveLength

    @model_validator(mode="after")
    def _open(self) -> SiemensStar:
        if not self.inner_radius < self.outer_radius:
            raise RangeError(
                "a star without spokes",
                field="inner_radius",
                value=quantity(self.inner_radius, "m"),
                allowed=f"< {quantity(self.outer_radius, 'm')} (outer_radius)",
            )
        return self

    def half_period(self, radius: float) -> float:
        """Width [m] of spokes and gaps, along the arc, at `radius` [m] from the middle."""
        return float(np.pi * radius / self.spokes)

    def layout(self) -> Layout:
        """Spokes, the gaps between them, and the open middle."""
        half = np.pi / (2 * self.spokes)
        c, s = np.cos(half), np.sin(half)
        middle = (self.inner_radius + self.outer_radius) / 2 * c
        near, far = self.inner_radius * np.array([c, s]), self.outer_radius * np.array([c, s])
        corners = np.array([near * [1, -1], far * [1, -1], far, near]) - [middle, 0]
        angles = 2 * np.pi * np.arange(self.spokes) / self.spokes

        def around(turned: float) -> Copies:
            at = angles + turned
            return Copies(Polygon(corners), middle * np.column_stack([np.cos(at), np.sin(at)]), at)

        rim = half * (2 * np.arange(2 * self.spokes) + 1)
        hole = Polygon(self.inner_radius * np.column_stack([np.cos(rim), np.sin(rim)]))
        return Layout(around(0.0), (around(2 * half), Copies.single(hole)))

    @classmethod
    def example(cls) -> Any:
        """Nine spokes, 100 nm across and 20 nm high."""
        return cls(spokes=9, inner_radius="10 nm", outer_radius="50 nm", height="20 nm")
