"""Pupils worked out by compiled loops: what is open, and exp(i phase) there, in one trip through memory.

The phase is taken in double precision whatever that of the result. exp(i phase): Cody-Waite reduction to +-pi/4 and the
double-precision series of the Cephes library, written so that the compiler makes vector code of it. The error is below
3e-16 for phases up to 1e5 rad and grows in proportion beyond (1e-9 at 1e11 rad), as that of the phase itself does.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

_P1, _P2, _P3 = 1.5707962512969971, 7.549789415861596e-08, 5.390302858158119e-15
_S1, _S2, _S3 = -1.66666666666666307295e-1, 8.33333333332211858878e-3, -1.98412698295895385996e-4
_S4, _S5, _S6 = 2.75573136862137245213e-6, -2.50507477628578072866e-8, 1.58962301576546568060e-10
_C1, _C2, _C3 = 4.16666666666665929218e-2, -1.38888888888730564116e-3, 2.48015872888517045348e-5
_C4, _C5, _C6 = -2.75573141792967388112e-7, 2.08757008419747316778e-9, -1.13585365213876817300e-11


@njit(cache=True, inline="always")
def seidel(px, py, spherical, astigmatism_cos, astigmatism_sin, coma_cos, coma_sin):  # type: ignore[no-untyped-def]
    """The primary aberrations at pupil coordinates px, py, in the unit of their coefficients."""
    rho2 = px * px + py * py
    twofold = (px * px - py * py) * astigmatism_cos + 2 * px * py * astigmatism_sin
    return rho2 * (spherical * rho2 + px * coma_cos + py * coma_sin) + twofold


def open_pupil(qx: Any, qy: Any, limits: tuple[float, float]) -> NDArray[np.bool_]:
    """Where |q|^2 of wave vectors qx, qy [rad/m] (broadcast together) lies within `limits`, both included."""
    return _over(qx, qy, np.bool_, lambda x, y, out: _open(x, y, limits[0], limits[1], out))


def phased_pupil(
    qx: Any, qy: Any, limits: tuple[float, float], flight: tuple[float, float], waves: tuple[float, ...], dtype: Any
) -> NDArray[Any]:
    """exp i phase where |q|^2 lies within `limits`, 0 elsewhere, complex of type `dtype`.

    flight: wavenumber k [rad/m] and distance z [m] of free flight, phase z (sqrt(k^2 - q^2) - k). waves: radius of the
    pupil [rad/m] and the five coefficients of `seidel` [rad].
    """
    return _over(qx, qy, dtype, lambda x, y, out: _phased(x, y, limits, flight, waves, out))


def turn_ring(pupil: NDArray[Any], qx: Any, qy: Any, limits: tuple[float, float], factor: complex) -> NDArray[Any]:
    """`pupil` (complex, in place) times `factor` where |q|^2 lies within `limits`."""
    return _over(qx, qy, pupil, lambda x, y, out: _turn(x, y, limits[0], limits[1], out.dtype.type(factor), out))


def _over(qx: Any, qy: Any, out: Any, fill: Any) -> NDArray[Any]:
    """Call fill(x, y, out) for each picture [y, x] of what qx and qy are together; out: an array, or its type."""
    qx, qy = np.asarray(qx, np.float64), np.asarray(qy, np.float64)
    shape = np.broadcast_shapes(qx.shape, qy.shape)
    found = out if isinstance(out, np.ndarray) else np.empty(shape, out)
    flat = (1,) * (2 - len(shape)) + shape
    pictures = found.reshape(-1, *flat[-2:])
    x, y = (_pictures(q, flat) for q in (qx, qy))
    for i, picture in enumerate(pictures):
        fill(x[i % len(x)], y[i % len(y)], picture)
    return found


def _pictures(q: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """q as pictures (n or 1, h or 1, w or 1) of those that `shape` holds."""
    q = q.reshape((1,) * (len(shape) - q.ndim) + q.shape)
    if any(size > 1 for size in q.shape[:-2]):
        q = np.broadcast_to(q, shape[:-2] + q.shape[-2:])
    return np.ascontiguousarray(q.reshape(-1, *q.shape[-2:]))


@njit(cache=True, nogil=True)
def _open(qx, qy, low, high, out):  # type: ignore[no-untyped-def]
    x, y = np.empty(out.shape[1]), np.empty(out.shape[1])
    for i in range(out.shape[0]):
        _line(qx, i, x)
        _line(qy, i, y)
        for j in range(x.size):
            q2 = x[j] * x[j] + y[j] * y[j]
            out[i, j] = (q2 <= high) & (q2 >= low)


@njit(cache=True, nogil=True)
def _turn(qx, qy, low, high, factor, out):  # type: ignore[no-untyped-def]
    x, y = np.empty(out.shape[1]), np.empty(out.shape[1])
    for i in range(out.shape[0]):
        _line(qx, i, x)
        _line(qy, i, y)
        for j in range(x.size):
            q2 = x[j] * x[j] + y[j] * y[j]
            if (q2 <= high) & (q2 >= low):
                out[i, j] *= factor


@njit(cache=True, nogil=True)
def _phased(qx, qy, limits, flight, waves, out):  # type: ignore[no-untyped-def]
    width = out.shape[1]
    lines = np.empty((4, width))
    for i in range(out.shape[0]):
        _line(qx, i, lines[0])
        _line(qy, i, lines[1])
        first, last = _within(lines[0], lines[1], limits[1])
        out[i, :first] = 0
        out[i, last:] = 0
        x, y, phase, sines = lines[0, first:last], lines[1, first:last], lines[2, first:last], lines[3, first:last]
        _phase(x, y, flight, waves, phase)
        _turn_lines(phase, sines)
        _shut(x, y, limits, phase, sines, out[i, first:last])


@njit(cache=True, nogil=True, error_model="numpy")
def _phase(x, y, flight, waves, phase):  # type: ignore[no-untyped-def]
    k, z = flight
    scale = 1 / waves[0]
    for j in range(x.size):
        phase[j] = seidel(x[j] * scale, y[j] * scale, waves[1], waves[2], waves[3], waves[4], waves[5])
    for j in range(x.size):
        q2 = x[j] * x[j] + y[j] * y[j]
        phase[j] -= z * q2 / (math.sqrt(max(k * k - q2, 0.0)) + k)


@njit(cache=True, nogil=True)
def _shut(x, y, limits, cosines, sines, out):  # type: ignore[no-untyped-def]
    for j in range(x.size):
        q2 = x[j] * x[j] + y[j] * y[j]
        through = 1.0 if (q2 <= limits[1]) & (q2 >= limits[0]) else 0.0
        out[j] = complex(through * cosines[j], through * sines[j])


@njit(cache=True, nogil=True)
def _line(q, i, values):  # type: ignore[no-untyped-def]
    """values (w,) = row i of q (h or 1, w or 1)."""
    row = q[min(i, q.shape[0] - 1)]
    if row.size == 1:
        values[:] = row[0]
    else:
        values[:] = row


@njit(cache=True, nogil=True)
def _within(x, y, high):  # type: ignore[no-untyped-def]
    """The first of a line's wave vectors with a square <= high, and the one after the last."""
    first, last = 0, x.size
    while first < last and x[first] * x[first] + y[first] * y[first] > high:
        first += 1
    while last > first and x[last - 1] * x[last - 1] + y[last - 1] * y[last - 1] > high:
        last -= 1
    return first, last


@njit(cache=True, nogil=True)
def _turn_lines(phase, sines):  # type: ignore[no-untyped-def]
    """phase becomes its cosine; and its sine."""
    for j in range(phase.size):
        quarters = np.floor(phase[j] * (2 / np.pi) + 0.5)
        r = ((phase[j] - quarters * _P1) - quarters * _P2) - quarters * _P3
        z = r * r
        sine = r + r * z * (_S1 + z * (_S2 + z * (_S3 + z * (_S4 + z * (_S5 + z * _S6)))))
        cosine = 1.0 - 0.5 * z + z * z * (_C1 + z * (_C2 + z * (_C3 + z * (_C4 + z * (_C5 + z * _C6)))))
        halves = np.floor(quarters * 0.5)
        odd = quarters - 2.0 * halves  # arithmetic on 0 and 1 instead of branches, which would stop vector code
        sign = 1.0 - 2.0 * (halves - 2.0 * np.floor(halves * 0.5))
        phase[j] = sign * ((1.0 - odd) * cosine - odd * sine)
        sines[j] = sign * ((1.0 - odd) * sine + odd * cosine)
