"""Scattering frames reduced to a curve: pixel-exact q, solid angle, radial average with counting errors.

q = (4 pi / lambda) sin(theta), tan(2 theta) = r / L; solid angle of a pixel: p^2 cos^3(2 theta) / L^2.
Reference: Pauw, J. Phys.: Condens. Matter 25, 383201 (2013), doi 10.1088/0953-8984/25/38/383201.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xsim.exposure import Array, Measurement, lookup
from xsim.formats._entry import beam_center, need, need_pixel
from xsim.formats._pixels import bad_pixels
from xsim.spill import blocks
from xsim.waves.far_field import polarisation, scattering_vectors


@dataclass(frozen=True)
class Curve:
    """q [rad/m], intensity with standard error in `unit`; `count`: pixels averaged."""

    q: Array
    intensity: Array
    error: Array
    count: Array
    unit: str


def q_of_pixels(measurement: Measurement) -> tuple[Array, Array]:
    """(|q| [rad/m], solid angle [sr]) of every pixel (ny, nx) of a flat, possibly tilted detector."""
    q, solid_angle = _vectors(measurement)
    return np.sqrt(np.einsum("...i,...i->...", q, q)), solid_angle


def detector_tilt(measurement: Measurement) -> tuple[float, float]:
    """Tilt of the detector about x and y [rad]; see `xsim.waves.far_field.detector_axes`."""
    return float(lookup(measurement, "detector_tilt_x") or 0), float(lookup(measurement, "detector_tilt_y") or 0)


def _vectors(measurement: Measurement) -> tuple[Array, Array]:
    distance = need(measurement, "the detector distance", "detector_distance", "distance")
    shape = (measurement.counts.shape[-2], measurement.counts.shape[-1])
    return scattering_vectors(
        shape,
        need_pixel(measurement)[0],
        distance,
        float(measurement.frames["energy"][0]),
        beam_center(measurement),
        detector_tilt(measurement),
    )


def _polarisation(measurement: Measurement) -> Array | float:
    """(1 + cos^2 2theta - p cos 2phi sin^2 2theta) / 2 of every pixel for "polarisation" p (+1: along x); else 1."""
    degree = lookup(measurement, "polarisation")
    if degree is None:
        return 1.0
    return polarisation(_vectors(measurement)[0], float(measurement.frames["energy"][0]), float(degree))


def radial_curve(measurement: Measurement, values: Array | None = None, bins: int = 200) -> Curve:
    """The radial average of the frames' sum (or of `values` (ny, nx) in photons).

    Intensity is counts / (incident photons x solid angle x polarisation factor), the differential cross-section per
    area of beam [1/sr]; divided by the specimen's thickness and transmission, where the geometry tells them, it is
    absolute [1/m/sr], written "1/m". The error is that of Poisson counts. Bins without a pixel are left out.
    """
    q, solid_angle = q_of_pixels(measurement)
    solid_angle = solid_angle * _polarisation(measurement)
    good = ~bad_pixels(measurement)
    total = np.zeros(q.shape)
    for block in blocks(measurement.counts if values is None else values[None]):
        total += np.asarray(block, np.float64).sum(axis=0)
    edges = np.linspace(q[good].min(), q[good].max() * (1 + 1e-12), bins + 1)
    index = np.clip(np.digitize(q[good], edges) - 1, 0, bins - 1)
    count = np.bincount(index, minlength=bins)
    scale = np.bincount(index, solid_angle[good], bins) * float(np.sum(measurement.incident))
    photons = np.bincount(index, total[good], bins)
    mean_q = np.bincount(index, q[good], bins)
    full = (count > 0) & (scale > 0)
    norm, unit = _absolute(measurement)
    intensity = photons[full] / scale[full] * norm
    # one count at least, so that an empty bin has an honest upper bar instead of a certainty of zero
    error = np.sqrt(np.maximum(photons[full], 1)) / scale[full] * norm
    return Curve(mean_q[full] / count[full], intensity, error, count[full], unit)


def _absolute(measurement: Measurement) -> tuple[float, str]:
    thickness, transmission = (lookup(measurement, name) for name in ("specimen_thickness", "specimen_transmission"))
    efficiency = lookup(measurement, "detector_efficiency")
    norm = 1.0 if efficiency is None else 1.0 / float(efficiency)
    if thickness is None or transmission is None or not float(thickness) > 0 or not float(transmission) > 0:
        return norm, "1/sr"
    return norm / (float(thickness) * float(transmission)), "1/m"
