"""How far f1, f2, delta and beta may be trusted: the spread of the published tables, and of near edges their fit.

The band of an element envelops what CXRO/Henke, xraylib and Chantler say instead of the value given (see
`xsim.matter.build_bands`); those of a material take its elements' as fully correlated. Within a near edge of its own
a material has the band of the tables on either side of the edge, 4 % of f2 for the normalisation of the spectrum, and
of f1 4 % of what the near edge changes. Near an edge that was not measured the bands hold for a free atom, and tell how
the tables differ in place, width and onset of the edge: tens of percent of f2 within 0.2 % of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xsim.matter import elements
from xsim.matter.near_edge import correction

if TYPE_CHECKING:
    from xsim.matter.material import Material

FloatArray = NDArray[np.float64]

#: what the choice of fit bands does to the scale of a measured near edge
NEAR_EDGE_BAND = 0.04
#: the tables beside an edge are those so far away from it: nearer, they differ in its place and width
CLEAR = 0.02


def element_bands(material: Material, symbol: str, energy: Any) -> tuple[FloatArray, FloatArray]:
    """Uncertainty of f1 [electrons] and f2 [relative] of an element of `material` at `energy` [eV], of its shape."""
    one, values = elements.element(symbol), np.asarray(energy, np.float64)
    band1, band2 = one.bands(values)
    atomic1, atomic2 = band1, band2
    for near in material.near_edges:
        if near.element != symbol:
            continue
        change = correction(near)
        ends = np.array(change.range)
        inside = (values > ends[0]) & (values < ends[1])
        edge, _ = one.edge(near.edge)
        clear = np.array([min(ends[0], edge * (1 - CLEAR)), max(ends[1], edge * (1 + CLEAR))])
        beside1, beside2 = (np.interp(np.log(values), np.log(clear), band) for band in one.bands(clear))
        band1 = band1 + near.share * (NEAR_EDGE_BAND * np.abs(change(values)[0]))
        band1 = band1 + near.share * np.where(inside, np.minimum(beside1 - atomic1, 0), 0)
        band2 = band2 + near.share * np.where(inside, np.minimum(beside2 - atomic2, 0) + NEAR_EDGE_BAND, 0)
    return band1, band2


def bands(material: Material, energy: Any) -> tuple[Any, Any]:
    """Relative uncertainty of delta and of beta (and mu_photo) of `material` at `energy` [eV], of its shape."""
    sums = np.zeros((4, *np.shape(energy)))
    for symbol, number in material.number_densities.items():
        f1, f2 = material.factors(symbol, energy)
        band1, band2 = element_bands(material, symbol, energy)
        sums += number * np.array([f1, band1, f2, f2 * band2])
    delta, beta = sums[1] / np.abs(sums[0]), sums[3] / sums[2]
    return (delta, beta) if np.ndim(energy) else (float(delta), float(beta))
