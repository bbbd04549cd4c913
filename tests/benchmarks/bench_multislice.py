"""Multislice, 1024 x 1024 x 64 slabs, against the bare in-place FFTs of the same number (the floor). Run this file."""

import os
from types import SimpleNamespace

import numpy as np
from scipy import fft
from taking_turns import shortest

from xsim.interaction import multislice
from xsim.waves.grid import Grid

SIZE, SLABS, ENERGY = 1024, 64, 800.0
WORKERS = os.cpu_count()


class Stuff:
    """A material of explicit index."""

    def __init__(self, delta, beta):
        self.values = SimpleNamespace(delta=delta, beta=beta, decrement=delta - 1j * beta)

    def optics(self, energy):
        """The same at every energy."""
        return self.values


def specimen(every):
    """Two materials that fill every `every`-th slab; the others are empty."""
    rng = np.random.default_rng(0)
    grid = Grid((SIZE, SIZE), 5e-9)
    one, two = Stuff(1e-3, 1e-4), Stuff(2e-4, 1e-5)
    full = {one: rng.random(grid.shape) * 30e-9, two: rng.random(grid.shape) * 10e-9}
    empty = {one: np.zeros(grid.shape)}
    maps = (full if slab % every == 0 else empty for slab in range(SLABS))
    return multislice.from_maps(maps, grid, np.linspace(0, 6.4e-6, SLABS + 1))


def floor():
    """There and back `SLABS` times, in place, nothing else."""
    wave = np.ones((SIZE, SIZE), np.complex64)
    for _ in range(SLABS):
        wave = fft.fft2(wave, overwrite_x=True, workers=WORKERS)
        wave = fft.ifft2(wave, overwrite_x=True, workers=WORKERS)


def main(rounds=5):
    """Print seconds and ratios; the works take turns, and the best of each counts, so that other load cancels."""
    dense, sparse = specimen(1), specimen(10)
    works = {
        "floor": floor,
        "full band": lambda: multislice.exit_wave(dense, 1.0, ENERGY),
        "band 2/3": lambda: multislice.exit_wave(dense, 1.0, ENERGY, band=2 / 3),
        "a tenth of the slabs filled": lambda: multislice.exit_wave(sparse, 1.0, ENERGY),
    }
    best = shortest(works, rounds)
    for name, slabs in (("full band", dense), ("a tenth of the slabs filled", sparse)):
        single, double = (multislice.exit_wave(slabs, 1.0, ENERGY, dtype=dtype) for dtype in ("c8", "c16"))
        print(f"{name}: complex64 differs by {np.linalg.norm(single - double) / np.linalg.norm(double):.1e}")
    for name, seconds in best.items():
        print(f"{name}: {seconds:.2f} s = {seconds / best['floor']:.2f} of the floor")


if __name__ == "__main__":
    main()
