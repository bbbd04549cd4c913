"""Exact Poisson numbers, keyed by stream, frame, lane and element.

Blocks of 32 neighbouring elements whose expectations sum to less than 12 draw one total (inversion) and place each
photon by the inverse cumulative distribution within the block: a sum of independent Poisson numbers, split
multinomially, is those numbers again, so this is exact. Other elements draw singly: inversion below 12, transformed
rejection with squeeze (PTRS) above, whose acceptance uses the saddle-point form of the probability so that it keeps
its digits. Exact in distribution up to rounding in double precision for expectations up to `LIMIT` = 1e15 (where
integers are still resolved by a double); more is refused, nothing is replaced by a normal distribution.

References: Hörmann, Insurance: Mathematics and Economics 12, 39 (1993), doi 10.1016/0167-6687(93)90997-4; Loader,
"Fast and accurate computation of binomial probabilities" (2000).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xsim.detectors._philox import fill_normal, uniforms
from xsim.errors import RangeError
from xsim.streams import StreamKey
from xsim.threads import share

#: largest expectation per element that is drawn
LIMIT = 1e15
_BLOCK = 32
_SWITCH = 12.0
# lanes share one counter word: the low 24 bits number the caller's lane, the top bits say what the word is for
_LANES = 1 << 24
_BLOCK_TAG = 1 << 28
_NORMAL_TAG = 2 << 28
_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


@njit(cache=True, nogil=True)
def _log_probability(k, mean):  # type: ignore[no-untyped-def]
    """Natural log of the Poisson probability of k, without cancellation for large means."""
    if k < 16.0:
        return k * math.log(mean) - mean - math.lgamma(k + 1.0)
    e = (mean - k) / k
    if abs(e) < 1e-2:  # k ((1 + e) - 1 - log(1 + e)) by its series
        term, total = e * e, 0.0
        for order in range(2, 12):
            total += term / order if order % 2 == 0 else -term / order
            term *= e
        deviance = k * total
    else:
        deviance = k * (e - math.log1p(e))
    r = 1.0 / k
    stirling = r * (1 / 12 - r * r * (1 / 360 - r * r * (1 / 1260 - r * r / 1680)))
    return -deviance - stirling - _HALF_LOG_2PI - 0.5 * math.log(k)


@njit(cache=True, nogil=True, inline="always")
def _invert(mean, u):  # type: ignore[no-untyped-def]
    """The Poisson number at cumulative probability u, for small means."""
    p = math.exp(-mean)
    s, k = p, 0
    while u > s and k < 200:
        k += 1
        p *= mean / k
        s += p
    return k


@njit(cache=True, nogil=True)
def draw_one(mean, element, frame, lane, k0, k1):  # type: ignore[no-untyped-def]
    """One Poisson number of `mean`, keyed by (element, frame, lane)."""
    if mean <= 0.0:
        return 0
    if mean < _SWITCH:
        u, _ = uniforms(element, 0, frame, lane, k0, k1)
        return _invert(mean, u)
    b = 0.931 + 2.53 * math.sqrt(mean)
    a = -0.059 + 0.02483 * b
    vr = 0.9277 - 3.6224 / (b - 2.0)
    attempt = 0
    while True:
        u, v = uniforms(element, attempt, frame, lane, k0, k1)
        attempt += 1
        u -= 0.5
        us = 0.5 - abs(u)
        k = math.floor((2.0 * a / us + b) * u + mean + 0.43)
        if us >= 0.07 and v <= vr:
            return int(k)
        if k < 0 or (us < 0.013 and v > us):
            continue
        inv_alpha = 1.1239 + 1.1328 / (b - 3.4)
        if math.log(v * inv_alpha / (a / (us * us) + b)) <= _log_probability(k, mean):
            return int(k)


@njit(cache=True, nogil=True)
def fill_poisson(out, means, frame, lane, k0, k1):  # type: ignore[no-untyped-def]
    """Fill `out` (n,) with Poisson numbers of `means` (n,)."""
    n = means.size
    for block in range((n + _BLOCK - 1) // _BLOCK):
        start = block * _BLOCK
        stop = min(n, start + _BLOCK)
        total = 0.0
        for i in range(start, stop):
            total += means[i]
        if total >= _SWITCH:
            for i in range(start, stop):
                out[i] = draw_one(means[i], i, frame, lane, k0, k1)
            continue
        for i in range(start, stop):
            out[i] = 0
        if total <= 0.0:
            continue
        u, v = uniforms(block, 0, frame, lane | _BLOCK_TAG, k0, k1)
        for photon in range(_invert(total, u)):
            if photon % 2 == 0:
                w, v = uniforms(block, 1 + photon // 2, frame, lane | _BLOCK_TAG, k0, k1)
            else:
                w = v
            level, i, last = w * total, start, start
            s = 0.0
            while i < stop:  # `last` guards against rounding past the end: never an element of zero mean
                if means[i] > 0.0:
                    last = i
                    s += means[i]
                    if level < s:
                        break
                i += 1
            out[last] += 1


def check(means: NDArray[Any]) -> None:
    """Raise RangeError unless every expectation is finite, not negative and at most `LIMIT`."""
    if means.size == 0:
        return
    low, high = float(np.min(means)), float(np.max(means))
    if not (low >= 0 and high <= LIMIT):
        bad = high if low >= 0 else low
        raise RangeError(
            "expected photons per detector element",
            value=bad,
            allowed=f"finite, 0 .. {LIMIT:g}",
            cure="check flux, exposure time and the specimen's optical constants",
        )


def over_frames(work: Callable[[int], None], frames: int, threads: int = 1) -> None:
    """Call work(row) for every row; rows are independent, so any number of threads gives the same bits."""
    share(work, ((row,) for row in range(frames)), threads)


def poisson(
    means: NDArray[Any], key: StreamKey, index: NDArray[np.int64], lane: int = 0, threads: int = 1
) -> NDArray[np.int64]:
    """Poisson numbers of `means` (frames, ...): row f draws under (key, index[f], lane) alone. Raises RangeError."""
    check(means)
    flat = np.ascontiguousarray(means, dtype=np.float64).reshape(len(index), -1)
    out = np.empty(flat.shape, np.int64)
    k0, k1 = key.words
    numbers = frame_numbers(index)

    def work(row: int) -> None:
        fill_poisson(out[row], flat[row], numbers[row], lane_word(lane), k0, k1)

    over_frames(work, len(index), threads)
    return out.reshape(means.shape)


def normal(
    shape: tuple[int, ...], key: StreamKey, index: NDArray[np.int64], lane: int = 0, threads: int = 1
) -> NDArray[np.float64]:
    """Standard normal numbers of `shape` (frames, ...), keyed like `poisson`."""
    out = np.empty((shape[0], math.prod(shape[1:])), np.float64)
    k0, k1 = key.words
    numbers = frame_numbers(index)

    def work(row: int) -> None:
        fill_normal(out[row], numbers[row], lane_word(lane) | _NORMAL_TAG, k0, k1)

    over_frames(work, shape[0], threads)
    return out.reshape(shape)


def lane_word(lane: int) -> int:
    """The counter word of a lane (a photon group); raises RangeError beyond 2^24 of them."""
    if not 0 <= lane < _LANES:
        raise RangeError("number of a photon group", value=lane, allowed=f"0 .. {_LANES - 1}")
    return lane


def frame_numbers(index: NDArray[np.int64]) -> NDArray[np.int64]:
    """Frame numbers as counter words; raises RangeError beyond 2^32 frames."""
    numbers = np.asarray(index, np.int64)
    if numbers.size and not (numbers.min() >= 0 and numbers.max() < 1 << 32):
        raise RangeError("frame number", value=int(numbers.max()), allowed=f"0 .. {(1 << 32) - 1}")
    return numbers
