"""One iteration of RAAR at 512 x 512 against two bare transforms in place (the floor). Run this file."""

import os

import numpy as np
from scipy import fft
from taking_turns import shortest

from xsim.reconstruct._phasing import Phaser

SIZE, ITERATIONS = 512, 40
WORKERS = os.cpu_count()


def main(rounds=8):
    """Print milliseconds and ratios; the works take turns, and the best of each counts, so that other load cancels."""
    rng = np.random.default_rng(0)
    wave = (rng.random((SIZE, SIZE)) + 0j).astype(np.complex64)
    modulus = np.abs(fft.fft2(wave))
    modulus[:8, :8] = -1
    support = np.zeros((SIZE, SIZE), np.uint8)
    support[:200, :200] = 1

    def floor():
        array = wave.copy()
        for _ in range(ITERATIONS):
            array = fft.fft2(array, overwrite_x=True, workers=WORKERS)
            array = fft.ifft2(array, overwrite_x=True, workers=WORKERS)

    def phase(rule, constraint):
        with Phaser(wave, modulus, support, constraint) as state:
            for _ in range(ITERATIONS):
                state.iterate(rule)

    works = {"floor": floor}
    for rule in ("raar", "hio", "er"):
        for constraint in ("none", "quadrant", "real"):
            works[f"{rule}, {constraint}"] = lambda r=rule, c=constraint: phase(r, c)
    best = shortest(works, rounds)
    for name, seconds in best.items():
        print(f"{name}: {1e3 * seconds / ITERATIONS:.2f} ms = {seconds / best['floor']:.2f} of the floor")


if __name__ == "__main__":
    main()
