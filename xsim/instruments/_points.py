"""Scan points: the raster that scanning instruments and the raster scan share, and Fermat's spiral."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xsim.errors import RangeError
from xsim.exposure import Axis, FrameTable, check_frames
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]

#: the angle between successive points of the spiral [rad]
GOLDEN_ANGLE = float(np.pi * (3 - np.sqrt(5)))


def raster_grid(field: tuple[float, float], step: float) -> Grid:
    """The grid of scan points: round(field / step) per axis (x, y) [m], point n//2 at the origin.

    Raises RangeError when a step is longer than the field, or so short that there are too many points.
    """
    if step > min(field):
        raise RangeError(
            "scan step", field="step", value=f"{step:g} m", allowed=f"<= the field, {min(field):g} m", cure="scan finer"
        )
    check_frames(field[0] / step * (field[1] / step), field="step")
    nx, ny = (max(1, round(width / step)) for width in field)
    return Grid((ny, nx), step)


def raster_frames(energy: float, time: float, grid: Grid) -> FrameTable:
    """One frame of `time` [s] per point of the raster, its position on the specimen in the columns x, y [m]."""
    table = FrameTable.single(energy, time)
    table = table.outer(Axis("x", grid.x, "m"), {"x": grid.x}, {"x": "m"})
    return table.outer(Axis("y", grid.y, "m"), {"y": grid.y}, {"y": "m"})


def indices_on(grid: Grid, frames: FrameTable) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns (n,) of `grid` at which the frames' points x, y lie."""
    centre = [n // 2 for n in grid.shape]
    rows = np.rint(np.asarray(frames["y"], np.float64) / grid.pixel).astype(np.int64) + centre[0]
    return rows, np.rint(np.asarray(frames["x"], np.float64) / grid.pixel).astype(np.int64) + centre[1]


def raster_points(field: tuple[float, float], step: float) -> tuple[FloatArray, FloatArray]:
    """Coordinates (y (ny,), x (nx,)) [m] of the scan points."""
    grid = raster_grid(field, step)
    return np.asarray(grid.y, np.float64), np.asarray(grid.x, np.float64)


def fermat_points(field: tuple[float, float], step: float) -> tuple[FloatArray, FloatArray]:
    """Points (y (n,), x (n,)) [m] of a Fermat spiral within the field (x, y) [m], one per step^2 on the average.

    r = step sqrt(n / pi), phi = n times the golden angle: even density without the symmetry of a raster, which in
    ptychography makes artefacts of the raster's period (Huang et al. 2014, doi 10.1364/OE.22.012634).
    """
    width, height = field
    check_frames(width / step * (height / step), field="step")
    count = int(np.ceil(np.pi * (width**2 + height**2) / 4 / step**2)) + 1
    n = np.arange(count)
    radius, angle = step * np.sqrt(n / np.pi), n * GOLDEN_ANGLE
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    inside = (np.abs(x) <= width / 2) & (np.abs(y) <= height / 2)
    return y[inside], x[inside]
