"""Where a specimen is cut into slabs: coarsely by the depth of focus, finely where strong bodies stand through it.

Slabs are as thick as `validity.slab_thickness` allows, over the whole specimen. Where bodies reach farther along the
beam than the slabs that `validity.wall_thickness` allows for them, their range of heights is cut as finely as that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavenumber
from xsim.errors import RangeError
from xsim.interaction.validity import (
    ERROR,
    projected_wall_error,
    required_slabs,
    slab_error,
    structured_depth,
    wall_error,
    wall_thickness,
)
from xsim.specimen.specimen import Specimen, contrast

FloatArray = NDArray[np.float64]

#: the largest number of slabs
MOST = 2000


@dataclass(frozen=True, eq=False)
class Cut:
    """Slabs between `edges` (n + 1,) [m]; one slab is a projection.

    deep: (n,) which of them bodies stand through that needed them thin. critical: the largest angle [rad] at which the
    walls of those bodies reflect all light, sqrt(2 |dn|).
    """

    edges: FloatArray
    deep: NDArray[np.bool_]
    critical: float = 0.0

    @staticmethod
    def even(low: float, high: float, count: int) -> Cut:
        """`count` slabs of equal thickness from `low` to `high` [m]. Raises RangeError for none."""
        if count < 1:
            raise RangeError("number of slabs", field="slabs", value=count, allowed=">= 1")
        return Cut(np.linspace(low, high, count + 1), np.zeros(count, np.bool_))

    @property
    def count(self) -> int:
        """Number of slabs."""
        return len(self.deep)

    def over(self, low: float, high: float) -> Cut:
        """The same slabs from `low` to `high` [m]: even ones as many, else with coarse ones added at either end."""
        if not self.deep.any():
            return Cut.even(low, high, self.count)
        coarse, edges, deep = float(np.diff(self.edges).max()), self.edges, self.deep
        below, above = (math.ceil(gap / coarse - 1e-9) for gap in (edges[0] - low, high - edges[-1]))
        if below > 0:
            edges = np.concatenate([np.linspace(low, edges[0], below + 1)[:-1], edges])
            deep = np.concatenate([np.zeros(below, np.bool_), deep])
        if above > 0:
            edges = np.concatenate([edges, np.linspace(edges[-1], high, above + 1)[1:]])
            deep = np.concatenate([deep, np.zeros(above, np.bool_)])
        return replace(self, edges=edges, deep=deep)

    def error(self, specimen: Specimen, energy: float, half_period: float) -> float:
        """Estimated error of the intensity at the `half_period` [m], the larger of those of slabs and of walls."""
        depth, thickness = structured_depth(specimen), np.diff(self.edges)
        if self.count == 1:
            return max(slab_error(depth, energy, half_period), walled(specimen, energy, half_period))
        worst = slab_error(min(depth, float(thickness.max())), energy, half_period)
        for index, low, high in _bodies(specimen, energy):
            place = np.clip(np.searchsorted(self.edges, (low + high) / 2) - 1, 0, self.count - 1)
            filled = float(np.minimum(thickness[place], high - low).max())
            worst = max(worst, wall_error(abs(index), filled, energy, half_period))
        return worst


def cut(
    specimen: Specimen,
    energy: float,
    half_period: float,
    error: float | None = None,
    least: int = 1,
    most: int = MOST,
) -> Cut:
    """Slabs for an `error` (default: `validity.ERROR`) of the intensity at the `half_period` [m].

    `most` bounds what is cut finely; `MOST` all of them. One where a projection will do, up to 4 d^2/lambda of depth
    without an `error` (see `validity.slabs_for`), unless `least` asks for more.
    """
    needed = required_slabs(specimen, energy, half_period, error)
    low, high = specimen.z_range
    if error is not None and walled(specimen, energy, half_period) > error:
        least = max(2, least)
    count = min(max(least, needed), MOST)
    found = Cut.even(low, high, count)
    if count == 1:
        return found
    ranges = _deep_ranges(specimen, energy, half_period, error or ERROR, ((high - low) / count, count > needed))
    if not ranges:
        return found
    critical = math.sqrt(2 * max(r.turn for r in ranges) / float(wavenumber(energy)))
    thicker, edges, deep = 1.0, *_refined(found, ranges)
    while len(deep) > max(most, count):
        thicker *= max(1.02, len(deep) / max(most, count))
        edges, deep = _refined(found, [replace(r, thickness=r.thickness * thicker) for r in ranges])
    return Cut(edges, deep, critical)


def walled(specimen: Specimen, energy: float, half_period: float) -> float:
    """Error of a projection at the walls of the body that has the strongest and deepest ones [of the intensity]."""
    errors = (
        projected_wall_error(index, float((high - low).max()), energy, half_period)
        for index, low, high in _bodies(specimen, energy)
    )
    return max(errors, default=0.0)


@dataclass(frozen=True)
class _Range:
    """Heights [m] through which bodies of |k dn| = `turn` [rad/m] stand, and the slabs of `thickness` they need."""

    low: float
    high: float
    thickness: float
    turn: float


def _bodies(specimen: Specimen, energy: float) -> Iterator[tuple[complex, FloatArray, FloatArray]]:
    """Of each population k (delta - i beta) over its host's [rad/m], and the lowest and highest z [m] of each copy."""
    for p in specimen.populations:
        index = float(wavenumber(energy)) * complex(contrast(p.material, p.host, energy))
        if len(p) and index:
            yield index, *p.z_extents


def _deep_ranges(
    specimen: Specimen, energy: float, half_period: float, error: float, slabs: tuple[float, bool]
) -> list[_Range]:
    """Where bodies stand that need slabs thinner than `slabs` are; those nearer than one to each other count as one.

    slabs: thickness [m], and whether there are that many for walls alone, which are spread over slabs then: 2 to 4
    times less wrong.
    """
    found, (coarse, spread) = [], slabs
    for index, low, high in _bodies(specimen, energy):
        turn, height = abs(index), high - low
        limit = wall_thickness(turn, energy, half_period, error)
        deep = (height > limit * (1 + 1e-9)) & (limit < coarse)
        if spread and projected_wall_error(index, float(height.max()), energy, half_period) > error:
            deep |= height > height.max() / 2
        if not deep.any():
            continue
        order = np.argsort(low[deep], kind="stable")
        bottoms, tops = low[deep][order], np.maximum.accumulate(high[deep][order])
        gaps = np.flatnonzero(bottoms[1:] > tops[:-1] + coarse)
        starts, ends = bottoms[np.append(0, gaps + 1)], tops[np.append(gaps, len(tops) - 1)]
        found += [_Range(float(a), float(b), limit, turn) for a, b in zip(starts, ends, strict=True)]
    return found


def _refined(even: Cut, ranges: list[_Range]) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Edges (n + 1,) [m] of slabs as thin as the `ranges` need in each, elsewhere as in `even`; which (n,) are thin."""
    low, high = float(even.edges[0]), float(even.edges[-1])
    coarse = (high - low) / even.count
    ends = sorted({low, high, *(min(max(z, low), high) for r in ranges for z in (r.low, r.high))})
    edges, deep = [low], []
    for below, above in pairwise(ends):
        if above - below < 1e-6 * coarse:  # one height, rounded
            continue
        thinnest = min((r.thickness for r in ranges if r.low < above and r.high > below), default=math.inf)
        count = math.ceil((above - below) / min(coarse, thinnest) - 1e-6)
        edges += list(np.linspace(edges[-1], above, count + 1)[1:])
        deep += [thinnest < math.inf] * count
    edges[-1] = high
    return np.array(edges), np.array(deep)
