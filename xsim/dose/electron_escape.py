"""Whether electrons set free in a small sphere leave it: its charge holds slow ones, its matter stops short ranges.

An electron of kinetic energy K born at r in a uniformly charged sphere (Z elementary charges, radius R) leaves if
    K > U (3 - r^2/R^2)/2,    U = Z e^2/(4 pi eps0 R)
so of those born evenly none leave below U, all above 3U/2, and 1 - (3 - 2K/U)^(3/2) between. Its way out, evenly
distributed in place and direction, is shorter than x R with probability 3x/4 - x^3/16 (x <= 2), 3R/4 on average.
Stopping after Bethe as modified by Joy & Luo: dK/ds = 78500 keV cm^2/g (Z/A) ln[1.166 (K + .85 J)/J]/K, J the mean
excitation energy.

Valid for K from some 50 eV to 100 keV (10 % above a few hundred eV, a factor of two below) and straight paths.
References: Joy & Luo, Scanning 11, 176 (1989), doi 10.1002/sca.4950110404; Hau-Riege, High-Intensity X-rays (2011),
ch. 5, doi 10.1002/9783527640447.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.constants import c, e, epsilon_0, m_e

from xsim.matter import elements

FloatArray = NDArray[np.float64]

#: e^2/(4 pi eps0) [eV m]
COULOMB = e / (4 * np.pi * epsilon_0)
#: electrons are followed down to this energy [eV]
SLOWEST = 30.0


def barrier(charge: Any, radius: Any) -> FloatArray:
    """Energy U [eV] that an electron needs to leave the surface of a sphere of `charge` [e] and `radius` [m]."""
    return np.asarray(COULOMB * np.asarray(charge, np.float64) / radius)


def over_barrier(energy: Any, height: Any) -> FloatArray:
    """Share of electrons of kinetic `energy` [eV], born evenly in a uniform sphere, that its charge lets go."""
    ratio = np.asarray(energy, np.float64) / np.maximum(height, 1e-300)
    return np.asarray(1 - np.minimum(np.maximum(3 - 2 * ratio, 0.0), 1.0) ** 1.5)


def within_reach(length: Any, radius: Any) -> FloatArray:
    """Share of electrons, born and going evenly everywhere in a sphere, whose way out is shorter than `length`."""
    x = np.minimum(np.asarray(length, np.float64) / radius, 2.0)
    return np.asarray(0.75 * x - x**3 / 16)


def stopping_power(energy: Any, composition: dict[str, float], density: float) -> FloatArray:
    """Energy loss [eV/m] of electrons of `energy` [eV] in matter of `composition` (atoms) and `density` [kg/m^3]."""
    kinetic = np.asarray(energy, np.float64)
    weights = {s: n * elements.element(s).weight for s, n in composition.items()}
    total = np.zeros(kinetic.shape)
    for symbol, weight in weights.items():
        entry = elements.element(symbol)
        excitation = 11.5 * entry.z if entry.z < 13 else 9.76 * entry.z + 58.5 * entry.z**-0.19
        loss = entry.z / entry.weight * np.log(1.166 * (kinetic + 0.85 * excitation) / excitation) / kinetic
        total += weight / sum(weights.values()) * loss
    # 78500 keV^2 cm^2/g, here in eV^2 m^2/kg
    return np.asarray(78500e6 * 0.1 * density * total)


def slowing(energy: Any, composition: dict[str, float], density: float) -> tuple[FloatArray, FloatArray]:
    """Range [m] and time [s] in which electrons of `energy` [eV] are slowed to SLOWEST; zero below it."""
    top = np.asarray(energy, np.float64)
    grid = np.geomspace(SLOWEST, max(float(top.max(initial=0.0)), 2 * SLOWEST), 400)
    loss = stopping_power(grid, composition, density)
    gamma = 1 + grid * e / (m_e * c**2)
    speed = c * np.sqrt(1 - 1 / gamma**2)
    steps = np.diff(grid)
    tables = []
    for rate in (1 / loss, 1 / (loss * speed)):
        tables.append(np.concatenate([[0.0], np.cumsum(steps * (rate[1:] + rate[:-1]) / 2)]))
    reach, time = (np.interp(top, grid, table) for table in tables)
    return reach, time
