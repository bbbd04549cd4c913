"""A multilayer in cross-section: a lamella cut across a stack of films, the finest pattern of lines there is.

Films of two materials alternate along x, lie along y, and are seen through the lamella's thickness along z. The shape
is the films of the first material; `core_material` makes those of the second (see `core`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from xsim.specimen.shapes._extruded import Copies, Extruded, Layout
from xsim.specimen.shapes._polygon import Polygon
from xsim.units import PositiveLength


class Multilayer(Extruded):
    """`pairs` pairs of films, `first` and `second` [m] thick, in turn along x; the middle of the stack at the origin.

    length: of the films along y [m]. height: thickness of the lamella along the beam [m]. part: which of the two
    materials this is.
    """

    kind: Literal["multilayer"] = "multilayer"
    first: PositiveLength
    second: PositiveLength
    pairs: Annotated[int, Field(ge=1, le=100_000)] = 20
    length: PositiveLength
    part: Literal["first", "second"] = "first"

    def layout(self) -> Layout:
        """The films of one material, and those of the other between them."""
        period = self.first + self.second
        start = (np.arange(self.pairs) - self.pairs / 2) * period
        own = self.first if self.part == "first" else self.second
        other = period - own
        places = start + own / 2 + (0.0 if self.part == "first" else self.first)
        gaps = Copies.row(Polygon.rectangle(other, self.length), (places[1:] + places[:-1]) / 2)
        return Layout(Copies.row(Polygon.rectangle(own, self.length), places), (gaps,) if self.pairs > 1 else ())

    def core(self) -> Multilayer:
        """The films of the other material."""
        return self.model_copy(update={"part": "second" if self.part == "first" else "first"})

    @classmethod
    def example(cls) -> Any:
        """Four pairs of 15 and 10 nm, 80 nm long, in a lamella of 40 nm."""
        return cls(first="15 nm", second="10 nm", pairs=4, length="80 nm", height="40 nm")
