"""Frames recorded chunk by chunk: exposed, read by the detector, gathered into whole arrays.

Every frame's expectation depends on its own row alone and its random numbers on (stream, frame number) alone, so the
result is the same to the bit for any chunk size and number of workers.
"""

from __future__ import annotations

import re
import shutil
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xsim.errors import RangeError, XsimWarning
from xsim.exposure import Exposure, FrameTable
from xsim.simulate.whole import whole
from xsim.streams import StreamKey

if TYPE_CHECKING:
    from xsim.instruments._protocol import Prepared

Array = NDArray[Any]

#: warnings that may differ in their numbers alone before they are told as one
ALIKE = 2
_NUMBER = re.compile(r"(?<![\w'.])[-+]?\d+(\.\d+)?(e[-+]?\d+)?(?![\w'])")


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


def condensed(texts: Iterable[str]) -> tuple[str, ...]:
    """Each warning once; of more than `ALIKE` that differ in nothing but numbers, the first, with how many follow."""
    groups: dict[str, list[str]] = {}
    for text in dict.fromkeys(texts):
        groups.setdefault(_NUMBER.sub("#", text), []).append(text)
    told: list[str] = []
    for group in groups.values():
        few = len(group) <= ALIKE
        told += group if few else [f"{group[0]} (and {len(group) - 1} more warnings like it, with other numbers)"]
    return tuple(told)


@dataclass(frozen=True)
class Job:
    """What every worker holds."""

    prepared: Prepared
    detector: Any
    key: StreamKey


@dataclass(frozen=True)
class Recorded:
    """Some frames as the detector wrote them, their exposure and the warnings given on the way.

    live: live times [s] (frames, ...) of a detector that tells them.
    """

    counts: Array
    exposure: Exposure
    said: list[str]
    live: Array | None = None


def record(job: Job, frames: FrameTable) -> Recorded:
    """Expose and read some frames; the expectation comes back summed over photon groups."""
    said: list[str] = []
    with collected(said):
        exposure = job.prepared.expose(frames)
        counts = job.detector.read(exposure, job.key)
        clock = getattr(job.detector, "live_time", None)
        live = None if clock is None else clock(exposure, job.key)
    total = exposure.expected[:, :1]
    if exposure.expected.shape[1] != 1:
        total = np.zeros((exposure.expected.shape[0], 1, *exposure.expected.shape[2:]), exposure.expected.dtype)
        for group in range(exposure.expected.shape[1]):  # one after another: the same bits for any number of frames
            total[:, 0] += exposure.expected[:, group]
    energy = exposure.group_energy[:, :1]
    return Recorded(counts, Exposure(total, energy, exposure.axes, exposure.frames, exposure.incident), said, live)


@dataclass
class Store:
    """Collects the chunks of a run into whole arrays, packed into files in `scratch` where they are large.

    scan: the lengths of the scan axes. keep: whether the expectation is kept beside the counts.
    """

    frames: int
    name: str
    scratch: Path | None
    scan: tuple[int, ...] = ()
    keep: bool = True
    done: int = 0
    said: list[str] = field(default_factory=list)
    axes: tuple[Any, ...] = ()
    dark: int = 0  # frames in which no photon is expected
    live: Array | None = None  # live times [s] of a detector that tells them
    expected: Any = None  # of all frames, once they are there and where it is kept

    def add(self, piece: FrameTable, result: Recorded) -> None:
        """Put the next frames where they belong. Raises RangeError where they will not fit on the disk."""
        exposure = result.exposure
        if self.done == 0:
            self.axes = tuple(exposure.axes)
            self._counts = whole(result.counts, (self.frames,), self._path("counts"))
            if self.keep:
                scan = self.scan or (self.frames,)
                self._expected = whole(exposure.expected[:, 0], scan, self._path("expected"))
            self.incident = np.empty(self.frames)
            self.live = None if result.live is None else np.empty((self.frames, *result.live.shape[1:]))
        self._counts.add(result.counts)
        if self.keep:
            self._expected.add(exposure.expected[:, 0])
        rows = slice(self.done, self.done + len(piece))
        self.incident[rows] = exposure.incident
        if self.live is not None:
            self.live[rows] = result.live
        self.dark += int(np.sum(~np.any(exposure.expected.reshape(len(piece), -1) > 0, axis=1)))
        self.said.extend(result.said)
        first, self.done = self.done == 0, self.done + len(piece)
        if first:
            self._check_disk()
        if self.done == self.frames:
            self.counts = self._counts.done()
            if self.keep:
                self.expected = self._expected.done()

    def gather(self, pieces: list[FrameTable], results: Iterable[Recorded]) -> Iterator[int]:
        """Add the results piece by piece; yields the number of frames done."""
        for piece, result in zip(pieces, results, strict=True):
            self.add(piece, result)
            yield self.done

    def _path(self, what: str) -> Path | None:
        return None if self.scratch is None else self.scratch / f".{self.name}.{what}.h5"

    def _check_disk(self) -> None:
        """Foretell the size of the files from the first frames: counts lie in the store and in their own file."""
        counts, expected = self._counts.written, self._expected.written if self.keep else 0
        need = (2 * counts + expected) * self.frames / self.done
        if self.scratch is None or not need:
            return
        free = shutil.disk_usage(self.scratch).free + counts + expected
        if need > free:
            raise RangeError(
                f"the {self.frames} frames of {self.name!r} do not fit on the disk of the run directory",
                value=f"about {need / 1e9:.3g} GB",
                allowed=f"<= {free / 1e9:.3g} GB, what is free",
                cure="record fewer frames or smaller ones, or choose another -o",
            )
