"""The specimen in three dimensions as diffraction sees it: what a tilt series can recover.

    v(r) = -i k (delta - i beta) against what surrounds the particles   [1/m]

averaged over cubic voxels; the integral of v along the beam is ln psi/psi_0.
"""

from __future__ import annotations

import math

import numpy as np

from xsim.constants import wavenumber
from xsim.exposure import Axis, Truth
from xsim.instruments._cdi_checks import lateral_reach
from xsim.interaction.validity import structured_range
from xsim.specimen.specimen import Specimen
from xsim.waves.grid import Grid

#: the largest number of voxels that are kept as truth
MOST = 2_000_000


def potential(specimen: Specimen, voxel: float, energy: float) -> dict[str, Truth]:
    """Truth "potential" (z, y, x) [1/m] on voxels [m] round the origin that hold all particles; none beyond `MOST`."""
    low, high = structured_range(specimen)
    across, along = (math.ceil(r / voxel) + 2 for r in (lateral_reach(specimen), max(abs(low), abs(high))))
    if 8 * across**2 * along > MOST:
        return {}
    grid = Grid((2 * across, 2 * across), voxel)
    z = (np.arange(2 * along) - along) * voxel
    values = np.zeros((2 * along, 2 * across, 2 * across), np.complex128)
    k = wavenumber(energy)
    for plane, middle in zip(values, z, strict=True):
        for material, metres in specimen.thickness(grid, middle - voxel / 2, middle + voxel / 2).items():
            # what a layer adds everywhere scatters nothing
            plane += -1j * k * complex(material.optics(energy).decrement) * (metres - metres[0, 0]) / voxel
    return {"potential": Truth(values, (Axis("z", z, "m"), Axis("y", grid.y, "m"), Axis("x", grid.x, "m")), "1/m")}
