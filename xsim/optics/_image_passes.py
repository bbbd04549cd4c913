"""Compiled passes of images in partially coherent light: one trip through memory each.

A field of N_y x N_x samples is made from few frequencies: the rows that hold any are transformed a few at a time, cut
into strips of columns, and each strip is transformed and squared while it lies in the cache. Strips lie one after the
other in memory, because columns of a large picture touch a page for every row.
Frequency k is added at index k mod N, so the zeroth order alone gives a field that is even to the last bit.
"""

from __future__ import annotations

from numba import njit


@njit(cache=True, nogil=True)
def fill_lines(light, pupil, first, lines):  # type: ignore[no-untyped-def]
    """lines (h, N) = light * pupil (h, w), whose first column is frequency `first`; pupil boolean, real or complex."""
    n = lines.shape[1]
    for i in range(light.shape[0]):
        lines[i] = 0
        start, place = 0, first % n
        while start < light.shape[1]:
            stop = min(start + n - place, light.shape[1])
            one, two, line = light[i, start:stop], pupil[i, start:stop], lines[i, place : place + stop - start]
            for j in range(one.size):
                line[j] += one[j] * two[j]
            start, place = stop, 0


@njit(cache=True, nogil=True)
def cut_lines(lines, first, strips):  # type: ignore[no-untyped-def]
    """strips (n, h, width), rows `first` onwards, = columns of lines (rows, N); the last strip may be cut short."""
    width = strips.shape[2]
    for s in range(strips.shape[0]):
        count = min(width, lines.shape[1] - s * width)
        for i in range(lines.shape[0]):
            line, part = lines[i, s * width : s * width + count], strips[s, first + i]
            for j in range(count):
                part[j] = line[j]
            part[count:] = 0


@njit(cache=True, nogil=True)
def fill_strip(part, first, strip):  # type: ignore[no-untyped-def]
    """strip (N, width) = part (h, width), whose first row is frequency `first`; zero elsewhere."""
    n, h = strip.shape[0], part.shape[0]
    for i in range(h, n):
        strip[(first + i) % n] = 0
    for i in range(h):
        line, row = strip[(first + i) % n], part[i]
        if i < n:
            for j in range(row.size):
                line[j] = row[j]
        else:
            for j in range(row.size):
                line[j] += row[j]


@njit(cache=True, nogil=True)
def add_squares(fields, weight, total):  # type: ignore[no-untyped-def]
    """total += weight |fields|^2, all of one size and precision."""
    field, intensity = fields.ravel(), total.ravel()
    for i in range(field.size):
        value = field[i]
        intensity[i] += weight * (value.real * value.real + value.imag * value.imag)
