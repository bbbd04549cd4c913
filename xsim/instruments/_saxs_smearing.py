"""How beam size, divergence, pixels and bandwidth smear an isotropic scattering curve.

    I_s(r) = int K(d) I(|r - d|) d^2d,   r = L tan(2 theta)

in the plane of the detector: K is the beam's disc, the Gaussian of its divergence times L, and the pixel's square
averaged over azimuth, one after the other, which leaves the curve isotropic. Bandwidth averages over the lines that
stand for the spectrum, each with its own contrast. Holds while K is small against L: kernels are not sheared by
obliquity or tilt. Reference: Pedersen, Posselt & Mortensen 1990, doi 10.1107/S0021889890003946.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline

from xsim.constants import FWHM, wavenumber

FloatArray = NDArray[np.float64]


def smeared(
    q: FloatArray,
    values: FloatArray,
    energy: float,
    distance: float,
    kernels: list[tuple[FloatArray, FloatArray, FloatArray]],
) -> FloatArray:
    """The curve (n,) at q (n,) [rad/m] seen through `kernels` of offsets dx, dy (m,) [m] and weights (m,).

    Beyond the last q the curve is continued by its value there.
    """
    k = float(wavenumber(energy))
    r = distance * np.tan(2 * np.arcsin(np.minimum(q / (2 * k), 0.7)))
    for dx, dy, weight in kernels:
        curve = make_interp_spline(q, values, k=3)
        total = np.zeros_like(values)
        for x, y, w in zip(dx, dy, weight, strict=True):
            there = np.hypot(r + x, y)
            total += w * curve(np.minimum(2 * k * np.sin(np.arctan(there / distance) / 2), q[-1]))
        values = total
    return values


def disc(diameter: float, turns: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """An even disc, for a curve that goes through `turns` fringes across it."""
    n = 3 + math.ceil(2 * turns)
    x, w = np.polynomial.legendre.leggauss(n)
    radius = diameter / 2 * np.sqrt((x + 1) / 2)  # even in area
    azimuth = (np.arange(2 * n) + 0.5) * np.pi / (2 * n)
    weight = np.repeat(w / 2 / len(azimuth), len(azimuth))
    return (radius[:, None] * np.cos(azimuth)).ravel(), (radius[:, None] * np.sin(azimuth)).ravel(), weight


def gaussian(width: float, turns: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """A round Gaussian of full width at half maximum `width`."""
    x, w = np.polynomial.hermite_e.hermegauss(min(60, 7 + math.ceil(4 * turns)))
    keep = w > 1e-9 * w.max()
    x, w = x[keep] * width / FWHM, w[keep] / w[keep].sum()
    return np.repeat(x, len(x)), np.tile(x, len(x)), np.outer(w, w).ravel()


def square(side: float, turns: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """A square averaged over its azimuth."""
    n = 3 + math.ceil(2 * turns)
    x, w = np.polynomial.legendre.leggauss(n)
    x, y, w = np.repeat(x, n) * side / 2, np.tile(x, n) * side / 2, np.outer(w, w).ravel() / 4
    turn = (np.arange(3) + 0.5) * np.pi / 12  # an eighth of a turn is all that differs
    both = (
        np.concatenate([x * np.cos(t) + y * np.sin(t) for t in turn]),
        np.concatenate([y * np.cos(t) - x * np.sin(t) for t in turn]),
    )
    return both[0], both[1], np.tile(w / len(turn), len(turn))
