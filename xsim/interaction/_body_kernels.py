"""How light falls off between cells of a specimen: exp(-mu r) / 4 pi r^2, averaged over both, and its transforms.

Cells are boxes, alike along x and y, of any height. Averages over evenly spread points: 1 - 5 % for neighbours, exact
for one cell. Used by `xsim.interaction.bodies`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from xsim.interaction.enhancement import Source
from xsim.interaction.fluorescence import Voxels
from xsim.specimen.specimen import Specimen
from xsim.waves.fft import fft2

Array = NDArray[np.float64]

#: points over which the kernel is averaged, and cells from a source up to which it is
_POINTS, _NEAR = 256, 3.0


@dataclass(frozen=True, eq=False)
class Kernels:
    """Transforms (kinds, rows, columns) of averaged kernels, and which of them joins two cells (cells, receiving)."""

    transforms: Array
    which: NDArray[np.int64]

    def answer(self, lit: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """The convolution with `lit` (receiving, rows, columns), for each cell that light starts in."""
        return np.array([np.einsum("ryx,ryx->yx", self.transforms[row], lit) for row in self.which])


def kernels_of(
    specimen: Specimen, voxels: Voxels, source: Source, cells: Array, receiving: NDArray[np.int64],
    lateral: tuple[float, tuple[int, int], tuple[int, int]], bodies: list[int],
) -> dict[int, Kernels]:  # fmt: skip
    """By material that the light starts in."""
    pixel, shape, padded = lateral
    middles = cells.mean(axis=1)
    layered = [[mean_attenuation(specimen, source.energy, s, middles[r]) for r in receiving] for s in middles]
    made: dict[float | None, Kernels] = {}
    found = {}
    for m in np.flatnonzero(source.started > 0):
        mu = float(voxels.materials[m].optics(source.energy).mu_total) if m in bodies else None
        if mu not in made:
            known: dict[tuple[str, ...], int] = {}
            values: list[Array] = []
            which = np.zeros((len(cells), len(receiving)), np.int64)
            for s, i in np.ndindex(which.shape):
                start, end = cells[s], cells[receiving[i]]
                on_way = layered[s][i] if mu is None else mu
                # cells as high and as far apart share a kernel
                sizes = (abs(end.mean() - start.mean()), np.ptp(start), np.ptp(end), on_way)
                key = tuple(f"{size:.6g}" if size > 1e-12 else "0" for size in sizes)
                if key not in known:
                    known[key] = len(values)
                    values.append(_mirrored(_kernel(pixel, shape, start, end, on_way), padded))
                which[s, i] = known[key]
            # of even functions: real
            made[mu] = Kernels(np.ascontiguousarray(transformed(np.array(values), padded).real), which)
        found[int(m)] = made[mu]
    return found


def transformed(values: Array, shape: tuple[int, int]) -> NDArray[np.complex128]:
    """The transform of `values` (..., rows, columns) with nothing around them."""
    wide = np.zeros((*values.shape[:-2], *shape), np.complex128)
    wide[..., : values.shape[-2], : values.shape[-1]] = values
    return np.asarray(fft2(wide))


def _mirrored(quarter: Array, padded: tuple[int, int]) -> Array:
    ny, nx = quarter.shape
    out = np.zeros(padded)
    out[:ny, :nx] = quarter
    out[-ny + 1 or len(out) :, :nx] = quarter[:0:-1]
    out[:, -nx + 1 or out.shape[1] :] = out[:, nx - 1 : 0 : -1]
    return out


def _kernel(pixel: float, shape: tuple[int, int], source: Array, receiver: Array, mu: float) -> Array:
    """exp(-mu r) / 4 pi r^2 [1/m^2] averaged over a cell of both slabs, (rows, columns) apart."""
    y, x = (np.arange(n) * pixel for n in shape)
    apart = receiver.mean() - source.mean()
    square = y[:, None] ** 2 + x**2 + apart**2
    reach = _NEAR * max(pixel, float(np.ptp(source)), float(np.ptp(receiver)))
    near = np.argwhere(square < reach**2)
    value = _fall(np.maximum(square, pixel**2 / 4), mu)
    u = _lattice(4)
    across = [(np.sqrt(2 * v) - 1) * (v < 0.5) + (1 - np.sqrt(2 * np.maximum(1 - v, 0))) * (v >= 0.5) for v in u[:2]]
    deep = receiver[0] + u[2] * np.ptp(receiver) - source[0] - u[3] * np.ptp(source)
    points = (y[near[:, 0], None] + pixel * across[0]) ** 2 + (x[near[:, 1], None] + pixel * across[1]) ** 2 + deep**2
    value[near[:, 0], near[:, 1]] = _fall(points, mu).mean(axis=1)
    if abs(apart) < 1e-9 * np.ptp(source):
        value[0, 0] = _within((pixel, pixel, float(np.ptp(source))), mu)
    return value


def _fall(square: Array, mu: float) -> Array:
    return np.asarray(np.exp(-mu * np.sqrt(square)) / (4 * np.pi * square))


def _within(box: tuple[float, float, float], mu: float) -> float:
    """The kernel [1/m^2] averaged over both ends in one box, by the ways from points in it along all directions."""
    u = _lattice(5)
    cosine, around = 2 * u[3] - 1, 2 * np.pi * u[4]
    sine = np.sqrt(1 - cosine**2)
    ways = []
    for size, at, d in zip(box, u[:3], (sine * np.cos(around), sine * np.sin(around), cosine), strict=True):
        ways.append(np.where(d > 0, 1 - at, at) * size / np.maximum(np.abs(d), 1e-9))
    way = np.min(ways, axis=0)
    return float(np.mean(-np.expm1(-max(mu, 1e-3) * way)) / max(mu, 1e-3) / math.prod(box))


def _lattice(dimensions: int) -> Array:
    """Evenly spread points (dimensions, points) of the unit cube: a Kronecker sequence."""
    root = 2.0
    for _ in range(30):
        root = (1 + root) ** (1 / (dimensions + 1))
    steps = root ** -np.arange(1.0, dimensions + 1)
    return np.asarray((0.5 + steps[:, None] * np.arange(1, _POINTS + 1)) % 1)


def mean_attenuation(specimen: Specimen, energy: float, first: float, last: float) -> float:
    """Mean attenuation [1/m] of the layers between two heights z [m]."""
    layers = specimen.layers
    if not len(layers):
        return 0.0
    low, high = sorted((first * layers.normal[2], last * layers.normal[2]))
    high = max(high, low + 1e-12)
    total = 0.0
    for material, (a, b) in zip(layers.materials, pairwise(layers.edges), strict=True):
        total += float(material.optics(energy).mu_total) * max(min(b, high) - max(a, low), 0.0)
    return total / (high - low)
