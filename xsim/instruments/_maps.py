"""Maps of a specimen that instruments share: truth for scoring, and rows of a frame table by energy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavenumber
from xsim.exposure import Axis, FrameTable, Truth
from xsim.specimen.specimen import Specimen
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]


def image_axes(grid: Grid) -> tuple[Axis, Axis]:
    """Axes (y, x) [m] of an image sampled on `grid`."""
    return Axis("y", grid.y, "m"), Axis("x", grid.x, "m")


def truth_maps(specimen: Specimen, grid: Grid, energy: float) -> dict[str, Truth]:
    """Thickness [m] of each material, phase [rad] and optical density of the straight-through wave, on `grid`.

    phase = -k sum(delta t) (a wave exp(+ikz) is advanced by matter), optical_density = sum(mu_total t): absorbed, or
    scattered by single atoms.
    """
    axes = image_axes(grid)
    maps = specimen.thickness(grid)
    found: dict[str, Truth] = {}
    phase, density = np.zeros(grid.shape), np.zeros(grid.shape)
    k = wavenumber(energy)
    for material, metres in maps.items():
        optics = material.optics(energy)
        phase -= float(k * optics.delta) * metres
        density += float(optics.mu_total) * metres
        found[f"thickness_{material.name}"] = Truth(metres, axes, "m")
    return {**found, "phase": Truth(phase, axes, "rad"), "optical_density": Truth(density, axes)}


def by_energy(frames: FrameTable) -> Iterator[tuple[float, NDArray[np.int64]]]:
    """Each photon energy [eV] in the table, ascending, with the rows that have it."""
    column = np.asarray(frames["energy"], np.float64)
    for energy in np.unique(column):
        yield float(energy), np.flatnonzero(column == energy)


def binned_grid(grid: Grid, bins: int) -> Grid:
    """The grid whose pixels are bins x bins pixels of `grid`; both numbers of pixels must be multiples of `bins`."""
    ny, nx = grid.shape[0] // bins, grid.shape[1] // bins
    y, x = (
        (n // 2 * bins + (bins - 1) / 2 - full // 2) * grid.pixel for n, full in zip((ny, nx), grid.shape, strict=True)
    )
    return Grid((ny, nx), bins * grid.pixel, (grid.center[0] + x, grid.center[1] + y))
