"""Compiled passes of multislice: one trip through memory each. Same bits for any number of threads (no sums across).

For complex64 the exponential is evaluated by polynomials that the compiler turns into vector code: Cody-Waite
reduction to +-pi/4 and +-ln(2)/2, then truncated minimax series (coefficients of the Cephes library); the error is
below 2e-7 for phases up to 8000 rad. complex128 goes through the mathematics library.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

_F = np.float32
_POWERS = np.ldexp(1.0, np.arange(-126, 127)).astype(np.float32)
_ROUND = _F(12582912.0)  # 1.5 * 2^23: adding and subtracting it rounds a float32 to the nearest integer
_TWO_OVER_PI, _LOG2E = _F(2 / math.pi), _F(1 / math.log(2))
_P1, _P2, _P3 = _F(1.5703125), _F(4.837512969970703e-4), _F(7.549789948768648e-8)
_L1, _L2 = _F(0.693359375), _F(-2.12194440e-4)
_S1, _S2, _S3 = _F(-1.6666654611e-1), _F(8.3321608736e-3), _F(-1.9515295891e-4)
_C1, _C2, _C3 = _F(4.166664568298827e-2), _F(-1.388731625493765e-3), _F(2.443315711809948e-5)
_E1, _E2, _E3 = _F(5.0000001201e-1), _F(1.6666665459e-1), _F(4.1665795894e-2)
_E4, _E5, _E6 = _F(8.3334519073e-3), _F(1.3981999507e-3), _F(1.9875691500e-4)
_HALF, _ONE, _LIMIT = _F(0.5), _F(1.0), _F(80.0)


def multiply(wave: NDArray[Any], kernel: NDArray[Any]) -> None:
    """wave (..., ny, nx) *= kernel (ny, nx), in place."""
    _multiply(wave.reshape(-1, *kernel.shape), kernel)


def transmit(wave: NDArray[Any], excess: NDArray[Any], index: NDArray[Any], row: int, column: int) -> None:
    """wave (..., ny, nx) *= exp(-i sum_m index_m excess_m) in the box of excess (m, h, w) that starts at (row, column).

    index: (m,) complex, k(delta - i beta) [1/m].
    """
    batch = wave.reshape(-1, *wave.shape[-2:])
    if wave.dtype == np.complex64:
        phase, loss = index.real.astype(np.float32), (-index.imag).astype(np.float32)
        _transmit_single(batch, excess.astype(np.float32, copy=False), phase, loss, row, column)
    else:
        _transmit_double(batch, excess, index.real.copy(), -index.imag, row, column)


@njit(cache=True, parallel=True)
def _multiply(wave: Any, kernel: Any) -> None:
    for y in prange(wave.shape[1]):
        for b in range(wave.shape[0]):
            for x in range(wave.shape[2]):
                wave[b, y, x] *= kernel[y, x]


@njit(cache=True, parallel=True)
def _transmit_double(wave: Any, excess: Any, phase: Any, loss: Any, row: int, column: int) -> None:
    for y in prange(excess.shape[1]):
        for x in range(excess.shape[2]):
            angle, decay = 0.0, 0.0
            for m in range(excess.shape[0]):
                angle += phase[m] * excess[m, y, x]
                decay += loss[m] * excess[m, y, x]
            if angle != 0.0 or decay != 0.0:
                modulus = math.exp(-decay)
                factor = complex(modulus * math.cos(angle), -modulus * math.sin(angle))
                for b in range(wave.shape[0]):
                    wave[b, row + y, column + x] *= factor


@njit(cache=True, parallel=True)
def _transmit_single(wave: Any, excess: Any, phase: Any, loss: Any, row: int, column: int) -> None:
    width = excess.shape[2]
    for y in prange(excess.shape[1]):
        angle = np.zeros(width, np.float32)
        decay = np.zeros(width, np.float32)
        for m in range(excess.shape[0]):
            for x in range(width):
                angle[x] += phase[m] * excess[m, y, x]
                decay[x] += loss[m] * excess[m, y, x]
        _exponential(angle, decay)
        for b in range(wave.shape[0]):
            for x in range(width):
                old = wave[b, row + y, column + x]
                re = old.real * angle[x] - old.imag * decay[x]
                im = old.real * decay[x] + old.imag * angle[x]
                wave[b, row + y, column + x] = complex(re, im)


@njit(cache=True)
def _exponential(angle: Any, decay: Any) -> None:
    """Turn (a, d) into the real and imaginary parts of exp(-d - i a), in place, float32."""
    for x in range(angle.shape[0]):
        d = -min(max(decay[x], -_LIMIT), _LIMIT)
        n = (d * _LOG2E + _ROUND) - _ROUND
        r = (d - n * _L1) - n * _L2
        series = ((((_E6 * r + _E5) * r + _E4) * r + _E3) * r + _E2) * r + _E1
        modulus = (series * r * r + r + _ONE) * _POWERS[np.int32(n) + 126]
        a = angle[x]
        quarter = (a * _TWO_OVER_PI + _ROUND) - _ROUND
        r = ((a - quarter * _P1) - quarter * _P2) - quarter * _P3
        r2 = r * r
        sine = ((_S3 * r2 + _S2) * r2 + _S1) * r2 * r + r
        cosine = ((_C3 * r2 + _C2) * r2 + _C1) * r2 * r2 - _HALF * r2 + _ONE
        turn = np.int32(quarter) & 3
        c = sine if turn & 1 else cosine
        s = cosine if turn & 1 else sine
        c = -c if turn == 1 or turn == 2 else c
        s = -s if turn >= 2 else s
        angle[x] = modulus * c
        decay[x] = -modulus * s
