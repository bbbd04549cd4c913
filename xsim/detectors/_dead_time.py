"""Counting losses of a dead time tau at the true rate r, for a gate of length T opened on a beam already running.

Non-paralysable: mean m = rT/(1+x), variance m/(1+x)^2; paralysable: mean m = rT exp(-x), variance m (1 - 2x exp(-x)),
x = r tau; the means are exact for any T, the variances hold for T >> tau. Up to `EXACT` expected photons the arrivals
are followed one by one (exact for any T). Above, a Poisson number K of mean m is compressed about its mean,
N = round(m + s (K - m)) with s^2 the variance over the mean: mean and variance are those above, and no dead time gives
Poisson numbers again. Reference: Knoll, Radiation Detection and Measurement, ch. 4.VII; Müller, Nucl. Instrum. Methods
112, 47 (1973), doi 10.1016/0029-554X(73)90773-8.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xsim.detectors._philox import uniforms
from xsim.detectors._poisson import check, draw_one, frame_numbers, lane_word, over_frames
from xsim.streams import StreamKey

#: expected photons per element and frame up to which arrivals are followed one by one
EXACT = 64.0
_ARRIVALS_TAG = 3 << 28


@njit(cache=True, nogil=True)
def _follow(photons, x, paralysable, element, frame, lane, k0, k1):  # type: ignore[no-untyped-def]
    """Recorded photons among Poisson arrivals of mean `photons`; time in units of the mean interval."""
    dead = x
    attempt = 0
    u, v = uniforms(element, attempt, frame, lane, k0, k1)
    # the state when the gate opens: dead until `until` (the beam was on before)
    until = 0.0
    if paralysable:
        until = dead + math.log(u)  # the last arrival was -log(u) ago
    elif u < x / (1.0 + x):
        until = dead * v
    now, counted = 0.0, 0
    have = False
    while True:
        if have:
            w = v
        else:
            attempt += 1
            w, v = uniforms(element, attempt, frame, lane, k0, k1)
        have = not have
        now -= math.log(w)
        if now >= photons:
            return counted
        if now >= until:
            counted += 1
            until = now + dead
        elif paralysable:
            until = now + dead


@njit(cache=True, nogil=True)
def fill_counted(out, photons, gate, law, frame, lane, k0, k1):  # type: ignore[no-untyped-def]
    """Fill `out` (n,) with recorded photons for expectations `photons` (n,); gate [s]; law: (tau [s], paralysable)."""
    tau, paralysable = law
    for i in range(photons.size):
        n = photons[i]
        x = n / gate * tau
        if n <= EXACT:
            out[i] = _follow(n, x, paralysable, i, frame, lane | _ARRIVALS_TAG, k0, k1) if n > 0.0 else 0
            continue
        if paralysable:
            mean = n * math.exp(-x)
            s = math.sqrt(1.0 - 2.0 * x * math.exp(-x))
        else:
            mean = n / (1.0 + x)
            s = 1.0 / (1.0 + x)
        k = draw_one(mean, i, frame, lane, k0, k1)
        out[i] = max(0, math.floor(mean + s * (k - mean) + 0.5))


def counted_mean(photons: Any, gate: Any, tau: float, paralysable: bool) -> NDArray[np.float64]:
    """Expected recorded photons; `photons` expected in a gate [s] (broadcast) with dead time `tau` [s]."""
    x = np.asarray(photons) / gate * tau
    return np.asarray(photons * np.exp(-x) if paralysable else photons / (1 + x))


def counted(
    photons: NDArray[np.float64],
    gates: NDArray[np.float64],
    dead_time: tuple[float, bool],
    key: StreamKey,
    index: NDArray[np.int64],
    lane: int = 0,
) -> NDArray[np.int64]:
    """Recorded photons (frames, ...) for expectations of that shape; gates (frames,) [s]; (tau [s], paralysable)."""
    check(photons)
    flat = np.ascontiguousarray(photons, np.float64).reshape(len(index), -1)
    out = np.empty(flat.shape, np.int64)
    k0, k1 = key.words
    numbers = frame_numbers(index)

    def work(row: int) -> None:
        fill_counted(out[row], flat[row], gates[row], dead_time, numbers[row], lane_word(lane), k0, k1)

    over_frames(work, len(index))
    return out.reshape(photons.shape)


def live_times(recorded: Any, gates: Any, tau: float, paralysable: bool) -> NDArray[np.float64]:
    """Live times [s] that a counter states: T - N tau, or T exp(-x) with x from its own rate, N tau = T x exp(-x).

    recorded: N in the gates T [s] (broadcast). Recorded counts over live time is the true rate. Beyond x = 1, where
    a paralysable counter counts less the more there is, no x can be told from N: the one below 1 is taken.
    """
    from scipy.special import lambertw

    busy = np.asarray(recorded, np.float64) * tau / gates
    if not paralysable:
        return np.asarray(gates * np.maximum(1 - busy, 0))
    x = -np.real(lambertw(-np.minimum(busy, (1 - 1e-12) * np.exp(-1.0))))  # not a number at the branch itself
    return np.asarray(gates * np.exp(-x))
