"""One array of a run, gathered from the frames of its chunks: in memory, or packed into a file if it is large.

Its type is the widest that any chunk has. A detector chooses by what it expects, frame by frame, so neither type nor
values depend on how the frames are chunked.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xsim.simulate.packer import Packer
from xsim.spill import IN_MEMORY_BYTES, Packed

Array = NDArray[Any]


class Whole(Protocol):
    """Takes frames in order and gives the array of them all."""

    @property
    def written(self) -> int:
        """Bytes on the disk."""
        ...

    def add(self, frames: Array) -> None:
        """Append frames (n, ...)."""
        ...

    def done(self) -> Any:
        """The array (frames, ...), once all frames are there."""
        ...


def whole(first: Array, scan: tuple[int, ...], path: Path | None) -> Whole:
    """For frames over axes of the lengths `scan`, like those of `first`, which are still to be added.

    path: where to pack them if they are large; None keeps them in memory.
    """
    size = prod(scan) * prod(first.shape[1:]) * first.dtype.itemsize
    if path is None or size <= IN_MEMORY_BYTES:
        return InMemory(np.empty((prod(scan), *first.shape[1:]), first.dtype))
    return InFile(Packer(path, first.dtype, (*scan, *first.shape[1:]), first.ndim - 1))


class InMemory:
    """Frames gathered in memory."""

    written = 0

    def __init__(self, array: Array):
        self._array, self._row = array, 0

    def add(self, frames: Array) -> None:
        """Append frames (n, ...)."""
        self._array = self._array.astype(np.promote_types(self._array.dtype, frames.dtype), copy=False)
        self._array[self._row : self._row + len(frames)] = frames
        self._row += len(frames)

    def done(self) -> Array:
        """The array."""
        return self._array


class InFile:
    """Frames packed into a file."""

    def __init__(self, packer: Packer):
        self._packer = packer

    @property
    def written(self) -> int:
        """Bytes on the disk."""
        return self._packer.written

    def add(self, frames: Array) -> None:
        """Append frames (n, ...)."""
        wider = np.promote_types(self._packer.dtype, frames.dtype)
        if wider != self._packer.dtype:
            self._widen(wider)
        self._packer.add(frames)

    def _widen(self, dtype: np.dtype[Any]) -> None:
        """Pack the frames so far anew, as numbers of another type."""
        old = self._packer
        path = old.path.with_name(f"{old.path.name}.wide")
        self._packer = Packer(path, dtype, old.shape, old.inner)
        for block in old.taken():
            self._packer.add(block)
        old.drop()
        self._packer.rename(old.path)

    def done(self) -> Packed:
        """The array, readable from its file."""
        return self._packer.done()
