"""A regular truncated octahedron: {100} squares and {111} hexagons, the Wulff-like habit of fcc nanocrystals.

Raster: exact signed edges (`xsim.specimen.kernels.faces`); form factor: stable sum over tetrahedra
(`xsim.specimen.kernels.simplex`).
"""

from __future__ import annotations

from itertools import permutations, product
from typing import Literal

import numpy as np

from xsim.specimen.shape import FloatArray
from xsim.specimen.shapes._regular import RegularSolid


class TruncatedOctahedron(RegularSolid):
    """A truncated octahedron of `edge` [m], squares facing its own axes."""

    kind: Literal["truncated_octahedron"] = "truncated_octahedron"

    @staticmethod
    def unit_corners() -> FloatArray:
        """Corners (24, 3) for an edge of 1: the permutations of (0, +-1, +-2) / sqrt 2."""
        signed = {tuple(np.multiply(p, s)) for p in permutations((0, 1, 2)) for s in product((-1, 1), repeat=3)}
        return np.array(sorted(signed)) / np.sqrt(2)
