"""What the published tables say of one element, for the script that builds the packaged table.

CXRO/Henke f2 (periodictable's files), xraylib's photoelectric cross sections, Chantler's f1 and f2, the edges of
xraydb; each f2 as a smooth part and its jumps, the jumps moved to one table of edges. Needs the packages
periodictable and xraydb (extra `test`), at build time only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xsim.constants import HC, R_E

FloatArray = NDArray[np.float64]

XRAYLIB = (110.0, 700e3)
#: beside a pair of points that marks an edge f2 rises by less than this part of its slope; in white lines it does not
ALONE = 0.3
#: f2 = sigma E / (2 r_e h c), for sigma in barn and E in eV
F2_PER_BARN = 1e-28 / (2 * R_E * HC)
_SHELLS = "K L1 L2 L3 M1 M2 M3 M4 M5 N1 N2 N3 N4 N5 N6 N7 O1 O2 O3 O4 O5".split()  # noqa: SIM905


@dataclass(frozen=True, eq=False)
class Source:
    """One table of f2 as a smooth part, log f2 minus its jumps, at log energies, and the jumps at the edges."""

    log_energy: FloatArray
    smooth: FloatArray
    jumps: FloatArray

    def at(self, log_energy: FloatArray) -> FloatArray:
        """The smooth part, extrapolated linearly in log-log beyond the data."""
        x, y = self.log_energy, self.smooth
        inside = np.interp(log_energy, x, y)
        low, high = (y[1] - y[0]) / (x[1] - x[0]), (y[-1] - y[-2]) / (x[-1] - x[-2])
        inside = np.where(log_energy < x[0], y[0] + low * (log_energy - x[0]), inside)
        return np.where(log_energy > x[-1], y[-1] + high * (log_energy - x[-1]), inside)


def edges_of(symbol: str) -> dict[str, float]:
    """Edge energies [eV] of an element above 10 eV, by shell, in ascending order."""
    import xraydb

    found = {name: edge.energy for name, edge in xraydb.xray_edges(symbol).items() if name in _SHELLS}
    return dict(sorted(((name, e) for name, e in found.items() if 10.5 < e < 150e3), key=lambda pair: pair[1]))


def widths_of(z: int, edges: dict[str, float]) -> FloatArray:
    """Width of the ramp at each edge [eV]: the level width, between 0.2 eV and 4 % of the energy."""
    import xraylib

    widths = []
    for name, energy in edges.items():
        try:
            width = 1e3 * xraylib.AtomicLevelWidth(z, getattr(xraylib, f"{name}_SHELL"))
        except ValueError:
            width = 0.2 if name == "K" else 1.0
        widths.append(min(max(width, 0.2), 0.04 * energy))
    return np.array(widths)


def cxro(symbol: str) -> tuple[FloatArray, FloatArray]:
    """Energies [eV] and f2 of the CXRO table, sorted, each energy once."""
    energy, _, f2 = _nff(symbol).T
    energy, first = np.unique(energy, return_index=True)
    f2 = f2[first]
    # a slip of the file: chromium falls to a fifth for a single point, 0.1 eV below its K edge
    slip = np.concatenate(([False], f2[1:-1] < 0.5 * np.minimum(f2[:-2], f2[2:]), [False]))
    keep = (energy >= 10) & (f2 > 0) & ~slip
    return energy[keep], f2[keep]


def cxro_source(symbol: str, edges: FloatArray) -> Source:
    """The CXRO table with its jumps, which it marks by pairs of points 0.2 eV apart, moved to the nearest edge."""
    energy, f2 = cxro(symbol)
    log_f2 = np.log(f2)
    step, gap = np.diff(log_f2), np.diff(energy)
    jumps = np.zeros(len(edges))
    removed = np.zeros(len(energy))
    slope = step / gap
    lone = slope * ALONE > np.maximum(np.append(slope[1:], 0.0), np.insert(slope[:-1], 0, 0.0))
    for i in np.argsort(-step):
        if not (lone[i] and 0.08 < gap[i] < 0.31 and step[i] > 0.05):
            continue
        middle = (energy[i] + energy[i + 1]) / 2
        distance = np.abs(edges - middle)
        nearest = int(np.argmin(np.where(jumps == 0, distance, np.inf))) if len(edges) else -1
        if nearest >= 0 and jumps[nearest] == 0 and distance[nearest] < max(0.02 * middle, 1.5):
            jumps[nearest] = step[i]
            removed[i + 1 :] += step[i]
    return Source(np.log(energy), log_f2 - removed, jumps)


def xraylib_source(z: int, edges: FloatArray) -> Source:
    """`CS_Photo` of xraylib as f2, its jumps taken at the steepest point within 1 % of each edge."""
    energy = np.geomspace(*XRAYLIB, 1500)
    jumps, places, guards = np.zeros(len(edges)), np.zeros(len(edges)), np.zeros(len(edges))

    def log_f2(points: FloatArray) -> FloatArray:
        return np.log(xraylib_f2(z, points))

    gaps = np.diff(edges, prepend=0, append=1e9)
    for k, edge in enumerate(edges):
        if not 1.02 * XRAYLIB[0] < edge < XRAYLIB[1]:
            continue
        reach = min(0.01 * edge, 0.45 * gaps[k], 0.45 * gaps[k + 1])
        near = np.linspace(edge - reach, edge + reach, 801)
        values = log_f2(near)
        step = np.diff(values) - np.median(np.diff(values))
        i = int(np.argmax(step))
        if step[i] > 0.002:
            # the whole rise may take more than one sample: add its neighbours' excess
            jumps[k] = step[max(i - 2, 0) : i + 3].sum()
            places[k], guards[k] = near[i], 4 * reach / 800
    keep = np.ones(len(energy), bool)
    for place, guard in zip(places, guards, strict=True):
        keep &= np.abs(energy - place) > guard
    energy = energy[keep]
    removed = ((energy[:, None] > places[None, :]) & (places > 0)[None, :]) @ jumps
    return Source(np.log(energy), log_f2(energy) - removed, jumps)


def cxro_f1(symbol: str) -> tuple[FloatArray, FloatArray]:
    """Energies [eV] and f1 of the CXRO table where it is given, sorted."""
    energy, f1, _ = _nff(symbol).T
    energy, first = np.unique(energy, return_index=True)
    keep = f1[first] > -9000  # the table's mark for "not given"
    return energy[keep], f1[first][keep]


def chantler(symbol: str) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Energies [eV], f1 and f2 of Chantler's table, at the energies where it is published."""
    import xraydb

    # the rows themselves: the package's splines through them ring at edges
    row = xraydb.get_xraydb().get_cache("Chantler", column="element", value=symbol)[0]
    energy, f1, f2 = (np.array(json.loads(text), np.float64) for text in (row.energy, row.f1, row.f2))
    energy, first = np.unique(energy, return_index=True)
    keep = (energy >= 10) & (f2[first] > 0)
    return energy[keep], f1[first][keep] + xraydb.atomic_number(symbol), f2[first][keep]


def xraylib_f2(z: int, energy: FloatArray) -> FloatArray:
    """f2 by the photoelectric cross sections of xraylib at `energy` [eV]."""
    import xraylib

    barns = xraylib.AtomicWeight(z) / xraylib.AVOGNUM  # cm^2/g to barn per atom (AVOGNUM is in 1e24)
    return np.array([xraylib.CS_Photo(z, point / 1e3) for point in energy]) * barns * energy * F2_PER_BARN


def _nff(symbol: str) -> FloatArray:
    import periodictable

    path = Path(periodictable.__file__).parent / "xsf" / f"{symbol.lower()}.nff"
    rows = np.loadtxt(path, skiprows=1)
    # a row beyond the next one is a slip of the file (silicon has one half way up its K edge, beyond the edge's end)
    return rows[np.append(np.diff(rows[:, 0]) >= 0, True)]
