"""A specimen cut into slabs, for waves that see only a window of it at a time.

Each slab multiplies the wave at its middle by the transmission of the material inside; see
`xsim.interaction.multislice` for the wave through a whole grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from xsim.interaction.cutting import Cut
from xsim.interaction.validity import structured_middle
from xsim.matter.material import Material
from xsim.specimen.specimen import Specimen
from xsim.waves.grid import Grid


@dataclass(frozen=True, eq=False)
class Slices:
    """middles: z [m] of each slab's middle. maps: thickness [m] of each material in each slab on `grid`.

    heights: 0, or how high [m] each slab is filled by bodies that stand through it. cut: where it was cut.
    """

    grid: Grid
    middles: tuple[float, ...]
    maps: tuple[dict[Material, NDArray[np.float64]], ...]
    heights: tuple[float, ...]
    cut: Cut

    @staticmethod
    def sample(specimen: Specimen, grid: Grid, cut: Cut) -> Slices:
        """Sample the slabs of `cut`; one slab, a projection, acts at the middle of the structure."""
        if cut.count == 1:
            return Slices(grid, (structured_middle(specimen),), (specimen.thickness(grid),), (0.0,), cut)
        cut = cut.over(*specimen.z_range_on(grid))
        edges = [float(z) for z in cut.edges]
        middles = tuple(float(z) for z in (cut.edges[1:] + cut.edges[:-1]) / 2)
        heights = tuple(float(h) for h in np.diff(cut.edges) * cut.deep)
        maps: list[dict[Material, NDArray[np.float64]]] = []
        for low, high in pairwise(edges):
            found = specimen.thickness(grid, low, high)
            maps.append(maps[-1] if maps and _alike(found, maps[-1]) else found)
        return Slices(grid, middles, tuple(maps), heights, cut)


def _alike(one: dict[Material, NDArray[np.float64]], other: dict[Material, NDArray[np.float64]]) -> bool:
    """Whether two slabs hold the same, of bodies that stand through both, up to rounding."""
    return all(np.allclose(one[m], other[m], rtol=1e-9, atol=0.0) for m in one)
