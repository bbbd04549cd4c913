"""Sizes of spheres from small-angle scattering: mean radius, width, scale and background, with error bars.

    I(q) = a <s^6 f(q s R)^2>_s / <s^6>_s + b + c q^2,   f(x) = 3 (sin x - x cos x)/x^3

is fitted to the azimuthal average (`radial`) by weighted least squares, s from a law of mean 1 and relative width w,
with the blur that the experimenter knows: each bin's own spread of q, and where the measurement says that it is
smeared, the beam's disc, the divergence, the pixel and the bandwidth, as variances of q added up. Error bars are those
of the fit, from the counts alone. b is a liquid's density fluctuations, c q^2 the rise of Compton scattering. Valid for
dilute spheres: a structure factor makes them look smaller.
Reference: Pedersen 1997, doi 10.1016/S0001-8686(97)00312-6; sizes of gold by SAXS: Meli et al. 2012, doi
10.1088/0957-0233/23/12/125005 (recalled, not re-read).
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from xsim.constants import FWHM, wavenumber
from xsim.errors import FileError
from xsim.exposure import Array, Axis, Measurement, Truth, lookup
from xsim.model import Model
from xsim.reconstruct._data import need, refuse
from xsim.reconstruct._protocol import Reconstruction
from xsim.reconstruct.radial import Radial
from xsim.units import PositiveLength

#: bins with fewer photons are left out: their error bars are not Gaussian
_FEWEST = 10


class SizeFit(Model):
    """Fit of spheres with a law of sizes. radius [m]: where to start (sought if not given); bins as in `radial`."""

    kind: Literal["size_fit"] = "size_fit"
    techniques: ClassVar[tuple[str, ...]] = ("saxs",)
    preference: ClassVar[int] = -1
    law: Literal["normal", "lognormal", "schulz"] = "normal"
    bins: Annotated[int, Field(ge=10, le=100_000)] = 200
    radius: PositiveLength | None = None

    def accepts(self, measurement: Measurement) -> str:
        """Why it cannot reconstruct this measurement; empty if it can."""
        return Radial().accepts(measurement)

    def __call__(self, measurement: Measurement) -> Reconstruction:
        """Mean radius and standard deviation [m]; `extras`: the curve and its fit; `numbers`: chi2 per bin and more."""
        from scipy.optimize import least_squares

        refuse(measurement, self.kind, self.accepts(measurement))
        curve = Radial(bins=self.bins)(measurement)
        q, values, error = np.asarray(curve.axes[0].values), np.asarray(curve.values), np.asarray(curve.error)
        keep = values > np.sqrt(_FEWEST) * error
        if keep.sum() < 8:
            raise FileError(
                f"too few photons in instrument {measurement.name} to fit sizes",
                value=f"{int(keep.sum())} bins with {_FEWEST} photons or more",
                allowed=">= 8",
                cure="expose longer, or use fewer bins",
            )
        q, values, error = q[keep], values[keep], error[keep]
        blur = _blur(measurement, q, np.asarray(curve.extras["spread"].values)[keep])

        def shape(radius: float, width: float) -> Array:
            return _blurred(self.law, q, blur, radius, width)

        def solve(radius: float, width: float) -> tuple[Array, Array, Array]:
            basis = np.stack([shape(radius, width), np.ones_like(q), (q / q.max()) ** 2], axis=-1) / error[:, None]
            factors = np.linalg.lstsq(basis, values / error, rcond=None)[0]
            return basis, factors, basis @ factors - values / error

        radius, width = self.radius or _start(self.law, q, values, error), 0.12
        found = least_squares(
            lambda p: solve(float(np.exp(p[0])), float(np.exp(p[1])))[2], np.log([radius, width]),
            bounds=(np.log([radius / 3, 1e-3]), np.log([radius * 3, 0.29])), x_scale=[0.01, 0.1],
        )  # fmt: skip
        radius, width = (float(v) for v in np.exp(found.x))
        basis, factors, residual = solve(radius, width)
        spread = _errors(solve, radius, width, basis, factors)
        fitted = (basis @ factors) * error
        moments = Axis("moment", np.array(["radius", "radius_deviation"]))
        chi2 = float(residual @ residual) / max(1, len(q) - 5)
        numbers = {
            "mean_radius [m]": radius, "mean_radius_error [m]": float(spread[0]),
            "relative_width": width, "relative_width_error": float(spread[1]),
            "background": float(factors[1]), "chi2_per_bin": chi2,
        }  # fmt: skip
        axis = (Axis("q", q, "rad/m"),)
        extras = {"curve": Truth(values, axis, curve.unit), "curve_fit": Truth(fitted, axis, curve.unit)}
        width_error = float(np.hypot(spread[1] * radius, spread[0] * width))
        return Reconstruction(
            np.array([radius, width * radius]), (moments,), "m", "radius of spheres", "particle",
            error=np.array([spread[0], width_error]), extras=extras, numbers=numbers,
        )  # fmt: skip


def _start(law: str, q: Array, values: Array, error: Array) -> float:
    """The radius [m] of spheres, a tenth wide, that come nearest on a part of the bins."""
    some = np.linspace(0, len(q) - 1, min(len(q), 60)).astype(int)
    q, values, error = q[some], values[some], error[some]
    best = (np.inf, 0.0)
    for radius in np.geomspace(1.0 / q.max(), 6 / max(q.min(), 1e5), 60).tolist():
        basis = np.stack([size_average(law, q, radius, 0.12), np.ones_like(q)], axis=-1) / error[:, None]
        residual = basis @ np.linalg.lstsq(basis, values / error, rcond=None)[0] - values / error
        best = min(best, (float(residual @ residual), radius))
    return best[1]


def _errors(solve: Any, radius: float, width: float, basis: Array, factors: Array) -> Array:
    """Standard errors of radius and width, those of scale and background allowed for."""
    columns = []
    for step in ((radius * 1e-4, 0.0), (0.0, width * 1e-3)):
        up, down = (solve(radius + s * step[0], width + s * step[1])[0] for s in (1, -1))
        columns.append((up - down) @ factors / (2 * max(step)))
    jacobian = np.column_stack([*columns, basis])
    scale = np.linalg.norm(jacobian, axis=0)
    covariance = np.linalg.inv((jacobian / scale).T @ (jacobian / scale)) / np.outer(scale, scale)
    return np.sqrt(np.diag(covariance))[:2]


def _blur(measurement: Measurement, q: Array, spread: Array) -> Array:
    """Standard deviation of q within each bin [rad/m]: its own pixels', and what smears the measurement."""
    variance = spread**2
    if lookup(measurement, "smeared"):
        distance, energy = need(measurement, "detector_distance"), float(measurement.frames["energy"][0])
        per_metre = float(wavenumber(energy)) / distance
        beam, divergence = need(measurement, "beam_diameter"), float(lookup(measurement, "divergence") or 0)
        flat = beam**2 / 16 + (divergence * distance / FWHM) ** 2 + need(measurement, "pixel") ** 2 / 12
        variance = variance + flat * per_metre**2
    energy_spread = float(lookup(measurement, "energy_spread") or 0) / float(measurement.frames["energy"][0]) / FWHM
    return np.sqrt(variance + (q * energy_spread) ** 2)


