"""A line grating: equal bars side by side, the test pattern of resolution.

F(q) = V_bar sinc(q_x w/2) sinc(q_y l/2) sinc(q_z h/2) sin(n q_x p/2)/sin(q_x p/2) for n bars of width w, length l
and height h at the period p. The raster is exact (see `_extruded`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xsim.specimen.shape import FloatArray
from xsim.specimen.shapes._extruded import Copies, Extruded, Layout
from xsim.specimen.shapes._polygon import Polygon
from xsim.specimen.shapes._sampling import as_complex, sinc
from xsim.units import PositiveLength


class Grating(Extruded):
    """`bars` bars along y, one every `period` [m] along x, the middle of the pattern at the origin.

    duty: width of a bar over the period (0.5: lines and spaces are equal, each one half-period wide). length: of the
    bars [m].
    """

    kind: Literal["grating"] = "grating"
    period: PositiveLength
    bars: Annotated[int, Field(ge=1, le=100_000)] = 20
    duty: Annotated[float, Field(gt=0, lt=1)] = 0.5
    length: PositiveLength

    def layout(self) -> Layout:
        """Bars, and the grooves between them."""
        places = (np.arange(self.bars) - (self.bars - 1) / 2) * self.period
        bar = Polygon.rectangle(self.duty * self.period, self.length)
        groove = Polygon.rectangle((1 - self.duty) * self.period, self.length)
        between = (places[1:] + places[:-1]) / 2
        return Layout(Copies.row(bar, places), (Copies.row(groove, between),) if self.bars > 1 else ())

    def form_factor(self, q: FloatArray) -> NDArray[np.complex128]:
        """Integral of exp(-i q.r) [m^3] for q (..., 3) [rad/m]."""
        q = np.asarray(q, np.float64)
        sides = np.array([self.duty * self.period, self.length, self.height])
        one = sides.prod() * sinc(q * sides / 2).prod(axis=-1)
        return as_complex(one * comb(q[..., 0] * self.period / 2, self.bars))

    @classmethod
    def example(cls) -> Any:
        """Five bars of 10 nm with gaps of 10 nm, 80 nm long and 30 nm high."""
        return cls(period="20 nm", bars=5, length="80 nm", height="30 nm")


def comb(phase: FloatArray, count: int) -> FloatArray:
    """sin(n x)/sin(x), the sum of exp(-2i x m) over n places m about the middle; stable at every multiple of pi."""
    turns = np.rint(phase / np.pi)
    x = phase - np.pi * turns
    sign = 1 - 2 * ((turns * (count - 1)) % 2)
    return np.asarray(sign * count * sinc(count * x) / sinc(x), np.float64)
