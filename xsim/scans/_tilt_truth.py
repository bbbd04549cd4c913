"""What only scoring may know of a tilt series: true poses, the way of every particle, and the volume itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xsim.constants import N_A
from xsim.exposure import Axis, Truth
from xsim.matter import elements
from xsim.specimen.specimen import Specimen
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]

#: voxels of a true volume at most (64 MB), and numbers in the table of tracks
MOST_VOXELS = 1 << 24
MOST_TRACKED = 1 << 23

Pose = tuple[FloatArray, tuple[float, float]]


def pose_truth(name: str, angles: FloatArray, poses: list[Pose], specimen: Specimen) -> dict[str, Truth]:
    """True rotation (tilts, 3, 3) and shift (tilts, 2) [m], and where each particle is at each tilt (tilts, n, 3) [m].

    A particle is seen at the x, y of its track; particles count as in the particle table. Left out beyond 8 million
    numbers: the poses tell them, track = R r + (shift, 0).
    """
    along = Axis(name, angles, "rad")
    turns = np.stack([rotation for rotation, _ in poses])
    shifts = np.array([shift for _, shift in poses])
    row, column, component = (Axis(n, np.arange(k)) for n, k in (("row", 3), ("column", 3), ("component", 3)))
    found = {
        f"{name}_rotation": Truth(turns, (along, row, column)),
        f"{name}_shift": Truth(shifts, (along, Axis("component", np.arange(2))), "m"),
    }
    positions = specimen.particle_table()["position"]
    if 0 < positions.size * len(poses) <= MOST_TRACKED:
        tracks = np.einsum("tij,nj->tni", turns, positions)
        tracks[..., :2] += shifts[:, None, :]
        particle = Axis("particle", np.arange(len(positions)))
        found[f"{name}_tracks"] = Truth(tracks, (along, particle, component), "m")
    return found


def element_truth(specimen: Specimen, inner: dict[str, Truth], across: str) -> dict[str, Truth]:
    """Density (z, y, x) [kg/m^3] of every element whose "area_density_X" map `inner` holds, as `volume_truth`."""
    maps = {name.removeprefix("area_density_"): t for name, t in inner.items() if name.startswith("area_density_")}
    frame = _frame(next(iter(maps.values()), None), across, max(1, len(maps)))
    if frame is None:
        return {}
    grid, z, axes = frame
    found = {symbol: np.zeros((len(z), *grid.shape), np.float32) for symbol in maps}
    for k, height in enumerate(z):
        slab = specimen.thickness(grid, height - grid.pixel / 2, height + grid.pixel / 2)
        for material, metres in slab.items():
            for symbol, number in material.number_densities.items():
                if symbol in found:
                    mass = number * elements.element(symbol).weight * 1e-3 / N_A
                    found[symbol][k] += mass / grid.pixel * metres
    return {f"density_{symbol}": Truth(values, axes, "kg/m^3") for symbol, values in found.items()}


def volume_truth(specimen: Specimen, density: Truth | None, energy: float, across: str) -> dict[str, Truth]:
    """The linear attenuation coefficient mu_total (z, y, x) [1/m] averaged over voxels as large as the image's pixels.

    density: the optical density of the untilted specimen, whose axes (y, x) the volume shares; z is as long as the
    axis `across` the rotation. Empty where that is no square image, or has more than 16 million voxels.
    """
    frame = _frame(density, across, 1)
    if frame is None:
        return {}
    grid, z, axes = frame
    n, pixel = len(z), grid.pixel
    mu = {material: float(material.optics(energy).mu_total) / pixel for material in specimen.materials}
    values = np.zeros((n, *grid.shape), np.float32)
    for k, height in enumerate(z):
        for material, metres in specimen.thickness(grid, height - pixel / 2, height + pixel / 2).items():
            values[k] += mu[material] * metres
    return {"attenuation": Truth(values, axes, "1/m")}


def _frame(image: Truth | None, across: str, volumes: int) -> tuple[Grid, FloatArray, tuple[Axis, ...]] | None:
    """Grid, heights and axes (z, y, x) of true volumes on the pixels of `image`; None if it is no square image."""
    if image is None or [axis.name for axis in image.axes] != ["y", "x"]:
        return None
    y, x = (np.asarray(axis.values, np.float64) for axis in image.axes)
    n = len(x if across == "x" else y)
    if len(x) < 2 or len(y) < 2 or volumes * n * len(y) * len(x) > MOST_VOXELS:
        return None
    pixel = float(x[1] - x[0])
    if not np.isclose(pixel, y[1] - y[0]):
        return None
    grid = Grid((len(y), len(x)), pixel, (float(x[len(x) // 2]), float(y[len(y) // 2])))
    z = np.asarray((np.arange(n) - n // 2) * pixel, np.float64)
    return grid, z, (Axis("z", z, "m"), *image.axes)
