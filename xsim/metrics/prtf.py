"""Phase retrieval transfer function: how reproducibly independent starts of a reconstruction find each phase.

    PRTF(q) = < |mean over K starts of exp(i phi_k(q))| >_ring

1 where all starts agree; random phases give sqrt(pi / 4K), the floor. The images must be aligned with each other
(position, constant phase, twin) beforehand: see `complex_match`. Reference: Chapman et al., J. Opt. Soc. Am. A 23, 1179
(2006), doi 10.1364/JOSAA.23.001179.
"""

from __future__ import annotations

import math

import numpy as np

from xsim.errors import RangeError
from xsim.exposure import Array
from xsim.waves.fft import fftfreq, fftn


def prtf(images: Array, pixel: float) -> tuple[Array, Array]:
    """(frequency [1/m] (rings,), PRTF (rings,)) of aligned complex `images` of `pixel` [m].

    images: (starts, ny, nx) or (starts, nz, ny, nx).
    """
    images = np.asarray(images)
    if images.ndim not in (3, 4) or len(images) < 2:
        raise RangeError("reconstructions of a transfer function", value=images.shape, allowed="(>= 2 starts, ny, nx)")
    spectra = np.stack([fftn(image.astype(np.complex128)) for image in images])
    size = np.abs(spectra)
    mean = np.abs(np.mean(spectra / np.where(size > 0, size, 1.0), axis=0))
    shortest = min(mean.shape)
    parts = np.meshgrid(*(fftfreq(n, 1.0) / (2 * np.pi) * shortest for n in mean.shape), indexing="ij")
    ring = np.rint(np.sqrt(sum(part**2 for part in parts))).astype(np.int64).ravel()
    inside = ring <= shortest // 2
    count = np.bincount(ring[inside])
    curve = np.bincount(ring[inside], mean.ravel()[inside]) / count
    return np.arange(len(count)) / (shortest * pixel), curve


def transfer_limit(frequency: Array, curve: Array, starts: int) -> float | None:
    """Frequency [1/m] where the curve first falls to 1/e of the way from the floor of `starts` to 1; None if never.

    For very many starts that is the customary 1/e, below which few starts can never fall.
    """
    random = floor(starts)
    threshold = random + math.exp(-1) * (1 - random)
    low = np.flatnonzero((curve < threshold) & (frequency > 0))
    if not len(low):
        return None
    k = int(low[0])
    above, below = curve[k - 1] - threshold, curve[k] - threshold
    part = above / (above - below) if above > 0 else 1.0
    return float(frequency[k - 1] + part * (frequency[k] - frequency[k - 1]))


def floor(starts: int) -> float:
    """The PRTF of `starts` images with random phases, sqrt(pi / 4K) for many, 2/pi for two."""
    return 2 / math.pi if starts == 2 else math.sqrt(math.pi / (4 * starts))
