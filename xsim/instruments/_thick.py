"""The wave behind a thick specimen on the coarsest grid that serves an image, for many directions of illumination.

Multislice as in `xsim.interaction.multislice`, each slab's transmission reduced once to the frequencies that matter:
an image needs f = NA (1 + sigma)/lambda, and slabs are kept to at least 5/3 f, so that only light scattered beyond
that and back again is left out (1200 nm of protein with gold and hematite in 2 um of ice at 520 eV: pixels change by
at most 3e-4 against 2 f). The walls of strong bodies guide light of steeper angles, up to sqrt(2 |dn|), which the grid
is to hold too (see `xsim.interaction.standing`). Every direction then runs on that coarse grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavenumber
from xsim.instruments._edges import Edges
from xsim.instruments._seam import Seam
from xsim.interaction.multislice import Slab, Slabs
from xsim.interaction.standing import spread
from xsim.waves.angular_spectrum import check_distance, transfer_function
from xsim.waves.band import inner_band
from xsim.waves.fft import fft2, ifft2
from xsim.waves.grid import Grid


@dataclass(frozen=True, eq=False)
class ThickWave:
    """One photon energy's transmissions (ny, nx) complex64 on `grid`, acting at the heights `z` [m]; never empty."""

    grid: Grid
    energy: float
    z: tuple[float, ...]
    transmissions: tuple[NDArray[Any], ...]

    @staticmethod
    def reduced(
        slabs: Slabs,
        grid: Grid,
        energy: float,
        edges: tuple[Edges | None, ...] = (),
        seam: Seam = Seam(),  # noqa: B008
    ) -> ThickWave:
        """The slabs at `energy` [eV] on a coarser `grid` over the same square field; `edges` as from `Edges.sample`.

        seam: how what the slabs hold beyond that field closes on itself.
        """
        k = wavenumber(energy)
        index = [complex(k * m.optics(energy).decrement) for m in slabs.materials]
        uniform = np.exp(-1j * sum((n * t for n, t in zip(index, slabs.uniform, strict=True)), 0j))
        found: list[NDArray[Any]] = []
        last: Slab | None = None
        for slab, sharp in zip_longest(slabs.slabs, edges):
            if slab.height:
                found.append(
                    found[-1] if _alike(slab, last) else _standing(slab, slabs.grid, grid, energy, index, seam)
                )
                last = slab
                continue
            last = None
            fine = np.ones(slabs.grid.shape, np.complex64)
            phase = sum(index[m] * t for m, t in zip(slab.materials, slab.excess, strict=True))
            fine[slab.box] = np.exp(-1j * np.asarray(phase))
            if sharp is None:
                inner = inner_band(seam.closed(fine), grid.shape)
            else:
                inner = sharp.band(fine, energy, grid.shape, seam=seam)
            found.append(unboxed(inner, grid, slabs.grid.pixel))
        if not found:  # nothing but uniform layers
            return ThickWave(grid, energy, (0.0,), (np.full(grid.shape, uniform, np.complex64),))
        found[0] = found[0] * np.complex64(uniform)  # uniform layers commute with propagation
        z = tuple(slab.z for slab in slabs.slabs)
        check_distance(grid, energy, z[-1] - z[0])
        return ThickWave(grid, energy, z, tuple(found))

    def behind(self, tilt: tuple[float, float]) -> NDArray[Any]:
        """The wave just behind the last slab for a plane wave of transverse wave vector `tilt` [rad/m], divided out."""
        wave = self.transmissions[0].copy()
        kernels: dict[float, NDArray[Any]] = {}
        for step, transmission in zip(np.diff(self.z), self.transmissions[1:], strict=True):
            distance = float(f"{step:.12e}")  # equal steps differ in their last bits
            if distance not in kernels:
                kernels[distance] = transfer_function(self.grid, self.energy, distance, tilt=tilt, dtype=np.complex64)
            spectrum = fft2(wave, overwrite=True)
            spectrum *= kernels[distance]
            wave = ifft2(spectrum, overwrite=True)
            wave *= transmission
        return wave


def unboxed(wave: NDArray[Any], grid: Grid, sample: float) -> NDArray[Any]:
    """`wave` (ny, nx) on `grid`, band-limited, without the damping that averaging over samples of `sample` [m] did."""
    qy, qx = grid.frequencies()
    width = sample / (2 * np.pi)
    damping = (np.sinc(qy * width) * np.sinc(qx * width)).astype(wave.real.dtype)
    return np.asarray(ifft2(fft2(wave) / damping, overwrite=True))


def _standing(
    slab: Slab, fine: Grid, grid: Grid, energy: float, index: list[complex], seam: Seam
) -> NDArray[np.complex64]:
    """Transmission on `grid` of a slab on the `fine` one that bodies stand through: smooth, so taken on the coarse."""
    phase = np.zeros(fine.shape, np.complex64)
    for m, metres in zip(slab.materials, slab.excess, strict=True):
        phase[slab.box] += np.asarray(index[m] * metres, np.complex64)
    coarse = unboxed(inner_band(seam.closed(phase), grid.shape), grid, fine.pixel)
    return np.asarray(np.exp(-1j * spread(coarse, grid, energy, slab.height)), np.complex64)


def _alike(slab: Slab, last: Slab | None) -> bool:
    """Whether two slabs, one after the other, do the same to a wave; heights may differ in their last bits."""
    return last is not None and slab.excess is last.excess and abs(slab.height - last.height) < 1e-9 * slab.height
