"""Kramers-Kronig transform of a piecewise-linear absorption curve, in closed form.

f1(E) = Z* + (2/pi) P int e f2(e) / (E^2 - e^2) de. For f2 linear between nodes e_k and zero at both ends, two
integrations by parts leave a sum over the changes of slope, exact at any E (also on a node):

    f1(E) - Z* = (1/pi) sum_k (b_{k-1} - b_k) [(E + e_k) ln(E + e_k) - (E - e_k) ln|E - e_k| - 2 e_k]

with b_k the slope after node k. The convention is n = 1 - delta + i beta, f = f1 + i f2 with f2 >= 0.
Reference: Henke, Gullikson & Davis, At. Data Nucl. Data Tables 54, 181 (1993), doi 10.1006/adnd.1993.1013.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xsim.errors import RangeError

FloatArray = NDArray[np.float64]


def transform(nodes: FloatArray, f2: FloatArray, energy: FloatArray) -> FloatArray:
    """f1 - Z* at `energy` (n,) [eV] of the piecewise-linear f2 with values `f2` (m,) at `nodes` (m,) [eV].

    f2 must vanish at the first and the last node (else the curve has jumps that the sum does not know).
    """
    nodes, f2 = np.asarray(nodes, np.float64), np.asarray(f2, np.float64)
    if f2[0] != 0 or f2[-1] != 0:
        raise RangeError("f2 at the ends of a Kramers-Kronig transform", value=(f2[0], f2[-1]), allowed="0 and 0")
    slope = np.diff(f2) / np.diff(nodes)
    weight = -np.diff(slope, prepend=0.0, append=0.0)
    points = np.atleast_1d(np.asarray(energy, np.float64))
    out = np.empty(points.shape)
    rows = max(1, 2_000_000 // len(nodes))
    for start in range(0, len(points), rows):
        out[start : start + rows] = _kernel(points[start : start + rows, None], nodes[None, :]) @ weight / np.pi
    return out


def _kernel(energy: FloatArray, node: FloatArray) -> FloatArray:
    total, gap = energy + node, energy - node
    gap_log = np.log(np.abs(gap), out=np.zeros_like(gap), where=gap != 0)
    kernel: FloatArray = total * np.log(total) - gap * gap_log - 2 * node
    return kernel


def relativistic_charge(z: int) -> float:
    """Z* = Z - (Z/82.5)^2.37 electrons, the limit of f1 far above all edges (Kissel & Pratt 1990)."""
    return z - (z / 82.5) ** 2.37
