"""The geometry of a flat, possibly tilted detector as pyFAI writes it: its point of normal incidence (PONI).

In pyFAI axis 1 is the slow one (our y), axis 2 the fast one (our x), a pixel centre lies at its number + 1/2, and
rot1 turns about axis 1 first and rot2 about axis 2 then. With e_x, e_y, n of `xsim.waves.far_field.detector_axes` and
the beam at (x_b, y_b) on the detector, L from the specimen:

    dist = L n_z,   poni1 = y_b - L e_y.z,   poni2 = x_b - L e_x.z,   rot1 = tilt_y,   rot2 = tilt_x

Reference: Kieffer et al. 2020, doi 10.1107/S1600577520000776; format: https://www.silx.org/doc/pyFAI, version 2.1.
"""

from __future__ import annotations

import json

from xsim.constants import wavelength
from xsim.exposure import Measurement
from xsim.formats._entry import beam_center, need, need_pixel
from xsim.formats._scattering import detector_tilt
from xsim.waves.far_field import detector_axes


def poni_lines(measurement: Measurement) -> list[str]:
    """The lines of a `.poni` file."""
    distance = need(measurement, "the detector distance", "detector_distance", "distance")
    (pixel_y, pixel_x), (row, column) = need_pixel(measurement), beam_center(measurement)
    tilt = detector_tilt(measurement)
    along, up, normal = detector_axes(tilt)
    shape = [int(n) for n in measurement.counts.shape[-2:]]
    config = {"pixel1": pixel_y, "pixel2": pixel_x, "max_shape": shape, "orientation": 3}
    return [
        "# Geometry of a simulated detector (xsim). C order: 1 is the Y axis, 2 the X axis",
        "poni_version: 2.1",
        "Detector: Detector",
        f"Detector_config: {json.dumps(config)}",
        f"Distance: {distance * float(normal[2])!r}",
        f"Poni1: {(row + 0.5) * pixel_y - distance * float(up[2])!r}",
        f"Poni2: {(column + 0.5) * pixel_x - distance * float(along[2])!r}",
        f"Rot1: {tilt[1]!r}",
        f"Rot2: {tilt[0]!r}",
        "Rot3: 0.0",
        f"Wavelength: {float(wavelength(measurement.frames['energy'][0]))!r}",
    ]
