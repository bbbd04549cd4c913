"""One instrument with one specimen: prepare once, expose in chunks, read the detector, account for the dose.

Every frame's expectation depends on its own row alone and its random numbers on (seed, instrument, frame number) alone,
so the result is the same to the bit for any chunk size and number of workers.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xsim.errors import RangeError
from xsim.exposure import Dose, FrameTable, Illumination, Measurement, Truth
from xsim.instruments._protocol import Measuring
from xsim.simulate.monitoring import monitored
from xsim.simulate.pool import Workers
from xsim.simulate.recording import Job, Store, collected, condensed, record
from xsim.simulate.references import innermost, references
from xsim.streams import StreamKey

if TYPE_CHECKING:
    from xsim.instruments._protocol import Instrument, Prepared
    from xsim.specimen.specimen import Specimen

#: working memory given to the frames of one chunk [bytes]; several chunks wait at a time where there are workers
CHUNK_BYTES = 64 << 20

Progress = Callable[[int, int], None]  # (frames done, frames in all)


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
        job = Job(prepared, instrument.detector, StreamKey(seed, f"{name}/detector"))
        pool = workers if isinstance(workers, Workers) else Workers(workers, scratch)
        rows = chunk or chunk_rows(prepared, len(frames), pool.count)
        store = Store(len(frames), name, scratch, frames.shape, getattr(innermost(instrument), "keep_expected", True))
        pieces = [frames.take(slice(start, start + rows)) for start in range(0, len(frames), rows)]
        try:
            results = pool.map(record, job, pieces)
            dose = _dose(specimen, prepared.illuminate(frames))  # while the workers are at theirs
            for done in store.gather(pieces, results):
                if progress is not None:
                    progress(done, len(frames))
        finally:
            if pool is not workers:
                pool.__exit__()
        said.extend(store.said)
        said.extend(_emptiness(store, name))
        flats, darks = references(instrument, StreamKey(seed, name), scratch)
        monitor = monitored(instrument, frames, store.incident, StreamKey(seed, f"{name}/monitor"))
    return Measurement(
        name=name,
        kind=instrument.kind,
        frames=frames,
        counts=store.counts,
        counts_unit=instrument.detector.counts_unit,
        axes=tuple(instrument.detector.counts_axes(store.axes)),
        expected=store.expected,
        expected_axes=store.axes,
        incident=store.incident,
        dose=dose,
        geometry={**_geometry(instrument, prepared, frames, store), **monitor},
        settings=settings_of(instrument),
        seed=seed,
        warnings=condensed(said),
        truth=_truth(prepared, instrument.detector),
        flats=flats,
        darks=darks,
    )


def _dose(specimen: Specimen, illuminations: list[Illumination]) -> dict[str, Dose]:
    if not illuminations:
        return {}
    from xsim.dose.ledger import absorbed

    return absorbed(specimen, illuminations)


def _geometry(instrument: Instrument, prepared: Prepared, frames: FrameTable, store: Store) -> dict[str, Any]:
    measured = prepared.measured() if isinstance(prepared, Measuring) else {}
    known: dict[str, Any] = getattr(instrument.detector, "spectrometer", dict)()
    live = {} if store.live is None else {"live_time [s]": store.live}
    return {**instrument.geometry(), **measured, **_calibration(instrument.detector, frames), **known, **live}


def _truth(prepared: Prepared, detector: Any) -> dict[str, Truth]:
    """The truth of the instrument, and beside the energies of lines what a spectral detector makes of a photon of each.

    Expected spectra stay factored so: "line_maps" (lines, ...) times "line_response" (lines, channels), no dense cube.
    """
    found = prepared.truth()
    lines, shares = found.get("line_energies"), getattr(detector, "shares", None)
    if lines is not None and shares is not None:
        axes = (*lines.axes, *detector.counts_axes(()))
        found["line_response"] = Truth(shares(np.asarray(lines.values, np.float64)), axes, "counts/photon")
    return found


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


def _emptiness(store: Store, name: str) -> list[str]:
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
