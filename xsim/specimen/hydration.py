"""The shell of bound water around a molecule, as points that scatter beside its atoms.

The shell is where a ball of water (radius 1.4 Angstrom) that rolls over the atoms (1.7 Angstrom, hydrogens included in
them) reaches, up to `thickness` from their surface; clefts and cavities that water does not enter are left out. It is
filled evenly with water of `density`, on a lattice of 1 Angstrom, so it holds for q well below 1 / Angstrom. In water
only what it is denser than the water around counts; in vacuum all of it does.

Usual numbers, from fits of solution scattering: 3 Angstrom, some 10 % denser than water.
References: Svergun, Barberato & Koch, J. Appl. Cryst. 28, 768 (1995), doi 10.1107/S0021889895007047 (a border layer of
3 Angstrom and free density); Svergun et al., PNAS 95, 2267 (1998), doi 10.1073/pnas.95.5.2267.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavenumber
from xsim.model import Model
from xsim.units import Density, PositiveLength, quantity

FloatArray = NDArray[np.float64]

ANGSTROM = 1e-10
#: radii of an atom with its hydrogens and of a molecule of water, and the pitch of the lattice [m]
ATOM, PROBE, PITCH = 1.7 * ANGSTROM, 1.4 * ANGSTROM, 1.0 * ANGSTROM


class Hydration(Model):
    """Bound water: `thickness` [m] and `density` [kg/m^3] of the shell."""

    thickness: PositiveLength = 3e-10
    density: Density = 1100.0

    def per_volume(self, energy: float) -> complex:
        """Amplitude per volume [1/m^2] of the shell's water at `energy` [eV], in vacuum."""
        from xsim.matter import library

        water = library.find("water", density=quantity(self.density, "kg/m^3"))
        return -complex(water.optics(energy).decrement) * wavenumber(energy) ** 2 / (2 * np.pi)


@lru_cache(maxsize=8)
def _shell(positions: bytes, thickness: float) -> FloatArray:
    from scipy.ndimage import distance_transform_edt
    from scipy.spatial import cKDTree

    atoms = np.frombuffer(positions).reshape(-1, 3)
    reach = max(ATOM + thickness, ATOM + PROBE) + 2 * PITCH + PROBE
    low = np.floor((atoms.min(axis=0) - reach) / PITCH).astype(int)
    counts = np.ceil((atoms.max(axis=0) + reach) / PITCH).astype(int) - low + 1
    places = (np.stack(np.meshgrid(*(np.arange(n) for n in counts), indexing="ij"), axis=-1) + low) * PITCH
    nearest = cKDTree(atoms).query(places.reshape(-1, 3), distance_upper_bound=reach)[0].reshape(tuple(counts))
    wet = distance_transform_edt(nearest <= ATOM + PROBE) * PITCH <= PROBE  # a rolling ball reaches these
    return np.asarray(places[wet & (nearest > ATOM) & (nearest <= ATOM + thickness)])


def shell_points(positions: FloatArray, thickness: float) -> FloatArray:
    """Cells (n, 3) [m] of `PITCH`^3 that the shell of `thickness` [m] round atoms at `positions` (m, 3) [m] fills."""
    return _shell(np.ascontiguousarray(positions, np.float64).tobytes(), thickness)
