"""Compiled passes over the waves of a scan: the probe between pixels times the object, and patterns from far fields.

Waves are complex64 seen as float32 pairs (re, im), rows of 2 n numbers. Each pass does the same sums in the same
order for a frame whatever its neighbours, so that results do not depend on how frames are grouped.
"""

from __future__ import annotations

from numba import njit


@njit(cache=True, nogil=True)
def place(planes, weights, object_, corners, out):  # type: ignore[no-untyped-def]
    """out[f] = sum_k weights[f, k] planes[k], times the object's window at corners[f].

    planes (k, n, 2n), weights (frames, k), object_ (ny, 2 nx), corners (frames, 2): first row and column, out
    (frames, n, 2n). Row by row, so that the planes' rows serve all frames from the cache.
    """
    count, n, width = planes.shape
    frames = weights.shape[0]
    for y in range(n):
        for f in range(frames):
            row, first, w = out[f, y], planes[0, y], weights[f, 0]
            for i in range(width):
                row[i] = w * first[i]
        k = 1
        while k + 4 <= count:
            p0, p1, p2, p3 = planes[k, y], planes[k + 1, y], planes[k + 2, y], planes[k + 3, y]
            for f in range(frames):
                row = out[f, y]
                w0, w1, w2, w3 = weights[f, k], weights[f, k + 1], weights[f, k + 2], weights[f, k + 3]
                for i in range(width):
                    row[i] = row[i] + w0 * p0[i] + w1 * p1[i] + w2 * p2[i] + w3 * p3[i]
            k += 4
        while k < count:
            p0 = planes[k, y]
            for f in range(frames):
                row, w0 = out[f, y], weights[f, k]
                for i in range(width):
                    row[i] = row[i] + w0 * p0[i]
            k += 1
        for f in range(frames):
            row, under, start = out[f, y], object_[corners[f, 0] + y], 2 * corners[f, 1]
            for i in range(width // 2):
                a, b = row[2 * i], row[2 * i + 1]
                u, v = under[start + 2 * i], under[start + 2 * i + 1]
                row[2 * i] = a * u - b * v
                row[2 * i + 1] = a * v + b * u


@njit(cache=True, nogil=True)
def multiply(wave, factor, row, column):  # type: ignore[no-untyped-def]
    """wave (ny, 2 nx) times the window of `factor` that begins at (row, column)."""
    for y in range(wave.shape[0]):
        mine, other, start = wave[y], factor[row + y], 2 * column
        for i in range(wave.shape[1] // 2):
            a, b = mine[2 * i], mine[2 * i + 1]
            u, v = other[start + 2 * i], other[start + 2 * i + 1]
            mine[2 * i] = a * u - b * v
            mine[2 * i + 1] = a * v + b * u


@njit(cache=True, nogil=True)
def add_pattern(far, scale, out):  # type: ignore[no-untyped-def]
    """out (ny, nx) += scale |far|^2: far (n, 2n) with zero frequency first, out with it at (ny//2, nx//2)."""
    n = far.shape[0]
    ny, nx = out.shape
    half = nx // 2
    for y in range(ny):
        source, target = far[(y - ny // 2) % n], out[y]
        for i in range(half):
            a, b = source[2 * (n - half + i)], source[2 * (n - half + i) + 1]
            target[i] += scale * (a * a + b * b)
        for i in range(nx - half):
            a, b = source[2 * i], source[2 * i + 1]
            target[half + i] += scale * (a * a + b * b)
