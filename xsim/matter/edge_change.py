"""What a near edge adds to the f1 and f2 of its element: a difference of f2 over a window, transformed whole.

Both kinds of near edge, measured and analytic, end here: a piecewise-linear difference of f2 that vanishes at both
ends of its window, whose change of f1 follows at every energy by the exact transform (`xsim.matter.kramers_kronig`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xsim.matter import elements
from xsim.matter.kramers_kronig import transform

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Correction:
    """What a near edge adds to f1 and f2 [electrons] of its element.

    range: where f2 changes [eV]. Of a measured edge, scale: `s` of the fit; residual: its relative root mean square.
    """

    energy: FloatArray
    more1: FloatArray
    more2: FloatArray
    range: tuple[float, float]
    scale: float = 1.0
    residual: float = 0.0

    def __call__(self, energy: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(f1, f2) to add [electrons] at `energy` [eV]."""
        return np.interp(energy, self.energy, self.more1), np.interp(energy, self.energy, self.more2)


def changed(
    nodes: FloatArray, difference: FloatArray, edge: float, scale: float = 1.0, residual: float = 0.0
) -> Correction:
    """The correction of a `difference` of f2 (n,), zero at both ends, linear between `nodes` (n,), by `edge` [eV]."""
    far = np.geomspace(1.0, 30.0, 400)
    grid = np.unique(np.concatenate((nodes, (nodes[1:] + nodes[:-1]) / 2, edge / far, edge * far, _around(nodes))))
    grid = grid[(grid >= elements.LOWEST) & (grid <= elements.HIGHEST)]
    grid = np.unique(np.concatenate(([elements.LOWEST], grid, [elements.HIGHEST])))
    more2 = np.interp(grid, nodes, difference, left=0.0, right=0.0)
    ends = float(nodes[0]), float(nodes[-1])
    return Correction(grid, transform(nodes, difference, grid), more2, ends, scale, residual)


def taper(nodes: FloatArray, low: float, high: float) -> FloatArray:
    """1 at `nodes`, falling smoothly to 0 over the first `low` and the last `high` [eV]."""
    return _smoothstep((nodes - nodes[0]) / low) * _smoothstep((nodes[-1] - nodes) / high)


def _around(nodes: FloatArray) -> FloatArray:
    """Points beside the window where the transform still varies quickly."""
    steps = np.geomspace(0.5, 1000.0, 60)
    return np.concatenate((nodes[0] - steps, nodes[-1] + steps))


def _smoothstep(u: FloatArray) -> FloatArray:
    u = np.clip(u, 0, 1)
    return u * u * (3 - 2 * u)
