"""Photons put into channels one by one: what it takes to draw a spectrum grows with its counts, not its channels.

A recorded event is first one photon of a group, drawn by the groups' rates, then a channel of that group's response,
each by one look-up in an alias table (Walker's method, Vose, IEEE Trans. Softw. Eng. 17, 972 (1991),
doi 10.1109/32.92917). Given the number of events this is the multinomial law, chances being kept to 2^-32 of a column,
and a Poisson number of events makes the channels independent Poisson numbers: no dense expectation is ever made. With a
chance `more` that another photon falls into an event before it is closed, every event holds a geometric number of
photons, and the noise-free energies of those with several add up before the electronic noise, which they share
(`_pile_up`).

Word layout: counter (event / 2, 0, frame, lane) gives two events their two words each; crowded events use a tag.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xsim.detectors._philox import philox, uniforms
from xsim.detectors._poisson import frame_numbers
from xsim.streams import StreamKey
from xsim.threads import share, thread_count

_CROWD_TAG = 5 << 28  # `_poisson` and `_dead_time` hold 1 to 4
_ROWS = 256  # frames that a thread takes at a time
_WORD = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)


@njit(cache=True, nogil=True)
def _alias(chance, table, stay, small, large):  # type: ignore[no-untyped-def]
    """Fill `table` (n,) for `chance` (n,), which need not sum to 1; stay, small, large (n,) are scratch.

    An entry holds the threshold below which its column is kept [2^-32] and, in its low half, the alias.
    """
    n = chance.size
    total = 0.0
    for i in range(n):
        total += chance[i]
    scale = n / total
    smalls, larges, most = 0, 0, 0
    for i in range(n):
        stay[i] = chance[i] * scale
        if chance[i] > chance[most]:
            most = i
        if stay[i] < 1.0:
            small[smalls] = i
            smalls += 1
        else:
            large[larges] = i
            larges += 1
    while smalls > 0 and larges > 0:
        low, high = small[smalls - 1], large[larges - 1]
        smalls -= 1
        table[low] = (np.uint64(stay[low] * 4294967296.0) << _WORD) | np.uint64(high)
        stay[high] -= 1.0 - stay[low]
        if stay[high] < 1.0:
            larges -= 1
            small[smalls] = high
            smalls += 1
    for k in range(larges):
        table[large[k]] = (_LOW << _WORD) | np.uint64(large[k])
    for k in range(smalls):  # left by rounding: whole columns, or such as cannot be
        i = small[k]
        table[i] = (_LOW << _WORD) | np.uint64(i if stay[i] > 0.5 else most)
        if stay[i] <= 0.5:
            table[i] = np.uint64(most)


@njit(cache=True, nogil=True, inline="always")
def _pick(table, word):  # type: ignore[no-untyped-def]
    """The entry for a word of 32 bits: its column's own where the rest is below the threshold, else the alias."""
    x = np.uint64(word) * np.uint64(table.size)
    column = x >> _WORD
    entry = table[column]
    return np.int64(column) if (x & _LOW) < (entry >> _WORD) else np.int64(entry & _LOW)


@njit(cache=True, nogil=True)
def _crowded(event, more, groups, which, clean, counter):  # type: ignore[no-untyped-def]
    """Photons (2 at least) of one event, the sum of their channels in the tables `clean` (-1: beyond), a normal."""
    frame, lane, k0, k1 = counter
    photons, total, attempt = 0, 0, 0
    while True:
        a, b, c, d = philox(event, attempt, frame, lane | _CROWD_TAG, k0, k1)
        attempt += 1
        table = clean[which[_pick(groups, a)]]
        channel = _pick(table, b)
        photons += 1
        total = -1 if total < 0 or channel == table.size - 1 else total + channel
        if photons >= 2 and ((np.uint64(c) << _WORD) | np.uint64(d)) * 2.0**-64 >= more:
            break
    u, v = uniforms(event, attempt, frame, lane | _CROWD_TAG, k0, k1)
    return photons, total, math.sqrt(-2.0 * math.log(u)) * math.cos(2.0 * math.pi * v)


@njit(cache=True, nogil=True)
def _next(at, more, counter):  # type: ignore[no-untyped-def]
    """The next event after `at` that holds several photons, which each does with chance `more`."""
    frame, lane, k0, k1 = counter
    u, _ = uniforms(at + 1, 1 << 30, frame, lane | _CROWD_TAG, k0, k1)
    return at + 1 + int(min(math.log(u) / math.log1p(-more), 4.0e18))


