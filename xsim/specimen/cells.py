"""The particles of a specimen in chosen samples of a grid, each sample divided into fine x fine.

What `Specimen.thickness` of a finer grid would give there, without that grid: lengths along the middles of the fine
samples for shapes that can tell them (`add_lines`), fine means for the others.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from xsim.specimen.population import Population, take
from xsim.specimen.specimen import Specimen
from xsim.waves.grid import Grid

#: samples a side of the tiles in which fine means are taken
TILE = 128


def particle_cells(
    specimen: Specimen, grid: Grid, chosen: NDArray[np.bool_], fine: int, reach: tuple[float, float]
) -> NDArray[np.float32]:
    """Metres between the heights `reach` [m] in the `chosen` (ny, nx) samples, in row order: (materials, n, fine^2).

    What particles add of their own material and displace of their host; layers are left out.
    """
    materials = specimen.materials
    places = np.flatnonzero(chosen)
    slots = np.full(grid.shape, -1, np.int32)
    slots.ravel()[places] = np.arange(len(places), dtype=np.int32)
    found = np.zeros((len(materials), len(places), fine * fine), np.float32)
    place = {material: index for index, material in enumerate(materials)}
    filled = set()
    for p in specimen.populations:
        first = p.material not in filled
        filled |= {p.material, p.host}
        if p.host is None or first:  # what is all its own needs no place apart
            own = found[place[p.material]]
            _add(own, p, grid, slots, reach)
        else:
            own = np.zeros(found.shape[1:], np.float32)
            _add(own, p, grid, slots, reach)
            found[place[p.material]] += own
        if p.host is not None:
            found[place[p.host]] -= own
    return found


def _add(
    out: NDArray[np.float32], p: Population, grid: Grid, slots: NDArray[np.int32], reach: tuple[float, float]
) -> None:
    if hasattr(p.shape, "add_lines"):
        p.shape.add_lines(out, slots, p.poses, grid, *reach)
        return
    fine = round(out.shape[1] ** 0.5)
    for top, left, part in _tiles(slots):
        finer = _finer(grid, top, left, part.shape, fine)
        x0, x1, y0, y1 = finer.edges
        (x, y, z), r = p.poses.positions.T, p.radii
        touched = (x + r > x0) & (x - r < x1) & (y + r > y0) & (y - r < y1) & (z + r > reach[0]) & (z - r < reach[1])
        if touched.any():
            metres = np.zeros(finer.shape)
            p.shape.add_thickness(metres, take(p.poses, touched), finer, *reach)
            rows, columns = np.nonzero(part >= 0)
            cells = metres.reshape(part.shape[0], fine, part.shape[1], fine).transpose(0, 2, 1, 3)[rows, columns]
            out[part[rows, columns]] += cells.reshape(len(rows), fine * fine).astype(np.float32)


def _tiles(slots: NDArray[np.int32]) -> Iterator[tuple[int, int, NDArray[np.int32]]]:
    """First row and column of each tile with a chosen sample, and its part of `slots` cut to the chosen ones."""
    for top in range(0, slots.shape[0], TILE):
        for left in range(0, slots.shape[1], TILE):
            part = slots[top : top + TILE, left : left + TILE]
            rows, columns = np.flatnonzero((part >= 0).any(1)), np.flatnonzero((part >= 0).any(0))
            if len(rows):
                cut = part[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
                yield top + int(rows[0]), left + int(columns[0]), cut


def _finer(grid: Grid, top: int, left: int, shape: tuple[int, ...], fine: int) -> Grid:
    """The samples of a box of `grid`, each divided into `fine` x `fine`."""
    pixel = grid.pixel / fine
    ny, nx = shape[0] * fine, shape[1] * fine
    # from the lower edge of the box to the middle of its pixel (ny//2, nx//2)
    y = float(grid.y[top]) - grid.pixel / 2 + (ny // 2 + 0.5) * pixel
    x = float(grid.x[left]) - grid.pixel / 2 + (nx // 2 + 0.5) * pixel
    return Grid((ny, nx), pixel, (x, y))
