"""Philox4x32-10: random words that depend on nothing but their key and counter.

A counter of four 32-bit words is encrypted by ten rounds under a key of two words; every (key, counter) gives four
independent words, in any order and on any thread. Layout used by all detectors: counter = (element, attempt,
frame, lane), key = `StreamKey.words`. Reference: Salmon et al., SC11, doi 10.1145/2063384.2063405.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, uint32, uint64

_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = np.uint32(0x9E3779B9)
_W1 = np.uint32(0xBB67AE85)
_MASK = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
#: 2^-53, so that 53 random bits become a double in [0, 1)
UNIT = 1.0 / 9007199254740992.0


@njit(cache=True, nogil=True, inline="always")
def philox(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]
    """Four uint32 words of counter (c0..c3) under key (k0, k1)."""
    a, b, c, d = uint32(c0), uint32(c1), uint32(c2), uint32(c3)
    x, y = uint32(k0), uint32(k1)
    for _ in range(10):
        p0 = uint64(a) * _M0
        p1 = uint64(c) * _M1
        a = uint32(uint32(p1 >> _SHIFT) ^ b ^ x)
        b = uint32(p1 & _MASK)
        c = uint32(uint32(p0 >> _SHIFT) ^ d ^ y)
        d = uint32(p0 & _MASK)
        x = uint32(x + _W0)
        y = uint32(y + _W1)
    return a, b, c, d


@njit(cache=True, nogil=True, inline="always")
def uniforms(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]
    """Two doubles in (0, 1), 53 bits each."""
    a, b, c, d = philox(c0, c1, c2, c3, k0, k1)
    u = (float(a >> uint32(5)) * 67108864.0 + float(b >> uint32(6)) + 0.5) * UNIT
    v = (float(c >> uint32(5)) * 67108864.0 + float(d >> uint32(6)) + 0.5) * UNIT
    return u, v


@njit(cache=True, nogil=True)
def fill_normal(out, frame, lane, k0, k1):  # type: ignore[no-untyped-def]
    """Fill `out` (n,) with standard normals (Box-Muller, one counter per pair of elements)."""
    n = out.size
    for pair in range((n + 1) // 2):
        u, v = uniforms(pair, 0, frame, lane, k0, k1)
        r = math.sqrt(-2.0 * math.log(u))
        out[2 * pair] = r * math.cos(2.0 * math.pi * v)
        if 2 * pair + 1 < n:
            out[2 * pair + 1] = r * math.sin(2.0 * math.pi * v)
