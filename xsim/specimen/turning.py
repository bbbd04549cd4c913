"""The amplitude of a specimen that is met in very many orientations, by the cheapest way that keeps a stated tolerance.

Three ways: "closed", form factors of shapes as they are (exact); "sum", atoms summed directly or by a type 3
non-uniform FFT at every orientation (1e-8); "lattice", amplitudes kept on a lattice in q once and interpolated
(`xsim.specimen.lattice`). "auto" takes the lattice where its making and reading cost less than the exact way over all
frames, by a count of operations, never by the clock, so that the same scenario always goes the same way. A lattice is
compared with the exact sum at sample vectors all over the wanted range, in shells of |q|, and made finer until the
worst shell keeps the tolerance; the error found is kept with it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavenumber
from xsim.errors import RangeError, SamplingWarning
from xsim.specimen.amplitude import scatters_by_itself
from xsim.specimen.lattice import Fineness, Lattice, Scatterers, build
from xsim.specimen.population import Population
from xsim.specimen.specimen import Specimen, contrast
from xsim.streams import StreamKey, generator

FloatArray = NDArray[np.float64]
Way = Literal["auto", "exact", "lattice"]

#: lattices from coarse to fine, with the error that each is good for
LADDER = (
    (1e-3, Fineness(5, 1.5)),
    (1.5e-4, Fineness(6, 1.5)),
    (3e-5, Fineness(6, 2.0)),
    (5e-6, Fineness(7, 2.0)),
)
#: bytes that a lattice may take while it is made and kept
MEMORY = 2e9
#: sample vectors at which a lattice is compared, and the shells of |q| they are told in
SAMPLES, SHELLS = 480, 4
#: rough cost [s] of one q: reading a lattice, making a node of it, one ball, one atom summed (at most: all of them by
#: non-uniform FFT), any other body
_READ, _NODE, _BALL, _ATOM, _ATOMS, _BODY = 1.5e-7, 1e-6, 2.5e-8, 1e-8, 1e-5, 1.5e-6


@dataclass(frozen=True, eq=False)
class Turning:
    """Amplitude of a specimen in its own frame. error: rms relative to the exact one in the worst shell of |q|."""

    specimen: Specimen
    energy: float
    way: Literal["closed", "sum", "lattice"]
    error: float
    lattice: Lattice | None = None

    def amplitude(self, q: FloatArray, rotation: FloatArray, scale: float = 1.0) -> NDArray[Any]:
        """Born amplitude [m] (...,) of the specimen turned by `rotation` (3, 3) and scaled, at q (..., 3) [rad/m]."""
        flat = np.ascontiguousarray(np.asarray(q, np.float64).reshape(-1, 3))
        if self.lattice is not None:
            found: NDArray[Any] = self.lattice(flat, scale * np.asarray(rotation).T)
            if np.isnan(found.real).any():
                raise RangeError(
                    "q beyond the lattice of amplitudes",
                    value=f"{np.sqrt((flat**2).sum(axis=1).max()) * scale:.4g} rad/m",
                    allowed=f"<= {self.lattice.spacing * (len(self.lattice.weights) // 2 - 8):.4g} rad/m",
                    cure='give the largest q when it is made, or use amplitude = "exact"',
                )
        else:
            # R^T q without BLAS, whose order of additions depends on the number of rows
            own = np.stack([sum(flat[:, i] * rotation[i, j] for i in range(3)) for j in range(3)], axis=-1) * scale
            found = self.specimen.amplitude(own, self.energy)
        return (found if scale == 1.0 else scale**3 * found).reshape(np.shape(q)[:-1])

    def note(self) -> dict[str, str]:
        """In words: how amplitudes are found, and how far from exact."""
        if self.lattice is None:
            text = "closed form" if self.way == "closed" else "sum over atoms at every orientation, 1e-8"
        else:
            fine = self.lattice.fineness
            text = (
                f"lattice of {len(self.lattice.weights)}^3 amplitudes, kernel {fine.width} nodes wide; rms error "
                f"against the direct sum {self.error:.1e} in the worst of {SHELLS} shells of q ({SAMPLES} directions)"
            )
        return {"amplitude": text}


def turning(
    specimen: Specimen,
    energy: float,
    q_max: float,
    *,
    vectors: float = np.inf,
    tolerance: float = 1e-3,
    way: Way = "auto",
) -> Turning:
    """The amplitude of `specimen` (its populations) at `energy` [eV] for |q| <= `q_max` [rad/m].

    vectors: how many q will be asked for in all, from which "auto" chooses. Raises RangeError for a tolerance out of
    range; warns where a lattice that keeps it would not fit into `MEMORY`, and goes the exact way.
    """
    if not 1e-8 < tolerance < 1:
        raise RangeError("tolerance of amplitudes", field="tolerance", value=tolerance, allowed="> 1e-8 and < 1")
    exact = Turning(specimen, energy, "sum" if _atoms(specimen) else "closed", 1e-8 if _atoms(specimen) else 0.0)
    radius = reach(specimen)
    if way == "exact" or radius <= 0:
        return exact
    for least, fineness in LADDER:
        if least > tolerance and fineness is not LADDER[-1][1]:
            continue
        nodes = float(fineness.nodes(radius, q_max)) ** 3
        cost = _cost(specimen)
        if way == "auto" and vectors * cost < vectors * _READ + nodes * (_NODE + (0 if _atoms(specimen) else cost)):
            return exact
        if nodes * 24 > MEMORY:
            _warn_of_memory(nodes * 24, tolerance, q_max)
            return exact
        points, smooth = _parts(specimen, energy)
        lattice = build(points, smooth, radius, q_max, fineness)
        error = measured_error(specimen, energy, lattice, q_max)
        if error <= tolerance:
            return Turning(specimen, energy, "lattice", error, lattice)
    return exact


def measured_error(specimen: Specimen, energy: float, lattice: Lattice, q_max: float) -> float:
    """Rms error of the lattice over rms amplitude, in the worst of the shells of |q| from 2 % of `q_max` [rad/m]."""
    rng = generator(StreamKey(1, "specimen/turning"))
    directions = rng.standard_normal((SAMPLES, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    share = np.linspace(0.02, 1.0, SAMPLES)
    q = directions * (share * q_max)[:, None]
    exact = specimen.amplitude(q, energy)
    wrong, right = np.abs(lattice(q, np.eye(3)) - exact) ** 2, np.abs(exact) ** 2
    pairs = zip(np.array_split(wrong, SHELLS), np.array_split(right, SHELLS), strict=True)
    return max(float(np.sqrt(w.mean() / r.mean())) if r.any() else np.inf for w, r in pairs)


def reach(specimen: Specimen) -> float:
    """Radius [m] about the origin that holds every particle."""
    found = [np.linalg.norm(p.poses.positions, axis=1) + p.radii for p in specimen.populations if len(p)]
    return float(max((r.max() for r in found), default=0.0))


def _atoms(specimen: Specimen) -> bool:
    return any(scatters_by_itself(p.shape) for p in specimen.populations if len(p))


def _cost(specimen: Specimen) -> float:
    """Seconds for one q by the exact way, roughly."""
    total = 0.0
    for p in specimen.populations:
        if hasattr(p.shape, "scatterers"):
            total += min(_ATOM * len(p.shape.structure), _ATOMS) * len(p)
        elif p.shape.kind in ("sphere", "core_shell"):
            total += _BALL * len(p)
        else:
            total += _BODY * len(p)
    return total


def _parts(specimen: Specimen, energy: float) -> tuple[list[Scatterers], Any]:
    """The points of the atoms in the specimen's frame, and everything else as one function of q."""
    points: list[Scatterers] = []
    others: list[Population] = []
    for p in specimen.populations:
        if not hasattr(p.shape, "scatterers") or not len(p) or np.any(p.poses.scales != 1):
            others.append(p)
            continue
        host = -contrast(p.host, None, energy) * wavenumber(energy) ** 2 / (2 * np.pi) if p.host is not None else 0.0
        for where, weights, factor in p.shape.scatterers(energy, host):
            turned = [
                np.einsum("ij,nj->ni", r, where) + t for r, t in zip(p.poses.rotations, p.poses.positions, strict=True)
            ]
            points.append((np.concatenate(turned), np.tile(weights, len(p)), factor))
    if not any(len(p) for p in others):
        return points, None
    rest = Specimen(specimen.layers, tuple(others), specimen.extent)
    return points, lambda q: rest.amplitude(q, energy)


def _warn_of_memory(size: float, tolerance: float, q_max: float) -> None:
    warnings.warn(
        f"a lattice of amplitudes to {tolerance:g} up to q = {q_max:.3g} rad/m takes {size / 1e9:.3g} GB, limit "
        f"{MEMORY / 1e9:.3g} GB, so every shot is summed exactly, which is slow; use a smaller particle, a detector "
        "that sees less q, or a looser tolerance",
        SamplingWarning,
        stacklevel=4,
    )
