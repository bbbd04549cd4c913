"""The mean pattern of particles aligned by a linearly polarised field: <|f(R^T q)|^2> over Bingham's distribution.

Every turn about the field's direction e is as likely, so the mean depends on q = |q| and c = q.e/|q| alone, and it is a
convolution on the sphere: with |f|^2 = sum I_lm(q) Y_lm in the particle's principal axes,

    <|f|^2>(q, c) = sum_l P_l(c) sum_m I_lm(q) B_lm,        B_lm = <Y_lm(u)> over u = R^T e

Bingham's density is even in every principal axis: only even l and even m >= 0 (cosines) count. I_lm: Gauss-Legendre in
the cosine, evenly spaced in azimuth, about the principal axis that makes Bingham's density roundest; B_lm: the
azimuth in closed form (Bessel I_m/2), the cosine by Gauss-Legendre. |f|^2 of a particle of bounding radius R has
l <= 2 q R and wavelengths in q above pi/R, which fix how many directions and shells are taken; what the density leaves
out (B_l falls as exp(-l^2/4 kappa)) is not summed. References: Driscoll & Healy, Adv. Appl. Math. 15, 202 (1994), doi
10.1006/aama.1994.1008; Mardia & Jupp, Directional Statistics (2000), ch. 9.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xsim.errors import RangeError

FloatArray = NDArray[np.float64]
#: q (n, 3) [rad/m] in the principal axes -> |f|^2 (n,) [m^2]
Square = Callable[[FloatArray], FloatArray]

#: shells per shortest wavelength in q: a cubic spline through them is off by some 1e-4 of the modulation
_SHELLS = 10
#: coefficients B_l below this share are not summed
_SMALL = 1e-7
#: largest q R and largest |kappa| that are summed
MAX_QR, MAX_STRENGTH = 400.0, 1e7


@dataclass(frozen=True, eq=False)
class Averaged:
    """<|f|^2> [m^2] = sum_l P_l(c) coefficients[l/2](q), known at the shells q (n,) [rad/m]; coefficients (n, l/2)."""

    q: FloatArray
    coefficients: FloatArray

    def __call__(self, q: FloatArray, cosine: FloatArray) -> FloatArray:
        """The mean at |q| (...) [rad/m] and cosines (...) to the field."""
        from scipy.interpolate import CubicSpline

        at = CubicSpline(self.q, self.coefficients, axis=0)(np.ravel(q))
        x = np.ravel(cosine)
        total = np.zeros(len(x))
        for half, p in enumerate(_even_legendre(x, self.coefficients.shape[1])):
            total += p * at[:, half]
        return np.asarray(np.maximum(total, 0.0)).reshape(np.shape(q))

    @property
    def structure(self) -> FloatArray:
        """Rms over directions of the mean's angular structure (n,) [m^2]: what a powder's rings do not have."""
        weight = 1 / (2 * 2 * np.arange(self.coefficients.shape[1]) + 1.0)
        return np.asarray(np.sqrt(np.sum(self.coefficients[:, 1:] ** 2 * weight[1:], axis=1)))


def averages(square: Square, radius: float, q_max: float, strengths: list[FloatArray]) -> list[Averaged]:
    """The mean of |f|^2 = `square` of a body of bounding `radius` [m] up to `q_max` [rad/m] for each of `strengths`.

    strengths: (3,) K = 2 pi I alpha/(c k T) along the principal axes; 0 for all of them is a powder.
    """
    if not 0 < q_max * radius <= MAX_QR:
        raise RangeError("q times radius of an aligned particle", field="distance", value=f"{q_max * radius:.4g}",
                         allowed=f"> 0 and <= {MAX_QR:g}", cure="take a smaller particle or less q")  # fmt: skip
    axis = _pole(strengths[0])
    most = int(2 * np.ceil(q_max * radius)) + 16
    kernels = [field_harmonics(np.roll(k, 2 - axis), most) for k in strengths]
    used = np.array([_reach(kernel) for kernel in kernels])
    waves = np.flatnonzero(np.max([np.abs(kernel).max(axis=0) for kernel in kernels], axis=0) > _SMALL)
    q = np.linspace(0.0, q_max, max(8, int(np.ceil(q_max * radius * _SHELLS / np.pi)) + 1))
    found = [np.zeros((len(q), most // 2 + 1)) for _ in kernels]
    for shell, length in enumerate(q.tolist()):
        own = min(most, int(2 * np.ceil(length * radius)) + 16)
        for half_m, part in _harmonics(square, length, axis, (own, min(own, int(used.max()))), waves):
            for kernel, into in zip(kernels, found, strict=True):
                into[shell, half_m : half_m + len(part)] += part * kernel[half_m : half_m + len(part), half_m]
    return [Averaged(q, values[:, : int(reach) // 2 + 1]) for values, reach in zip(found, used, strict=True)]


def field_harmonics(strengths: FloatArray, most: int) -> FloatArray:
    """B (most/2 + 1, most/2 + 1) of even l, m: mean over Bingham's density of the real harmonics, by cosines of m.

    Normalised so that P_l = sum over m of products of two of them: B_00 = 1.
    """
    from scipy.special import ive, roots_legendre

    kx, ky, kz = (float(k) for k in strengths)
    if max(abs(kx - kz), abs(ky - kz), abs(kx - ky)) > MAX_STRENGTH:
        raise RangeError("strength of alignment", field="laser.intensity", value=f"{np.ptp(strengths):.3g}",
                         allowed=f"<= {MAX_STRENGTH:g}", cure="lower the intensity")  # fmt: skip
    sharp = np.sqrt(abs(kz - (kx + ky) / 2) + abs(kx - ky))
    x, w = roots_legendre(2 * int(most / 2 + 20 + 3 * sharp))
    half = x > 0  # even in the cosine, and no node at 0
    x, w = x[half], 2 * w[half]
    sine2 = 1 - x**2
    d = sine2 * (kx - ky) / 2
    exponent = kz * x**2 + sine2 * (kx + ky) / 2 + np.abs(d)
    weight = w * np.exp(exponent - exponent.max())
    norm = float(np.sum(weight * ive(0, d)))
    out = np.zeros((most // 2 + 1, most // 2 + 1))
    for m in range(0, most + 1, 2):
        if m and not d.any():
            break
        bessel = weight * ive(m // 2, d) / norm  # I_n(-d) = (-1)^n I_n(d) and ive keeps the sign
        for half_l, p in enumerate(_associated(x, m, most)):
            out[m // 2 + half_l, m // 2] = np.sum(p * bessel)
    return out


def _harmonics(
    square: Square, length: float, axis: int, degrees: tuple[int, int], waves: NDArray[np.int64]
) -> Iterator[tuple[int, FloatArray]]:
    """m/2 and the even harmonics l = m, m + 2 ... of |f|^2 on the shell |q| = `length`, for each m/2 in `waves`.

    degrees: the largest that |f|^2 has, and the largest wanted.
    """
    from scipy.special import roots_legendre

    from xsim.waves.fft import fft1

    most, top = degrees
    count = (most + top) // 2 + 1  # nodes that are exact for a product of degrees most and top
    x, w = roots_legendre(count)
    turns = most + top + 2
    azimuth = 2 * np.pi * np.arange(turns) / turns
    sine = np.sqrt(1 - x**2)
    parts = (sine[:, None] * np.cos(azimuth), sine[:, None] * np.sin(azimuth), x[:, None] + 0 * azimuth)
    vectors = np.roll(np.stack(parts, axis=-1), axis - 2, axis=-1) * length
    values = np.asarray(square(vectors.reshape(-1, 3)), np.float64).reshape(count, turns)
    rings = fft1(values.astype(np.complex128), axis=1).real / turns
    for m in (2 * waves[2 * waves <= top]).tolist():
        ring = rings[:, m] * w / 2 * (1 if m == 0 else 2)
        yield m // 2, np.array([(2 * (m + 2 * i) + 1) * np.sum(p * ring) for i, p in enumerate(_associated(x, m, top))])


def _associated(x: FloatArray, m: int, most: int) -> Iterator[FloatArray]:
    """sqrt((l - m)!/(l + m)!) P_l^m(x) for l = m, m + 2, ... up to `most`; m even, stable upwards."""
    sine2 = 1 - x**2
    last, own = np.zeros_like(x), np.ones_like(x)
    for k in range(1, m + 1):
        own = own * np.sqrt((2 * k - 1) / (2 * k) * sine2)
    for degree in range(m, most + 1):
        if (degree - m) % 2 == 0:
            yield own
        up = (2 * degree + 1) * x * own - np.sqrt(float(degree**2 - m**2)) * last
        last, own = own, up / np.sqrt(float((degree + 1) ** 2 - m**2))


def _even_legendre(x: FloatArray, count: int) -> Iterator[FloatArray]:
    yield from _associated(x, 0, 2 * (count - 1))


def _pole(strengths: FloatArray) -> int:
    """The principal axis about which the density is roundest."""
    k = np.asarray(strengths, np.float64)
    return int(np.argmin([abs(k[(i + 1) % 3] - k[(i + 2) % 3]) for i in range(3)]))


def _reach(kernel: FloatArray) -> int:
    """The largest even l that is worth summing."""
    size = np.abs(kernel).max(axis=1)
    return int(2 * np.flatnonzero(size > _SMALL).max())


def sampled(
    square: Callable[[FloatArray], FloatArray], draw: Callable[[int, int], FloatArray], tolerance: float, most: int
) -> tuple[FloatArray, float, int]:
    """The mean of `square`(rotation) (pixels,) over rotations, where no symmetry makes it a sum of few terms.

    draw: (count, batch) -> rotations (count, 3, 3). Ends when the rms over pixels of the standard error over the mean
    is below `tolerance`, or after `most` orientations. Returns the mean, that error, and the orientations taken.
    """
    first, second, count, batch, error = np.zeros(0), np.zeros(0), 0, 0, np.inf
    while count < most and not error <= tolerance:
        for rotation in draw(min(64, most - count), batch):
            one = np.asarray(square(rotation))
            first, second = (one, one**2) if count == 0 else (first + one, second + one**2)
            count += 1
        batch += 1
        mean = first / count
        spread = np.maximum(second / count - mean**2, 0) / max(count - 1, 1)
        lit = mean > 0
        error = float(np.sqrt(np.mean(spread[lit] / mean[lit] ** 2))) if lit.any() else 0.0
    return first / count, error, count
