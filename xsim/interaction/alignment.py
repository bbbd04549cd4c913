"""Orientations of free particles in a laser's field, in thermal equilibrium.

    U(R) = -(2 pi I/c) e*.R alpha R^T.e,       f(R) ~ exp(-U/kT) = exp[tr(P R K R^T)],     K = 2 pi I alpha/(c k T)

alpha is the polarisability as a volume [m^3], I the intensity [W/m^2], e the (complex) unit vector of polarisation and
P = Re(e* e^T) = diag(p, 1 - p, 0) in the axes of its ellipse, p = 1 linear, 1/2 circular. This is the matrix Bingham
distribution on rotations. For p = 1 it says how the field lies in the particle, u = R^T e, by Bingham's distribution on
the sphere, and every turn about e is as likely; one long axis then has <cos^2> = 1/(2 sqrt(k) D(sqrt k)) - 1/(2k) with
Dawson's function D and k = K_long - K_short. A field has no up or down: f(R) is the same for half turns about the axes
of the ellipse.

Valid classically and adiabatically (fields that change slowly against rotation, kT far above rotational quanta), for
particles much smaller than the laser's wavelength, and below multiphoton ionisation. References: Friedrich &
Herschbach, Phys. Rev. Lett. 74, 4623 (1995), doi 10.1103/PhysRevLett.74.4623; Stapelfeldt & Seideman, Rev. Mod. Phys.
75, 543 (2003), doi 10.1103/RevModPhys.75.543; sampling: Kent, Ganeiban & Mardia, J. Comput. Graph. Stat. 27, 291
(2018), doi 10.1080/10618600.2017.1390468.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.constants import K_B, C
from xsim.errors import RangeError
from xsim.streams import StreamKey, generator

FloatArray = NDArray[np.float64]


def strength(polarisability: FloatArray, intensity: float, temperature: float) -> FloatArray:
    """K = 2 pi I alpha/(c k T) for `polarisability` [m^3], `intensity` [W/m^2], `temperature` [K]."""
    if not temperature > 0 or not intensity >= 0:
        raise RangeError("laser", value=(intensity, temperature), allowed="intensity >= 0 W/m^2, temperature > 0 K")
    return np.asarray(2 * np.pi * intensity * np.asarray(polarisability) / (C * K_B * temperature))


def mean_square_cosine(kappa: float) -> float:
    """<cos^2> of one axis to a linear field for U/kT = -kappa cos^2, kappa of either sign (Dawson, erf)."""
    from scipy.special import dawsn, erf

    if abs(kappa) < 1e-3:
        return 1 / 3 + 4 * kappa / 45 + 8 * kappa**2 / 945
    root = float(np.sqrt(abs(kappa)))
    if kappa > 0:
        return float(1 / (2 * root * dawsn(root)) - 1 / (2 * kappa))
    return float(-1 / (2 * kappa) - np.exp(kappa) / (np.sqrt(np.pi) * root * erf(root)))


@dataclass(frozen=True, eq=False)
class Alignment:
    """f(R) ~ exp[share (R K R^T)_00 + (1 - share) (R K R^T)_11] with K = diag(`strengths`).

    strengths: (3,) along the particle's principal axes; share: of the intensity along the main axis of the ellipse. R
    takes vectors from the particle's principal axes to those of the ellipse: main, minor, the laser's beam.
    """

    strengths: FloatArray
    share: float = 1.0

    def __post_init__(self) -> None:
        if not 0.5 <= self.share <= 1:
            raise RangeError(
                "share of the intensity along the main axis", field="share", value=self.share,
                allowed=">= 0.5 (circular) and <= 1 (linear)", cure="swap the axes of the ellipse",
            )  # fmt: skip

    def log_density(self, rotations: FloatArray) -> FloatArray:
        """-U/kT (...) of rotations (..., 3, 3), up to a constant."""
        k = np.asarray(self.strengths)
        along = np.sum(rotations[..., 0, :] ** 2 * k, axis=-1)
        across = np.sum(rotations[..., 1, :] ** 2 * k, axis=-1)
        return np.asarray(self.share * along + (1 - self.share) * across)

    def draw(self, count: int, key: StreamKey) -> FloatArray:
        """Rotations (count, 3, 3) drawn from f: rows are the axes of the ellipse seen by the particle."""
        found = np.empty((count, 3, 3))
        filled, attempt = 0, 0
        while filled < count:
            rng = generator(key, attempt)
            some = self._proposed(max(256, 2 * (count - filled)), rng)[: count - filled]
            found[filled : filled + len(some)] = some
            filled, attempt = filled + len(some), attempt + 1
        return found

    def _proposed(self, count: int, rng: Any) -> FloatArray:
        """Some of `count` proposals: the main axis by an angular central Gaussian, the other by von Mises."""
        from scipy.special import i0e

        k, p = np.asarray(self.strengths, np.float64), self.share
        order = np.argsort(-k)
        largest, middle = k[order[0]], k[order[1]]
        bound = p * k + (1 - p) * largest
        bound[order[0]] = p * largest + (1 - p) * middle  # lies above the marginal of the main axis everywhere
        u = _bingham(bound, count, rng)
        first, second, spread, high = _plane(u, k)
        log_marginal = p * (u**2 @ k) + (1 - p) * high
        d = (1 - p) * spread
        keep = np.log(rng.random(len(u))) < log_marginal - u**2 @ bound + np.log(i0e(d))
        u, first, second, d = u[keep], first[keep], second[keep], d[keep]
        angle = rng.vonmises(0.0, d) / 2 + np.pi * (rng.random(len(d)) < 0.5)
        v = np.cos(angle)[:, None] * first + np.sin(angle)[:, None] * second
        return np.stack([u, v, np.cross(u, v)], axis=-2)


def _bingham(k: FloatArray, count: int, rng: Any) -> FloatArray:
    """Some of `count` unit vectors (n, 3) from exp(sum k_i u_i^2), from a wider law (Kent et al. 2018)."""
    from scipy.optimize import brentq

    a = k.max() - k
    b = brentq(lambda b: float(np.sum(1 / (b + 2 * a))) - 1, 1.0, 3.0 + 1e-9)
    omega = 1 + 2 * a / b
    u = rng.standard_normal((count, 3)) / np.sqrt(omega)
    u /= np.sqrt(np.sum(u**2, axis=1, keepdims=True))
    log_ratio = -np.sum(u**2 * a, axis=1) + 1.5 * np.log(np.sum(u**2 * omega, axis=1))
    return np.asarray(u[np.log(rng.random(count)) < log_ratio + (3 - b) / 2 - 1.5 * np.log(3 / b)])


def _plane(u: FloatArray, k: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """diag(k) in the plane across each u (n, 3): its axes (n, 3) twice, half difference and larger value (n,)."""
    other = np.where(np.abs(u[:, :1]) < 0.6, np.eye(3)[:1], np.eye(3)[1:2])
    e = np.cross(u, other)
    e /= np.sqrt(np.sum(e**2, axis=1, keepdims=True))
    g = np.cross(u, e)
    ee, gg, eg = e**2 @ k, g**2 @ k, (e * g) @ k
    mean, half = (ee + gg) / 2, (ee - gg) / 2
    spread = np.hypot(half, eg)
    angle = np.arctan2(eg, half) / 2
    first = np.cos(angle)[:, None] * e + np.sin(angle)[:, None] * g
    return first, np.cross(u, first), spread, mean + spread


def mean_square_axes(strengths: FloatArray) -> FloatArray:
    """<cos^2> (3,) of each principal axis to a linear field, for any `strengths` (3,); they sum to 1."""
    from xsim.interaction.aligned_average import field_harmonics

    # P_2 of the axis that is last: B_20
    return np.array([(2 * field_harmonics(np.roll(strengths, 2 - i), 2)[1, 0] + 1) / 3 for i in range(3)])
