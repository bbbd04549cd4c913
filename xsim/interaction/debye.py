"""The Debye sum: what a body of atoms scatters on average over all its orientations, at any angle.

    <|A|^2> = sum_ij Re(a_i a_j*) sin(q r_ij)/(q r_ij),   a_j = -r_e f_j(q, E) e^(-B_j q^2/16 pi^2) + c V_j ball(q R_j)

f_j = f0 + f' - i f'' in this house's sign; the second term takes off what each atom displaces of a host of contrast c
(`xsim.specimen.shapes.atoms`). Distances are counted in bins of width `STEP`/q_max, each represented by the mean of its
own, which leaves a relative error of STEP^2/24 of a pair's term at most, 4e-6. Exact but for that: rings of
a nanocrystal come out with their widths, shapes and diffuse feet. Cost grows with the square of the number of atoms.
Reference: Debye 1915, doi 10.1002/andp.19153510606.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xsim.constants import R_E, wavenumber
from xsim.specimen.atoms import atomic_factor
from xsim.specimen.population import Population
from xsim.specimen.shapes._sampling import ball_amplitude, lengths, sinc
from xsim.specimen.specimen import contrast

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

#: phase that turns over a bin of distances [rad], and the widest bin [m]
STEP, _WIDEST = 0.01, 1e-11
#: most atoms whose pairs are counted
MOST = 30_000


def debye_curve(
    population: Population, energy: float, q_max: float
) -> Callable[[FloatArray], tuple[FloatArray, ComplexArray]]:
    """<|A|^2> [m^2] and <A> [m] of one copy of a population of atoms, as functions of q (...) up to `q_max` [rad/m]."""
    shape = population.shape
    atoms, balls = shape.structure, shape.balls
    symbols, kind = np.unique(atoms.symbols, return_inverse=True)
    where, weight = np.ascontiguousarray(atoms.positions), np.ascontiguousarray(atoms.occupancy)
    width = min(_WIDEST, STEP / max(q_max, 1.0))
    top = 2 * float(lengths(where).max())
    counts, sums = np.zeros((2, len(symbols), len(symbols), int(top / width) + 2))
    _pairs(where, weight, kind.reshape(-1).astype(np.int64), 1 / width, counts, sums)
    host = 0j
    if population.host is not None:
        host = complex(contrast(population.host, None, energy)) * float(wavenumber(energy)) ** 2 / (2 * np.pi)
    own = [float(np.sum(weight[kind == t] ** 2)) for t in range(len(symbols))]

    def factors(q: FloatArray) -> list[ComplexArray]:
        out = []
        for t, symbol in enumerate(symbols.tolist()):
            a = -R_E * atomic_factor(symbol, q * q, energy)
            if shape.b_factors:
                a = a * np.exp(-np.average(atoms.b[kind == t], weights=weight[kind == t]) * q * q / (16 * np.pi**2))
            radius = float(balls.radii[kind == t][0])
            out.append(a + host * 4 / 3 * np.pi * radius**3 * ball_amplitude(q * radius))
        return out

    def curve(q: FloatArray) -> tuple[FloatArray, ComplexArray]:
        flat = np.ravel(q)
        a = factors(flat)
        square, mean = np.zeros(len(flat)), np.zeros(len(flat), np.complex128)
        for i in range(len(symbols)):
            square += own[i] * np.abs(a[i]) ** 2
            mean += a[i] * _sum(flat, lengths(where[kind == i]), weight[kind == i])
            for j in range(i, len(symbols)):
                number = counts[i, j] + counts[j, i] if i != j else counts[i, i]
                total = sums[i, j] + sums[j, i] if i != j else sums[i, i]
                full = number > 0
                square += 2 * (a[i] * a[j].conj()).real * _sum(flat, total[full] / number[full], number[full])
        return square.reshape(q.shape), mean.reshape(q.shape)

    return curve


def _sum(q: FloatArray, r: FloatArray, n: FloatArray) -> FloatArray:
    """sum_k n_k sin(q r_k)/(q r_k) for q (m,), a row at a time, so that its bits depend on that q alone."""
    return np.array([np.sum(n * sinc(one * r)) for one in q.tolist()])


@njit(cache=True, nogil=True)
def _pairs(where: Any, weight: Any, kind: Any, per_bin: float, counts: Any, sums: Any) -> None:
    """Numbers and sums of the distances of all pairs i < j by kinds and bin."""
    for i in range(len(where)):
        for j in range(i + 1, len(where)):
            x, y, z = where[i, 0] - where[j, 0], where[i, 1] - where[j, 1], where[i, 2] - where[j, 2]
            r = np.sqrt(x * x + y * y + z * z)
            n, w = int(r * per_bin), weight[i] * weight[j]
            counts[kind[i], kind[j], n] += w
            sums[kind[i], kind[j], n] += w * r
