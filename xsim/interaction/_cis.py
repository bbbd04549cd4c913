"""Complex exponentials in single precision, many at a time: compiled to vector code.

    2^d i^a,      a in quarter turns, d in octaves

In these units the reductions to |a - round(a)| <= 1/2 and |d - round(d)| <= 1/2 are exact; the series are minimax fits
of relative error 3e-9. The result is good to 2e-7, and to the rounding of its arguments (6e-8 of a, pi/2 for each
unit). No branch, table or call stands inside the loops, so that they become vector code.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_F = np.float32
_ROUND = _F(12582912.0)  # 1.5 * 2^23: adding and subtracting it rounds a float32 to the nearest integer
_S0, _S1, _S2, _S3 = _F(1.570796321708333), _F(-0.6459634602325843), _F(0.07968003276210074), _F(-0.0046016578703147945)
_C0, _C1, _C2, _C3 = _F(1.0), _F(-1.2337005395647491), _F(0.2536691825959434), _F(-0.02085993602751649)
_C4 = _F(0.0009033629755737394)
_E0, _E1, _E2, _E3 = _F(1.0), _F(0.6931472057326675), _F(0.2402264688929967), _F(0.05550328784151714)
_E4, _E5, _E6 = _F(0.009618489165013913), _F(0.0013399929168048282), _F(0.0001534574376006615)
_ONE, _TWO, _FOUR, _QUARTER, _LIMIT = _F(1.0), _F(2.0), _F(4.0), _F(0.25), _F(115.0)
_BIAS, _MANTISSA = np.int32(127), np.int32(23)


@njit(cache=True, nogil=True)
def exponentials(quarters, octaves):  # type: ignore[no-untyped-def]
    """Turn (a, d), each (n,) float32 and |a| < 2^22, into the real and imaginary parts of 2^d i^a, in place.

    d is clipped to -115 .. 115.
    """
    for x in range(quarters.size):
        d = min(max(octaves[x], -_LIMIT), _LIMIT)
        whole = _F(d + _ROUND)
        r = d - (whole - _ROUND)
        series = (((((_E6 * r + _E5) * r + _E4) * r + _E3) * r + _E2) * r + _E1) * r + _E0
        # the integer stands in the last bits of 1.5 * 2^23 + n; n + 127 moved to the exponent's place is 2^n
        power = np.int32((whole.view(np.int32) + _BIAS) << _MANTISSA)
        modulus = _F(series * power.view(_F))
        a = quarters[x]
        nearest = (a + _ROUND) - _ROUND
        s = a - nearest
        s2 = s * s
        sine = (((_S3 * s2 + _S2) * s2 + _S1) * s2 + _S0) * s * modulus
        cosine = ((((_C4 * s2 + _C3) * s2 + _C2) * s2 + _C1) * s2 + _C0) * modulus
        turn = nearest - _FOUR * ((nearest * _QUARTER + _ROUND) - _ROUND)  # -2, -1, 0, 1 or 2
        half, odd = abs(turn) == _TWO, abs(turn) == _ONE
        real = sine if odd else cosine
        imaginary = cosine if odd else sine
        # chosen before they are stored: a conditional store would not become vector code
        real = -real if (turn == _ONE or half) else real
        imaginary = -imaginary if (turn == -_ONE or half) else imaginary
        quarters[x] = real
        octaves[x] = imaginary
