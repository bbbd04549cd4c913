"""The projections of phase retrieval, compiled and fused, and the iterations made of them.

    P_M: psi -> F^-1 { M F psi/|F psi| }, unknown pixels free     P_S: psi -> what support and constraint allow
    ER:    psi <- P_S P_M psi
    HIO:   psi <- P_M psi where that is allowed, else psi - beta P_M psi, for real and imaginary part apart
    RAAR:  psi <- beta/2 (R_S R_M + 1) psi + (1 - beta) P_M psi,  R = 2P - 1

Per iteration two transforms in place and two passes over the pixels. Arrays are in FFT order, of two or three
dimensions. Sums run over fixed blocks, so that the number of threads changes no bit. References: Fienup, Appl. Opt. 21,
2758 (1982), doi 10.1364/AO.21.002758; Luke, Inverse Problems 21, 37 (2005), doi 10.1088/0266-5611/21/1/004.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np
from numba import njit

from xsim.exposure import Array
from xsim.threads import spans, thread_count
from xsim.waves.fft import fftn, ifftn

Rule = Literal["er", "hio", "raar"]
Constraint = Literal["none", "quadrant", "real"]

_RULES = {"er": 0, "hio": 1, "raar": 2}
_CONSTRAINTS = {"none": 0, "quadrant": 1, "real": 2}
#: pixels per block: what one thread does at a time, and one term of every sum
_BLOCK = 1 << 15


@njit(cache=True, nogil=True, fastmath=True)
def _impose(far, modulus, sums):  # type: ignore[no-untyped-def]
    """P_M on far (2n,), real and imaginary parts in turn; modulus (n,), negative if unknown. sums: (|.| - M)^2."""
    misfit = np.float32(0)
    for i in range(modulus.size):
        x, y = far[2 * i], far[2 * i + 1]
        size = np.sqrt(x * x + y * y)
        m = modulus[i]
        known = m >= np.float32(0)
        wrong = size - m if known else np.float32(0)
        factor = m / max(size, np.float32(1e-20)) if known else np.float32(1)
        misfit += wrong * wrong
        far[2 * i] = x * factor
        far[2 * i + 1] = y * factor
    sums[0] = misfit


@njit(cache=True, nogil=True, fastmath=True)
def _step(wave, fitted, support, how, beta, sums):  # type: ignore[no-untyped-def]
    """One iteration from psi (wave) and P_M psi (fitted), both (2n,), into both. sums: |P_M - P_S P_M|^2, |P_M|^2."""
    rule, constraint = how
    half, one = np.float32(0.5) * beta, np.float32(1)
    zero = np.float32(0)
    apart, size = zero, zero
    for i in range(support.size):
        s = np.float32(support[i])
        for part in range(2):
            j = 2 * i + part
            f, p = fitted[j], wave[j]
            kept = s * f
            turned = np.float32(2) * f - p
            inside = s * turned
            if constraint == 1:
                kept, inside = min(kept, zero), min(inside, zero)
            elif constraint == 2:
                kept = max(kept, zero) if part == 0 else zero
                inside = max(inside, zero) if part == 0 else zero
            apart += (f - kept) * (f - kept)
            size += f * f
            if rule == 0:
                new = kept
            elif rule == 1:
                new = f if kept == f else p - beta * f
            else:
                new = half * (np.float32(2) * inside - turned + p) + (one - beta) * f
            wave[j] = new
            fitted[j] = new
    sums[0], sums[1] = apart, size


class Phaser:
    """The state of one start: image (complex64, FFT order) under a modulus and a support, iterated in place.

    modulus: float32, negative where unknown; support: uint8. Use as a context, which holds the threads.
    """

    def __init__(self, image: Array, modulus: Array, support: Array, constraint: Constraint):
        self.wave = np.array(image, np.complex64, order="C")
        self.buffer = self.wave.copy()
        self.modulus = np.ascontiguousarray(modulus, np.float32)
        self.support = np.array(support, np.uint8, order="C")
        self.constraint = _CONSTRAINTS[constraint]
        self.blocks = spans(self.wave.size, _BLOCK)
        self._misfits = np.zeros((len(self.blocks), 1), np.float32)
        self._sums = np.zeros((len(self.blocks), 2), np.float32)
        self._norm = math.sqrt(float(np.sum(np.square(self.modulus[self.modulus >= 0], dtype=np.float64))))
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Phaser:
        threads = thread_count()
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        return self

    def __exit__(self, *_: Any) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def iterate(self, rule: Rule, beta: float = 0.9) -> float:
        """One iteration; returns |P_M psi - P_S P_M psi| / |P_M psi| of the psi it began with."""
        self._fit()
        flat, fitted, support = _parts(self.wave), _parts(self.buffer), self.support.reshape(-1)
        how, step = (_RULES[rule], self.constraint), np.float32(beta)

        def work(k: int) -> None:
            a, b = self.blocks[k]
            _step(flat[2 * a : 2 * b], fitted[2 * a : 2 * b], support[a:b], how, step, self._sums[k])

        self._each(work)
        apart, size = self._sums.sum(axis=0, dtype=np.float64)
        return math.sqrt(apart / size) if size > 0 else 0.0

    def misfit(self) -> float:
        """Root of sum (|F psi| - M)^2 / sum M^2 over the known pixels, of the psi before the last iteration."""
        return math.sqrt(float(self._misfits.sum(dtype=np.float64))) / self._norm if self._norm > 0 else 0.0

    def kept(self) -> Array:
        """P_S P_M psi; the state stays as it is."""
        self._fit()
        inside = np.where(self.support.astype(bool), self.buffer, np.complex64(0))
        self.buffer[...] = self.wave
        if self.constraint == 1:
            return np.asarray((np.minimum(inside.real, 0) + 1j * np.minimum(inside.imag, 0)).astype(np.complex64))
        return np.maximum(inside.real, 0).astype(np.complex64) if self.constraint == 2 else inside

    def _fit(self) -> None:
        """P_M psi into the buffer, which holds psi."""
        self.buffer = fftn(self.buffer, overwrite=True)
        far, modulus = _parts(self.buffer), self.modulus.reshape(-1)

        def work(k: int) -> None:
            a, b = self.blocks[k]
            _impose(far[2 * a : 2 * b], modulus[a:b], self._misfits[k])

        self._each(work)
        self.buffer = ifftn(self.buffer, overwrite=True)

    def _each(self, work: Any) -> None:
        if self._pool is None:
            for k in range(len(self.blocks)):
                work(k)
            return
        # as many tasks as threads: handing over a task costs as much as a block
        threads = self._pool._max_workers
        list(self._pool.map(lambda t: [work(k) for k in range(t, len(self.blocks), threads)], range(threads)))


def _parts(array: Array) -> Array:
    """Real and imaginary parts in turn, (2n,), of a contiguous complex array, without a copy."""
    return array.reshape(-1).view(np.float32)
