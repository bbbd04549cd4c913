"""Atoms from a PDB or mmCIF file, and the X-rays that they scatter.

    f(q, E) = -r_e sum_e [f0_e(|q|) + f1_e(E) - Z_e - i f2_e(E)] e^(-B_e q^2/16 pi^2) sum_{j in e} o_j exp(-i q.r_j)

in the convention n = 1 - delta + i beta, forward transform exp(-i q.r): the limit of the Born amplitude of a material
for many atoms. Independent, spherical, neutral atoms: f0 from the International Tables C (1992), 6.1.1.4, by way of
gemmi, good for q < 25 / Angstrom; f1 and f2 from the same tables as every material. Phases are summed directly or by a
type 3 non-uniform FFT per element (Barnett et al. 2019, doi 10.1137/18M120885X) on one thread, so that bits repeat.

What is taken from the file: the first model; every alternative conformation, by its occupancy; hydrogens only where
the file has them, unless counted (then those that each residue must have are shared out over its heavier atoms, exact
at small q); waters only if asked for; B factors only if asked for, as one mean per element.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xsim.constants import N_A, R_E
from xsim.errors import FileError, UnknownNameError, ValidityWarning
from xsim.matter import elements
from xsim.registry import unknown
from xsim.specimen.lattice import Scatterers

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
Method = Literal["auto", "direct", "nufft"]

ANGSTROM = 1e-10
#: accuracy asked of the non-uniform FFT, relative to the sum of the weights
EPS = 1e-8
#: end of the tabulated form factors [rad/m]
Q_MAX = 8 * np.pi / ANGSTROM


@dataclass(frozen=True)
class Selection:
    """What to take from a structure file: assembly (its name, or None for the atoms as listed), waters, hydrogens."""

    assembly: str | None = None
    waters: bool = False
    hydrogens: Literal["file", "counted"] = "file"


@dataclass(frozen=True, eq=False)
class AtomicStructure:
    """Atoms about their centre of mass.

    symbols: (n,) element symbols; positions (n, 3) [m]; occupancy (n,); b (n,) isotropic B factors [m^2].
    """

    symbols: NDArray[np.str_]
    positions: FloatArray
    occupancy: FloatArray
    b: FloatArray = field(repr=False)

    @staticmethod
    def from_file(path: str | Path, selection: Selection = Selection()) -> AtomicStructure:
        """Read PDB or mmCIF (also .gz); kept for next time. Raises FileError or UnknownNameError."""
        file = Path(path)
        if not file.is_file():
            raise FileError("no such file", field="file", value=str(path), cure="give the path of a PDB or mmCIF file")
        return _read(file.resolve(), selection, file.stat().st_mtime_ns)

    def __len__(self) -> int:
        return len(self.symbols)

    @property
    def composition(self) -> dict[str, float]:
        """Atoms of each element, by symbol."""
        names, which = np.unique(self.symbols, return_inverse=True)
        return dict(zip(names.tolist(), np.bincount(which, self.occupancy).tolist(), strict=True))

    @property
    def masses(self) -> FloatArray:
        """Mass of each atom times its occupancy (n,) [kg]."""
        weight = {symbol: elements.element(symbol).weight * 1e-3 / N_A for symbol in np.unique(self.symbols).tolist()}
        return np.array([weight[s] for s in self.symbols.tolist()]) * self.occupancy

    @property
    def electrons(self) -> float:
        """Number of electrons, all atoms neutral."""
        return float(sum(n * elements.element(symbol).z for symbol, n in self.composition.items()))

    @property
    def radius(self) -> float:
        """Distance of the farthest atom from the centre of mass [m]."""
        return float(np.sqrt((self.positions**2).sum(axis=1).max()))

    def amplitude(self, q: FloatArray, energy: float, *, method: Method = "auto", b: bool = False) -> ComplexArray:
        """Scattering amplitude f [m] in vacuum at q (..., 3) [rad/m] and photon `energy` [eV]; b: with B factors."""
        q = np.asarray(q, np.float64)
        flat = np.ascontiguousarray(q.reshape(-1, 3))
        square = (flat**2).sum(axis=1)
        if len(square) and square.max() > Q_MAX**2:
            warnings.warn(
                f"atomic form factors at q = {np.sqrt(square.max()) * ANGSTROM:.3g} / Angstrom, limit 25 / Angstrom of "
                "the tabulated fit; move the detector away or lower the energy",
                ValidityWarning,
                stacklevel=2,
            )
        total = np.zeros(len(flat), np.complex128)
        for where, weight, factor in self.scatterers(energy, b=b):
            total += factor(square) * phase_sum(flat, where, weight, method)
        return total.reshape(q.shape[:-1])

    def scatterers(self, energy: float, *, b: bool = False) -> list[Scatterers]:
        """The atoms of each element: positions [m], occupancies, and the amplitude [m] of one for |q|^2 [rad^2/m^2]."""
        found: list[Scatterers] = []
        for symbol in np.unique(self.symbols).tolist():
            mine = self.symbols == symbol
            damping = float(np.average(self.b[mine], weights=self.occupancy[mine])) if b else 0.0

            def factor(square: FloatArray, symbol: str = symbol, damping: float = damping) -> ComplexArray:
                one = -R_E * atomic_factor(symbol, square, energy)
                return one if damping == 0 else one * np.exp(-damping * np.asarray(square) / (16 * np.pi**2))

            found.append((self.positions[mine], self.occupancy[mine], factor))
        return found


def atomic_factor(symbol: str, q_square: FloatArray, energy: float) -> ComplexArray:
    """f0(|q|) + f1(E) - Z - i f2(E) [electrons] of one neutral atom, q_square [rad^2/m^2], `energy` [eV]."""
    import gemmi

    entry = elements.element(symbol)
    fit = gemmi.Element(symbol).it92
    stol2 = np.asarray(q_square) * (ANGSTROM / (4 * np.pi)) ** 2  # (sin theta / lambda)^2 [1/A^2]
    f0 = np.full(np.shape(stol2), float(fit.c))
    for a, width in zip(fit.a, fit.b, strict=True):
        f0 = f0 + a * np.exp(-width * stol2)
    f1, f2 = entry.factors(elements.checked(energy))
    return np.asarray(f0 + (float(f1) - entry.z) - 1j * float(f2))


def phase_sum(q: FloatArray, positions: FloatArray, weights: FloatArray, method: Method = "auto") -> ComplexArray:
    """sum_j w_j exp(-i q.r_j) for q (m, 3) [rad/m], positions (n, 3) [m]; "auto" takes the faster of the two ways."""
    if method == "nufft" or (method == "auto" and _nufft_cost(q, positions) < len(q) * len(weights)):
        return _nufft(q, positions, weights)
    from xsim.specimen.kernels import phase_sums

    return phase_sums.phase_sum(q, np.ascontiguousarray(positions), weights)


def _nufft_cost(q: FloatArray, positions: FloatArray) -> float:
    """Rough cost in terms of the direct sum: its grid has (2 size x width of q / pi)^3 points, which may be huge."""
    if not len(q):
        return np.inf
    grid = float(np.prod(np.ptp(positions, axis=0) * np.ptp(q, axis=0) / np.pi + 20))
    return 5 * grid + 100 * (len(q) + len(positions))


def _nufft(q: FloatArray, positions: FloatArray, weights: FloatArray) -> ComplexArray:
    """Lengths go in as Angstrom, so that both sides are of order one to a thousand."""
    import finufft

    atoms = [np.ascontiguousarray(positions[:, k] / ANGSTROM) for k in range(3)]
    targets = [np.ascontiguousarray(q[:, k] * ANGSTROM) for k in range(3)]
    strengths = np.asarray(weights, np.complex128)
    return np.asarray(finufft.nufft3d3(*atoms, strengths, *targets, isign=-1, eps=EPS, nthreads=1))


@lru_cache(maxsize=16)
def _read(path: Path, selection: Selection, stamp: int) -> AtomicStructure:
    import gemmi

    try:
        structure = gemmi.read_structure(str(path))
        structure.setup_entities()
        model = structure[0]
    except Exception as error:
        raise FileError("cannot read this structure", field="file", value=str(path), cure=str(error)) from None
    if selection.assembly is not None:
        found = {a.name: a for a in structure.assemblies}
        if selection.assembly not in found:
            raise unknown("unknown assembly", selection.assembly, list(found), field="assembly")
        model = gemmi.make_assembly(found[selection.assembly], model, gemmi.HowToNameCopiedChain.AddNumber)
    rows = [row for chain in model for residue in chain for row in _atoms_of(residue, selection)]
    if not rows:
        raise FileError("no atoms in this structure", field="file", value=str(path), cure="choose another selection")
    symbols, positions, occupancy, b = zip(*rows, strict=True)
    unfit = sorted({s for s in symbols if s not in elements.SYMBOLS})
    if unfit:
        raise UnknownNameError("unknown element in a structure", field="file", value=", ".join(unfit), allowed="H to U")
    result = AtomicStructure(
        np.array(symbols), np.array(positions) * ANGSTROM, np.array(occupancy, float), np.array(b) * ANGSTROM**2
    )
    centre = np.average(result.positions, axis=0, weights=result.masses)
    return AtomicStructure(result.symbols, result.positions - centre, result.occupancy, result.b)


def _atoms_of(residue: Any, selection: Selection) -> list[tuple[str, list[float], float, float]]:
    """(symbol, position [A], occupancy, B [A^2]) of the atoms of one residue that were asked for."""
    import gemmi

    known = gemmi.find_tabulated_residue(residue.name)
    if known.is_water() and not selection.waters:
        return []
    rows = []
    for atom in residue:
        symbol = "H" if atom.element.name == "D" else atom.element.name
        if symbol != "H" or selection.hydrogens == "file":
            rows.append((symbol, atom.pos.tolist(), float(atom.occ), float(atom.b_iso)))
    if selection.hydrogens == "counted" and rows:
        count = known.hydrogen_count - (2 if known.is_amino_acid() else 0)  # a peptide bond sets one water free
        total = sum(row[2] for row in rows)
        if count > 0 and total > 0:
            rows += [("H", where, count * share / total, b) for _, where, share, b in list(rows)]
    return [row for row in rows if row[2] > 0]
