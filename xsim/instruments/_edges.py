"""Edges inside the samples of a slab: their transmission is averaged, not their thickness.

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
from xsim.interaction.multislice import Slab, Slabs
from xsim.matter.material import Material
from xsim.specimen.specimen import Specimen
from xsim.waves.grid import Grid

#: change of k (delta - i beta) t [rad] from sample to sample that counts as an edge; below it the error is STEP^2/8.
#: Of a projection, and of one slab of many, where fine samples of gentle edges would cost more than they are worth.
STEP, SLAB_STEP = 0.1, 0.5
#: samples a side of the tiles in which fine samples are taken
TILE = 128
#: the largest number of fine samples kept, of all materials
MOST = 1 << 25
#: samples averaged at a time
_BLOCK = 1 << 14


@dataclass(frozen=True, eq=False)
class Edges:
    """Samples (rows, columns) of a grid, each (n,), and the excess thickness [m] (materials, n, fine samples) float32.

    The excess is over what every ray crosses, as in `multislice.Slab`.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    materials: tuple[Material, ...]
    excess: NDArray[np.float32]

    @staticmethod
    def sample(specimen: Specimen, slabs: Slabs, energy: float) -> tuple[Edges, ...]:
        """The edges in each occupied slab of `slabs`, as cut from `specimen`, as light of `energy` [eV] sees them."""
        bounds = np.linspace(*slabs.z_range, slabs.count + 1)
        found = []
        for slab in slabs.slabs:
            number = int(np.searchsorted(bounds, slab.z)) - 1
            low = -np.inf if number <= 0 else float(bounds[number])
            high = np.inf if number >= slabs.count - 1 else float(bounds[number + 1])
            sharp = _steps(slabs, slab, energy, STEP if slabs.count == 1 else SLAB_STEP)
            found.append(_finely(specimen, slabs.grid, sharp, (low, high)))
        return tuple(found)

    def average(self, wave: NDArray[Any], energy: float, uniform: complex = 1.0) -> None:
        """Set samples of `wave` (ny, nx), transmission at `energy` [eV], to means over fine ones times `uniform`."""
        k = wavenumber(energy)
        index = [complex(k * o.delta, -k * o.beta) for o in (m.optics(energy) for m in self.materials)]
        for start in range(0, len(self.rows), _BLOCK):
            part = slice(start, start + _BLOCK)
            phase = sum(n * t[part].astype(np.float64) for n, t in zip(index, self.excess, strict=True))
            wave[self.rows[part], self.columns[part]] = uniform * np.exp(-1j * np.asarray(phase)).mean(axis=1)


def _finely(specimen: Specimen, grid: Grid, sharp: NDArray[np.bool_], reach: tuple[float, float]) -> Edges:
    """The excess between the heights `reach` [m] on the fine samples of `sharp` (ny, nx)."""
    number, materials = int(sharp.sum()), specimen.materials
    fine = 4 if number * 16 * len(materials) <= MOST else 2
    corner = Grid((1, 1), grid.pixel, (float(grid.x[0]), float(grid.y[0])))
    common = np.array([float(t[0, 0]) for t in specimen.thickness(corner, *reach).values()]) if number else np.zeros(0)
    rows, columns = [np.zeros(0, np.intp)], [np.zeros(0, np.intp)]
    found = [np.zeros((len(materials), 0, fine * fine), np.float32)]
    for top, left, part in _tiles(sharp):
        y, x = np.nonzero(part)
        maps = specimen.thickness(_finer(grid, top, left, part.shape, fine), *reach)
        split = (len(materials), part.shape[0], fine, part.shape[1], fine)
        cells = np.stack([maps[m] for m in materials]).reshape(split).transpose(0, 1, 3, 2, 4)[:, y, x]
        rows.append(top + y)
        columns.append(left + x)
        excess = cells.reshape(len(materials), len(y), fine * fine) - common[:, None, None]
        found.append(excess.astype(np.float32))
    return Edges(np.concatenate(rows), np.concatenate(columns), materials, np.concatenate(found, axis=1))


def _steps(slabs: Slabs, slab: Slab, energy: float, limit: float) -> NDArray[np.bool_]:
    """Samples (ny, nx) across which a slab's transmission changes abruptly; not in the dark behind something opaque."""
    k = wavenumber(energy)
    index = [complex(k * o.delta, -k * o.beta) for o in (m.optics(energy) for m in slabs.materials)]
    phase = np.pad(sum(index[m] * t for m, t in zip(slab.materials, slab.excess, strict=True)), 1)
    loss = np.maximum(-phase.imag, 0)
    found = np.zeros(phase.shape, np.bool_)
    for one, other in (np.s_[:-1, :], np.s_[1:, :]), (np.s_[:, :-1], np.s_[:, 1:]):
        light = np.exp(-np.minimum(loss[one], loss[other]))
        step = np.abs(phase[one] - phase[other]) * light > limit
        found[one] |= step
        found[other] |= step
    sharp = np.zeros(slabs.grid.shape, np.bool_)
    rows, columns = slab.box
    whole = sharp[max(rows.start - 1, 0) : rows.stop + 1, max(columns.start - 1, 0) : columns.stop + 1]
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