@njit(cache=True, nogil=True)
def _draw(out, events, groups, which, more, spectra, counter):  # type: ignore[no-untyped-def]
    """Add `events` events to the channels `out`; groups: their alias table; spectra: tables, clean, (zero, noise)."""
    frame, lane, k0, k1 = counter
    tables, clean, (zero, noise) = spectra
    several = _next(-1, more, counter) if more > 0.0 else events
    a, b, c, d = philox(0, 0, frame, lane, k0, k1)
    for event in range(events):
        if event % 2 == 0:
            a, b, c, d = philox(event // 2, 0, frame, lane, k0, k1)
        else:
            a, b = c, d
        if event == several:
            photons, total, normal = _crowded(event, more, groups, which, clean, counter)
            several = _next(event, more, counter)
            place = total + 0.5 * photons - zero + math.sqrt(noise * noise + photons / 12.0) * normal
            if total >= 0 and 0.0 <= place < out.size:
                out[int(place)] += 1
            continue
        channel = _pick(tables[which[_pick(groups, a)]], b)
        if channel < out.size:
            out[channel] += 1


@njit(cache=True, nogil=True)
def _draw_frames(out, events, rates, which, more, spectra, frames, key):  # type: ignore[no-untyped-def]
    n = rates.shape[2]
    groups, stay, scratch = np.empty(n, np.uint64), np.empty(n), np.empty((2, n), np.int64)
    for row in range(frames.size):
        for lane in range(out.shape[1]):
            if events[row, lane] > 0:
                _alias(rates[row, lane], groups, stay, scratch[0], scratch[1])
                counter = (frames[row], lane, key[0], key[1])
                _draw(out[row, lane], events[row, lane], groups, which[row], more[row, lane], spectra, counter)


def tables_of(spectra: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Alias tables (n, channels + 1) of `spectra` (n, channels), the chances of one photon to be found in each channel.

    What is missing to 1 lies in the last entry, "outside".
    """
    outside = np.maximum(1 - spectra.sum(axis=1, keepdims=True), 0)
    chances = np.concatenate([spectra, outside], axis=1)
    found, stay = np.empty(chances.shape, np.uint64), np.empty(chances.shape[1])
    scratch = np.empty((2, chances.shape[1]), np.int64)
    for table, chance in zip(found, chances, strict=True):
        _alias(chance, table, stay, *scratch)
    return found


@dataclass(frozen=True, eq=False)
class Crowd:
    """What events of several photons are made of: chances of one more (frames, lanes), noise-free tables from 0 eV.

    zero: energy of the first channel's edge, noise: standard deviation, both in channels.
    """

    more: NDArray[np.float64]
    clean: NDArray[np.uint64]
    zero: float
    noise: float


def place(
    events: NDArray[np.int64],
    rates: NDArray[np.float64],
    which: NDArray[np.int64],
    spectra: NDArray[np.float64],
    stream: tuple[StreamKey, NDArray[np.int64]],
    crowd: Crowd | None = None,
) -> NDArray[np.int32]:
    """Counts (frames, lanes, channels) of `events` (frames, lanes).

    rates: (frames, lanes, groups) of detected photons; which: (frames, groups) row of each group in `spectra` (n,
    channels), the response to one detected photon. stream: key and frame numbers. The same bits for any threads.
    """
    key, index = stream
    out = np.zeros((*events.shape, spectra.shape[1]), np.int32)
    tables = tables_of(spectra)
    more = np.zeros(events.shape) if crowd is None else crowd.more
    fixed = (tables, tables, (0.0, 0.0)) if crowd is None else (tables, crowd.clean, (crowd.zero, crowd.noise))
    numbers = frame_numbers(index)
    parts = [slice(start, start + _ROWS) for start in range(0, len(index), _ROWS)]
    jobs = [(out[a], events[a], rates[a], which[a], more[a], fixed, numbers[a], key.words) for a in parts]
    share(_draw_frames, jobs, min(thread_count(), len(jobs)))
    return out


@njit(cache=True, nogil=True)
def _mix(out, photons, which, shares, first, last):  # type: ignore[no-untyped-def]
    groups = photons.shape[2]
    for frame in range(photons.shape[0]):
        for lane in range(photons.shape[1]):
            n, at = photons[frame, lane], which[frame]
            for g in range(0, groups - 3, 4):  # four at a time, so that sums are taken up and put down less often
                i, j, k, m = at[g], at[g + 1], at[g + 2], at[g + 3]
                start = min(min(first[i], first[j]), min(first[k], first[m]))
                stop = max(max(last[i], last[j]), max(last[k], last[m]))
                some = out[frame, lane, start:stop]
                a, b, c, d = shares[i, start:stop], shares[j, start:stop], shares[k, start:stop], shares[m, start:stop]
                for channel in range(some.size):
                    some[channel] += (n[g] * a[channel] + n[g + 1] * b[channel]) + (
                        n[g + 2] * c[channel] + n[g + 3] * d[channel]
                    )
            for g in range(groups - groups % 4, groups):
                some, a = out[frame, lane], shares[at[g]]
                for channel in range(some.size):
                    some[channel] += n[g] * a[channel]


def mix(photons: NDArray[Any], which: NDArray[np.int64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum over groups of photons (frames, lanes, groups) x shares[which] -> (frames, lanes, channels).

    Not a matrix product: BLAS sums in an order that depends on how many frames are in the chunk.
    """
    out = np.zeros((*photons.shape[:2], shares.shape[1]))
    some = shares > 0
    first = np.where(some.any(axis=1), some.argmax(axis=1), 0)
    last = np.where(some.any(axis=1), shares.shape[1] - some[:, ::-1].argmax(axis=1), 0)
    parts = [slice(start, start + _ROWS) for start in range(0, len(photons), _ROWS)]
    share(_mix, [(out[a], photons[a], which[a], shares, first, last) for a in parts], min(thread_count(), len(parts)))
    return out
