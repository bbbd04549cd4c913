"""Edges inside the samples of a slab: their transmission is averaged, not their thickness.

    <e^(-i sum n_m t_m)>_sample,   not   e^(-i sum n_m <t_m>),   n_m = k (delta_m - i beta_m)

The two differ by Var(n t)/2 where the thickness varies inside a sample: not at all on gentle slopes, wholly at the wall
of something opaque, whose edge the second moves out by half a sample. Where the phase or the loss changes by more
than `STEP` from one sample to the next, the thickness is kept on finer samples, 2 or 4 a side, free of energy. Where a
wall cuts a sample, the waves on its two sides count by their shares (`xsim.instruments._walls`).

The mean of a sample does not tell where in it an edge lies: it puts all in the middle. A grating then beats with the
samples, and its image has structure that no light carries. So the first moments of edges go into the spectrum too,

    T(q) = F{<t>}(q) / sinc sinc - i q.F{m}(q),     m = <(r - r_0) t>_sample - (s^2/12) grad <t>

s the sample; the second term of m is what the division by sinc does for smooth waves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavenumber
from xsim.instruments._seam import Seam
from xsim.instruments._walls import Walls, find_walls, offsets
from xsim.interaction.multislice import Slab, Slabs
from xsim.matter.material import Material
from xsim.specimen.cells import particle_cells
from xsim.specimen.specimen import Specimen
from xsim.threads import share, spans
from xsim.waves.band import inner_band
from xsim.waves.fft import fft2, fftfreq, ifft2
from xsim.waves.grid import Grid

#: change of k (delta - i beta) t [rad] from sample to sample that counts as an edge; below it the error is STEP^2/8.
#: Of a projection, and of slabs, where fine samples of gentle edges would cost more than they are worth. A wall that
#: stands through n slabs has the error of n, so in each of them SLAB_STEP/sqrt(n) counts.
STEP, SLAB_STEP = 0.1, 0.5
#: the largest number of fine samples kept, of all materials
MOST = 1 << 25
#: samples averaged at a time, by one thread
_BLOCK = 1 << 12
#: rows searched for edges at a time, by one thread
_ROWS = 64


@dataclass(frozen=True, eq=False)
class Edges:
    """Samples (rows, columns) of a grid, each (n,), and the excess thickness [m] (materials, n, fine samples) float32.

    The excess is over what every ray crosses, as in `multislice.Slab`. walls: which of the samples are cut in two.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    materials: tuple[Material, ...]
    excess: NDArray[np.float32]
    walls: Walls

    @staticmethod
    def sample(specimen: Specimen, slabs: Slabs, energy: float) -> tuple[Edges | None, ...]:
        """The edges in each occupied slab of `slabs`, as cut from `specimen`, as light of `energy` [eV] sees them.

        None in slabs that bodies stand through, where walls are spread (see `xsim.interaction.standing`).
        """
        limit = STEP if slabs.count == 1 else max(STEP, SLAB_STEP / math.sqrt(slabs.count))
        found: list[Edges | None] = []
        for slab in slabs.slabs:
            if slab.height:
                found.append(None)
                continue
            sharp = _steps(slabs, slab, energy, limit)
            rows, columns, fine = _finely(specimen, slabs.grid, slab, sharp)
            place = [specimen.materials.index(slabs.materials[m]) for m in slab.materials]
            weights = np.abs(_index(specimen.materials, energy))
            walls = find_walls(replace(slab, materials=tuple(place)), (sharp, rows, columns), fine, weights, limit)
            found.append(Edges(rows, columns, specimen.materials, fine, walls))
        return tuple(found)

    def band(
        self,
        wave: NDArray[Any],
        energy: float,
        shape: tuple[int, int],
        uniform: complex = 1.0,
        seam: Seam = Seam(),  # noqa: B008
    ) -> NDArray[Any]:
        """The inner band of `wave` (ny, nx), transmission at `energy` [eV], on `shape` samples, edges and all.

        Samples with edges become means over fine ones times `uniform`. Damped by the average over samples, as
        `inner_band` of such means is. seam: how the wave is closed on itself first.
        """
        moments = self.average(wave, energy, uniform)
        closed = seam.closed(wave)
        inner = inner_band(closed, shape)
        if not len(self.walls.cell):
            return inner
        rows, columns = (
            np.concatenate(pair) for pair in zip((self.rows, self.columns), self.walls.beside, strict=True)
        )
        far = np.zeros(shape, wave.dtype)
        for axis in range(2):
            ahead, behind = (_beside(wave, rows, columns, axis, step) for step in (1, -1))
            missing = np.zeros_like(wave)
            missing[rows, columns] = (behind - ahead) / 24
            missing[self.rows, self.columns] += moments[axis]
            q = fftfreq(shape[axis], closed.shape[axis] / shape[axis]).astype(wave.real.dtype)  # per sample
            far -= 1j * (q[:, None] if axis == 0 else q) * fft2(inner_band(seam.closed(missing), shape))
        return np.asarray(inner + ifft2(far, overwrite=True))

    def average(self, wave: NDArray[Any], energy: float, uniform: complex = 1.0) -> NDArray[np.complex64]:
        """Set samples of `wave` (ny, nx), transmission at `energy` [eV], to means over fine ones times `uniform`.

        Returns the first moments (2, n) of these samples along y and x, in widths of a sample.
        """
        from xsim.instruments._edge_passes import mean_waves

        index = _index(self.materials, energy)
        per_metre = (-index.real * 2 / math.pi).astype(np.float32), (index.imag / math.log(2)).astype(np.float32)

        moments = np.zeros((2, len(self.rows)), np.complex64)
        places = self.rows, self.columns, offsets(math.isqrt(self.excess.shape[2])).astype(np.float32)

        def work(start: int, stop: int) -> None:
            mean_waves(wave, moments, places, self.excess, per_metre, uniform, (start, stop))

        share(work, spans(len(self.rows), _BLOCK))
        cell = self.walls.cell
        mean, moment = self.walls.waves(index)
        wave[self.rows[cell], self.columns[cell]] = uniform * mean
        moments[:, cell] = uniform * moment
        return moments


