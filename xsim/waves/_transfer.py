"""The angular spectrum's transfer function in single precision, compiled: its phase is worked out in double precision
and reduced to one turn before it is rounded.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xsim.threads import share, spans, thread_count

_S0, _S1, _S2, _S3 = 1.570796321708333, -0.6459634602325843, 0.07968003276210074, -0.0046016578703147945
_C1, _C2, _C3, _C4 = -1.2337005395647491, 0.2536691825959434, -0.02085993602751649, 0.0009033629755737394
_ROUND = 1.5 * 2.0**52  # adding and subtracting it rounds a double to the nearest integer
#: values below which starting a thread costs more than it saves
_WORTH_A_THREAD = 1 << 16


def single(
    qy: NDArray[Any],
    qx: NDArray[Any],
    k: float,
    distance: float,
    tilt: tuple[float, float],
    *,
    paraxial: bool,
    cut: float,
) -> NDArray[np.complex64]:
    """exp[i z (sqrt(k^2 - q^2) - k)] at q = (qx + tilt_x, qy + tilt_y), or paraxial, (len(qy), len(qx)) complex64.

    Zero where q > k (unless paraxial) and where the untilted (qx, qy) exceeds `cut`. All wave vectors [rad/m].
    """
    out = np.empty((len(qy), len(qx)), np.complex64)
    square = (qx + tilt[0]) ** 2
    jobs = [
        (out[a:b].view(np.float32), qy[a:b], tilt[1], square, qx**2, (k, distance, paraxial, cut))
        for a, b in spans(len(qy), max(1, _WORTH_A_THREAD // len(qx)))
    ]
    share(_rows, jobs, thread_count() if out.size > 2 * _WORTH_A_THREAD else 1)
    return out


@njit(cache=True, nogil=True)
def _rows(out: Any, qy: Any, tilt: float, x2: Any, own_x2: Any, law: tuple[float, float, bool, float]) -> None:
    k, z, paraxial, cut = law
    turns = np.empty(x2.size)
    scale = -z * 2 / math.pi * (0.5 / k if paraxial else 1.0)
    for row in range(qy.size):
        y2 = (qy[row] + tilt) ** 2
        own_y2 = qy[row] ** 2
        if paraxial:
            for i in range(turns.size):
                turns[i] = scale * (x2[i] + y2)
        else:
            for i in range(turns.size):
                q2 = x2[i] + y2
                turns[i] = scale * q2 / (math.sqrt(max(k * k - q2, 0.0)) + k)  # sqrt(k^2 - q^2) - k, no cancellation
        _cis(out[row], turns)
        for i in range(turns.size):
            if own_x2[i] + own_y2 > cut * cut or not (paraxial or x2[i] + y2 < k * k):
                out[row, 2 * i] = out[row, 2 * i + 1] = 0.0


@njit(cache=True, nogil=True)
def _cis(out: Any, quarters: Any) -> None:
    """i^a for a (n,) float64 in quarter turns: real and imaginary parts in turn, out (2 n,), to half a last bit.

    Kernels are applied many times over, so that their errors add up: all is double precision but the result. The
    series for |a - round(a)| <= 1/2 are minimax fits of relative error 3e-9.
    """
    for i in range(quarters.size):
        a = quarters[i]
        nearest = (a + _ROUND) - _ROUND
        r = a - nearest
        s = r * r
        sine = (((_S3 * s + _S2) * s + _S1) * s + _S0) * r
        cosine = (((_C4 * s + _C3) * s + _C2) * s + _C1) * s + 1.0
        turn = nearest - 4.0 * ((nearest * 0.25 + _ROUND) - _ROUND)  # -2, -1, 0, 1 or 2
        half, odd = abs(turn) == 2.0, abs(turn) == 1.0
        real = sine if odd else cosine
        imaginary = cosine if odd else sine
        # chosen before they are stored: a conditional store would not become vector code
        real = -real if (turn == 1.0 or half) else real
        imaginary = -imaginary if (turn == -1.0 or half) else imaginary
        out[2 * i] = real
        out[2 * i + 1] = imaginary
