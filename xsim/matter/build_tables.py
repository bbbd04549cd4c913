"""Builds the packaged element table: `python -m xsim.matter.build_tables [-o FILE]`.

Per element Z = 1..92, 30 eV - 150 keV: f2 (photoabsorption) from the CXRO/Henke tables below 2 keV, blended in
log E over 2-5 keV into the photoelectric cross sections of xraylib, where two other tables outvote these into the
median of the three (`xsim.matter.build_consensus`); both sources are first aligned to one table of edges (that of
xraydb, Elam 2002), at which the jump is a ramp as wide as the level. f1 is the exact Kramers-Kronig transform of
that f2. The total attenuation adds the Rayleigh and Compton cross sections of xraylib. The bands envelop what CXRO,
xraylib and Chantler (NIST FFAST) say instead (`xsim.matter.build_bands`).
Needs the packages periodictable and xraydb (extra `test`) at build time only.
References: CXRO doi 10.1006/adnd.1993.1013; xraylib doi 10.1016/j.sab.2011.09.011; Elam et al. doi
10.1016/S0969-806X(01)00227-4; Chantler doi 10.1063/1.555974.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.matter.build_bands import bands
from xsim.matter.build_consensus import settled
from xsim.matter.build_sources import (
    Source,
    cxro_source,
    edges_of,
    widths_of,
    xraylib_source,
)
from xsim.matter.kramers_kronig import relativistic_charge, transform

FloatArray = NDArray[np.float64]

VERSION = "3"
#: stored nodes reach a little further, so that interpolation at the ends is ordinary
STORED = (29.0, 152e3)
BLEND = (2000.0, 5000.0)
#: the common coarse grid of scatter cross sections [eV]
COARSE = np.geomspace(STORED[0], STORED[1], 430)


def blend_weight(energy: FloatArray) -> FloatArray:
    """0 below 2 keV (CXRO), 1 above 5 keV (xraylib), a smoothstep in log E between."""
    u = np.clip(np.log(energy / BLEND[0]) / np.log(BLEND[1] / BLEND[0]), 0, 1)
    return u * u * (3 - 2 * u)


@dataclass(frozen=True, eq=False)
class Absorption:
    """f2 of one element as a function of energy."""

    edges: FloatArray
    widths: FloatArray
    low: Source
    high: Source

    def __call__(self, energy: FloatArray) -> FloatArray:
        """f2 (n,) at `energy` (n,) [eV], 10 eV - 1 GeV: the aligned sources blended in the logarithm."""
        x, weight = np.log(energy), blend_weight(energy)
        ramp = np.clip((energy[:, None] - self.edges) / self.widths + 0.5, 0, 1)
        # each factor rises linearly from 1 to exp(jump): a ramp of the logarithm would lean to the upper side
        low = self.low.at(x) + np.log1p(ramp * np.expm1(self.low.jumps)).sum(axis=1)
        high = self.high.at(x) + np.log1p(ramp * np.expm1(self.high.jumps)).sum(axis=1)
        return np.exp((1 - weight) * low + weight * high)


def absorption(z: int) -> Absorption:
    """The blended f2 of element `z`."""
    import xraylib

    symbol = xraylib.AtomicNumberToSymbol(z)
    table = edges_of(symbol)
    edges = np.array(list(table.values()), np.float64)
    high = settled(z, symbol, edges, xraylib_source(z, edges))
    return Absorption(edges, widths_of(z, table), cxro_source(symbol, edges), high)


def kk_nodes(f2: Absorption) -> FloatArray:
    """Energies [eV] between which f2 is close to linear: a 1 % grid, the edges and what lies near them."""
    parts = [np.geomspace(10, 1e9, 1850), np.exp(f2.low.log_energy)]
    for edge, width in zip(f2.edges, f2.widths, strict=True):
        offsets = np.geomspace(width / 2, 0.04 * edge, 26)
        parts += [edge - offsets, edge + offsets, edge + width * np.linspace(-0.5, 0.5, 7)]
    nodes = np.unique(np.concatenate(parts))
    nodes = nodes[(nodes >= 10) & (nodes <= 1e9)]
    return nodes[np.concatenate(([True], np.diff(nodes) > 1e-7 * nodes[1:]))]


class Dispersion:
    """f1 of one element from its f2 by the exact transform, with nothing below 10 eV and above 1 GeV."""

    def __init__(self, z: int, f2: Absorption):
        nodes = kk_nodes(f2)
        self.nodes = np.concatenate(([nodes[0] * (1 - 1e-6)], nodes, [nodes[-1] * (1 + 1e-6)]))
        self.values = np.concatenate(([0.0], f2(nodes), [0.0]))
        self.charge = relativistic_charge(z)

    def __call__(self, energy: FloatArray) -> FloatArray:
        """f1 (n,) at `energy` (n,) [eV]."""
        return self.charge + transform(self.nodes, self.values, energy)


def stored_nodes(f2: Absorption, f1: Dispersion, tolerance: float = 0.01) -> tuple[FloatArray, FloatArray]:
    """Energies [eV] and f1 such that f1 is linear between them to `tolerance` electrons at the midpoints."""
    nodes = f1.nodes[(f1.nodes > STORED[0] * (1 + 1e-7)) & (f1.nodes < STORED[1] * (1 - 1e-7))]
    nodes = np.unique(np.concatenate(([STORED[0]], nodes, [STORED[1]])))
    values = f1(nodes)
    pending = np.arange(len(nodes) - 1)
    for _ in range(6):
        middle = (nodes[pending] + nodes[pending + 1]) / 2
        exact = f1(middle)
        bad = np.abs(exact - (values[pending] + values[pending + 1]) / 2) > tolerance
        bad &= np.diff(nodes)[pending] > 1e-6 * middle
        if not bad.any():
            break
        where = pending[bad] + 1
        nodes, values = np.insert(nodes, where, middle[bad]), np.insert(values, where, exact[bad])
        at = where + np.arange(len(where))
        pending = np.unique(np.concatenate((at - 1, at)))
    return nodes, values


def scatter(z: int) -> FloatArray:
    """Rayleigh and Compton cross sections (2, len(COARSE)) [m^2 per atom].

    Below the tables of xraylib Rayleigh is held constant and Compton falls as E: both are negligible there.
    """
    import xraylib

    area = 1e-4 * xraylib.AtomicWeight(z) / (xraylib.AVOGNUM * 1e24)  # cm^2/g to m^2 per atom; AVOGNUM is in 1e24
    out = np.empty((2, len(COARSE)))
    for row, call in enumerate((xraylib.CS_Rayl, xraylib.CS_Compt)):
        start = next(i for i, e in enumerate(COARSE) if e > 105.0)
        for i in range(start, len(COARSE)):
            out[row, i] = call(z, COARSE[i] / 1e3) * area
        out[row, :start] = out[row, start] * (COARSE[:start] / COARSE[start] if row else 1.0)
    return out


def element(z: int) -> dict[str, Any]:
    """The columns of one element: f1, f2 at its nodes; bands at theirs; scatter on COARSE; edges; atomic weight."""
    import xraylib

    f2 = absorption(z)
    f1 = Dispersion(z, f2)
    nodes, values = stored_nodes(f2, f1)
    band_energy, band1, band2 = bands(z, f2, nodes, values)
    return {
        "energy": nodes,
        "band_energy": band_energy,
        "f1": values.astype(np.float32),
        "log_f2": np.log(f2(nodes)).astype(np.float32),
        "band1": band1.astype(np.float32),
        "band2": band2.astype(np.float32),
        "scatter": scatter(z).astype(np.float32),
        "edges": f2.edges,
        "edge_widths": f2.widths,
        "edge_names": list(edges_of(xraylib.AtomicNumberToSymbol(z))),
        "weight": xraylib.AtomicWeight(z),
    }


def build(numbers: range = range(1, 93)) -> dict[str, Any]:
    """All arrays of the packaged file."""
    columns = [element(z) for z in numbers]
    stacked = {name: np.array([c[name] for c in columns]) for name in ("scatter", "weight")}
    names = ("energy", "f1", "log_f2", "edges", "edge_widths", "band_energy", "band1", "band2")
    joined = {name: np.concatenate([c[name] for c in columns]) for name in names}
    return {
        **stacked,
        **joined,
        "offsets": np.cumsum([0] + [len(c["energy"]) for c in columns]),
        "band_offsets": np.cumsum([0] + [len(c["band_energy"]) for c in columns]),
        "edge_offsets": np.cumsum([0] + [len(c["edges"]) for c in columns]),
        "edge_names": np.array([name for c in columns for name in c["edge_names"]]),
        "coarse": COARSE,
        "version": np.array(VERSION),
    }


def main() -> None:
    """Build the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(__file__).parent / "data" / "elements.npz"
    parser.add_argument("-o", "--output", type=Path, default=default)
    path = parser.parse_args().output
    np.savez_compressed(path, **build())
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
