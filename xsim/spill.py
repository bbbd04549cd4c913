"""Arrays larger than memory: in a chunked, compressed dataset of a file, and read from it part by part.

A `Packed` has the shape, type and indexing of an array and holds no more of it in memory than is asked for. Its file
can become another one, or its chunks be copied as they are, so nothing is packed twice and nothing lies on the disk
unpacked. Whoever walks over a whole array takes it in `blocks`, whether it lies in memory or in a file.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: bytes of a block: what is held at a time
BLOCK = 16 << 20
#: arrays larger than this are kept in a file, where there is one, and not in memory [bytes]
IN_MEMORY_BYTES = 256 << 20
#: bytes of one compressed chunk at most
CHUNK = 1 << 20
#: how hard chunks are packed: photons are sparse and expectations are noise in their last bits, more gains little
LEVEL = 1


def chunks(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """The chunk of a dataset: whole along the last axes, 1 along the first, so that it lies in one piece in C order."""
    chunk = list(shape)
    for axis in range(len(chunk)):
        while chunk[axis] > 1 and math.prod(chunk) * itemsize > CHUNK:
            chunk[axis] = (chunk[axis] + 1) // 2
    return tuple(chunk)


def packing(shape: tuple[int, ...], itemsize: int) -> dict[str, Any]:
    """The options of h5py for a dataset packed as all of xsim's are."""
    options = {"chunks": chunks(shape, itemsize), "compression": "gzip", "compression_opts": LEVEL}
    return {**options, "shuffle": True}


