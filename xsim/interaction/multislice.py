"""Multislice: diffraction inside a thick specimen.

    psi <- psi * exp(-i k sum delta_m t_m - sum mu_m t_m / 2)     at the middle of what each slab holds
    psi <- F^-1 { F{psi} exp[i d (sqrt(k^2 - q^2) - k)] }         over the distance d to the next occupied slab

Second order in the slab thickness, valid for slabs thinner than the depth of focus 4 d^2/lambda at resolution d and
for forward scattering (no reflection). The geometry is sampled once, free of energy: per slab, the departure of each
material's thickness from its value in the corner, cropped to the box where it differs. Uniform layers commute with
the propagator, so they are pulled out as one factor and empty slabs cost nothing, both exactly. What slabs do that
strong bodies stand through is told by `xsim.interaction.standing`. Reference: Li, Wojcik & Jacobsen, Opt. Express 25,
1831 (doi 10.1364/OE.25.001831).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavenumber
from xsim.errors import SamplingError
from xsim.interaction.slabs import Slab, Slabs, from_maps, sample
from xsim.interaction.standing import spread
from xsim.interaction.validity import required_slabs
from xsim.waves.angular_spectrum import check_distance, transfer_function
from xsim.waves.fft import array_namespace, fft2, ifft2, like
from xsim.waves.grid import Grid

if TYPE_CHECKING:
    from xsim.interaction._march import Act, Kernel

__all__ = ["Slab", "Slabs", "exit_wave", "from_maps", "required_slabs", "sample"]


def exit_wave(
    slabs: Slabs,
    incident: Any,
    energy: float,
    *,
    tilt: tuple[float, float] = (0.0, 0.0),
    planes: tuple[float, float] | None = None,
    band: float = 1.0,
    dtype: Any = np.complex64,
) -> Any:
    """The wave behind the specimen, (..., ny, nx) of `dtype` (NumPy) or of the library of `incident`.

    incident: complex (..., ny, nx), or a number for a plane wave. energy [eV]. planes (z_in, z_out) [m]: heights at
    which the incident wave is given and the exit wave wanted, both as if in vacuum; by default the specimen's two
    faces. Give its middle twice to have the projection for a single slab. tilt (qx, qy) [rad/m]: transverse wave
    vector of a tilted illumination, divided out of both waves. band: fraction of Nyquist kept between slabs; 2/3
    suppresses the products that alias but also all scattering beyond it. Raises SamplingError if the grid cannot
    carry the distance.
    """
    grid = slabs.grid
    z, z_out = planes if planes is not None else slabs.z_range
    k = wavenumber(energy)
    index = [complex(k * m.optics(energy).decrement) for m in slabs.materials]
    wave = _start(incident, grid, dtype)
    plane_wave = not np.ndim(incident) and tilt == (0.0, 0.0)
    flights, z = [], slabs.slabs[0].z if plane_wave and slabs.slabs else z
    for slab in slabs.slabs:
        flights.append(slab.z - z)
        z = slab.z
    if slabs.slabs or not plane_wave:
        flights.append(z_out - z)
    check_distance(grid, energy, float(np.sum(np.abs(flights))), band)
    common = complex(np.exp(-1j * sum((n * t for n, t in zip(index, slabs.uniform, strict=True)), 0j)))
    kernels = _Kernels(grid, energy, tilt, band)
    if array_namespace(wave) is np:
        from xsim.interaction._march import march

        acts = _acts(slabs, index, energy, wave.dtype)
        return march(wave, list(zip_longest([kernels.blocks(d, wave) for d in flights], acts)), common)
    for slab, distance in zip_longest(slabs.slabs, flights):
        if distance:
            wave = ifft2(fft2(wave) * kernels.whole(distance, wave))
        if slab is not None:
            wave = _transmit(wave, grid, slab, [index[m] for m in slab.materials], energy)
    return wave * common


class _Kernels:
    """Transfer functions for distances that mostly repeat."""

    def __init__(self, grid: Grid, energy: float, tilt: tuple[float, float], band: float):
        self.grid, self.energy, self.tilt, self.band = grid, energy, tilt, band
        self.known: dict[float, Any] = {}

    def whole(self, distance: float, wave: Any) -> Any:
        """For arrays of the library of `wave`."""
        return self._get(distance, lambda z: like(self._make(z, wave), wave))

    def blocks(self, distance: float, wave: NDArray[Any]) -> Callable[[], Kernel] | None:
        """For `march`; none for no distance."""
        from xsim.interaction._march import Kernel

        waves = wave.size // math.prod(self.grid.shape)
        return (lambda: self._get(distance, lambda z: Kernel.of(self._make(z, wave), waves))) if distance else None

    def _get(self, distance: float, make: Callable[[float], Any]) -> Any:
        key = float(f"{distance:.12e}")  # the same gap between slabs differs in its last bits
        if key not in self.known:
            if len(self.known) > 4:
                self.known.pop(next(iter(self.known)))
            self.known[key] = make(key)
        return self.known[key]

    def _make(self, distance: float, wave: Any) -> NDArray[Any]:
        dtype = np.complex64 if str(wave.dtype).endswith("complex64") else np.complex128
        return transfer_function(self.grid, self.energy, distance, band=self.band, tilt=self.tilt, dtype=dtype)


def _start(incident: Any, grid: Grid, dtype: Any) -> Any:
    if not np.ndim(incident):
        return np.full(grid.shape, incident, dtype)
    if tuple(incident.shape[-2:]) != tuple(grid.shape):
        raise SamplingError("wave and grid differ in shape", value=tuple(incident.shape), allowed=str(grid.shape))
    return np.array(incident, dtype) if isinstance(incident, np.ndarray) else incident


def _transmit(wave: Any, grid: Grid, slab: Slab, index: list[complex], energy: float) -> Any:
    """Multiply by exp(-i sum (k delta - i k beta) t) within the slab's box, for arrays of other libraries."""
    factor = np.ones(wave.shape[-2:], np.complex64 if str(wave.dtype).endswith("complex64") else np.complex128)
    if slab.height:
        factor[...] = np.exp(-1j * _standing(grid, slab, index, energy, np.complex128))
    else:
        phase = sum(n * t.astype(np.float64) for n, t in zip(index, slab.excess, strict=True))
        factor[slab.box] = np.exp(-1j * phase)
    return wave * like(factor, wave)


