"""Photons of a whole scan from some of its frames: settings taken apart, each by points spread over it.

    N = sum_s n_s m_s,    m_s = mean of the frames exposed at setting s

A setting is a photon energy and a tilt: frames of one differ by place only, those of two by anything (an edge, a line
that is excited or not), so every one of few settings is sampled, of many an even choice, between which ln m_s is
interpolated. At one setting a bright particle may fill one point of a thousand: as many points are exposed as the time
allows, where a further one costs little (scanning instruments work out a setting's whole map at once), all if it does.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.exposure import Array, FrameTable
from xsim.instruments._protocol import Prepared
from xsim.simulate.pipeline import chunk_rows
from xsim.spill import total

#: settings sampled at most, and the time after which no more are than the least: of energies and of tilts alone [s]
MOST, TIME = 16, 2.0
LEAST_ENERGIES, LEAST_TILTS = 5, 2
#: frames of one setting exposed at most, and of these at first, twice as many in each next part
POINTS, FEW = 2048, 4


@dataclass(frozen=True, eq=False)
class Sampled:
    """Photons of the whole scan: incident, expected at the detector; largest: in one element of a frame.

    settings: how many there are; seconds: the longest that a first frame took; frames: some, without groups (n, ...).
    """

    incident: float
    expected: float
    largest: float
    settings: int
    seconds: float
    frames: Array


def sampled(prepared: Prepared, table: FrameTable) -> Sampled:
    """Expose some frames of each of some settings of `table`, and extrapolate."""
    columns = [table[name] for name in ("energy", "tilt") if name in table.columns]
    _, which, sizes = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True, return_counts=True)
    which = np.ravel(which)
    prepared.expose(table.take(slice(0, 1)))  # compiles what is compiled
    chosen = np.unique(np.linspace(0, len(sizes) - 1, MOST).round().astype(int))
    least = LEAST_TILTS if np.ptp(table["energy"]) == 0 else LEAST_ENERGIES
    found: dict[int, _Setting] = {}
    began = time.perf_counter()
    for setting in sorted(chosen.tolist(), key=lambda k: _order(k, len(sizes))):
        if len(found) >= least and time.perf_counter() - began > TIME:
            break
        found[setting] = _exposed(prepared, table, np.flatnonzero(which == setting), TIME / len(chosen))
    known = sorted(found)
    means = np.array([[found[k].incident, found[k].expected] for k in known])
    every = np.arange(len(sizes))
    rates = [np.exp(np.interp(every, known, np.log(np.maximum(row, 1e-300)))) for row in means.T]
    incident, expected = (float(np.where(rate > 1e-290, rate, 0.0) @ sizes) for rate in rates)
    return Sampled(
        incident,
        expected,
        max(one.largest for one in found.values()),
        len(sizes),
        max(one.seconds for one in found.values()),
        np.concatenate([found[k].frame for k in known]),
    )


@dataclass(frozen=True, eq=False)
class _Setting:
    """Means over the frames exposed at one setting, the largest element, the first frame and the time it took [s]."""

    incident: float
    expected: float
    largest: float
    frame: Array
    seconds: float


def _exposed(prepared: Prepared, table: FrameTable, rows: NDArray[np.int64], seconds: float) -> _Setting:
    """The first of `rows`, and more of them until so many `seconds` have passed."""
    began = time.perf_counter()
    first = prepared.expose(table.take(rows[:1]))
    taken = time.perf_counter() - began
    sums = np.array([float(first.incident[0]), total(first.expected)])
    largest, frame, count = _largest(first.expected), first.expected[:, 0], 1
    # in an order that is spread over all the points wherever it ends
    more = rows[_spread(len(rows))][:POINTS]
    size, start, began = min(FEW, chunk_rows(prepared, len(table))), 0, time.perf_counter()
    while start < len(more) and time.perf_counter() - began < seconds:
        exposure = prepared.expose(table.take(np.sort(more[start : start + size])))
        if start == 0:
            sums, count = np.zeros(2), 0
        sums += [float(exposure.incident.sum()), total(exposure.expected)]
        count += len(exposure.incident)
        largest = max(largest, _largest(exposure.expected))
        start, size = start + size, min(2 * size, chunk_rows(prepared, len(table)))
    return _Setting(float(sums[0] / count), float(sums[1] / count), largest, frame, taken)


def _largest(expected: Any) -> float:
    return float(expected.sum(axis=1).max())


def _order(number: int, count: int) -> tuple[int, int]:
    """The ends first, then the rest by halves: whatever comes first is spread out."""
    if number in (0, count - 1):
        return -1, number
    return -_evenness(number, count), number


def _evenness(number: int, count: int) -> int:
    """How early a number comes in halving 0 .. count: the power of two of which its place is a multiple."""
    place = round(number / max(1, count - 1) * 64)
    return (place & -place) if place else 64


def _spread(count: int) -> NDArray[np.int64]:
    """All of 0 .. count - 1, the first few of which lie far apart however many they are (steps of the golden ratio)."""
    return np.argsort((np.arange(count) * 0.6180339887498949) % 1.0, kind="stable").astype(np.int64)
