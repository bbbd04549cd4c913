"""Spectra of many lines: summed in fixed order per frame, and photons placed in channels one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xsim.detectors._philox import uniforms
from xsim.detectors._poisson import frame_numbers, over_frames
from xsim.streams import StreamKey


@njit(cache=True, nogil=True)
def _mix(photons, which, shares, out):  # type: ignore[no-untyped-def]
    for frame in range(photons.shape[0]):
        for group in range(photons.shape[1]):
            n = photons[frame, group]
            if n > 0.0:
                row = which[frame, group]
                for channel in range(shares.shape[1]):
                    out[frame, channel] += n * shares[row, channel]


def mix(photons: NDArray[Any], which: NDArray[Any], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum over groups of photons (frames, groups) x shares[which] (frames, groups, channels) -> (frames, channels).

    Not a matrix product: BLAS sums in an order that depends on how many frames are in the chunk.
    """
    out = np.zeros((photons.shape[0], shares.shape[1]))
    _mix(photons, which.astype(np.int64), np.ascontiguousarray(shares), out)
    return out


@njit(cache=True, nogil=True)
def _place(out, total, cumulative, frame, k0, k1):  # type: ignore[no-untyped-def]
    v = 0.0
    for photon in range(total):
        if photon % 2 == 0:
            u, v = uniforms(photon // 2, 0, frame, 0, k0, k1)
        else:
            u = v
        channel = np.searchsorted(cumulative, u, side="right")
        if channel < out.size:
            out[channel] += 1


def place(
    totals: NDArray[np.int64],
    spectra: NDArray[np.float64],
    detected: NDArray[np.float64],
    key: StreamKey,
    index: NDArray[np.int64],
) -> NDArray[np.int32]:
    """Place totals (frames,) photons in channels with chances spectra / detected; the remainder falls outside."""
    out = np.zeros(spectra.shape, np.int32)
    k0, k1 = key.words
    numbers = frame_numbers(index)

    def work(row: int) -> None:
        if totals[row] > 0:
            _place(out[row], totals[row], np.cumsum(spectra[row]) / detected[row], numbers[row], k0, k1)

    over_frames(work, len(index))
    return out
