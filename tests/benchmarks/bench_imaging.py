"""Images of 1024 x 1024 in partially coherent light against the bare transforms of Abbe's sum. Run this file.

The floor is one in-place complex64 transform of the image's size per source point. The closest grid that carries the
image at all is the hardest for us; on a finer one the coarse lattice of the light is smaller, which the second floor,
transforms of that lattice's size, leaves out of account.
"""

import os
import time

import numpy as np
from scipy import fft

from xsim.constants import wavelength
from xsim.optics._lattice import Lattice
from xsim.optics.condenser import Condenser
from xsim.optics.hopkins import Setting, _mixture, hopkins_modes
from xsim.optics.imaging import abbe_image
from xsim.optics.zone_plate import ZonePlate
from xsim.waves.grid import Grid

SIZE, POINTS, ENERGY, ZONE = 1024, 100, 800.0, 20e-9
WORKERS = os.cpu_count()
LENS = ZonePlate(outermost_zone="20 nm", material="opaque")
WRONG = ZonePlate(outermost_zone="20 nm", material="opaque", aberrations={"coma": 0.3, "spherical": 0.2})
CONDENSER = Condenser(sigma=0.5, points=POINTS)
LIGHT = CONDENSER.directions()


def floor(shape):
    """One transform per source point, in place, nothing else."""
    wave = np.ones(shape, np.complex64)
    for _ in range(POINTS):
        wave = fft.ifft2(wave, overwrite_x=True, workers=WORKERS)


def works(pixel):
    """What is timed on one grid."""
    grid = Grid((SIZE, SIZE), pixel)
    rng = np.random.default_rng(0)
    wave = np.exp(1j * rng.random(grid.shape)).astype(np.complex64)
    radius = 2 * np.pi / float(wavelength(ENERGY)) * float(LENS.numerical_aperture(ENERGY))
    shape = Lattice(grid, radius).shape
    setting = Setting(grid, ENERGY, LENS, CONDENSER)
    modes = hopkins_modes(setting)
    print(f"  Hopkins: {len(modes.kernels)} modes, error {modes.error:.1e}")

    def afresh():
        hopkins_modes.cache_clear()
        _mixture.cache_clear()
        hopkins_modes(setting)

    return {
        f"floor {SIZE} x {SIZE}": lambda: floor((SIZE, SIZE)),
        f"floor {shape[0]} x {shape[1]}": lambda: floor(shape),
        "Abbe": lambda: abbe_image(wave, grid, ENERGY, LENS, *LIGHT),
        "Abbe, defocus": lambda: abbe_image(wave, grid, ENERGY, LENS, *LIGHT, defocus=1e-6),
        "Abbe, defocus and aberrations": lambda: abbe_image(wave, grid, ENERGY, WRONG, *LIGHT, defocus=1e-6),
        "Hopkins, finding the modes": afresh,
        "Hopkins, an image": lambda: modes.image(wave),
        "Abbe, complex128": lambda: abbe_image(wave.astype(np.complex128), grid, ENERGY, LENS, *LIGHT),
    }


def main(rounds=3):
    """Print seconds and ratios; the works take turns, and the best of each counts, so that other load cancels."""
    for pixel in (ZONE / 2, ZONE / 4):
        print(f"{SIZE} x {SIZE} pixels of {pixel * 1e9:g} nm, zones of {ZONE * 1e9:g} nm, {POINTS} source points")
        timed = works(pixel)
        best = {name: [np.inf, np.inf] for name in timed}
        for _ in range(rounds):
            for name, work in timed.items():
                start, busy = time.perf_counter(), time.process_time()
                work()
                best[name][0] = min(best[name][0], time.perf_counter() - start)
                best[name][1] = min(best[name][1], time.process_time() - busy)
        wall, cpu = next(iter(best.values()))
        for name, (seconds, busy) in best.items():
            print(f"  {name}: {seconds:.3f} s = {seconds / wall:.2f} of the floor (processor time {busy / cpu:.2f})")


if __name__ == "__main__":
    main()