class Packed:
    """An array in a dataset of a file, as any writer of HDF5 left it: read where it is indexed.

    inner: the number of axes of a frame; the dataset's axes before them are folded into the first one. sums (2,
    frames): of each frame, with and without what is below zero, and least: the least value of each element over all
    frames; None where not known.
    """

    sums: Array | None = None
    least: Array | None = None

    def __init__(self, path: Path, name: str, inner: int):
        self.inner = inner
        self.open(path, name)
        frame = self._data.shape[len(self._data.shape) - inner :]
        self.shape: tuple[int, ...] = (math.prod(self._data.shape[: len(self._data.shape) - inner]), *frame)

    def open(self, path: Path, name: str) -> None:
        """Read from the dataset `name` of the file `path` from now on."""
        import h5py

        self.path, self.name = path, name
        self._file: Any = h5py.File(path, "r", rdcc_nbytes=BLOCK)
        self._data: Any = self._file[name]
        self.dtype: np.dtype[Any] = self._data.dtype

    def close(self) -> None:
        """Let go of the file; until `open`, nothing can be read."""
        self._file.close()

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the elements, unpacked."""
        return self.size * self.dtype.itemsize

    @property
    def stored(self) -> int:
        """Bytes of the dataset on the disk."""
        return int(self._data.id.get_storage_size())

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Array]:
        return (self[row] for row in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return self[:].astype(dtype or self.dtype, copy=False)

    def __getitem__(self, key: Any) -> Array:
        first, *rest = key if isinstance(key, tuple) else (key,)
        if first is Ellipsis:
            first, rest = slice(None), [Ellipsis, *rest] if rest else []
        if isinstance(first, slice):
            rows = range(*first.indices(len(self)))
            if rows.step == 1:
                return self._rows(rows.start, max(rows.start, rows.stop))[(slice(None), *rest)]
            first = list(rows)
        if np.ndim(first) == 0:
            row = range(len(self))[int(first)]
            return self._rows(row, row + 1)[(0, *rest)]
        picked = np.arange(len(self))[np.asarray(first)]
        frames = np.empty((len(picked), *self.shape[1:]), self.dtype)
        for number, row in enumerate(picked):
            frames[number] = self._rows(int(row), int(row) + 1)[0]
        return frames[(slice(None), *rest)]

    def reshape(self, *shape: Any) -> Packed:
        """The same elements in C order under another shape; still in the file."""
        wanted = [int(n) for n in (shape[0] if len(shape) == 1 and np.ndim(shape[0]) else shape)]
        if -1 in wanted:
            wanted[wanted.index(-1)] = self.size // -math.prod(wanted)
        if math.prod(wanted) != self.size:
            raise ValueError(f"cannot reshape {self.shape} into {tuple(wanted)}")
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        made.shape, made.sums, made.least = tuple(wanted), None, None
        return made

    def _rows(self, start: int, stop: int) -> Array:
        row = self.size // max(1, len(self))
        return self._elements(start * row, stop * row).reshape(stop - start, *self.shape[1:])

    def _elements(self, start: int, stop: int) -> Array:
        return elements(self._data, (), start, stop)

    def packed_alike(self, shape: tuple[int, ...], dtype: Any, chunk: Any, compression: Any) -> bool:
        """Whether a dataset of that kind would hold the very same chunks."""
        data = self._data
        same = (data.shape, data.dtype, data.chunks, data.compression) == (shape, dtype, chunk, compression)
        return bool(same and data.shuffle)

    def copy_chunks(self, target: Any) -> None:
        """Write all chunks, packed as they are, into the h5py dataset `target`, which must be packed alike."""
        for place, _ in chunk_places(self._data.shape, self._data.chunks):
            if self._data.id.get_chunk_info_by_coord(place).size:
                target.id.write_direct_chunk(place, self._data.id.read_direct_chunk(place)[1])

    def become(self, path: Path) -> str:
        """Move the file to `path` (it is closed); the name of the dataset in it."""
        self.close()
        os.replace(self.path, path)
        return self.name


class Picked(Packed):
    """Chosen frames of a dataset, in a chosen order, each turned if wanted and of a chosen type: read where indexed.

    rows (n,): of the dataset's first axis, in the order of the array; None: all. transposed: frames are [x, y] there.
    """

    def __init__(self, path: Path, name: str, dtype: Any, rows: Array | None = None, transposed: bool = False):
        self._wanted = np.dtype(dtype)
        super().__init__(path, name, 0)
        held = self._data.shape
        self.rows, self.transposed = np.arange(held[0]) if rows is None else np.asarray(rows), transposed
        frame = (*held[1:-2], held[-1], held[-2]) if transposed else held[1:]
        self.shape, self.inner = (len(self.rows), *frame), len(frame)

    def open(self, path: Path, name: str) -> None:
        """Read from the dataset `name` of the file `path` from now on."""
        super().open(path, name)
        self.dtype = self._wanted

    def _elements(self, start: int, stop: int) -> Array:
        size = math.prod(self._data.shape[1:])
        first, last = start // size, -(-stop // size)
        rows, parts = self.rows[first:last], []
        for run in np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1):  # each of neighbours in the file
            frames = self._data[int(run[0]) : int(run[-1]) + 1] if len(run) else self._data[:0]
            frames = frames.swapaxes(-1, -2) if self.transposed else frames
            parts.append(frames.reshape(-1).astype(self.dtype, copy=False))
        return np.concatenate(parts)[start - first * size : stop - first * size]

    def packed_alike(self, shape: tuple[int, ...], dtype: Any, chunk: Any, compression: Any) -> bool:
        """Whether a dataset of that kind would hold the very same chunks."""
        whole = np.array_equal(self.rows, np.arange(len(self._data))) and not self.transposed
        return bool(whole and super().packed_alike(shape, dtype, chunk, compression))


def chunk_places(shape: tuple[int, ...], chunk: tuple[int, ...]) -> list[tuple[tuple[int, ...], int]]:
    """Where each chunk begins and how many elements of the array it holds, the last one first."""
    counts = [-(-n // c) for n, c in zip(shape, chunk, strict=True)]
    found = []
    for number in np.ndindex(*counts):
        place = tuple(n * c for n, c in zip(number, chunk, strict=True))
        found.append((place, math.prod(min(c, n - p) for c, n, p in zip(chunk, shape, place, strict=True))))
    return found[::-1]


def elements(data: Any, prefix: tuple[int, ...], start: int, stop: int) -> Array:
    """Elements start..stop, in C order, of the part of a dataset at the first indices `prefix`."""
    shape = data.shape[len(prefix) :]
    if len(shape) == 1:
        return np.asarray(data[(*prefix, slice(start, stop))])
    row = math.prod(shape[1:])
    (first, skipped), (last, more) = divmod(start, row), divmod(stop, row)
    if first == last:
        return elements(data, (*prefix, first), skipped, more)
    parts = []
    if skipped:
        parts.append(elements(data, (*prefix, first), skipped, row))
        first += 1
    if last > first:
        parts.append(data[(*prefix, slice(first, last))].reshape(-1))
    if more:
        parts.append(elements(data, (*prefix, last), 0, more))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def blocks(values: Array | Packed) -> Iterator[Array]:
    """Parts of an array along its first axis, of about 16 MB each."""
    if values.ndim == 0 or values.size == 0:
        yield np.asarray(values)
        return
    step = max(1, BLOCK // max(1, values.nbytes // len(values)))
    for start in range(0, len(values), step):
        yield values[start : start + step]


def total(values: Array | Packed, *, gaps: bool = False) -> float:
    """The sum in double precision, frame by frame; gaps: leave out the -1 that marks a gap or a masked pixel."""
    if isinstance(values, Packed) and values.sums is not None:
        return math.fsum(values.sums[int(gaps)])
    values = values if isinstance(values, Packed) else np.asanyarray(values)
    frames = values if values.ndim > 1 else values.reshape(1, -1)
    return math.fsum(
        float(np.sum(frame, dtype=np.float64, where=frame >= 0) if gaps else np.sum(frame, dtype=np.float64))
        for block in blocks(frames)
        for frame in block
    )