def _blurred(law: str, q: Array, blur: Array, radius: float, width: float) -> Array:
    """The size average at q, blurred by a Gaussian of standard deviation `blur` (five nodes)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    total = np.zeros_like(q)
    for node, weight in zip(nodes, weights / weights.sum(), strict=True):
        total += weight * size_average(law, np.abs(q + node * blur), radius, width)
    return total


def size_average(law: str, q: Array, radius: float, width: float) -> Array:
    """<s^6 f(q s R)^2>/<s^6> at q (n,) for spheres of mean `radius` [m] and relative `width`, in closed sums."""
    count = 24 + int(6 * width * radius * float(q.max()))
    u, w = np.polynomial.legendre.leggauss(count)
    if law == "lognormal":
        sigma = np.sqrt(np.log1p(width**2))
        u = 6.5 * u + 6 * sigma
        s, w = np.exp(sigma * u - sigma**2 / 2), w * np.exp(-(u**2) / 2)
    elif law == "normal":
        low, high = max(0.05, 1 - 6 * width), 1 + 7 * width
        s = (low + high) / 2 + (high - low) / 2 * u
        w = w * np.exp(-(((s - 1) / width) ** 2) / 2)
    else:
        low, high = max(1e-3, 1 - 6 * width), 1 + 9 * width
        s = (low + high) / 2 + (high - low) / 2 * u
        log = (1 / width**2 - 1) * np.log(s) - s / width**2
        w = w * np.exp(log - log.max())
    x = np.maximum(q[:, None] * (radius * s), 1e-2)
    form = 3 * (np.sin(x) - x * np.cos(x)) / x**3
    return np.asarray((form * form) @ (w * s**6) / np.sum(w * s**6))
