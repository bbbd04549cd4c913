"""Flats and darks: frames without the specimen and without light, recorded as the others are.

They have streams of their own, so taking them changes no bit of the frames of the specimen, and they put no dose on
it. Flats are taken at every photon energy, each with the shortest exposure that the frames of that energy have (an
empty field is the brightest). Dark charge grows with the exposure time, so darks are taken at each exposure time, or
at the shortest and the longest of more than two, between which a reader may draw a straight line.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xsim.exposure import Exposure, FrameTable, Illumination, Reference, Truth
from xsim.instruments._protocol import Calibrated, Instrument
from xsim.simulate.recording import Job, Store, record
from xsim.specimen.specimen import Specimen
from xsim.streams import StreamKey

if TYPE_CHECKING:
    from xsim.instruments._protocol import Prepared

#: working memory given to the frames of one chunk [bytes]
CHUNK_BYTES = 64 << 20


def references(
    instrument: Instrument, key: StreamKey, scratch: Path | None = None
) -> tuple[Reference | None, Reference | None]:
    """The flats and the darks that `instrument` asks for (None for none), with streams below `key`."""
    core = innermost(instrument)
    flats, darks = (core.flats, core.darks) if isinstance(core, Calibrated) else (0, 0)
    if flats + darks == 0:
        return None, None
    empty = core.prepare(Specimen())
    flat_table = _table(core, _flat_rows(instrument.frames()), flats)
    dark_table = _table(core, _dark_rows(instrument.frames()), darks)
    return (
        _recorded(empty, core, flat_table, key.child("flats"), scratch),
        _recorded(_Dark(empty), core, dark_table, key.child("darks"), scratch),
    )


def innermost(instrument: Any) -> Any:
    """The instrument inside all scans around it."""
    while hasattr(instrument, "instrument"):
        instrument = instrument.instrument
    return instrument


def _flat_rows(frames: FrameTable) -> list[tuple[float, float]]:
    """(energy [eV], time [s]) of the flats: each energy with its shortest time."""
    energies, times = (np.asarray(frames[name], np.float64) for name in ("energy", "time"))
    return [(float(e), float(times[energies == e].min())) for e in np.unique(energies)]


def _dark_rows(frames: FrameTable) -> list[tuple[float, float]]:
    """(energy [eV], time [s]) of the darks: each time, of more than two the shortest and the longest."""
    times = np.unique(np.asarray(frames["time"], np.float64))
    energy = float(frames["energy"][0])
    return [(energy, float(t)) for t in (times if len(times) < 3 else times[[0, -1]])]


def _table(core: Any, rows: list[tuple[float, float]], count: int) -> FrameTable:
    """`count` frames of each row, with whatever other columns the instrument's own first frame has."""
    energy, time = np.repeat(np.array(rows, np.float64), count, axis=0).T
    first = core.frames().take(np.zeros(len(energy), np.int64))
    return replace(first.with_columns(energy=energy, time=time), index=np.arange(len(energy), dtype=np.int64))


def _recorded(
    prepared: Prepared, core: Any, table: FrameTable, key: StreamKey, scratch: Path | None
) -> Reference | None:
    if not len(table):
        return None
    job = Job(prepared, core.detector, key)
    store = Store(len(table), key.purpose.replace("/", "-"), scratch, keep=False)
    step = max(1, CHUNK_BYTES // max(1, int(prepared.frame_bytes)))
    for start in range(0, len(table), step):
        piece = table.take(slice(start, start + step))
        store.add(piece, record(job, piece))
    return Reference(table, store.counts, store.incident)


@dataclass(frozen=True, eq=False)
class _Dark:
    """The prepared instrument with its shutter closed."""

    inner: Prepared

    @property
    def frame_bytes(self) -> int:
        return self.inner.frame_bytes

    def expose(self, frames: FrameTable) -> Exposure:
        open_ = self.inner.expose(frames)
        return replace(open_, expected=np.zeros_like(open_.expected), incident=np.zeros(len(frames)))

    def illuminate(self, frames: FrameTable) -> list[Illumination]:
        return []

    def truth(self) -> dict[str, Truth]:
        return {}
