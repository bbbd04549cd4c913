"""What a flat, possibly tilted detector sees of an isotropic curve, pixel by pixel, in one compiled pass.

    q = k sqrt(2 (1 - cos 2theta)),   dOmega = p^2 L n_z / r^3,   P = 1 - (1 + p)/2 x^2/r^2 - (1 - p)/2 y^2/r^2

for a pixel at r = L z + u e_x + v e_y, seen from the specimen; n = e_x x e_y is the detector's normal. The curve is a
cubic spline on equal steps of q. Reference: Pauw 2013, doi 10.1088/0953-8984/25/38/383201.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from xsim.constants import wavenumber
from xsim.waves.far_field import detector_axes

FloatArray = NDArray[np.float64]


def isotropic_frame(
    shape: tuple[int, int], place: dict[str, Any], energy: float, curve: tuple[FloatArray, FloatArray]
) -> FloatArray:
    """curve(q) times solid angle times polarisation factor for every pixel (ny, nx), zero behind the beam stop.

    place: pixel, distance, stop (diameter) [m], center (row, column) [pixels], tilt (about x, about y) [rad],
    polarisation; curve: q (n,) from 0 in equal steps [rad/m] and values (n,), which must reach the last pixel.
    """
    q, values = curve
    coefficients = np.ascontiguousarray(CubicSpline(q, values).c[::-1].T)
    out = np.empty(shape)
    row, column = place["center"]
    numbers = (row, column, place["pixel"], place["distance"], place["stop"] / 2, place["polarisation"])
    axes = np.ascontiguousarray(detector_axes(place["tilt"]))
    _frame(out, coefficients, 1 / float(q[1] - q[0]), float(wavenumber(energy)), numbers, axes)
    return out


@njit(cache=True, nogil=True)
def _frame(out: Any, coefficients: Any, per_step: float, k: float, place: Any, axes: Any) -> None:
    row, column, pixel, distance, stop, degree = place
    flux = pixel * pixel * distance * axes[2, 2]
    along, across, last = (1 + degree) / 2, (1 - degree) / 2, coefficients.shape[0] - 1
    for i in range(out.shape[0]):
        v = (i - row) * pixel
        for j in range(out.shape[1]):
            u = (j - column) * pixel
            x, y = u * axes[0, 0] + v * axes[1, 0], u * axes[0, 1] + v * axes[1, 1]
            z = distance + u * axes[0, 2] + v * axes[1, 2]
            flat = x * x + y * y
            square = flat + z * z
            if z <= 0 or u * u + v * v < stop * stop:
                out[i, j] = 0.0
                continue
            r = sqrt(square)
            t = k * sqrt(2 * flat / (r * (r + z))) * per_step
            n = min(int(t), last)
            h = (t - n) / per_step
            c = coefficients[n]
            value = c[0] + h * (c[1] + h * (c[2] + h * c[3]))
            share = 1 - (along * x * x + across * y * y) / square
            out[i, j] = max(value, 0.0) * flux / (r * square) * share
