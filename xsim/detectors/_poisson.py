"""Exact Poisson numbers, keyed by stream, frame, lane and element.

Blocks of 32 neighbouring elements whose expectations sum to less than 16 draw one total and place each photon by the
inverse cumulative distribution within the block: a sum of independent Poisson numbers, split multinomially, is those
numbers again, so this is exact. In other blocks, elements below 48 look up the number of their expectation floored to
a grid (`_alias`), and what the flooring left over is drawn for the whole block as before: Poisson numbers add up, so
this too is exact. Above 48 each draws by transformed rejection with squeeze (PTRS), whose acceptance uses the
saddle-point form of the probability so that it keeps its digits. Exact in distribution up to rounding in double
precision for expectations up to `LIMIT` = 1e15 (where integers are still resolved by a double); more is refused,
nothing is replaced by a normal distribution.

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

from xsim.detectors._alias import MIDDLE, TOP, look_up, tables, words
from xsim.detectors._philox import UNIT, fill_normal, philox, uniforms
from xsim.errors import RangeError
from xsim.streams import StreamKey
from xsim.threads import share, thread_count

#: largest expectation per element that is drawn
LIMIT = 1e15
_BLOCK = 32
_SWITCH = 12.0  # inversion below, PTRS above, where an element draws alone
# lanes share one counter word: the low 24 bits number the caller's lane, the top bits say what the word is for
_LANES = 1 << 24
_BLOCK_TAG = 1 << 28
_NORMAL_TAG = 2 << 28
_TABLE_TAG = 4 << 28  # 3 << 28 belongs to `_dead_time`
_WORD = np.uint64(32)
#: numbers below which starting a thread costs more than it saves
_WORTH_A_THREAD = 1 << 15
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
def fill_poisson(out, parts, weights, frame, lane, key, tables):  # type: ignore[no-untyped-def]
    """Fill `out` (n,) with Poisson numbers of sum_g weights[g] parts[g], parts (groups, n), key: two words.

    False where an expectation is negative, not finite or above `LIMIT`; what `out` holds is then worth nothing.
    """
    fine, coarse = tables
    k0, k1 = key
    size = out.size
    means, sums, random = np.zeros(_BLOCK), np.empty(_BLOCK), np.empty(_BLOCK, np.uint64)
    for block in range((size + _BLOCK - 1) // _BLOCK):
        start = block * _BLOCK
        count = min(_BLOCK, size - start)
        if not _add_up(means, parts, weights, start, count):
            return False
        some = out[start : start + count]
        some[:] = 0
        total = _sum_of(means)
        if total >= MIDDLE:
            words(random, block * (_BLOCK // 2), frame, lane | _TABLE_TAG, k0, k1)
            for i in range(count):
                mean = means[i]
                if mean < TOP:
                    some[i], means[i] = look_up(fine, coarse, mean, random[i])
                else:
                    some[i] = draw_one(mean, start + i, frame, lane, k0, k1)
                    means[i] = 0.0
            total = _sum_of(means)
        if total > 0.0:
            _place(some, means, total, sums, (block, frame, lane | _BLOCK_TAG), key, fine)
    return True


@njit(cache=True, nogil=True, inline="always")
def _add_up(means, parts, weights, start, count):  # type: ignore[no-untyped-def]
    """means[:count] = sum_g weights[g] parts[g, start:], 0 beyond; False where something is not an expectation."""
    means[:] = 0.0
    right = True
    for group in range(parts.shape[0]):
        some, weight = parts[group, start : start + count], weights[group]
        for i in range(count):
            right &= (some[i] >= 0.0) & (some[i] <= LIMIT)
            means[i] += weight * some[i]
    for i in range(count):
        right &= means[i] <= LIMIT
    return right


@njit(cache=True, nogil=True, inline="always")
def _sum_of(means):  # type: ignore[no-untyped-def]
    """Sum of a block, in an order that eight additions at a time allow."""
    s0, s1, s2, s3, s4, s5, s6, s7 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(0, _BLOCK, 8):
        s0 += means[i]
        s1 += means[i + 1]
        s2 += means[i + 2]
        s3 += means[i + 3]
        s4 += means[i + 4]
        s5 += means[i + 5]
        s6 += means[i + 6]
        s7 += means[i + 7]
    return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))


@njit(cache=True, nogil=True, inline="always")
def _place(out, means, total, sums, counter, key, fine):  # type: ignore[no-untyped-def]
    """Add to `out` one Poisson number of `total`, its photons spread by the running sums of the means."""
    block, frame, lane = counter
    k0, k1 = key
    a, b, c, d = philox(block, 0, frame, lane, k0, k1)
    photons, left = look_up(fine, fine, total, (np.uint64(a) << _WORD) | np.uint64(b))
    u = (float(c >> np.uint32(5)) * 67108864.0 + float(d >> np.uint32(6)) + 0.5) * UNIT
    if u > 1.0 - left:  # below exp(-left), so that most need no exponential
        photons += _invert(left, u)
    if photons == 0:
        return
    total = 0.0
    for i in range(_BLOCK):
        total += means[i]
        sums[i] = total
    v = 0.0
    for photon in range(photons):
        w = v
        if photon % 2 == 0:
            w, v = uniforms(block, 1 + photon // 2, frame, lane, k0, k1)
        level = w * total
        if level >= total:  # rounded up to the end: an element of zero mean might lie there
            level = 0.0
        i = 16 * (sums[15] <= level)  # the first element whose running sum exceeds the level
        i += 8 * (sums[i + 7] <= level)
        i += 4 * (sums[i + 3] <= level)
        i += 2 * (sums[i + 1] <= level)
        i += 1 * (sums[i] <= level)
        out[i] += 1


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


def over_frames(work: Callable[[int], None], frames: int) -> None:
    """Call work(row) for every row; rows are independent, so any number of threads would give the same bits."""
    for row in range(frames):
        work(row)


@njit(cache=True, nogil=True)
def _fill_frames(out, right, parts, weights, frames, lane, key, tables):  # type: ignore[no-untyped-def]
    for row in range(frames.size):
        right[row] = fill_poisson(out[row], parts[row], weights[row], frames[row], lane, key, tables)


@njit(cache=True, nogil=True)
def _fill_normal_frames(out, frames, lane, key):  # type: ignore[no-untyped-def]
    for row in range(frames.size):
        fill_normal(out[row], frames[row], lane, key[0], key[1])


def poisson(
    means: NDArray[Any], key: StreamKey, index: NDArray[np.int64], lane: int = 0, threads: int | None = None
) -> NDArray[np.int64]:
    """Poisson numbers of `means` (frames, ...): row f draws under (key, index[f], lane) alone. Raises RangeError."""
    return poisson_of(means[:, None], np.ones((len(index), 1)), key, index, np.int64, lane, threads)


def poisson_of(
    parts: NDArray[Any],
    weights: NDArray[np.float64],
    key: StreamKey,
    index: NDArray[np.int64],
    kind: type[np.signedinteger[Any]] = np.int64,
    lane: int = 0,
    threads: int | None = None,
) -> NDArray[Any]:
    """Poisson numbers (frames, ...) of sum_g weights[f, g] parts[f, g, ...], of integers `kind`, which must hold them.

    Row f draws under (key, index[f], lane) alone. Raises RangeError where `parts` or the sums are no expectations.
    """
    real = np.float32 if parts.dtype == np.float32 else np.float64
    flat = np.ascontiguousarray(parts, real).reshape(*parts.shape[:2], math.prod(parts.shape[2:]))
    out, right = np.empty((len(index), flat.shape[2]), kind), np.ones(len(index), bool)
    numbers, lane = frame_numbers(index), lane_word(lane)
    weights = np.ascontiguousarray(weights, np.float64)
    rows = _shares(out.shape, threads)
    works = [(out[a], right[a], flat[a], weights[a], numbers[a], lane, key.words, tables()) for a in rows]
    share(_fill_frames, works, len(rows))
    for row in np.flatnonzero(~right):
        check(flat[row])
        check(weights[row] @ flat[row])
    return out.reshape(len(index), *parts.shape[2:])


def normal(
    shape: tuple[int, ...], key: StreamKey, index: NDArray[np.int64], lane: int = 0, threads: int | None = None
) -> NDArray[np.float64]:
    """Standard normal numbers of `shape` (frames, ...), keyed like `poisson`."""
    out = np.empty((shape[0], math.prod(shape[1:])), np.float64)
    numbers, lane = frame_numbers(index), lane_word(lane) | _NORMAL_TAG
    rows = _shares(out.shape, threads)
    share(_fill_normal_frames, [(out[a], numbers[a], lane, key.words) for a in rows], len(rows))
    return out.reshape(shape)


def _shares(shape: tuple[int, ...], threads: int | None) -> list[slice]:
    """Frames for each thread: by default as many threads as there are cores and enough numbers to draw."""
    frames, size = shape
    if threads is None:
        threads = min(thread_count(), frames * size // _WORTH_A_THREAD)
    parts = max(1, min(threads, frames))
    return [slice(frames * i // parts, frames * (i + 1) // parts) for i in range(parts)]


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
