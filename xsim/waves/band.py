"""A wave on fewer samples over the same field: the inner part of its spectrum, exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.errors import SamplingError
from xsim.waves.fft import fft2, fftshift, ifft2, ifftshift


def inner_band(wave: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """The frequencies of a centred `wave` (ny, nx) that `shape` samples over its field carry: no edge aliases.

    Raises SamplingError where `shape` has more samples than the wave.
    """
    if wave.shape == shape:
        return wave
    if shape[0] > wave.shape[0] or shape[1] > wave.shape[1]:
        raise SamplingError("a wave has no samples for a finer grid", value=wave.shape, allowed=f">= {shape}")
    far = fftshift(fft2(ifftshift(wave), overwrite=True))
    top, left = (whole // 2 - part // 2 for whole, part in zip(far.shape, shape, strict=True))
    inner = ifftshift(far[top : top + shape[0], left : left + shape[1]])
    return np.asarray(fftshift(ifft2(inner, overwrite=True)) * (shape[0] * shape[1] / wave.size))
