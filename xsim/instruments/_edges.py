"""Edges inside the samples of a projected specimen: their transmission is averaged, not their thickness.

    <e^(-i sum n_m t_m)>_sample,   not   e^(-i sum n_m <t_m>),   n_m = k (delta_m - i beta_m)

The two differ by Var(n t)/2 where the thickness varies inside a sample: not at all on gentle slopes, wholly at the wall
of something opaque, whose edge the second moves out by half a sample. Where the phase or the loss changes by more
than `STEP` from one sample to the next, the thickness is kept on finer samples, 2 or 4 a side, free of energy.
Half a fine sample is what an opaque edge still moves by.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavenumber
from xsim.interaction.multislice import Slabs
from xsim.matter.material import Material
from xsim.specimen.specimen import Specimen
from xsim.waves.grid import Grid

#: change of k (delta - i beta) t [rad] from sample to sample that counts as an edge; below it the error is STEP^2/8
STEP = 0.1
#: samples a side of the tiles in which fine samples are taken
TILE = 128
#: the largest number of fine samples kept, of all materials
MOST = 1 << 25
#: samples averaged at a time
_BLOCK = 1 << 14


@dataclass(frozen=True, eq=False)
class Edges:
    """Samples (rows, columns) of a grid, each (n,), and their thickness [m] (materials, n, fine samples) float32."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    materials: tuple[Material, ...]
    thickness: NDArray[np.float32]

    @staticmethod
    def sample(specimen: Specimen, slabs: Slabs, energy: float) -> Edges:
        """The edges of `specimen` as projected into `slabs` (one slab), as light of `energy` [eV] sees them."""
        grid = slabs.grid
        sharp = _steps(slabs, energy)
        number, materials = int(sharp.sum()), specimen.materials
        fine = 4 if number * 16 * len(materials) <= MOST else 2
        rows: list[NDArray[np.intp]] = []
        columns: list[NDArray[np.intp]] = []
        found: list[NDArray[np.float32]] = []
        for top, left, part in _tiles(sharp):
            y, x = np.nonzero(part)
            maps = specimen.thickness(_finer(grid, top, left, part.shape, fine))
            split = (len(materials), part.shape[0], fine, part.shape[1], fine)
            cells = np.stack([maps[m] for m in materials]).reshape(split).transpose(0, 1, 3, 2, 4)[:, y, x]
            rows.append(top + y)
            columns.append(left + x)
            found.append(cells.reshape(len(materials), len(y), fine * fine).astype(np.float32))
        if not found:
            nothing = np.zeros(0, np.intp)
            return Edges(nothing, nothing, materials, np.zeros((len(materials), 0, fine * fine), np.float32))
        return Edges(np.concatenate(rows), np.concatenate(columns), materials, np.concatenate(found, axis=1))

    def average(self, wave: NDArray[Any], energy: float) -> None:
        """Replace the samples of `wave` (ny, nx), a transmission at `energy` [eV], by means over their fine samples."""
        k = wavenumber(energy)
        index = [complex(k * o.delta, -k * o.beta) for o in (m.optics(energy) for m in self.materials)]
        for start in range(0, len(self.rows), _BLOCK):
            part = slice(start, start + _BLOCK)
            phase = sum(n * t[part].astype(np.float64) for n, t in zip(index, self.thickness, strict=True))
            wave[self.rows[part], self.columns[part]] = np.exp(-1j * np.asarray(phase)).mean(axis=1)


def _steps(slabs: Slabs, energy: float) -> NDArray[np.bool_]:
    """Samples (ny, nx) across which the transmission changes abruptly; not in the dark behind something opaque."""
    k = wavenumber(energy)
    index = [complex(k * o.delta, -k * o.beta) for o in (m.optics(energy) for m in slabs.materials)]
    sharp = np.zeros(slabs.grid.shape, np.bool_)
    for slab in slabs.slabs:
        phase = np.pad(sum(index[m] * t for m, t in zip(slab.materials, slab.excess, strict=True)), 1)
        loss = np.maximum(-phase.imag, 0)
        found = np.zeros(phase.shape, np.bool_)
        for one, other in (np.s_[:-1, :], np.s_[1:, :]), (np.s_[:, :-1], np.s_[:, 1:]):
            light = np.exp(-np.minimum(loss[one], loss[other]))
            step = np.abs(phase[one] - phase[other]) * light > STEP
            found[one] |= step
            found[other] |= step
        rows, columns = slab.box
        inside = (slice(max(rows.start - 1, 0), rows.stop + 1), slice(max(columns.start - 1, 0), columns.stop + 1))
        whole = sharp[inside]
        whole |= found[int(rows.start == 0) :, int(columns.start == 0) :][: whole.shape[0], : whole.shape[1]]
    return sharp


def _tiles(sharp: NDArray[np.bool_]) -> Iterator[tuple[int, int, NDArray[np.bool_]]]:
    """First row and column of each tile that has any edge, and its part of `sharp` cut to the edges."""
    for top in range(0, sharp.shape[0], TILE):
        for left in range(0, sharp.shape[1], TILE):
            part = sharp[top : top + TILE, left : left + TILE]
            rows, columns = np.flatnonzero(part.any(1)), np.flatnonzero(part.any(0))
            if len(rows):
                cut = part[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
                yield top + int(rows[0]), left + int(columns[0]), cut


def _finer(grid: Grid, top: int, left: int, shape: tuple[int, int], fine: int) -> Grid:
    """The samples of a box of `grid`, each divided into `fine` x `fine`."""
    pixel = grid.pixel / fine
    ny, nx = shape[0] * fine, shape[1] * fine
    # from the lower edge of the box to the middle of its pixel (ny//2, nx//2)
    y = float(grid.y[top]) - grid.pixel / 2 + (ny // 2 + 0.5) * pixel
    x = float(grid.x[left]) - grid.pixel / 2 + (nx // 2 + 0.5) * pixel
    return Grid((ny, nx), pixel, (x, y))
