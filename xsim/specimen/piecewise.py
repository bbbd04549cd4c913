"""Whether bodies that are not convex overlap, by the convex solids that fill them and their gaps.

Two bodies are apart when all solids of the one are apart from all of the other. A lies in B when A's hull lies in B's
and no solid of A meets a gap of B, the gaps being what B's hull holds beside B. Both are exact for patterns
(`shapes._extruded`) and for any convex body beside them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.specimen import containment, gjk
from xsim.specimen.population import take
from xsim.specimen.shape import Poses

FloatArray = NDArray[np.float64]

#: pairs of solids looked at together: bounds the memory
_ROWS = 20_000


def in_pieces(shape: Any) -> bool:
    """Whether the shape tells of which convex solids it consists."""
    return hasattr(shape, "solids")


def meeting(shape_a: Any, a: Poses, shape_b: Any, b: Poses) -> FloatArray:
    """How deep (n,) [m] the i-th copies of two bodies overlap; 0 where they are apart or touch."""
    return _depth(_solids(shape_a), a, _solids(shape_b), b)


def inside(inner: Any, a: Poses, outer: Any, b: Poses) -> NDArray[np.bool_]:
    """Whether the i-th copy of `inner` lies wholly in that of `outer`, touching allowed."""
    size = inner.radius * a.scales + outer.radius * b.scales
    if not in_pieces(outer):
        return np.asarray(containment.margin_inside(inner, a, outer, b) >= -gjk.TOUCH * size, np.bool_)
    held = np.ones(len(a), np.bool_)
    for normal, distance in zip(*outer.facets(), strict=True):
        out = np.einsum("nij,j->ni", b.rotations, normal)
        beyond = ((gjk.farthest(inner, a, out) - b.positions) * out).sum(axis=1) - distance * b.scales
        held &= beyond <= gjk.TOUCH * size
    rows = np.flatnonzero(held)
    held[rows] = _depth(_solids(inner), take(a, rows), outer.gaps(), take(b, rows)) == 0
    return held


def _solids(shape: Any) -> Any:
    return shape.solids() if in_pieces(shape) else ((shape, None),)


def _depth(ones: Any, a: Poses, twos: Any, b: Poses) -> FloatArray:
    """Greatest overlap (n,) [m] of any solid of `ones` in pose a[i] with any of `twos` in pose b[i]."""
    deepest = np.zeros(len(a))
    for one, places in ones:
        for two, others in twos:
            counts = (1 if c is None else len(c.angles) for c in (places, others))
            step = max(1, _ROWS // int(np.prod(list(counts))))
            for start in range(0, len(a), step):
                rows = np.arange(start, min(start + step, len(a)))
                first, second = _spread(places, take(a, rows)), _spread(others, take(b, rows))
                found = _pairs(one, first, two, second, len(rows))
                deepest[rows] = np.maximum(deepest[rows], found)
    return deepest


def _spread(places: Any, poses: Poses) -> Poses:
    return poses if places is None else places.posed(poses)


def _pairs(one: Any, a: Poses, two: Any, b: Poses, count: int) -> FloatArray:
    """Greatest overlap (count,) of the solids of each body, of which a and b hold equally many per body."""
    many, other = len(a) // count, len(b) // count
    i = np.repeat(np.arange(len(a)), other)
    j = (np.arange(count)[:, None, None] * other + np.arange(other)).repeat(many, axis=1).ravel()
    reach = one.radius * a.scales[i] + two.radius * b.scales[j]
    near = ((a.positions[i] - b.positions[j]) ** 2).sum(axis=1) < reach**2
    i, j, reach = i[near], j[near], reach[near]
    met = ~gjk.apart(one, take(a, i), two, take(b, j))
    i, j, reach = i[met], j[met], reach[met]
    deepest = np.zeros(count)
    if len(i):
        depth = containment.penetration(one, take(a, i), two, take(b, j))
        np.maximum.at(deepest, i // many, np.where(depth > gjk.TOUCH * reach, depth, 0.0))
    return deepest
