"""A regular octahedron, the {111} habit of many metal nanocrystals.

Raster: exact signed edges (`xsim.specimen.kernels.faces`); form factor: stable sum over tetrahedra
(`xsim.specimen.kernels.simplex`).
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from xsim.specimen.shape import FloatArray
from xsim.specimen.shapes._regular import RegularSolid


class Octahedron(RegularSolid):
    """An octahedron of `edge` [m], corners on its own axes."""

    kind: Literal["octahedron"] = "octahedron"

    @staticmethod
    def unit_corners() -> FloatArray:
        """Corners (6, 3) for an edge of 1."""
        return np.concatenate([np.eye(3), -np.eye(3)]) / np.sqrt(2)
