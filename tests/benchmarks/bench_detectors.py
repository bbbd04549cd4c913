"""Drawing a 256 x 256 frame, against one in-place FFT of it (the floor) and NumPy's generator. Run this file."""

import time

import numpy as np
from scipy import fft

from xsim.detectors._poisson import poisson
from xsim.streams import StreamKey


def best(work, repeats=20):
    """Shortest wall time of work() [s]."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def main():
    """Print milliseconds and ratios."""
    key, index, rng = StreamKey(1, "bench"), np.zeros(1, np.int64), np.random.default_rng(1)
    field = np.ones((256, 256), np.complex64)
    floor = best(lambda: fft.fft2(field, overwrite_x=True))
    y, x = np.mgrid[-128:128, -128:128]
    speckle = np.random.default_rng(0).exponential(1, (256, 256)) / (1 + (x**2 + y**2) / 30.0) ** 2
    frames = {f"pattern, {n:.0e} photons": speckle * n / speckle.sum() for n in (1e4, 1e5, 1e6)}
    frames["flat, 1000 per pixel"] = np.full((256, 256), 1e3)
    print(f"one in-place FFT of 256 x 256 complex64: {floor * 1e3:.2f} ms")
    for name, means in frames.items():
        poisson(means[None], key, index)
        ours = best(lambda means=means: poisson(means[None], key, index))
        numpy = best(lambda means=means: rng.poisson(means))
        print(f"{name}: {ours * 1e3:.2f} ms = {ours / floor:.1f} FFTs; numpy {numpy * 1e3:.2f} ms")


if __name__ == "__main__":
    main()
