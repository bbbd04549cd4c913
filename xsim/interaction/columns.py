"""Voxels of a specimen kept once for all columns that are alike: what bodies neither fill nor shade is one column.

Sampled strip by strip of the grid, so that no more than the columns that differ are ever held. Exact: columns are put
together only where all bodies add zero metres inside and on the way out. Large specimens are held in single precision,
6e-8 of each way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.interaction.enhancement import Enhancement
from xsim.interaction.fluorescence import Voxels, crosses_slabs, cut, escapes, incoming, slab_edges
from xsim.specimen.specimen import Specimen
from xsim.threads import spans
from xsim.waves.grid import Grid

Array = NDArray[np.float64]

#: columns in a row of those kept; voxels of one strip, of one block of light; voxels from which on they are single
WIDTH, STRIP, BLOCK, SINGLE = 256, 2**22, 2**21, 2**25


@dataclass(frozen=True, eq=False)
class Columns:
    """Voxels (materials, slabs, rows, WIDTH) of the columns that differ, and the number of each pixel's (ny, nx)."""

    voxels: Voxels
    number: NDArray[np.int32]

    def between(self, first: int, stop: int) -> Columns:
        """The slabs first .. stop - 1 of them."""
        return Columns(self.voxels.between(first, stop), self.number)

    def spread(self, values: Array) -> Array:
        """`values` (rows, WIDTH) of the columns as a map (ny, nx)."""
        return np.asarray(values.reshape(-1)[self.number])

    def mean(self, values: Array) -> Array:
        """The mean over the map of `values` (..., rows, WIDTH) of the columns."""
        counts = np.bincount(self.number.reshape(-1), minlength=values.shape[-2] * values.shape[-1])
        return np.asarray(values.reshape(*values.shape[:-2], -1) @ (counts / self.number.size))

    def places(self, grid: Grid) -> tuple[Array, Array]:
        """y and x [m] (rows, WIDTH) of one pixel of `grid` that has each column."""
        shape = self.voxels.inside.shape[2:]
        pixel = np.zeros(shape[0] * shape[1], np.int64)
        pixel[self.number.reshape(-1)] = np.arange(self.number.size)
        row, column = np.divmod(pixel.reshape(shape), grid.shape[1])
        return np.asarray(grid.y[row]), np.asarray(grid.x[column])

    def blocks(self) -> Iterator[tuple[slice, Voxels]]:
        """Rows of columns, some at a time, in double precision."""
        materials, slabs, rows, width = self.voxels.inside.shape
        for first, stop in spans(rows, max(1, BLOCK // max(1, materials * slabs * width))):
            some = self.voxels.rows(first, stop)
            inside, after = (np.ascontiguousarray(part, np.float64) for part in (some.inside, some.after))
            yield slice(first, stop), Voxels(some.materials, inside, some.above, after, some.direction, some.edges)

    def light(
        self, grid: Grid, energy: float, line_energies: Sequence[float], made: Array,
        answer: tuple[Enhancement, Array] | None = None,
    ) -> Array:  # fmt: skip
        """Photons (lines, rows, WIDTH) of lines per photon of `energy` [eV] and steradian, as `fluorescence.escapes`.

        answer: of layers, and its weights (first lines, materials, cells) for light that the beam starts.
        """
        out = np.empty((len(made), *self.voxels.inside.shape[2:]))
        y, x = self.places(grid) if answer else (np.zeros(()),) * 2
        for rows, some in self.blocks():
            beam = incoming(some, energy)
            out[:, rows] = escapes(some, beam, line_energies, made)
            if answer and len(answer[1]):
                out[: len(answer[1]), rows] += answer[0].added(answer[1], energy, some, (y[rows], x[rows]), beam)
        return out


def columns_of(
    specimen: Specimen, grid: Grid, slabs: int | Array, direction: tuple[float, float, float], most: int
) -> Columns | int:
    """The specimen cut into `slabs` on `grid`, as `fluorescence.sample`; how many voxels it takes where beyond `most`.

    Raises what `fluorescence.sample` raises.
    """
    edges = slab_edges(specimen, grid, slabs, direction)
    count = len(specimen.materials) * (len(edges) - 1)
    number, kept = np.zeros(grid.shape, np.int32), 1
    parts: list[list[NDArray[Any]]] = []
    plain: tuple[Array, ...] = (np.zeros((len(specimen.materials), len(edges) - 1, 1)),) * 2
    flat = abs(abs(specimen.layers.normal[2]) - 1) < 1e-12
    # ways out along the slabs are resampled from the rim of what is sampled: one strip, so that none meet
    rows = max(1, STRIP // max(1, count * grid.shape[1])) if crosses_slabs(direction) else grid.shape[0]
    for first, stop in spans(grid.shape[0], rows) if count else []:
        strip = Grid((stop - first, grid.shape[1]), grid.pixel, _middle(grid, first, stop))
        inside, after, uneven = cut(specimen, strip, edges, direction)
        found = np.flatnonzero(uneven | (not flat))
        columns = [part.reshape(*part.shape[:2], -1) for part in (inside, after)]
        if len(found) < uneven.size:
            one = int(np.flatnonzero(~uneven)[0])
            plain = tuple(part[:, :, one : one + 1].copy() for part in columns)
        number[first:stop].reshape(-1)[found] = kept + np.arange(len(found), dtype=np.int32)
        kept += len(found)
        if kept * count > most:
            return kept * count * grid.shape[0] // stop
        single = np.float32 if number.size * count > SINGLE else np.float64
        parts.append([part[:, :, found].astype(single, copy=False) for part in columns])
    return Columns(_gathered(specimen, edges, direction, plain, parts), number)


def _middle(grid: Grid, first: int, stop: int) -> tuple[float, float]:
    """Centre of the strip of rows first .. stop - 1."""
    return grid.center[0], float(grid.y[first + (stop - first) // 2])


def _gathered(
    specimen: Specimen, edges: Array, direction: tuple[float, float, float], plain: tuple[Array, ...],
    parts: list[list[NDArray[Any]]],
) -> Voxels:  # fmt: skip
    """The plain column and those of all strips in rows of WIDTH, the last one repeated to fill them up."""
    count = 1 + sum(inside.shape[2] for inside, _ in parts)
    width = min(WIDTH, count)
    shape = (*plain[0].shape[:2], -(-count // width) * width)
    wholes = [np.empty(shape, parts[0][0].dtype if parts else np.float64) for _ in plain]
    for whole, one, some in zip(wholes, plain, zip(*parts, strict=True) if parts else [(), ()], strict=True):
        whole[:, :, :1], at = one, 1
        for part in some:
            whole[:, :, at : at + part.shape[2]] = part
            at += part.shape[2]
        whole[:, :, at:] = whole[:, :, at - 1 : at]
    kept = [m for m in range(shape[0]) if any(whole[m].any() for whole in wholes)]
    inside, after = (w.reshape(*shape[:2], -1, width)[kept if len(kept) < shape[0] else slice(None)] for w in wholes)
    materials = tuple(specimen.materials[m] for m in kept)
    return Voxels(materials, inside, np.zeros((len(kept), *inside.shape[2:])), after, direction, edges)
