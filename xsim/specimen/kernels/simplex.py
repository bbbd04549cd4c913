"""Form factors of polyhedra, stable for every q.

A polyhedron that is star-shaped about its origin is a sum of tetrahedra (origin, p, q, r). Over one of volume V the
integral of exp(-i q.r) is 6 V (-i) f[0, q.p, q.q, q.r], the third divided difference of f(t) = exp(-it)
(Hermite-Genocchi). Divided differences of sorted nodes are taken recursively where their spread exceeds 1 and by a
16-term Taylor series (complete homogeneous sums) about the midpoint otherwise, so there is no q at which terms
cancel: errors stay near 1e-15 V. Reference: Higham, Functions of Matrices (2008), B.16 (doi 10.1137/1.9780898717778).
"""

from __future__ import annotations

from cmath import exp
from typing import Any

import numpy as np
from numba import njit

_TERMS = 16


@njit(cache=True, nogil=True)
def _series(t: Any, first: int, order: int) -> complex:
    """f[t_first, ..., t_(first + order)] of f = exp(-i t) for nodes within 1 of each other."""
    middle = 0.5 * (t[first] + t[first + order])
    # h[k]: complete homogeneous symmetric sum of degree k of the nodes about the midpoint
    h = np.zeros(_TERMS)
    h[0] = 1.0
    for n in range(first, first + order + 1):
        u = t[n] - middle
        for k in range(1, _TERMS):
            h[k] += u * h[k - 1]
    total = 0j
    factor = 1 + 0j
    for k in range(1, order + 1):
        factor *= -1j / k
    for k in range(_TERMS):
        total += factor * h[k]
        factor *= -1j / (k + order + 1)
    return total * exp(-1j * middle)


# One function per order: numba cannot load a function that calls itself from its cache.
@njit(cache=True, nogil=True)
def _first(t: Any, n: int) -> complex:
    spread = t[n + 1] - t[n]
    return (exp(-1j * t[n + 1]) - exp(-1j * t[n])) / spread if spread > 1.0 else _series(t, n, 1)


@njit(cache=True, nogil=True)
def _second(t: Any, n: int) -> complex:
    spread = t[n + 2] - t[n]
    return (_first(t, n + 1) - _first(t, n)) / spread if spread > 1.0 else _series(t, n, 2)


@njit(cache=True, nogil=True)
def _third(t: Any) -> complex:
    """f[t_0, t_1, t_2, t_3] of f = exp(-i t) for sorted t."""
    spread = t[3] - t[0]
    return (_second(t, 1) - _second(t, 0)) / spread if spread > 1.0 else _series(t, 0, 3)


@njit(cache=True, nogil=True)
def sum_tetrahedra(q: Any, corners: Any, triangles: Any, volumes: Any, out: Any) -> None:
    """out (n,) complex = integral of exp(-i q.r) for q (n, 3); triangles (m, 3) of corners, volumes (m,) signed."""
    t = np.empty(4)
    dots = np.empty(len(corners))
    for n in range(len(q)):
        for c in range(len(corners)):
            dots[c] = q[n, 0] * corners[c, 0] + q[n, 1] * corners[c, 1] + q[n, 2] * corners[c, 2]
        total = 0j
        for m in range(len(triangles)):
            t[0] = 0.0
            for k in range(3):
                t[k + 1] = dots[triangles[m, k]]
            for k in range(1, 4):  # insertion sort
                value, place = t[k], k
                while place > 0 and t[place - 1] > value:
                    t[place] = t[place - 1]
                    place -= 1
                t[place] = value
            total += -6j * volumes[m] * _third(t)
        out[n] = total


@njit(cache=True, nogil=True)
def sum_triangles(q: Any, corners: Any, triangles: Any, areas: Any, out: Any) -> None:
    """out (n,) complex = integral of exp(-i q.r) for q (n, 2) over triangles (m, 3) of corners, areas (m,) signed.

    By the same theorem -2 A f[q.a, q.b, q.c].
    """
    t = np.empty(3)
    for n in range(len(q)):
        total = 0j
        for m in range(len(triangles)):
            for k in range(3):
                corner = corners[triangles[m, k]]
                value, place = q[n, 0] * corner[0] + q[n, 1] * corner[1], k
                while place > 0 and t[place - 1] > value:
                    t[place] = t[place - 1]
                    place -= 1
                t[place] = value
            total -= 2.0 * areas[m] * _second(t, 0)
        out[n] = total
