"""Compiled passes of multislice: one trip through memory each.

Rows are shared out over plain threads (the loops release the interpreter lock): a compiled parallel loop was slower
than a serial one wherever its threads had to share cores with those of the FFT. Every pixel is computed alone, so the
bits do not depend on the number of threads.

For complex64 the exponential is evaluated by polynomials that the compiler turns into vector code: Cody-Waite
reduction to +-pi/4 and +-ln(2)/2, then truncated minimax series (coefficients of the Cephes library); the error is
below 2e-7 for phases up to 8000 rad. complex128 goes through the mathematics library.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xsim.threads import share, thread_count

#: pixels below which starting a thread costs more than it saves
_WORTH_A_THREAD = 1 << 17

_F = np.float32
_ROUND = _F(12582912.0)  # 1.5 * 2^23: adding and subtracting it rounds a float32 to the nearest integer
_TWO_OVER_PI, _LOG2E = _F(2 / math.pi), _F(1 / math.log(2))
_P1, _P2, _P3 = _F(1.5703125), _F(4.837512969970703e-4), _F(7.549789948768648e-8)
_L1, _L2 = _F(0.693359375), _F(-2.12194440e-4)
_S1, _S2, _S3 = _F(-1.6666654611e-1), _F(8.3321608736e-3), _F(-1.9515295891e-4)
_C1, _C2, _C3 = _F(4.166664568298827e-2), _F(-1.388731625493765e-3), _F(2.443315711809948e-5)
_E1, _E2, _E3 = _F(5.0000001201e-1), _F(1.6666665459e-1), _F(4.1665795894e-2)
_E4, _E5, _E6 = _F(8.3334519073e-3), _F(1.3981999507e-3), _F(1.9875691500e-4)
_HALF, _ONE, _FOUR, _QUARTER, _LIMIT = _F(0.5), _F(1.0), _F(4.0), _F(0.25), _F(80.0)
_BIASED = _F(12582912.0 + 127.0)


def multiply(wave: NDArray[Any], kernel: NDArray[Any]) -> None:
    """wave (..., ny, nx) *= kernel (ny, nx), in place."""
    _multiply(wave.reshape(-1, *kernel.shape), kernel)


def transmit(wave: NDArray[Any], excess: NDArray[Any], index: NDArray[Any], row: int, column: int) -> None:
    """wave (..., ny, nx) *= exp(-i sum_m index_m excess_m) in the box of excess (m, h, w) that starts at (row, column).

    index: (m,) complex, k(delta - i beta) [1/m].
    """
    batch = wave.reshape(-1, *wave.shape[-2:])
    single = wave.dtype == np.complex64
    real = np.float32 if single else np.float64
    call = _transmit_single if single else _transmit_double
    phase, loss = index.real.astype(real), (-index.imag).astype(real)
    excess = excess.astype(real, copy=False)
    height = excess.shape[1]
    parts = thread_count() if excess[0].size >= _WORTH_A_THREAD else 1
    cuts = [height * i // parts for i in range(parts + 1)]
    bands = [(batch, excess[:, a:b], phase, loss, row + a, column) for a, b in pairwise(cuts)]
    share(call, bands)


@njit(cache=True, nogil=True)
def _multiply(wave: Any, kernel: Any) -> None:
    for y in range(wave.shape[1]):
        for b in range(wave.shape[0]):
            for x in range(wave.shape[2]):
                wave[b, y, x] *= kernel[y, x]


@njit(cache=True, nogil=True)
def _transmit_double(wave: Any, excess: Any, phase: Any, loss: Any, row: int, column: int) -> None:
    for y in range(excess.shape[1]):
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


@njit(cache=True, nogil=True)
def _transmit_single(wave: Any, excess: Any, phase: Any, loss: Any, row: int, column: int) -> None:
    width = excess.shape[2]
    for y in range(excess.shape[1]):
        angle = np.zeros(width, np.float32)
        decay = np.zeros(width, np.float32)
        power = np.empty(width, np.float32)
        for m in range(excess.shape[0]):
            for x in range(width):
                angle[x] += phase[m] * excess[m, y, x]
                decay[x] += loss[m] * excess[m, y, x]
        _exponential(angle, decay, power)
        for b in range(wave.shape[0]):
            for x in range(width):
                old = wave[b, row + y, column + x]
                re = old.real * angle[x] - old.imag * decay[x]
                im = old.real * decay[x] + old.imag * angle[x]
                wave[b, row + y, column + x] = complex(re, im)


@njit(cache=True, nogil=True)
def _exponential(angle: Any, decay: Any, power: Any) -> None:
    """Turn (a, d) into the real and imaginary parts of exp(-d - i a), in place, float32; `power` is scratch.

    No branch, table or integer conversion inside the loops, so that they become vector code.
    """
    for x in range(angle.shape[0]):
        d = -decay[x]
        d = d if d < _LIMIT else _LIMIT
        d = d if d > -_LIMIT else -_LIMIT
        n = (d * _LOG2E + _ROUND) - _ROUND
        r = (d - n * _L1) - n * _L2
        series = ((((_E6 * r + _E5) * r + _E4) * r + _E3) * r + _E2) * r + _E1
        decay[x] = series * r * r + r + _ONE
        power[x] = n + _BIASED
    # the integer n + 127 stands in the last bits of 1.5 * 2^23 + n + 127; moved to the exponent's place it is 2^n
    bits = power.view(np.int32)
    for x in range(angle.shape[0]):
        bits[x] = bits[x] << 23
    for x in range(angle.shape[0]):
        modulus = decay[x] * power[x]
        a = angle[x]
        quarter = (a * _TWO_OVER_PI + _ROUND) - _ROUND
        r = ((a - quarter * _P1) - quarter * _P2) - quarter * _P3
        r2 = r * r
        sine = ((_S3 * r2 + _S2) * r2 + _S1) * r2 * r + r
        cosine = ((_C3 * r2 + _C2) * r2 + _C1) * r2 * r2 - _HALF * r2 + _ONE
        turn = quarter - _FOUR * ((quarter * _QUARTER + _ROUND) - _ROUND)  # -2, -1, 0, 1 or 2
        odd = turn * turn == _ONE
        c = sine if odd else cosine
        s = cosine if odd else sine
        c = -c if (turn == _ONE or turn * turn == _FOUR) else c
        s = -s if (turn == -_ONE or turn * turn == _FOUR) else s
        angle[x] = modulus * c
        decay[x] = -modulus * s
