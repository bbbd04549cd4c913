"""A specimen's transmission on the samples of a wave: the band of the wave's grid, and nothing folded into it.

The thickness is averaged over fine pixels, the transmission taken there, and the inner part of its spectrum kept,
with the damping sinc(f pixel) of the average undone. That is exact for weak phases; edges of strong ones are averaged
in thickness, where finer pixels help. Strips of rows first, then strips of columns, so that the fine grid is never in
memory as a whole.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.interaction.standing import spread
from xsim.interaction.transmission import phase_and_loss, transmission
from xsim.specimen.specimen import Specimen
from xsim.threads import spans
from xsim.waves.fft import fft1, ifft1
from xsim.waves.grid import Grid

#: fine samples in one strip
_STRIP = 1 << 21

Slab = tuple[float, float] | None


def band_limited(
    specimen: Specimen, fine: Grid, count: int, energy: float, slab: Slab = None, height: float = 0.0
) -> NDArray[np.complex64]:
    """Transmission (count, count) of `specimen`, or of one slab (z0, z1) [m] of it, over the square field of `fine`.

    fine: centred grid of at least `count` pixels across. energy [eV]. height: of a slab that bodies stand through [m];
    its phase is then reduced, not its transmission.
    """
    ny, nx = fine.shape
    rows = np.empty((ny, count), np.complex64)
    for start, stop in spans(ny, max(1, _STRIP // nx)):
        rows[start:stop] = _inner(_strip(specimen, fine, (start, stop), energy, slab, height > 0), count, 1)
    found = np.empty((count, count), np.complex64)
    for start, stop in spans(count, max(1, _STRIP // ny)):
        found[:, start:stop] = _inner(rows[:, start:stop], count, 0)
    if height > 0:
        grid = Grid((count, count), fine.extent[0] / count)
        return np.exp(-1j * spread(found, grid, energy, height)).astype(np.complex64)
    return found


def _strip(
    specimen: Specimen, fine: Grid, rows: tuple[int, int], energy: float, slab: Slab, phase: bool
) -> NDArray[Any]:
    """Transmission of some rows of `fine`, or phase - i loss."""
    start, stop = rows
    middle = (start + (stop - start) // 2 - fine.shape[0] // 2) * fine.pixel
    grid = Grid((stop - start, fine.shape[1]), fine.pixel, (fine.center[0], fine.center[1] + middle))
    maps = specimen.thickness(grid) if slab is None else specimen.thickness(grid, *slab)
    if phase:
        turn, loss = phase_and_loss(maps, energy)
        return np.broadcast_to(np.asarray(turn - 1j * loss, np.complex64), grid.shape)
    return np.broadcast_to(transmission(maps, energy), grid.shape)


def _inner(wave: NDArray[Any], count: int, axis: int) -> NDArray[Any]:
    """The inner `count` frequencies along `axis`, undamped, as samples: centred as the samples of `wave` are."""
    whole = wave.shape[axis]
    spectrum = fft1(np.roll(wave, -(whole // 2), axis), axis, overwrite=True)
    kept = np.take(spectrum, np.arange(count) - count // 2, axis, mode="wrap")
    frequencies = np.arange(count) - count // 2
    weight = (count / whole / np.sinc(frequencies / whole)).astype(np.float32)
    kept *= weight if axis == 1 else weight[:, None]
    back = ifft1(np.roll(kept, -(count // 2), axis), axis, overwrite=True)
    return np.roll(back, count // 2, axis)
