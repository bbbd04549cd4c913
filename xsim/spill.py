"""Arrays larger than memory: mapped from a file, and let go page by page once they have been used.

Pages of a mapped file count as memory of the process until the system takes them back. Whoever walks over a whole
array takes it in `blocks`, which hands the pages of each block back to the system; the file keeps what they hold.
Arrays that lie in memory pass through all of this untouched.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: bytes of a block: what is held at a time
BLOCK = 16 << 20


def create(path: Path, dtype: Any, shape: tuple[int, ...]) -> Array:
    """A new array of zeros that lies in the file `path`."""
    return np.memmap(path, dtype, "w+", shape=shape)


def release(values: Array) -> None:
    """Give the memory of a mapped array (or of the one that `values` is a view of) back; its file keeps the values."""
    pages: Any = getattr(values, "_mmap", None)
    if pages is not None and hasattr(mmap, "MADV_DONTNEED"):
        pages.madvise(mmap.MADV_DONTNEED)


def blocks(values: Array) -> Iterator[Array]:
    """Parts of an array along its first axis, of about 16 MB each; each is let go when the next is asked for."""
    if values.ndim == 0 or values.size == 0:
        yield values
        return
    step = max(1, BLOCK // max(1, values[0].nbytes))
    for start in range(0, len(values), step):
        yield values[start : start + step]
        release(values)


def total(values: Array, *, gaps: bool = False) -> float:
    """The sum in double precision, frame by frame; gaps: leave out the -1 that marks a gap or a masked pixel."""
    values = np.asanyarray(values)
    frames = values if values.ndim > 1 else values[None]
    return math.fsum(
        float(np.sum(frame, dtype=np.float64, where=frame >= 0) if gaps else np.sum(frame, dtype=np.float64))
        for block in blocks(frames)
        for frame in block
    )
