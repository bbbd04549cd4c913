"""A cube.

Raster: exact signed edges (`xsim.specimen.kernels.faces`); form factor: the three sincs of a box.
"""

from __future__ import annotations

from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xsim.specimen.shape import FloatArray
from xsim.specimen.shapes._regular import RegularSolid
from xsim.specimen.shapes._sampling import as_complex, sinc


class Cube(RegularSolid):
    """A cube of `edge` [m], faces along its own axes."""

    kind: Literal["cube"] = "cube"

    @staticmethod
    def unit_corners() -> FloatArray:
        """Corners (8, 3) for an edge of 1."""
        return np.array(list(product((-0.5, 0.5), repeat=3)))

    def form_factor(self, q: FloatArray) -> NDArray[np.complex128]:
        """Integral of exp(-i q.r) [m^3] for q (..., 3) [rad/m]."""
        return as_complex(self.volume * sinc(np.asarray(q) * self.edge / 2).prod(axis=-1))