def _standing(grid: Grid, slab: Slab, index: list[complex], energy: float, dtype: Any) -> NDArray[Any]:
    """Phase and loss (ny, nx), phase - i loss, of a slab that bodies stand through."""
    whole = np.zeros(grid.shape, dtype)
    for n, metres in zip(index, slab.excess, strict=True):
        whole[slab.box] += np.asarray(n * metres, dtype)
    return spread(whole, grid, energy, slab.height)


def _acts(slabs: Slabs, index: list[complex], energy: float, dtype: Any) -> list[Callable[[], Act]]:
    """What each slab does to rows of a NumPy wave; index: of all materials. Neighbours that are alike share it."""
    from xsim.interaction import _passes

    known: dict[tuple[int, float], tuple[NDArray[Any], Any]] = {}

    def make(slab: Slab) -> Act:
        values, metres, at = np.array([index[m] for m in slab.materials]), slab.excess, (slab.row, slab.column)
        if slab.height:
            key = id(slab.excess), float(f"{slab.height:.12e}")
            if key not in known:
                known.clear()
                phase = _standing(slabs.grid, slab, list(values), energy, dtype)
                known[key] = np.stack([phase.real, -phase.imag]), np.array([1, -1j])
            (metres, values), at = known[key], (0, 0)

        def act(wave: NDArray[Any], rows: tuple[int, int]) -> None:
            _passes.transmit(wave, metres, values, at, rows)

        return act

    return [partial(make, slab) for slab in slabs.slabs]
