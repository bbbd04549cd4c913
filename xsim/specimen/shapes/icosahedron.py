"""A regular icosahedron, the habit of multiply twinned particles and of many viruses.

Raster: exact signed edges (`xsim.specimen.kernels.faces`); form factor: stable sum over tetrahedra
(`xsim.specimen.kernels.simplex`).
"""

from __future__ import annotations

from itertools import product
from typing import Literal

import numpy as np

from xsim.specimen.shape import FloatArray
from xsim.specimen.shapes._regular import RegularSolid


class Icosahedron(RegularSolid):
    """An icosahedron of `edge` [m], two-fold axes along its own axes."""

    kind: Literal["icosahedron"] = "icosahedron"

    @staticmethod
    def unit_corners() -> FloatArray:
        """Corners (12, 3) for an edge of 1: cyclic permutations of (0, +-1, +-golden ratio) / 2."""
        golden = (1 + np.sqrt(5)) / 2
        base = [np.array([0.0, a, b * golden]) / 2 for a, b in product((-1, 1), repeat=2)]
        return np.array([np.roll(corner, k) for k in range(3) for corner in base])
