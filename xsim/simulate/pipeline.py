"""One instrument with one specimen: prepare once, expose in chunks, read the detector, account for the dose.

Every frame's expectation depends on its own row alone and its random numbers on (seed, instrument, frame number) alone,
so the result is the same to the bit for any chunk size and number of workers.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xsim.errors import RangeError, XsimWarning
from xsim.exposure import Dose, Exposure, FrameTable, Illumination, Measurement
from xsim.instruments._protocol import Measuring
from xsim.simulate.pool import Workers
from xsim.streams import StreamKey

if TYPE_CHECKING:
    from xsim.instruments._protocol import Instrument, Prepared
    from xsim.specimen.specimen import Specimen

#: working memory given to the frames of one chunk [bytes]
CHUNK_BYTES = 256 << 20
#: arrays larger than this are kept in a file in `scratch`, if there is one [bytes]
IN_MEMORY_BYTES = 512 << 20

Progress = Callable[[int, int], None]  # (frames done, frames in all)
Array = NDArray[Any]


def simulate(
    specimen: Specimen,
    instrument: Instrument,
    seed: int = 1,
    *,
    name: str | None = None,
    workers: int | Workers = 1,
    chunk: int | None = None,
    progress: Progress | None = None,
    scratch: Path | None = None,
) -> Measurement:
    """Record `specimen` with `instrument`: noisy counts, their expectation, absorbed dose and the truth behind them.

    seed, name: key the detector's random numbers (name defaults to the instrument's kind). workers: processes, or a
    started `Workers`. chunk: frames at a time (chosen from the memory they need if None). progress: called with
    (frames done, frames in all). scratch: folder for arrays too large for memory; None keeps them in memory.
    Raises the errors of the instrument, and RangeError if not a single photon is expected at the detector.
    """
    name = name or instrument.kind
    said: list[str] = []
    with collected(said):
        prepared = instrument.prepare(specimen)
        frames = instrument.frames()
        job = _Job(prepared, instrument.detector, StreamKey(seed, f"{name}/detector"))
        pool = workers if isinstance(workers, Workers) else Workers(workers, scratch)
        rows = chunk or chunk_rows(prepared, len(frames), pool.count)
        store = _Store(len(frames), name, scratch)
        pieces = [frames.take(slice(start, start + rows)) for start in range(0, len(frames), rows)]
        try:
            results = pool.map(_record, job, pieces)
            dose = _dose(specimen, prepared.illuminate(frames))  # while the workers are at theirs
            for piece, result in zip(pieces, results, strict=True):
                store.add(piece, result)
                if progress is not None:
                    progress(store.done, len(frames))
        finally:
            if pool is not workers:
                pool.__exit__()
        said.extend(store.said)
        said.extend(_emptiness(store, name))
    detector_axes = tuple(store.axes)
    return Measurement(
        name=name,
        kind=instrument.kind,
        frames=frames,
        counts=store.counts,
        counts_unit=instrument.detector.counts_unit,
        axes=tuple(instrument.detector.counts_axes(detector_axes)),
        expected=store.expected,
        expected_axes=detector_axes,
        incident=store.incident,
        dose=dose,
        geometry=_geometry(instrument, prepared, frames),
        settings=settings_of(instrument),
        seed=seed,
        warnings=tuple(dict.fromkeys(said)),
        truth=prepared.truth(),
    )


@contextmanager
def collected(texts: list[str]) -> Iterator[None]:
    """Gather the warnings of xsim raised inside in `texts`; all are given again after."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", XsimWarning)
        try:
            yield
        finally:
            given = list(caught)
            texts.extend(dict.fromkeys(str(w.message) for w in given if issubclass(w.category, XsimWarning)))
    seen: set[str] = set()
    for w in given:
        if str(w.message) not in seen:
            seen.add(str(w.message))
            warnings.warn_explicit(w.message, w.category, w.filename, w.lineno)


def _dose(specimen: Specimen, illuminations: list[Illumination]) -> dict[str, Dose]:
    if not illuminations:
        return {}
    from xsim.dose.ledger import absorbed

    return absorbed(specimen, illuminations)


def _geometry(instrument: Instrument, prepared: Prepared, frames: FrameTable) -> dict[str, Any]:
    measured = prepared.measured() if isinstance(prepared, Measuring) else {}
    return {**instrument.geometry(), **measured, **_calibration(instrument.detector, frames)}


