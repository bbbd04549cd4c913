"""Multislice: diffraction inside a thick specimen.

    psi <- psi * exp(-i k sum delta_m t_m - sum mu_m t_m / 2)     at the middle of what each slab holds
    psi <- F^-1 { F{psi} exp[i d (sqrt(k^2 - q^2) - k)] }         over the distance d to the next occupied slab

Second order in the slab thickness, valid for slabs thinner than the depth of focus 4 d^2/lambda at resolution d and
for forward scattering (no reflection). The geometry is sampled once, free of energy: per slab, the departure of each
material's thickness from its value in the corner, cropped to the box where it differs. Uniform layers commute with
the propagator, so they are pulled out as one factor and empty slabs cost nothing, both exactly. Reference: Li,
Wojcik & Jacobsen, Opt. Express 25, 1831 (doi 10.1364/OE.25.001831).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavenumber
from xsim.errors import RangeError, SamplingError
from xsim.interaction._heights import heights
from xsim.interaction.validity import required_slabs
from xsim.waves.angular_spectrum import check_distance, transfer_function
from xsim.waves.fft import array_namespace, fft2, ifft2, like
from xsim.waves.grid import Grid

if TYPE_CHECKING:
    from xsim.interaction._march import Act, Kernel
    from xsim.matter.material import Material
    from xsim.specimen.specimen import Specimen

__all__ = ["Slab", "Slabs", "exit_wave", "from_maps", "required_slabs", "sample"]


@dataclass(frozen=True, eq=False)
class Slab:
    """One occupied slab, acting at height `z` [m]: excess thickness over the uniform part, in a box of the grid.

    materials: (m,) indices into `Slabs.materials`. excess: (m, h, w) [m], float32 or float64, its first pixel at
    (row, column) of the grid.
    """

    z: float
    row: int
    column: int
    materials: tuple[int, ...]
    excess: NDArray[np.floating]

    @property
    def box(self) -> tuple[slice, slice]:
        """Rows and columns of the grid that the slab changes."""
        height, width = self.excess.shape[1:]
        return slice(self.row, self.row + height), slice(self.column, self.column + width)


@dataclass(frozen=True, eq=False)
class Slabs:
    """A specimen cut into slabs on a grid; no energy in it; picklable.

    z_range (z0, z1) [m]; uniform: (len(materials),) metres of each material that every ray crosses; slabs: those
    that are not uniform, in order of z. count: how many the specimen was cut into.
    """

    grid: Grid
    z_range: tuple[float, float]
    materials: tuple[Material, ...]
    uniform: NDArray[np.float64]
    slabs: tuple[Slab, ...]
    count: int

    def thickness(self) -> dict[Material, NDArray[np.float64]]:
        """The projection: metres of each material (ny, nx), summed over all slabs."""
        total = {m: np.full(self.grid.shape, t) for m, t in zip(self.materials, self.uniform, strict=True)}
        for slab in self.slabs:
            for index, excess in zip(slab.materials, slab.excess, strict=True):
                total[self.materials[index]][slab.box] += excess
        return total

    @property
    def nbytes(self) -> int:
        """Memory held [byte]."""
        return sum(slab.excess.nbytes for slab in self.slabs)


def sample(specimen: Specimen, grid: Grid, slabs: int, dtype: Any = np.float32) -> Slabs:
    """Cut `specimen` into `slabs` slabs of equal thickness on `grid`; thicknesses are kept as `dtype`."""
    if slabs < 1:
        raise RangeError("number of slabs", field="slabs", value=slabs, allowed=">= 1")
    z0, z1 = specimen.z_range_on(grid)
    if z1 <= z0:
        z0, z1 = -0.5 * grid.pixel, 0.5 * grid.pixel  # nothing there: any slab will do
    edges = np.linspace(z0, z1, slabs + 1)
    # the outermost slabs take whatever reaches past the nominal faces
    lower, upper = edges[:-1].copy(), edges[1:].copy()
    lower[0], upper[-1] = -np.inf, np.inf
    maps = (specimen.thickness(grid, float(a), float(b)) for a, b in zip(lower, upper, strict=True))
    return from_maps(maps, grid, edges, dtype, heights(specimen, edges) if slabs > 1 else None)


def from_maps(
    maps: Iterable[Mapping[Material, Any]],
    grid: Grid,
    edges: NDArray[np.float64],
    dtype: Any = np.float32,
    acting: NDArray[np.float64] | None = None,
) -> Slabs:
    """Slabs from thickness maps: one {material: (ny, nx) [m]} for each interval of `edges` (n + 1,) [m].

    acting: heights (n,) [m] at which they act; the middles of the intervals by default.
    """
    from xsim.interaction._departures import departures

    acting = (edges[1:] + edges[:-1]) / 2 if acting is None else acting
    materials: list[Material] = []
    uniform: list[float] = []
    slabs: list[Slab] = []
    for slab_map, below, above, z in zip(maps, edges[:-1], edges[1:], acting, strict=True):
        held: dict[int, NDArray[Any]] = {}
        for material, metres in slab_map.items():
            if metres.shape != tuple(grid.shape):
                raise SamplingError(
                    "thickness map and grid differ in shape", value=metres.shape, allowed=str(grid.shape)
                )
            if material not in materials:
                materials.append(material)
                uniform.append(0.0)
            index = materials.index(material)
            uniform[index] += float(metres[0, 0])
            held[index] = np.asarray(metres)
        # rounding of a displaced host is not structure
        found = departures(held, 1e-12 * float(above - below), dtype)
        if found is not None:
            row, column, present, excess = found
            slabs.append(Slab(float(z), row, column, present, excess))
    z_range = (float(edges[0]), float(edges[-1]))
    return Slabs(grid, z_range, tuple(materials), np.array(uniform, np.float64), tuple(slabs), len(edges) - 1)


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

        acts = [_act(slab, index) for slab in slabs.slabs]
        return march(wave, list(zip_longest([kernels.blocks(d, wave) for d in flights], acts)), common)
    for slab, distance in zip_longest(slabs.slabs, flights):
        if distance:
            wave = ifft2(fft2(wave) * kernels.whole(distance, wave))
        if slab is not None:
            wave = _transmit(wave, slab, [index[m] for m in slab.materials])
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


def _transmit(wave: Any, slab: Slab, index: list[complex]) -> Any:
    """Multiply by exp(-i sum (k delta - i k beta) t) within the slab's box, for arrays of other libraries."""
    phase = sum(n * t.astype(np.float64) for n, t in zip(index, slab.excess, strict=True))
    factor = np.ones(wave.shape[-2:], np.complex64 if str(wave.dtype).endswith("complex64") else np.complex128)
    factor[slab.box] = np.exp(-1j * phase)
    return wave * like(factor, wave)


def _act(slab: Slab, index: list[complex]) -> Act:
    """What the slab does to rows of a NumPy wave; index: of the slab's own materials."""
    from xsim.interaction import _passes

    values = np.array([index[m] for m in slab.materials])

    def act(wave: NDArray[Any], rows: tuple[int, int]) -> None:
        _passes.transmit(wave, slab.excess, values, (slab.row, slab.column), rows)

    return act
