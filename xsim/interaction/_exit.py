"""The way out of a specimen: metres of matter between a point inside and the outside, along one direction."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from xsim.specimen.layers import Layers
from xsim.waves.grid import Grid

Array = NDArray[np.float64]

#: steepest exit from a layer: its path through an infinite layer diverges at 90 degrees from the normal
GRAZING = math.cos(math.radians(80))


def dominant(direction: tuple[float, float, float]) -> int:
    """Axis (z, y, x) = 0, 1, 2 across which planes are followed: z, but for ways out within 10 degrees of the slabs."""
    d = np.array(direction[::-1], float)
    return 0 if abs(d[0]) >= GRAZING else 1 + int(np.argmax(np.abs(d[1:])))


def layer_paths(layers: Layers, grid: Grid, z: Array, direction: tuple[float, float, float]) -> list[Array]:
    """Metres of each layer from points (z, y, x) to the outside along `direction`, exact: (nz, ny, nx) per layer."""
    n = layers.normal
    along = float(n @ np.array(direction))
    height = n[2] * z[:, None, None] + n[1] * grid.y[None, :, None] + n[0] * grid.x[None, None, :]
    found = []
    for low, high in zip(layers.edges[:-1], layers.edges[1:], strict=True):
        left = high - np.clip(height, low, high) if along > 0 else np.clip(height, low, high) - low
        found.append(np.asarray(np.broadcast_to(left / abs(along), (len(z), *grid.shape))))
    return found


def exit_paths(
    fraction: Array, spacing: tuple[float | Array, float, float], direction: tuple[float, float, float]
) -> Array:
    """Metres of matter from the middle of each voxel to the outside along `direction` (x, y, z).

    fraction: filled share of each voxel (nz, ny, nx); spacing (dz, dy, dx) [m], dz one number or one for each plane
    (only for ways out that cross the slabs at more than 10 degrees). Planes across z (across x or y for grazing ways
    out) are sheared so that the way out is straight, summed from the outside in, and sheared back: two linear
    interpolations. Beyond the array there is nothing.
    """
    d = np.array(direction[::-1], float)
    axis = dominant(direction)
    planes = np.moveaxis(fraction, axis, 0)
    depths = np.broadcast_to(np.asarray(spacing[axis], float), (len(planes),))
    outward, depths = (planes, depths) if d[axis] > 0 else (planes[::-1], depths[::-1])
    others = [i for i in range(3) if i != axis]
    middles = np.cumsum(depths) - depths / 2
    # cells moved along the other axes at each plane
    moved = [(middles - middles[0]) * (d[i] / abs(d[axis])) / float(np.max(spacing[i])) for i in others]
    filled = [k for k in range(len(outward)) if outward[k].any()] or [0]
    ends = [(move[filled[0]], move[filled[-1]]) for move in moved]
    lows = [math.floor(min(end)) for end in ends]
    sizes = [size + math.ceil(max(end)) - low + 1 for size, end, low in zip(planes.shape[1:], ends, lows, strict=True)]
    paths = np.empty(outward.shape)
    beyond = np.zeros(sizes)
    for k in range(len(outward) - 1, -1, -1):
        here = beyond
        if outward[k].any():
            plane = outward[k] * depths[k]
            for b in (0, 1):
                plane = _resampled(plane, b, lows[b] - moved[b][k], sizes[b])
            here = beyond + plane / 2
            beyond = beyond + plane
        for b in (0, 1):
            here = _resampled(here, b, moved[b][k] - lows[b], planes.shape[1 + b])
        paths[k] = here / abs(d[axis])
    return np.asarray(np.moveaxis(paths if d[axis] > 0 else paths[::-1], 0, axis))


def _resampled(plane: Array, axis: int, start: float, count: int) -> Array:
    """`plane` at start, start + 1, ... (count) along `axis`, linearly; zero outside."""
    first = math.floor(start)
    weight = start - first
    out = (1 - weight) * _window(plane, axis, first, count)
    if weight > 0:
        out += weight * _window(plane, axis, first + 1, count)
    return out


def _window(plane: Array, axis: int, first: int, count: int) -> Array:
    """Elements first .. first + count along `axis`, zero outside."""
    shape = list(plane.shape)
    shape[axis] = count
    out = np.zeros(shape)
    low, high = max(first, 0), min(first + count, plane.shape[axis])
    if high > low:
        target = [slice(None)] * 2
        source = [slice(None)] * 2
        target[axis], source[axis] = slice(low - first, high - first), slice(low, high)
        out[tuple(target)] = plane[tuple(source)]
    return out
