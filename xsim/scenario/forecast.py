"""What a run will take of memory, disk and time beside the computing of its frames.

Memory: this process, the arrays that are not packed into files, the chunks that wait to be packed, and of each worker
its program, its instrument and the chunk it is at. Disk: some frames are packed as all will be. Checked against the
whole tree of processes of long ptychographic scans.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.instruments._protocol import Calibrated, Instrument, Prepared
from xsim.scenario.record import peak_memory
from xsim.simulate.packer import pack
from xsim.simulate.pipeline import chunk_rows
from xsim.simulate.references import innermost
from xsim.spill import IN_MEMORY_BYTES
from xsim.threads import thread_count

Array = NDArray[Any]

#: what a worker's Python and libraries take of their own [bytes]
PROGRAM = 150 << 20
#: working memory of a chunk over what the instrument tells: the detector works on copies
COPIES = 1.5
#: bytes of frames packed to foretell the size of files
_PACKED = 8 << 20


@dataclass(frozen=True)
class Costs:
    """One instrument of a run: its frames, its workers and the bytes of its pickled state."""

    prepared: Prepared
    instrument: Instrument
    frames: int
    workers: int
    state: int

    def memory(self, counts: Array, expected: Array) -> float:
        """Most memory of all processes together [bytes]; counts, expected: of one frame."""
        whole = [self.frames * counts.nbytes, self.frames * expected.nbytes]
        kept = sum(size for size in whole if size <= IN_MEMORY_BYTES)
        rows = chunk_rows(self.prepared, self.frames, self.workers)
        chunk = rows * (counts.nbytes + expected.nbytes)
        working = COPIES * rows * int(self.prepared.frame_bytes)
        if self.workers == 1:
            return peak_memory() + kept + working + 2 * chunk
        return peak_memory() + kept + self.workers * (PROGRAM + self.state + working + 2 * chunk)

    def files(self, counts: Array, expected: Array) -> tuple[float, float]:
        """Bytes on the disk at most, and seconds to pack them; counts, expected: of some frames (n, ...)."""
        disk = seconds = 0.0
        for some, large in ((counts, 2), (expected, 1)):
            frame = max(1, some[0].nbytes)
            taken = np.ascontiguousarray(some[: max(1, _PACKED // frame)])
            began = time.perf_counter()
            share = len(pack(taken)) / len(taken)
            seconds += self.frames * (time.perf_counter() - began) / len(taken) / thread_count()
            copies = large if self.frames * frame > IN_MEMORY_BYTES else 1  # packed as they come, then into their file
            disk += copies * self.frames * share
        return disk, seconds

    def references(self, reading: float) -> float:
        """Seconds for flats and darks; reading: of one frame [s]."""
        core = innermost(self.instrument)
        if not isinstance(core, Calibrated):
            return 0.0
        table = self.instrument.frames()
        energies, times = (len(np.unique(np.asarray(table[name]))) for name in ("energy", "time"))
        return float(core.flats * energies + core.darks * min(times, 2)) * reading
