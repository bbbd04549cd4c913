"""Edges inside the samples of a slab: their transmission is averaged, not their thickness.

    <e^(-i sum n_m t_m)>_sample,   not   e^(-i sum n_m <t_m>),   n_m = k (delta_m - i beta_m)

The two differ by Var(n t)/2 where the thickness varies inside a sample: not at all on gentle slopes, wholly at the wall
of something opaque, whose edge the second moves out by half a sample. Where the phase or the loss changes by more
than `STEP` from one sample to the next, the thickness is kept on finer samples, 2 or 4 a side, free of energy.
Half a fine sample is what an opaque edge still moves by.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavenumber
from xsim.interaction.multislice import Slab, Slabs
from xsim.matter.material import Material
from xsim.specimen.cells import particle_cells
from xsim.specimen.specimen import Specimen
from xsim.threads import share, spans
from xsim.waves.grid import Grid

#: change of k (delta - i beta) t [rad] from sample to sample that counts as an edge; below it the error is STEP^2/8.
#: Of a projection, and of slabs, where fine samples of gentle edges would cost more than they are worth. A wall that
#: stands through n slabs has the error of n, so in each of them SLAB_STEP/sqrt(n) counts.
STEP, SLAB_STEP = 0.1, 0.5
#: the largest number of fine samples kept, of all materials
MOST = 1 << 25
#: samples averaged at a time, by one thread
_BLOCK = 1 << 12


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
        limit = STEP if slabs.count == 1 else max(STEP, SLAB_STEP / math.sqrt(slabs.count))
        found = []
        for slab in slabs.slabs:
            number = int(np.searchsorted(bounds, slab.z)) - 1
            low = -np.inf if number <= 0 else float(bounds[number])
            high = np.inf if number >= slabs.count - 1 else float(bounds[number + 1])
            sharp = _steps(slabs, slab, energy, limit)
            found.append(_finely(specimen, slabs.grid, slab, sharp, (low, high)))
        return tuple(found)

    def average(self, wave: NDArray[Any], energy: float, uniform: complex = 1.0) -> None:
        """Set samples of `wave` (ny, nx), transmission at `energy` [eV], to means over fine ones times `uniform`."""
        from xsim.instruments._edge_passes import mean_waves

        index = _index(self.materials, energy)
        per_metre = (-index.real * 2 / math.pi).astype(np.float32), (index.imag / math.log(2)).astype(np.float32)

        def work(start: int, stop: int) -> None:
            mean_waves(wave, self.rows, self.columns, self.excess, per_metre, uniform, (start, stop))

        share(work, spans(len(self.rows), _BLOCK))


def _index(materials: tuple[Material, ...], energy: float) -> NDArray[np.complex128]:
    """k (delta - i beta) [1/m] of each material."""
    return wavenumber(energy) * np.array([complex(o.delta, -o.beta) for o in (m.optics(energy) for m in materials)])


def _steps(slabs: Slabs, slab: Slab, energy: float, limit: float) -> NDArray[np.bool_]:
    """Samples (ny, nx) across which a slab's transmission changes abruptly; not in the dark behind something opaque."""
    from xsim.instruments._edge_passes import mark_steps

    sharp = np.zeros(slabs.grid.shape, np.bool_)
    index = _index(slabs.materials, energy)[list(slab.materials)]
    mark_steps(sharp, slab.excess, index, (slab.row, slab.column), limit)
    return sharp


def _finely(specimen: Specimen, grid: Grid, slab: Slab, sharp: NDArray[np.bool_], reach: tuple[float, float]) -> Edges:
    """The excess of `slab`, between the heights `reach` [m], on the fine samples of `sharp` (ny, nx)."""
    from xsim.instruments._edge_passes import settle

    rows, columns = np.nonzero(sharp)
    number, materials = len(rows), specimen.materials
    fine = 4 if number * 16 * len(materials) <= MOST else 2
    found = particle_cells(specimen, grid, sharp, fine, reach)
    if number:
        corner = Grid((1, 1), grid.pixel, (float(grid.x[0]), float(grid.y[0])))
        common = [float(t[0, 0]) for t in specimen.thickness(corner, *reach).values()]
        at, nothing = (rows - slab.row, columns - slab.column), np.zeros((0, 0), slab.excess.dtype)
        known = dict(zip(slab.materials, slab.excess, strict=True))
        layers = list(zip(specimen.layers.materials, specimen.layers.thickness(grid, *reach), strict=True))
        for index, material in enumerate(materials):
            base = np.full(number, -common[index])
            for metres in (t for m, t in layers if m == material):
                base += metres[rows, columns]
            work = partial(settle, found[index], base, known.get(index, nothing), at)
            share(lambda *span, work=work: work(span), spans(number, _BLOCK))
    return Edges(rows, columns, materials, found)
