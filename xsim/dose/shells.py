"""Electron shells of an atom in Slater's groups, and what an ion that has lost some of them scatters.

Groups (1s)(2s2p)(3s3p)(3d)(4s4p)(4d)(4f)... with n_g electrons each see the charge
    Z_g = Z - sum_h S_gh n_h,      zeta_g = Z_g/n*_g a0
(Slater's rules), have the density r^(2n* - 2) e^(-2 zeta r), and so scatter
    phi_g(q) = sin(2 n* atan x)/[2 n* x (1 + x^2)^n*],   x = q/2 zeta,   phi_g(0) = 1.
An ion scatters f = sum_g n_g phi_g + (sum_g n_g / Z)(f0 - f0_Slater): its own shells, contracted by the charge that
no longer screens them, and what the tabulated neutral atom has over Slater's, shared by the electrons that are left.
So f is the tabulated f0 for the neutral atom, f(0) = Z - charge for every ion, and 0 for a bare nucleus. Independent
occupation of places gives the variance sum_g N_g p_g (1 - p_g) phi_g^2, p_g = n_g/N_g, of N_g electrons at the start.
Binding energies are tabulated ones plus what Slater's total energy -Ry sum n_g (Z_g/n*_g)^2 adds as charge grows.

Within 2 % of Z of tabulated ions (Na+ to Au3+) at any q, see the tests. Valid without chemical
bonds and excited configurations. Reference: Slater, Phys. Rev. 36, 57 (1930), doi 10.1103/PhysRev.36.57.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.constants import physical_constants

from xsim.matter import elements
from xsim.matter.yields import fluorescence_yield

FloatArray = NDArray[np.float64]

BOHR: float = physical_constants["Bohr radius"][0]
RYDBERG = 13.605693
_EFFECTIVE = {1: 1.0, 2: 2.0, 3: 3.0, 4: 3.7, 5: 4.0, 6: 4.2, 7: 4.3}
#: (principal number, 0 for s and p, 2 for d, 3 for f): subshells of X-ray notation
_GROUPS = {
    (1, 0): ("K",), (2, 0): ("L1", "L2", "L3"), (3, 0): ("M1", "M2", "M3"), (3, 2): ("M4", "M5"),
    (4, 0): ("N1", "N2", "N3"), (4, 2): ("N4", "N5"), (4, 3): ("N6", "N7"), (5, 0): ("O1", "O2", "O3"),
    (5, 2): ("O4", "O5"), (5, 3): ("O6", "O7"), (6, 0): ("P1", "P2", "P3"), (6, 2): ("P4", "P5"), (7, 0): ("Q1",),
}  # fmt: skip
#: K widths [eV] of elements that the tables leave out, measured in CH4, N2, H2O and interpolated (Carroll et al.
#: 1999, doi 10.1103/PhysRevA.59.3386; Prince et al. 1999, doi 10.1088/0953-4075/32/14/102; Sankari et al. 2003, doi
#: 10.1016/j.cplett.2003.08.108)
_LIGHT_K = {3: 0.02, 4: 0.04, 5: 0.065, 6: 0.095, 7: 0.120, 8: 0.160, 9: 0.20, 10: 0.25}


@dataclass(frozen=True, eq=False)
class Shells:
    """The groups of one element: arrays (g,) of electrons in the neutral atom, binding energy [eV] (least bound
    subshell weighted by electrons), width [eV] and fluorescence yield; principal number, effective one, and the
    screening S (g, g)."""

    symbol: str
    z: int
    electrons: FloatArray
    binding: FloatArray
    width: FloatArray
    fluorescence: FloatArray
    principal: NDArray[np.int64]
    effective: FloatArray
    screening: FloatArray
    own: FloatArray
    names: tuple[tuple[str, ...], ...]

    def charges(self, occupied: FloatArray) -> FloatArray:
        """Z_g (..., g) for electrons n_g (..., g)."""
        inside = np.minimum(occupied, 1.0) * self.own
        return np.asarray(self.z - occupied @ self.screening.T + inside)

    def depth(self, occupied: FloatArray) -> FloatArray:
        """Binding energies [eV] (..., g) for electrons n_g (..., g)."""
        return np.asarray(self.binding + self._slater(occupied) - self._slater(self.electrons))

    def _slater(self, occupied: FloatArray) -> FloatArray:
        z = self.charges(occupied)
        push = (2 * occupied * z / self.effective**2) @ self.screening
        return np.asarray(RYDBERG * (z**2 / self.effective**2 - push))

    def orbitals(self, q: FloatArray, occupied: FloatArray) -> FloatArray:
        """phi_g (g, *q) for |q| [rad/m] and electrons n_g (g,)."""
        zeta = np.maximum(self.charges(occupied), 0.1) / self.effective / BOHR
        rows = [orbital_factor(q, zeta[g], self.effective[g]) for g in range(len(zeta))]
        return np.asarray(rows)

    def factor(self, q: FloatArray, occupied: FloatArray) -> tuple[FloatArray, FloatArray]:
        """f0 of the ion [electrons] and the variance of f0 among ions of this mean occupation, at |q| [rad/m]."""
        q = np.asarray(q, np.float64)
        phi = self.orbitals(q, occupied)
        neutral = np.tensordot(self.electrons, self.orbitals(q, self.electrons), 1)
        excess = tabulated(self.symbol, q) - neutral
        mean = np.tensordot(occupied, phi, 1) + occupied.sum() / self.z * excess
        share = np.clip(occupied / self.electrons, 0, 1)
        variance = np.tensordot(self.electrons * share * (1 - share), phi**2, 1)
        return mean, np.asarray(variance)


def orbital_factor(q: FloatArray, zeta: float, n: float) -> FloatArray:
    """Form factor of the density r^(2n - 2) exp(-2 zeta r), 1 at q = 0; |q| and zeta in [1/m]."""
    x = np.maximum(np.asarray(q, np.float64) / (2 * zeta), 1e-9)
    return np.asarray(np.sin(2 * n * np.arctan(x)) / (2 * n * x * (1 + x**2) ** n))


def tabulated(symbol: str, q: FloatArray) -> FloatArray:
    """f0(|q|) of the neutral atom from the International Tables [electrons], q [rad/m]."""
    from xsim.specimen.atoms import atomic_factor

    # at any energy: the dispersion is taken off again
    f1, _ = elements.element(symbol).factors(np.float64(1e4))
    z = elements.element(symbol).z
    return np.asarray(atomic_factor(symbol, np.asarray(q) ** 2, 1e4).real - (float(f1) - z))


@lru_cache(maxsize=128)
def shells(symbol: str) -> Shells:
    """The groups of an element; raises UnknownNameError."""
    import xraylib

    z = elements.element(symbol).z
    rows: list[tuple[int, int, float, float, float, float, tuple[str, ...]]] = []
    for (level, orbital), names in _GROUPS.items():
        codes = [getattr(xraylib, f"{name}_SHELL") for name in names]
        counts = np.array([_ask(xraylib.ElectronConfig, z, code) for code in codes])
        if counts.sum() <= 0:
            continue
        energies = np.array([1e3 * _ask(xraylib.EdgeEnergy, z, code) for code in codes])
        widths = np.array([1e3 * _ask(xraylib.AtomicLevelWidth, z, code) for code in codes])
        if level == 1 and z in _LIGHT_K:
            widths[:] = _LIGHT_K[z]
        yields = [_ask(fluorescence_yield, z, name) for name in names]
        known = counts * (energies > 0)
        weight = known if known.sum() > 0 else counts
        means = (float(np.average(energies, weights=weight)), float(np.average(widths, weights=counts)))
        rows.append((level, orbital, float(counts.sum()), *means, float(np.average(yields, weights=counts)), names))
    principal = np.array([r[0] for r in rows])
    electrons = np.array([r[2] for r in rows])
    electrons *= z / electrons.sum()
    effective = np.array([_EFFECTIVE[n] for n in principal.tolist()])
    table = np.array([[_screen(a[:2], b[:2]) for b in rows] for a in rows])
    own = np.diag(table).copy()
    # the outermost electrons are bound by some volts even where no table says so
    binding = np.maximum([r[3] for r in rows], 7.0)
    width, light = np.array([r[4] for r in rows]), np.array([r[5] for r in rows])
    every = tuple(r[6] for r in rows)
    return Shells(symbol, z, electrons, binding, width, light, principal, effective, table, own, every)


def _ask(function: object, *arguments: object) -> float:
    """A number of xraylib, 0 where it has none."""
    try:
        return float(function(*arguments))  # type: ignore[operator]
    except ValueError:
        return 0.0


def _screen(mine: tuple[int, int], other: tuple[int, int]) -> float:
    """Slater's screening of an electron in group `mine` by one in `other`."""
    if mine == other:
        return 0.30 if mine[0] == 1 else 0.35
    if mine[1]:  # d and f: everything to the left screens fully
        return 1.0 if (other[0], other[1]) < mine else 0.0
    if other[0] == mine[0] - 1:
        return 0.85
    return 1.0 if other[0] < mine[0] - 1 else 0.0
