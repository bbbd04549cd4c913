"""Small strong particles in a volume: peaks of the Laplacian of a Gaussian, to a fraction of a voxel.

The negative Laplacian of the volume blurred by a Gaussian of the particles' own size answers most to a blob of that
size and little to slopes and large bodies. Its noise is told by the median absolute deviation, which a few particles
do not move; a peak counts when it is the largest of its neighbourhood and above the threshold. Labels are alike, so
the list ends where the ordered strengths are set apart most clearly from the weaker ones. A parabola through each peak
and its neighbours places it between voxels.
Reference: Lindeberg, Int. J. Comput. Vis. 30, 79 (1998), doi 10.1023/A:1008045108935.
"""

from __future__ import annotations

import numpy as np

from xsim.exposure import Array

#: the least fall from one peak to the next weaker one that ends the list
FALL = 1.15
#: voxels of blur by which a point comes out of a tomogram at the limit of its sampling
BLUR = 1.0


def find_labels(volume: Array, radius: float, threshold: float) -> tuple[Array, Array]:
    """Places (n, 3) [voxels, z y x] and strengths (n,) [standard deviations of the noise], strongest first.

    radius [voxels] of the labels (0: a point), blurred by about a voxel of resolution.
    """
    from scipy.ndimage import gaussian_laplace, maximum_filter

    sigma = float(np.hypot(BLUR, radius / np.sqrt(3)))  # a ball answers most at r/sqrt(3)
    answer = -gaussian_laplace(np.asarray(volume, np.float64), sigma, mode="nearest")
    noise = 1.4826 * float(np.median(np.abs(answer - np.median(answer))))
    reach = 2 * int(np.ceil(1.5 * sigma)) + 1
    peaks = (answer == maximum_filter(answer, reach)) & (answer > threshold * max(noise, 1e-300))
    rim = int(np.ceil(2 * sigma))
    inside = np.zeros(volume.shape, bool)
    inside[tuple(slice(rim, n - rim) for n in volume.shape)] = True  # edges of the volume are no particles
    where = np.argwhere(peaks & inside)
    height = answer[tuple(where.T)]
    order = np.argsort(-height, kind="stable")
    where, height = where[order], height[order]
    last = _last(height)
    where, height = where[:last], height[:last]
    return _between(answer, where), height / max(noise, 1e-300)


def _last(height: Array) -> int:
    """How many of the `height` (n,), strongest first, are of one kind."""
    if len(height) < 3:
        return len(height)
    fall = np.log(height[:-1] / height[1:])
    # spacings of ordered numbers shrink as 1/k where nothing sets the k strongest apart
    apart = np.where(fall > np.log(FALL), np.arange(1, len(height)) * fall, 0.0)
    return int(np.argmax(apart)) + 1 if apart.any() else len(height)


def _between(answer: Array, where: Array) -> Array:
    """The tops of parabolas through each peak and its two neighbours, axis by axis."""
    found = where.astype(np.float64)
    for axis in range(answer.ndim):
        step = np.zeros(answer.ndim, np.int64)
        step[axis] = 1
        below, at, above = (answer[tuple((where + k * step).T)] for k in (-1, 0, 1))
        curve = below - 2 * at + above
        found[:, axis] += np.where(curve < 0, 0.5 * (below - above) / np.where(curve < 0, curve, 1), 0)
    return found
