"""The packaged element table: f1, f2, scatter, edges and uncertainty of Z = 1..92, 30 eV - 150 keV.

f1 and f2 are the atomic scattering factors for forward scattering, f = f1 + i f2 [electrons]; f2 holds
photoabsorption alone (sigma_photo = 2 r_e lambda f2), so that Kramers-Kronig ties the two. Scatter (Rayleigh and
Compton) is kept apart and enters only the total attenuation. `xsim.matter.build_tables` makes the table and says how.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.constants import HC, R_E
from xsim.errors import DataWarning, RangeError, UnknownNameError

FloatArray = NDArray[np.float64]

_SYMBOLS = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb "
    "Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au "
    "Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U"
)

#: chemical symbols in order of Z, from 1
SYMBOLS = tuple(_SYMBOLS.split())

#: the energies for which there is data [eV]
LOWEST, HIGHEST = 30.0, 150e3
#: below this energy [eV] the tables differ by tens of percent and solids are not sums of atoms
DOUBTFUL = 200.0


@dataclass(frozen=True, eq=False)
class Element:
    """Tabulated optical constants of one element.

    energy (n,) [eV], f1 (n,) [electrons], log_f2 (n,) natural logarithm of electrons, and their slopes after each node
    (in E and in log E); log_coarse (m,) [log eV], evenly
    spaced, with log_scatter (3, m), Rayleigh, Compton and their sum [log m^2 per atom]; log_band [log eV] with the
    bands of f1 [electrons] and f2 [relative]; edges, widths: shell name -> [eV], position and width
    of the ramp of f2; weight [g/mol].
    """

    symbol: str
    z: int
    weight: float
    energy: FloatArray
    log_energy: FloatArray
    f1: FloatArray
    log_f2: FloatArray
    f1_slope: FloatArray
    log_f2_slope: FloatArray
    log_coarse: FloatArray
    log_scatter: FloatArray
    log_band: FloatArray
    band1: FloatArray
    band2: FloatArray
    edges: dict[str, float]
    widths: dict[str, float]

    def edge(self, shell: str) -> tuple[float, float]:
        """Energy and width [eV] of the edge of a shell ("K", "L3"); raises UnknownNameError."""
        if shell not in self.edges:
            allowed = ", ".join(self.edges)
            raise UnknownNameError("unknown edge", field="edge", value=f"{self.symbol} {shell}", allowed=allowed)
        return self.edges[shell], self.widths[shell]

    def factors(self, energy: Any) -> tuple[FloatArray, FloatArray]:
        """f1 (linear in E) and f2 (linear in log-log) [electrons] at `energy` [eV], any shape, within the range."""
        place = np.clip(np.searchsorted(self.energy, energy, side="right") - 1, 0, len(self.energy) - 2)
        f1 = self.f1[place] + (energy - self.energy[place]) * self.f1_slope[place]
        f2 = np.exp(self.log_f2[place] + (np.log(energy) - self.log_energy[place]) * self.log_f2_slope[place])
        return f1, f2

    def scatter(self, energy: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Rayleigh and Compton cross sections [m^2 per atom] at `energy` [eV]."""
        x = np.log(energy)
        rayleigh, compton = (np.exp(np.interp(x, self.log_coarse, row)) for row in self.log_scatter[:2])
        return rayleigh, compton

    def scattered(self, log_energy: FloatArray) -> FloatArray:
        """Both cross sections together [m^2 per atom] at `log_energy` [log eV]."""
        place = (log_energy - self.log_coarse[0]) / (self.log_coarse[1] - self.log_coarse[0])
        index = place.astype(np.intp)
        row = self.log_scatter[2]
        both: FloatArray = np.exp(row[index] + (place - index) * (row[index + 1] - row[index]))
        return both

    def bands(self, energy: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Uncertainty of f1 [electrons] and of f2 [relative] at `energy` [eV]: an envelope of the published tables."""
        x = np.log(energy)
        return np.interp(x, self.log_band, self.band1), np.interp(x, self.log_band, self.band2)


@cache
def _table() -> dict[str, Any]:
    path = resources.files("xsim.matter") / "data" / "elements.npz"
    with resources.as_file(path) as file, np.load(file) as arrays:
        return {name: arrays[name] for name in arrays.files}


def table_version() -> str:
    """Version of the packaged table."""
    return str(_table()["version"])


@cache
def element(symbol: str) -> Element:
    """The element of this symbol; raises UnknownNameError."""
    if symbol not in SYMBOLS:
        raise UnknownNameError("unknown element", value=symbol, allowed="H, He, ... U (Z = 1 to 92)")
    table, i = _table(), SYMBOLS.index(symbol)
    rows = slice(table["offsets"][i], table["offsets"][i + 1])
    band_rows = slice(table["band_offsets"][i], table["band_offsets"][i + 1])
    edge_rows = slice(table["edge_offsets"][i], table["edge_offsets"][i + 1])
    names, values = table["edge_names"][edge_rows].tolist(), table["edges"][edge_rows].tolist()
    energy, scatter = table["energy"][rows], table["scatter"][i].astype(np.float64)
    log_energy, f1, log_f2 = np.log(energy), table["f1"][rows].astype(float), table["log_f2"][rows].astype(float)
    return Element(
        symbol=symbol,
        z=i + 1,
        weight=float(table["weight"][i]),
        energy=energy,
        log_energy=log_energy,
        f1=f1,
        log_f2=log_f2,
        f1_slope=np.diff(f1) / np.diff(energy),
        log_f2_slope=np.diff(log_f2) / np.diff(log_energy),
        log_coarse=np.log(table["coarse"]),
        log_scatter=np.log(np.concatenate((scatter, scatter.sum(axis=0, keepdims=True)))),
        log_band=np.log(table["band_energy"][band_rows]),
        band1=table["band1"][band_rows].astype(np.float64),
        band2=table["band2"][band_rows].astype(np.float64),
        edges=dict(zip(names, values, strict=True)),
        widths=dict(zip(names, table["edge_widths"][edge_rows].tolist(), strict=True)),
    )


def checked(energy: Any) -> FloatArray:
    """`energy` [eV] as a float array; raises RangeError outside the tables, warns where they are doubtful."""
    values = np.asarray(energy, np.float64)
    bad = ~((values >= LOWEST) & (values <= HIGHEST))
    if bad.any():
        worst = float(values[bad].flat[0]) if values.ndim else float(values)
        raise RangeError(
            "photon energy outside the tables of optical constants",
            field="energy",
            value=f"{worst:g} eV",
            allowed=f"{LOWEST:g} eV to {HIGHEST / 1e3:g} keV",
        )
    if values.size and values.min() < DOUBTFUL:
        text = (
            f"optical constants at {values.min():g} eV are uncertain by tens of percent below {DOUBTFUL:g} eV: use a "
            "higher energy, or measured constants of the material"
        )
        warnings.warn(text, DataWarning, stacklevel=3)
    return values


def photo_cross_section(f2: FloatArray, energy: FloatArray) -> FloatArray:
    """Photoabsorption cross section 2 r_e lambda f2 [m^2 per atom]."""
    cross: FloatArray = 2 * R_E * HC * f2 / energy
    return cross
