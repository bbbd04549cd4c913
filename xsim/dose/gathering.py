"""Fluence maps of one orientation brought together in the specimen's own frame.

A specimen moved by s in the laboratory sees a beam at c as a specimen at rest sees one at c - s. Maps are laid on one
grid that holds them all; each pixel's photons are shared linearly between the pixels that it overlaps, so that photons
are conserved and neighbouring fields neither overlap nor gape. Fields so far apart that the grid would have more than
`LARGEST` pixels a side are summed into larger pixels first.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from xsim.exposure import Illumination
from xsim.waves.grid import Grid

Array = NDArray[np.float64]

#: most pixels a side of the common grid
LARGEST = 1024


def on_one_grid(lights: list[Illumination]) -> list[Illumination]:
    """The maps of `lights` (equal rotation and pixel) summed by energy on one grid, specimen at rest (shift 0)."""
    places = {(light.grid, light.shift) for light in lights}
    if places == {(lights[0].grid, (0.0, 0.0))}:
        return lights
    pixel = lights[0].grid.pixel
    corners = np.array([_corner(light) for light in lights])  # (n, 2) y, x of the outer edge
    sizes = np.array([light.grid.shape for light in lights]) * pixel
    low = corners.min(axis=0)
    span = (corners + sizes).max(axis=0) - low
    step = pixel * max(1, math.ceil(float(span.max()) / pixel / LARGEST - 1e-9))
    ny, nx = (math.ceil(length / step - 1e-6) + 1 for length in span)
    center = float(low[1] + (nx // 2 + 0.5) * step), float(low[0] + (ny // 2 + 0.5) * step)
    grid = Grid((ny, nx), step, center)
    found: dict[float, Illumination] = {}
    for light, corner in zip(lights, corners, strict=True):
        if light.energy not in found:
            found[light.energy] = replace(light, grid=grid, fluence=np.zeros(grid.shape), shift=(0.0, 0.0))
        photons = np.asarray(light.fluence, np.float64) * pixel**2
        for axis in (0, 1):
            photons = _shared(photons, axis, float(corner[axis] - low[axis]) / step, pixel / step)
        rows, columns = (math.floor((corner[axis] - low[axis]) / step + 1e-6) for axis in (0, 1))
        part = found[light.energy].fluence[rows : rows + photons.shape[0], columns : columns + photons.shape[1]]
        part += photons[: part.shape[0], : part.shape[1]] / step**2
    return list(found.values())


def _corner(light: Illumination) -> tuple[float, float]:
    """Outer edge (y, x) [m] of the first pixel in the specimen's frame."""
    x0, _, y0, _ = light.grid.edges
    return y0 - light.shift[1], x0 - light.shift[0]


def _shared(photons: Array, axis: int, start: float, width: float) -> Array:
    """Pixels of `width` <= 1, the first beginning at `start`, shared out along `axis` to pixels of 1 from floor(start).

    Photons are even inside a pixel.
    """
    lines = np.moveaxis(photons, axis, 0)
    count = len(lines)
    begin = start - math.floor(start + 1e-6)
    # the photons up to a place, at the edges of the larger pixels
    edges = np.maximum(np.arange(math.ceil(begin + count * width - 1e-6) + 1) - begin, 0) / width
    whole = np.minimum(np.floor(edges + 1e-9).astype(int), count)
    part = np.where(whole < count, edges - whole, 0.0)
    before = np.concatenate([np.zeros((1, *lines.shape[1:])), np.cumsum(lines, axis=0)])
    after = np.concatenate([lines, np.zeros((1, *lines.shape[1:]))])
    upto = before[whole] + np.clip(part, 0, 1)[:, None] * after[whole]
    return np.asarray(np.moveaxis(np.diff(upto, axis=0), 0, axis))
