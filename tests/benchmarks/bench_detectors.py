"""Drawing ptychography frames of 256 x 256, against one in-place FFT of each (the floor) and NumPy. Run this file.

All on the threads that the machine has: the floor is `scipy.fft` in place with that many workers.
"""

import time

import numpy as np
from scipy import fft

from xsim.detectors._poisson import poisson
from xsim.streams import StreamKey
from xsim.threads import thread_count

FRAMES = 40


def main(rounds=12):
    """Print milliseconds a frame and ratios; the works take turns and the best of each counts, as load cancels so."""
    key, index, rng = StreamKey(1, "bench"), np.arange(FRAMES), np.random.default_rng(1)
    y, x = np.mgrid[-128:128, -128:128]
    speckle = rng.exponential(1, (FRAMES, 256, 256)) / (1 + (x**2 + y**2) / 30.0) ** 2
    speckle /= speckle.sum((1, 2), keepdims=True)
    means = {f"pattern, {n:.0e} photons": (speckle * n).astype(np.float32) for n in (1e4, 1e5, 1e6, 1e7)}
    means |= {f"flat, {n} per pixel": np.full(speckle.shape, n, np.float32) for n in (3, 30, 1000)}
    field = np.ones((FRAMES, 256, 256), np.complex64)
    works = {"floor": lambda: fft.fft2(field, overwrite_x=True, workers=thread_count())}
    for name, frames in means.items():
        works[name] = lambda frames=frames: poisson(frames, key, index)
        works[f"{name}, numpy"] = lambda frames=frames: rng.poisson(frames[:4])
    best = dict.fromkeys(works, np.inf)
    for turn in range(rounds + 1):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if turn:
                best[name] = min(best[name], (time.perf_counter() - start) / (4 if "numpy" in name else FRAMES))
    for name, seconds in best.items():
        print(f"{name}: {seconds * 1e3:.3f} ms = {seconds / best['floor']:.2f} of the floor")


if __name__ == "__main__":
    main()
