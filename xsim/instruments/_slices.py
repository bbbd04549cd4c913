"""A specimen cut into slabs of equal thickness, for waves that see only a window of it at a time.

Each slab multiplies the wave at its middle by the transmission of the material inside; see
`xsim.interaction.multislice` for the wave through a whole grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.interaction.transmission import transmission
from xsim.interaction.validity import structured_middle
from xsim.matter.material import Material
from xsim.specimen.specimen import Specimen
from xsim.waves.grid import Grid


@dataclass(frozen=True, eq=False)
class Slices:
    """middles: z [m] of each slab's middle. maps: thickness [m] of each material in each slab on `grid`."""

    grid: Grid
    middles: tuple[float, ...]
    maps: tuple[dict[Material, NDArray[np.float64]], ...]

    @staticmethod
    def sample(specimen: Specimen, grid: Grid, slabs: int) -> Slices:
        """Cut into `slabs` slabs over the specimen's reach along z; one slab, a projection, acts at their middle."""
        if slabs == 1:
            return Slices(grid, (structured_middle(specimen),), (specimen.thickness(grid),))
        edges = np.linspace(*specimen.z_range_on(grid), slabs + 1)
        middles = tuple(float(z) for z in (edges[1:] + edges[:-1]) / 2)
        return Slices(grid, middles, tuple(specimen.thickness(grid, float(a), float(b)) for a, b in pairwise(edges)))

    def transmissions(self, energy: float) -> tuple[NDArray[Any], ...]:
        """Complex transmission (ny, nx) complex64 of each slab at `energy` [eV]."""
        return tuple(np.broadcast_to(transmission(m, energy), self.grid.shape) for m in self.maps)
