"""Packs an array larger than memory into a file, frame by frame as they come.

The file is HDF5 with one dataset, chunked, shuffled and deflated as every HDF5 library reads it, and holds the same
bytes for any number of threads. Chunks are packed side by side on as many threads as there are, outside of HDF5, which
packs on one.
"""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.errors import FileError
from xsim.spill import LEVEL, Packed, chunk_places, elements, packing
from xsim.threads import share

Array = NDArray[Any]

#: the dataset of the file
_NAME = "values"
#: of a zlib stream: its header for fast packing, and a last block without anything in it
_HEADER, _END = b"\x78\x01", b"\x03\x00"
#: bytes by which is told whether others are worth packing, and how small these must become
_SAMPLE, _WORTH = 8192, 0.95


def pack(values: Array) -> bytes:
    """A chunk as HDF5 stores it: bytes of equal rank together, then one zlib stream (RFC 1950, 1951) of them all.

    Bytes of a rank that look random, as the last ones of an expectation do, are stored as they are, which takes a
    hundredth of the time.
    """
    planes = np.ascontiguousarray(np.ascontiguousarray(values).reshape(-1, 1).view(np.uint8).T)
    parts, check = [_HEADER], 1
    for plane in planes:
        sample = plane[plane.size // 2 :][:_SAMPLE].tobytes()
        worth = len(zlib.compress(sample, LEVEL)) < _WORTH * len(sample)
        packer = zlib.compressobj(LEVEL if worth else 0, zlib.DEFLATED, -zlib.MAX_WBITS)
        parts += [packer.compress(plane.data), packer.flush(zlib.Z_FULL_FLUSH)]
        check = zlib.adler32(plane.data, check)
    return b"".join([*parts, _END, check.to_bytes(4, "big")])


class Packer:
    """Packs an array of `shape` into the file `path`, frame by frame; frames run over all axes but `inner`.

    While they pass it keeps, for each frame, the sum of its values with and without those below zero (the -1 of a
    gap), and the least value of every element.
    """

    def __init__(self, path: Path, dtype: Any, shape: tuple[int, ...], inner: int):
        import h5py

        self.path, self.shape, self.inner = path, shape, inner
        self.frame = shape[len(shape) - inner :]
        self.dtype = np.dtype(dtype)
        path.unlink(missing_ok=True)  # whoever still reads an earlier one there keeps it
        self._file = h5py.File(path, "w")
        self._data = self._file.create_dataset(_NAME, shape, self.dtype, **packing(shape, self.dtype.itemsize))
        self._places = chunk_places(shape, self._data.chunks)
        self._waiting: list[Array] = []
        self._sums: list[Array] = []
        self.least: Any = None
        self.written = 0

    def add(self, frames: Array) -> None:
        """Pack the next frames (n, *frame). Raises FileError where the disk is full."""
        frames = np.ascontiguousarray(frames, self.dtype)
        flat = frames.reshape(len(frames), -1)
        above = [float(np.sum(frame, dtype=np.float64, where=frame >= 0)) for frame in flat]
        self._sums.append(np.array([[float(np.sum(frame, dtype=np.float64)) for frame in flat], above]))
        least = frames.min(axis=0)
        self.least = least if self.least is None else np.minimum(self.least, least)
        self._waiting.append(flat.reshape(-1))
        self._write()

    def _write(self) -> None:
        """Pack and write every chunk that is complete."""
        values = self._waiting[0] if len(self._waiting) == 1 else np.concatenate(self._waiting)
        full, start, jobs = math.prod(self._data.chunks), 0, []
        packed: dict[int, bytes] = {}

        def work(number: int, part: Array) -> None:
            if part.size < full:  # chunks at the end of an axis are stored whole
                part = np.concatenate([part, np.zeros(full - part.size, self.dtype)])
            packed[number] = pack(part)

        while self._places and start + self._places[-1][1] <= values.size:
            place, count = self._places.pop()
            jobs.append((place, values[start : start + count]))
            start += count
        share(work, [(number, part) for number, (_, part) in enumerate(jobs)])
        try:
            for number, (place, _) in enumerate(jobs):
                self._data.id.write_direct_chunk(place, packed[number])
                self.written += len(packed[number])
        except OSError as error:
            raise _full(self.path, error) from None
        self._waiting = [values[start:].copy()]

    def done(self) -> Packed:
        """The array, readable; nothing can be added any more."""
        try:
            self._file.close()
        except (OSError, RuntimeError) as error:
            raise _full(self.path, error) from None
        packed = Packed(self.path, _NAME, self.inner)
        packed.sums, packed.least = np.concatenate(self._sums, axis=1), self.least
        return packed

    def taken(self) -> Iterator[Array]:
        """The frames so far, some at a time."""
        row, count = math.prod(self.frame), sum(part.shape[1] for part in self._sums)
        packed = count * row - sum(part.size for part in self._waiting)
        for start in range(0, packed, row):  # all but the frames that still wait for others of their chunk
            if start + row <= packed:
                yield elements(self._data, (), start, start + row).reshape(1, *self.frame)
        rest = packed % row
        head = elements(self._data, (), packed - rest, packed)
        yield np.concatenate([head, *self._waiting]).reshape(-1, *self.frame)

    def rename(self, path: Path) -> None:
        """Go on writing under another name."""
        os.replace(self.path, path)
        self.path = path

    def drop(self) -> None:
        """Give up: the file is removed."""
        self._file.close()
        self.path.unlink(missing_ok=True)


def _full(path: Path, error: Exception) -> FileError:
    cure = "free some space, choose another -o, or record fewer frames or smaller ones"
    return FileError("cannot write the frames", value=str(path.parent), cure=f"{cure} ({error})")
