"""The same work by xsim and by programs that people use, taking turns in one run. Run this file.

`python bench_peers.py slices` or `frames` times one part. Whatever is not installed is left out. What is compared, two
threads each:

- abTEM (doi 10.12688/openreseurope.13015.2): a plane wave through 64 slices of 1024 x 1024, complex64, band limit 2/3,
  the potential given as an array. It is for electrons, the loop is the same.
- cdtools: the forward model of ptychography, 400 frames of 256 x 256: the probe moved by a fraction of a pixel, times
  the object, far field, intensity; one mode, batches of 20. xsim's frames take a wider window, so that nothing folds
  back at their edges.

ptypy has no release that pip installs, and so is not timed here.
"""

import os
import sys
import warnings

import bench_multislice
import bench_ptychography
import numpy as np
from taking_turns import shortest

from xsim.interaction import multislice
from xsim.streams import StreamKey
from xsim.threads import use_threads

THREADS = min(2, os.cpu_count() or 1)
BATCH = 20


def through_slices(timed):
    """Add the works on 64 slices; their floor comes first."""
    dense = bench_multislice.specimen(1)
    timed["multislice: floor"] = bench_multislice.floor
    timed["multislice: xsim"] = lambda: multislice.exit_wave(dense, 1.0, bench_multislice.ENERGY, band=2 / 3)
    try:
        import abtem
    except ImportError:
        print("abTEM is not installed")
        return
    abtem.config.set({"dask.lazy": False, "fftw.threads": THREADS, "diagnostics.progress_bar": False})
    size, count = bench_multislice.SIZE, bench_multislice.SLABS
    array = np.random.default_rng(0).random((count, size, size)).astype(np.float32)
    potential = abtem.PotentialArray(array, slice_thickness=1.0, extent=50.0)

    def abtem_slices():
        waves = abtem.Waves(np.ones((size, size), np.complex64), energy=100e3, extent=50.0)
        return waves.multislice(potential)

    assert abtem_slices().array.shape == (size, size)
    timed["multislice: abTEM"] = abtem_slices


def frames(timed):
    """Add the works on 400 frames; their floor comes first."""
    count, size = bench_ptychography.FRAMES, bench_ptychography.SIZE
    waves = np.zeros((count, size, size), np.complex64)
    one = bench_ptychography.instrument("100 nm")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        prepared = one.prepare(bench_ptychography.specimen())
    table = one.frames().take(slice(0, count))
    timed["frames: floor"] = lambda: bench_ptychography.floor(waves)
    timed["frames: xsim"] = lambda: prepared.expose(table)
    timed["frames with noise: xsim"] = lambda: one.detector.read(prepared.expose(table), StreamKey(1, "bench"))
    try:
        import torch
        from cdtools.tools import interactions, propagators
    except ImportError:
        print("cdtools is not installed")
        return
    torch.set_num_threads(THREADS)
    rng = np.random.default_rng(0)
    probe = torch.tensor(rng.normal(size=(1, size, size)) + 0j, dtype=torch.complex64)
    thing = torch.tensor(np.exp(1j * rng.random((3 * size, 3 * size))), dtype=torch.complex64)
    places = torch.tensor(rng.random((count, 2)) * (2 * size - 20) + 10, dtype=torch.float32)

    def simulate(draw):
        found = []
        with torch.no_grad():
            for start in range(0, count, BATCH):
                batch = places[start : start + BATCH]
                behind = interactions.ptycho_2D_sinc(probe.expand(len(batch), -1, -1, -1), thing, batch)
                intensity = torch.sum(torch.abs(propagators.far_field(behind)) ** 2, dim=-3)
                found.append(draw(intensity))
        return torch.cat(found)

    level = bench_ptychography.PHOTONS / float(simulate(lambda x: x).sum(dim=(-2, -1)).mean())
    timed["frames: cdtools"] = lambda: simulate(lambda x: x)
    timed["frames with noise: cdtools and torch.poisson"] = lambda: simulate(lambda x: torch.poisson(x * level))


GROUPS = {"slices": through_slices, "frames": frames}


def main(rounds=3):
    """Print seconds and ratios; the works take turns, and the best of each counts, so that other load cancels."""
    for name in sys.argv[1:] or GROUPS:
        timed = {}
        GROUPS[name](timed)
        with use_threads(THREADS):
            best = shortest(timed, rounds)
        floor = next(iter(best.values()))
        for name, seconds in best.items():
            print(f"{name}: {seconds:.3f} s = {seconds / floor:.2f} of the floor")


if __name__ == "__main__":
    main()