def _index(materials: tuple[Material, ...], energy: float) -> NDArray[np.complex128]:
    """k times the decrement of the index [1/m] of each material."""
    return wavenumber(energy) * np.array([complex(m.optics(energy).decrement) for m in materials])


def _steps(slabs: Slabs, slab: Slab, energy: float, limit: float) -> NDArray[np.bool_]:
    """Samples (ny, nx) across which a slab's transmission changes abruptly; not in the dark behind something opaque."""
    from xsim.instruments._edge_passes import mark_steps

    sharp = np.zeros(slabs.grid.shape, np.bool_)
    index = _index(slabs.materials, energy)[list(slab.materials)]

    def work(start: int, stop: int) -> None:
        mark_steps(sharp, slab.excess, index, (slab.row, slab.column), limit, (start, stop))

    share(work, spans(slab.excess.shape[1] + 1, _ROWS))
    return sharp


def _beside(wave: NDArray[Any], rows: Any, columns: Any, axis: int, step: int) -> NDArray[Any]:
    """`wave` at the samples `step` further along an axis, round the border."""
    ny, nx = wave.shape
    return np.asarray(wave[(rows + step) % ny, columns] if axis == 0 else wave[rows, (columns + step) % nx])


def _finely(
    specimen: Specimen, grid: Grid, slab: Slab, sharp: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Rows and columns (n,) of `sharp` (ny, nx), and the excess on their fine samples (materials, n, fine^2)."""
    from xsim.instruments._edge_passes import settle

    rows, columns = np.divmod(np.flatnonzero(sharp), sharp.shape[1])
    number, materials = len(rows), specimen.materials
    reach = slab.bounds
    fine = 4 if number * 16 * len(materials) <= MOST else 2
    found = particle_cells(specimen, grid, sharp, fine, reach)
    if number:
        y, x = slab.reference
        there = Grid((1, 1), grid.pixel, (float(grid.x[x]), float(grid.y[y])))
        common = [float(t[0, 0]) for t in specimen.thickness(there, *reach).values()]
        at, nothing = (rows - slab.row, columns - slab.column), np.zeros((0, 0), slab.excess.dtype)
        known = dict(zip(slab.materials, slab.excess, strict=True))
        layers = list(zip(specimen.layers.materials, specimen.layers.thickness(grid, *reach), strict=True))
        for index, material in enumerate(materials):
            base = np.full(number, -common[index])
            for metres in (t for m, t in layers if m == material):
                base += metres[rows, columns]
            work = partial(settle, found[index], base, known.get(index, nothing), at)
            share(lambda *span, work=work: work(span), spans(number, _BLOCK))
    return rows, columns, found
