"""How many of the particles were found, and how many of those found are there: precision, recall, distance.

Found and true positions are paired one to one so that the sum of distances is smallest among pairs no farther apart
than `reach`; a pair counts as a hit. precision = hits / found, recall = hits / true, F1 their harmonic mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xsim.errors import RangeError
from xsim.exposure import Array


@dataclass(frozen=True)
class Localisation:
    """hits: pairs within reach; precision, recall, f1: 0..1; rms: distance of the hits [m], nan without one.

    by_axis: root mean square difference of the hits along each axis [m]; offset: their mean difference, found - true.
    """

    hits: int
    precision: float
    recall: float
    f1: float
    rms: float
    by_axis: tuple[float, ...] = ()
    offset: tuple[float, ...] = ()


def localise(found: Array, true: Array, reach: float) -> Localisation:
    """Compare positions `found` (n, d) with `true` (m, d) [m]; reach [m]: the farthest that still counts as found."""
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    found, true = np.atleast_2d(np.asarray(found, np.float64)), np.atleast_2d(np.asarray(true, np.float64))
    if not reach > 0:
        raise RangeError("reach of a localisation", value=reach, allowed="> 0 m")
    n, m = (len(part) if part.size else 0 for part in (found, true))
    distances, away = np.empty(0), np.empty((0, true.shape[1]))
    if n and m:
        between = cdist(found, true)
        # a pair out of reach costs more than any number of pairs within it can save
        rows, columns = linear_sum_assignment(np.where(between <= reach, between, 2 * reach * (min(n, m) + 1)))
        chosen = between[rows, columns]
        distances, away = chosen[chosen <= reach], (found[rows] - true[columns])[chosen <= reach]
    hits = len(distances)
    precision, recall = hits / n if n else float(m == 0), hits / m if m else float(n == 0)
    f1 = 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0
    if not hits:
        return Localisation(0, precision, recall, f1, float("nan"))
    by_axis = tuple(float(v) for v in np.sqrt(np.mean(away**2, axis=0)))
    offset = tuple(float(v) for v in away.mean(axis=0))
    return Localisation(hits, precision, recall, f1, float(np.sqrt(np.mean(distances**2))), by_axis, offset)
