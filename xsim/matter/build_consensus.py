"""The photoelectric cross sections of xraylib put right where two other tables outvote them, for the build script.

`CS_Photo` of xraylib (Elam's fit between edges) has bumps that no other table has: chromium at 6.2-7.6 keV up to 13 %,
titanium at 5.2-5.6 keV 5 %, and from lutetium to lead it is up to 25 % low for some hundred electron volts above the
M4 edge. The rule: at every energy the median of `CS_Photo`, of Kissel's totals (xraylib) and of Chantler's table (NIST
FFAST), so that one table alone is never followed against both others, and elsewhere all stays within what they say.
The vote is taken clear of edges and carried on to them unchanged from either side, so that edges stay where they are.
Valid 1.9 keV - 190 keV, up to 20 times the K edge: beyond that Kissel's totals fail (carbon at 9 keV) and
`CS_Photo` stands alone. References: Kissel, doi 10.1016/S0969-806X(00)00290-5; Chantler, doi 10.1063/1.555974.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from xsim.matter.build_sources import F2_PER_BARN, Source, chantler, xraylib_f2

FloatArray = NDArray[np.float64]

#: where all three tables are good [eV], and in units of the K edge
VOTING = (1900.0, 190e3)
KISSEL_REACH = 20.0
#: the vote is taken so far from edges: relative to the edge, and at most this part of the gap to the next one
CLEAR = (0.005, 0.05)
#: the correction fades beyond the voting range over this factor in energy
FADE = 1.5


def settled(z: int, symbol: str, edges: FloatArray, source: Source) -> Source:
    """`source`, which is `CS_Photo` of element `z`, with the median of the three tables where they vote.

    edges (n,) [eV], ascending, the last one the K edge: those of the jumps of `source`.
    """
    low, high = VOTING[0], min(VOTING[1], KISSEL_REACH * edges[-1]) if len(edges) else 0.0
    if high < 1.2 * low:
        return source
    x, smooth, jumps = source.log_energy, source.smooth.copy(), source.jumps.copy()
    inner = np.flatnonzero((edges > low) & (edges < high))
    ends = np.concatenate(([low], edges[inner], [high]))
    left = np.zeros(0)
    for k, (start, stop) in enumerate(pairwise(ends)):
        points = _clear(start, stop)
        shift = _vote(z, symbol, points)
        inside = (x >= np.log(start)) & ((x < np.log(stop)) if k < len(inner) else True)
        inside = inside if k else x < np.log(stop)
        places, values = np.log(points), shift
        if k == len(inner):
            places, values = np.append(places, np.log(FADE * high)), np.append(values, 0.0)
        smooth[inside] += np.interp(x[inside], places, values)
        if k:
            step = shift[0] - left[-1]
            jumps[inner[k - 1]] += step
            smooth[x >= np.log(start)] -= step
        left = shift
    return Source(x, smooth, jumps)


def _clear(start: float, stop: float) -> FloatArray:
    """Energies [eV] between two edges and clear of both, 0.4 % apart or closer."""
    gap = stop - start
    first, last = start + min(CLEAR[0] * start, CLEAR[1] * gap), stop - min(CLEAR[0] * stop, CLEAR[1] * gap)
    return np.geomspace(first, last, 3 + int(np.log(last / first) / 0.004))


def _vote(z: int, symbol: str, energy: FloatArray) -> FloatArray:
    """The logarithm of the median of the three tables over `CS_Photo` at `energy` (n,) [eV]."""
    import xraylib

    barns = np.array([xraylib.CSb_Photo_Total(z, point / 1e3) for point in energy])
    kissel = np.log(barns * energy * F2_PER_BARN)
    places, _, f2 = chantler(symbol)
    other = np.interp(np.log(energy), np.log(places), np.log(f2))
    own = np.log(xraylib_f2(z, energy))
    median: FloatArray = np.median([own, kissel, other], axis=0) - own
    return median
