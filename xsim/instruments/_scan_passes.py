"""Compiled passes over the waves of a scan: the probe between pixels times the object, and patterns from far fields.

Each pass does the same sums in the same order for a frame whatever its neighbours, so that results do not depend on
how frames are grouped. Rows of complex64 are also seen as pairs of float32.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, fastmath={"contract"})
def place(probe, weights, object_, corners, out):  # type: ignore[no-untyped-def]
    """The probe, shifted by a fraction of a sample, times the object's window at corners[f], for every frame f.

    out[f, y, x] = object_[...] sum_ij weights[f, 0, j] weights[f, 1, i] probe[y + j, x + i]. probe (n + T - 1,
    n + T - 1) complex64; weights (frames, 2, T) float32, T odd and >= 5; object_ (ny, nx) complex64; corners
    (frames, 2): first row and column; out (frames, n, n) complex64. Row by row, all of it in the cache.
    """
    n, terms = out.shape[1], weights.shape[2]
    numbers = probe.view(np.float32)
    column, wave = np.empty(numbers.shape[1], np.float32), np.empty(n, np.complex64)
    row = wave.view(np.float32)
    for y in range(n):
        for f in range(weights.shape[0]):
            w = weights[f, 0]
            w0, w1, w2, w3, w4 = w[0], w[1], w[2], w[3], w[4]
            p0, p1, p2, p3, p4 = numbers[y], numbers[y + 1], numbers[y + 2], numbers[y + 3], numbers[y + 4]
            for i in range(column.size):
                column[i] = w0 * p0[i] + w1 * p1[i] + w2 * p2[i] + w3 * p3[i] + w4 * p4[i]
            for j in range(5, terms, 2):
                p0, p1, w0, w1 = numbers[y + j], numbers[y + j + 1], w[j], w[j + 1]
                for i in range(column.size):
                    column[i] = column[i] + w0 * p0[i] + w1 * p1[i]
            w = weights[f, 1]
            w0, w1, w2, w3, w4 = w[0], w[1], w[2], w[3], w[4]
            for i in range(2 * n):
                row[i] = (
                    w0 * column[i] + w1 * column[i + 2] + w2 * column[i + 4] + w3 * column[i + 6] + w4 * column[i + 8]
                )
            for j in range(5, terms, 2):
                c0, c1, w0, w1 = column[2 * j :], column[2 * j + 2 :], w[j], w[j + 1]
                for i in range(2 * n):
                    row[i] = row[i] + w0 * c0[i] + w1 * c1[i]
            target, start = out[f, y], corners[f, 1]
            under = object_[corners[f, 0] + y, start : start + n]
            for i in range(n):
                target[i] = wave[i] * under[i]


@njit(cache=True, nogil=True)
def multiply(wave, factor, row, column):  # type: ignore[no-untyped-def]
    """wave (ny, nx) times the window of `factor` that begins at (row, column)."""
    ny, nx = wave.shape
    for y in range(ny):
        mine, other = wave[y], factor[row + y, column : column + nx]
        for i in range(nx):
            mine[i] = mine[i] * other[i]


@njit(cache=True, nogil=True)
def add_patterns_of(far, scales, out, anew):  # type: ignore[no-untyped-def]
    """out[f] (ny, nx) += scales[f] |far[f]|^2, or = where `anew`; far (frames, ny, n): the middle columns count."""
    frames, ny, nx = out.shape
    left = far.shape[2] // 2 - nx // 2
    for f in range(frames):
        scale = scales[f]
        for y in range(ny):
            source, target = far[f, y, left : left + nx], out[f, y]
            if anew:
                for i in range(nx):
                    target[i] = scale * (source[i].real * source[i].real + source[i].imag * source[i].imag)
            else:
                for i in range(nx):
                    target[i] += scale * (source[i].real * source[i].real + source[i].imag * source[i].imag)
