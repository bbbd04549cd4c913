"""Small-angle scattering reduced to a curve: the azimuthal average in absolute units, with error bars.

    I(q) = sum N / [ N_0 sum (dOmega P) ] / (t T),    q = (4 pi/lambda) sin(theta)

over the pixels of a bin: N photons, N_0 incident, dOmega = p^2 cos^3(2 theta)/L^2 the pixel's solid angle, P the
polarisation factor. With the specimen's thickness t and transmission T, which the measurement tells, I is the
macroscopic cross section dSigma/dOmega [1/m] (1 cm^-1 = 100 m^-1); otherwise the scattered fraction per solid angle
[1/sr]. A bin's error is that of its Poisson number, with one photon at least; bins without a pixel are left out.
Masked pixels, gaps and those behind the beam stop do not count.

Reference: Pauw, J. Phys.: Condens. Matter 25, 383201 (2013), doi 10.1088/0953-8984/25/38/383201.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from xsim.exposure import Array, Axis, Measurement, Truth, lookup
from xsim.model import Model
from xsim.reconstruct._data import bad_pixels, counted_share, need, offsets, photons, refuse, single_energy
from xsim.reconstruct._protocol import Reconstruction
from xsim.waves.far_field import polarisation, scattering_vectors


class Radial(Model):
    """Azimuthal average. bins: evenly spaced in q; q of a bin is the mean of its pixels."""

    kind: Literal["radial"] = "radial"
    techniques: ClassVar[tuple[str, ...]] = ("saxs",)
    bins: Annotated[int, Field(ge=2, le=100_000)] = 150

    def accepts(self, measurement: Measurement) -> str:
        """Why it cannot reconstruct this measurement; empty if it can."""
        return "its frames are not images" if len(measurement.axes) != 2 else single_energy(measurement)

    def __call__(self, measurement: Measurement) -> Reconstruction:
        """The curve of all frames together. Raises FileError if this is no scattering pattern of one energy."""
        refuse(measurement, self.kind, self.accepts(measurement))
        good = ~bad_pixels(measurement)
        q, weight = q_and_weight(measurement)
        total = photons(measurement).sum(axis=0)
        weight = weight * float(np.sum(measurement.incident))
        edges = np.linspace(q[good].min(), q[good].max() * (1 + 1e-12), self.bins + 1)
        index: Array = np.clip(np.digitize(q[good], edges) - 1, 0, self.bins - 1)
        count: Array = np.bincount(index, minlength=self.bins)
        full = count > 0
        sums: list[Array] = [np.bincount(index, part[good], self.bins)[full] for part in (total, weight, q)]
        number, scale, middle = sums
        factor, unit = norm(measurement)
        scale = scale * factor
        share = float(np.mean(counted_share(measurement)))
        error = np.sqrt(np.maximum(number * share, 1)) / share / scale
        mean = middle / count[full]
        square = np.bincount(index, q[good] ** 2, self.bins)[full] / count[full]
        axis = Axis("q", mean, "rad/m")
        spread = np.sqrt(np.maximum(square - mean**2, 0))
        extras = {"pixels": Truth(count[full], (axis,)), "spread": Truth(spread, (axis,), "rad/m")}
        title = "macroscopic cross section" if unit == "1/m" else "scattered fraction per solid angle"
        return Reconstruction(number / scale, (axis,), unit, title, "cross_section", error=error, extras=extras)


def q_and_weight(measurement: Measurement) -> tuple[Array, Array]:
    """|q| [rad/m] and solid angle [sr] times polarisation factor of every pixel (ny, nx)."""
    y, x = offsets(measurement)
    distance, pixel = need(measurement, "detector_distance", "distance"), need(measurement, "detector_pixel", "pixel")
    energy, center = float(measurement.frames["energy"][0]), (-float(y[0, 0]) / pixel, -float(x[0, 0]) / pixel)
    shape = (measurement.counts.shape[-2], measurement.counts.shape[-1])
    tilt = (float(lookup(measurement, "detector_tilt_x") or 0), float(lookup(measurement, "detector_tilt_y") or 0))
    q, weight = scattering_vectors(shape, pixel, distance, energy, center, tilt)
    degree = lookup(measurement, "polarisation", "polarization")
    if degree is not None:
        weight = weight * polarisation(q, energy, float(degree))
    return np.sqrt(np.einsum("...i,...i->...", q, q)), weight


def norm(measurement: Measurement) -> tuple[float, str]:
    """Thickness times transmission and the unit "1/m", where the measurement tells both; else 1 and "1/sr"."""
    thickness, transmission = (lookup(measurement, name) for name in ("specimen_thickness", "specimen_transmission"))
    if thickness is None or transmission is None or not float(thickness) * float(transmission) > 0:
        return 1.0, "1/sr"
    return float(thickness) * float(transmission), "1/m"