def _calibration(detector: Any, frames: FrameTable) -> dict[str, Any]:
    """What dark and flat frames tell of the detector: photons of a frame = (counts - offset) / counts_per_photon."""
    calibrate = getattr(detector, "calibration", None)
    if calibrate is None:
        return {}
    rows = np.stack([np.asarray(frames[name], np.float64) for name in ("energy", "time")], axis=1)
    distinct, inverse = np.unique(rows, axis=0, return_inverse=True)
    pairs = np.array([calibrate(float(energy), float(time)) for energy, time in distinct])
    offset, scale = pairs[inverse.ravel()].T
    if len(distinct) == 1:
        offset, scale = float(offset[0]), float(scale[0])
    return {"counts_offset": offset, "counts_per_photon": scale}


def settings_of(instrument: Instrument) -> dict[str, Any]:
    """The instrument in its scenario form."""
    dump = getattr(instrument, "model_dump", None)
    return dict(dump(exclude_none=True)) if dump is not None else {"kind": instrument.kind}


def chunk_rows(prepared: Prepared, count: int, workers: int = 1) -> int:
    """Frames in one chunk: as many as the memory allows, and at least some chunks for every worker and for progress."""
    fit = max(1, CHUNK_BYTES // max(1, int(prepared.frame_bytes)))
    return max(1, min(fit, -(-count // (4 * workers))))


@dataclass(frozen=True)
class _Job:
    """What every worker holds."""

    prepared: Prepared
    detector: Any
    key: StreamKey


@dataclass(frozen=True)
class _Recorded:
    counts: Array
    exposure: Exposure
    said: list[str]


def _record(job: _Job, frames: FrameTable) -> _Recorded:
    said: list[str] = []
    with collected(said):
        exposure = job.prepared.expose(frames)
        counts = job.detector.read(exposure, job.key)
    total = np.zeros((exposure.expected.shape[0], 1, *exposure.expected.shape[2:]), exposure.expected.dtype)
    for group in range(exposure.expected.shape[1]):  # one after another: the same bits for any number of frames
        total[:, 0] += exposure.expected[:, group]
    energy = exposure.group_energy[:, :1]
    return _Recorded(counts, Exposure(total, energy, exposure.axes, exposure.frames, exposure.incident), said)


@dataclass
class _Store:
    """Collects the chunks of a run into whole arrays, in a file in `scratch` where they are large."""

    frames: int
    name: str
    scratch: Path | None
    done: int = 0
    said: list[str] = field(default_factory=list)
    axes: tuple[Any, ...] = ()
    dark: int = 0  # frames in which no photon is expected

    def add(self, piece: FrameTable, result: _Recorded) -> None:
        exposure, rows = result.exposure, slice(self.done, self.done + len(piece))
        if self.done == 0:
            self.axes = exposure.axes
            self.counts = self._array("counts", result.counts)
            self.expected = self._array("expected", exposure.expected[:, 0])
            self.incident = np.empty(self.frames)
        self.counts[rows] = result.counts
        self.expected[rows] = exposure.expected[:, 0]
        self.incident[rows] = exposure.incident
        self.dark += int(np.sum(~np.any(exposure.expected.reshape(len(piece), -1) > 0, axis=1)))
        self.said.extend(result.said)
        self.done += len(piece)

    def _array(self, what: str, first: Array) -> Array:
        shape = (self.frames, *first.shape[1:])
        if self.scratch is None or prod(shape) * first.dtype.itemsize <= IN_MEMORY_BYTES:
            return np.empty(shape, first.dtype)
        path = self.scratch / f".{self.name}.{what}.raw"
        need, free = prod(shape) * first.dtype.itemsize, shutil.disk_usage(self.scratch).free
        if need > free:
            raise RangeError(
                f"the {what} of all frames do not fit on the disk of the run directory",
                value=f"{need / 1e9:.3g} GB, {shape[0]} frames of {need / shape[0]:.3g} bytes",
                allowed=f"<= {free / 1e9:.3g} GB, what is free",
                cure="record fewer frames or smaller ones, or choose another -o",
            )
        return np.memmap(path, first.dtype, "w+", shape=shape)


def _emptiness(store: _Store, name: str) -> list[str]:
    if store.dark == store.frames:
        raise RangeError(
            f"no photon is expected at the detector in any frame of {name!r}",
            value=f"{store.incident.sum():.3g} photons incident on the specimen",
            allowed="some light on the detector",
            cure="raise the flux or the exposure time, thin the specimen, or see whether a stop covers the detector",
        )
    if store.dark:
        return [f"no photon is expected at the detector in {store.dark} of {store.frames} frames"]
    return []
