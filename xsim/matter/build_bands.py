"""How far the published tables lie from ours: the uncertainty bands of f1 and f2, for the script that builds the table.

Compared are CXRO/Henke, xraylib's photoelectric cross sections and Chantler (NIST FFAST), each at the energies where
it is published and between those; only f1 of CXRO is not interpolated within 2 % of edges, where its points are too
coarse for the cusp. A band is an envelope: at every energy at least the largest deviation found in the cell around it.
Cells are 2 % wide, and finer around edges. There position, width and onset of the edge differ from table to table, and
the band tells that: tens of percent of f2 within 0.2 % of an edge. Fine structure of solids is not in it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from xsim.matter.build_sources import XRAYLIB, chantler, cxro, cxro_f1, edges_of, xraylib_f2

FloatArray = NDArray[np.float64]
Points = tuple[FloatArray, FloatArray]

#: cells reach so far [eV]
RANGE = (29.0, 152e3)
#: where cells around an edge end, relative to it
AROUND = np.array([-0.02, -0.01, -0.005, -0.002, 0.002, 0.005, 0.01, 0.02])
#: what storage and interpolation add to f1 [electrons] and f2 [relative]
FLOORS = (0.01, 1e-3)


def bands(
    z: int, f2: Callable[[FloatArray], FloatArray], nodes: FloatArray, f1: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Energies [eV] and the bands there of f1 [electrons] and f2 [relative]; between them linear in log E.

    f2: our f2 as a function of energies [eV]; nodes, f1: our f1 at its nodes [eV].
    """
    import xraylib

    symbol = xraylib.AtomicNumberToSymbol(z)
    edges = np.array(list(edges_of(symbol).values()), np.float64)
    ends = np.concatenate((np.geomspace(*RANGE, 430), np.outer(edges, 1 + AROUND).ravel()))
    ends = np.unique(ends[(ends >= RANGE[0]) & (ends <= RANGE[1])])
    ends = ends[np.concatenate(([True], np.diff(ends) > 2e-4 * ends[1:]))]
    between = np.exp(np.log(ends[:-1, None]) + np.diff(np.log(ends))[:, None] * (np.arange(8) + 0.5) / 8).ravel()
    energy, c1, c2 = chantler(symbol)
    clear = between[~_close(between, edges, 0.02 * edges)]
    tables1 = [(cxro_f1(symbol), clear), ((energy, c1), between)]
    tables2 = [cxro(symbol), (energy, c2)]
    inside = between[between > XRAYLIB[0]]
    first = [_all(known, places, log=False) for known, places in tables1]
    second = [*(_all(known, between, log=True) for known in tables2), (inside, xraylib_f2(z, inside))]
    differences: tuple[list[Points], list[Points]] = ([], [])
    for points, values in first:
        differences[0].append((points, np.abs(values - np.interp(points, nodes, f1))))
    for points, values in second:
        differences[1].append((points, np.abs(values / f2(points) - 1)))
    found = []
    for many, floor in zip(differences, FLOORS, strict=True):
        points, values = (np.concatenate(columns) for columns in zip(*many, strict=True))
        found.append(envelope(ends, points, values) + floor)
    return ends, found[0], found[1]


def envelope(ends: FloatArray, points: FloatArray, values: FloatArray) -> FloatArray:
    """At `ends` (m,) of cells the larger of the maxima of `values` (n,) at `points` (n,) in the two that meet there.

    Linear interpolation between the ends is then nowhere below a value. Cells without points take their neighbours'.
    """
    cell = np.searchsorted(ends, points, side="right") - 1
    inside = (cell >= 0) & (cell < len(ends) - 1)
    largest = np.full(len(ends) - 1, -1.0)
    np.maximum.at(largest, cell[inside], values[inside])
    known = np.flatnonzero(largest >= 0)
    largest = np.interp(np.arange(len(largest)), known, largest[known])
    return np.maximum(np.append(largest, 0.0), np.insert(largest, 0, 0.0))


def _all(known: Points, between: FloatArray, log: bool) -> Points:
    """The published points of a table, and its interpolation at `between`, within RANGE."""
    energy, values = known
    inside = (between >= energy[0]) & (between <= energy[-1])
    if log:
        more = np.exp(np.interp(np.log(between[inside]), np.log(energy), np.log(values)))
    else:
        more = np.interp(between[inside], energy, values)
    keep = (energy >= RANGE[0]) & (energy <= RANGE[1])
    return np.concatenate((energy[keep], between[inside])), np.concatenate((values[keep], more))


def _close(points: FloatArray, edges: FloatArray, reach: FloatArray) -> NDArray[np.bool_]:
    return np.asarray((np.abs(points[:, None] - edges) < reach).any(axis=1))
