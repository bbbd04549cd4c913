"""Where along the beam a slab acts: in the middle of what it holds, not of itself.

A slab that is full acts in its middle. A thin layer near a face of a thick slab would be moved there by up to half a
slab, which is seen as a phase of pi lambda dz/p^2 at period p.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from xsim.specimen.specimen import Specimen

#: heights are rounded to this part of a slab, so that most distances between slabs are equal
_STEP = 1 / 16
#: a height lies within its slab, never on its face
_INSIDE = 1 - 1e-6


def heights(specimen: Specimen, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Height z [m] at which each slab between `edges` (n + 1,) [m] acts, (n,): mid-way between its particles' ends.

    Uniform layers do not count, wherever they act; without particles, or under tilted layers, it is the middle.
    """
    middles = (edges[1:] + edges[:-1]) / 2
    extents = [p.z_extents for p in specimen.populations if len(p)]
    if not extents or (len(specimen.layers) and specimen.layers.tilt > 0):
        return middles
    low, high = (np.concatenate(ends) for ends in zip(*extents, strict=True))
    found = []
    for below, above, middle in zip(edges[:-1], edges[1:], middles, strict=True):
        inside = (high > below) & (low < above)
        if inside.any():
            reach = max(below, float(low[inside].min())) + min(above, float(high[inside].max()))
            step = (above - below) * _STEP
            shift = step * round((reach / 2 - middle) / step)
            middle += min(max(shift, (below - middle) * _INSIDE), (above - middle) * _INSIDE)
        found.append(float(middle))
    return np.array(found)
