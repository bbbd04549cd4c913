"""Thickness raster of 1e5 spheres of radius 3 px on 2048 x 2048 against pixel-centre sampling of the same spheres.

Run: python tests/benchmarks/bench_thickness.py
The floor evaluates the chord once at each pixel centre, in a compiled loop over each sphere's footprint, banded over
the same threads: what any raster has to do at least. Ours gives the exact mean over each pixel.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from scipy.spatial.transform import Rotation

from xsim.registry import discover
from xsim.specimen.kernels.bands import for_bands, in_pixels
from xsim.specimen.shape import Poses
from xsim.specimen.shapes.sphere import Sphere
from xsim.threads import thread_count
from xsim.waves.grid import Grid

NM = 1e-9


@njit(cache=True, nogil=True)
def _centres(out: Any, first: int, last: int, items: Any, x: Any, y: Any, radius: Any) -> None:
    for n in items:
        r = radius[n]
        for j in range(max(int(y[n] - r), first), min(int(y[n] + r) + 1, last)):
            for i in range(max(int(x[n] - r), 0), min(int(x[n] + r) + 1, out.shape[1])):
                square = r * r - (i + 0.5 - x[n]) ** 2 - (j + 0.5 - y[n]) ** 2
                if square > 0:
                    out[j, i] += 2 * np.sqrt(square)


def floor(poses: Poses, grid: Grid, radius: float) -> np.ndarray:
    """Pixel-centre sampling of spheres of `radius` [m]."""
    out = np.zeros(grid.shape)
    p = in_pixels(poses, grid, -np.inf, np.inf)
    size = p.size * radius
    for_bands(grid.shape[0], p.y, size, lambda a, b, items: _centres(out, a, b, items, p.x, p.y, size))
    return out


def best(task: Callable[[], Any], repeats: int = 5) -> float:
    """Shortest wall time [s] after one warm-up."""
    task()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        task()
        times.append(time.perf_counter() - start)
    return min(times)


def some_poses(count: int, grid: Grid) -> Poses:
    """Copies everywhere on the grid."""
    rng = np.random.default_rng(1)
    width = grid.extent[0] / 2
    turns = Rotation.random(count, random_state=1).as_matrix()
    return Poses(rng.uniform(-width, width, (count, 3)), turns, np.ones(count))


def main() -> None:
    """Print seconds and ratios."""
    grid, count = Grid((2048, 2048), NM), 100_000
    poses = some_poses(count, grid)
    print(f"{count} spheres on 2048 x 2048, {thread_count()} threads")
    for radius in (1.0, 3.0, 5.0):
        shape = Sphere(radius=f"{radius} nm")

        def ours(shape: Sphere = shape) -> np.ndarray:
            out = np.zeros(grid.shape)
            shape.add_thickness(out, poses, grid, -np.inf, np.inf)
            return out

        exact, sampled = best(ours), best(lambda r=radius: floor(poses, grid, r * NM))
        inside = (np.abs(poses.positions[:, :2]) < grid.extent[0] / 2 - 6 * NM).all(axis=1)
        only = Poses(poses.positions[inside], poses.rotations[inside], poses.scales[inside])
        out = np.zeros(grid.shape)
        shape.add_thickness(out, only, grid, -np.inf, np.inf)
        mass = out.sum() * NM**2 / (inside.sum() * shape.volume) - 1
        rough = floor(only, grid, radius * NM).sum() * NM**3 / (inside.sum() * shape.volume) - 1
        print(
            f"radius {radius:g} px: exact {exact:.3f} s, floor {sampled:.3f} s, ratio {exact / sampled:.1f}; "
            f"mass error {mass:.1e}, floor {rough:.1e}"
        )
    for kind, cls in discover("shapes").items():
        if kind == "voxels":
            continue
        shape = cls.example()
        fitting = Grid((2048, 2048), shape.radius / 3)
        few = some_poses(10_000, fitting)
        seconds = best(lambda s=shape, g=fitting, p=few: s.add_thickness(np.zeros(g.shape), p, g, -np.inf, np.inf), 2)
        print(f"{kind}, bounding radius 3 px: {seconds / len(few) * 1e6:.1f} us each")


if __name__ == "__main__":
    main()
