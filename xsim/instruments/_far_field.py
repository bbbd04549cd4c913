"""A detector in the far field: what its pixels and its distance fix.

    dx = lambda D / (n L)

n pixels of L along the longer side, D the distance: the pixel of an object found from the pattern. Small angles.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xsim.constants import wavelength


def object_pixel(detector: Any, distance: float, energy: float) -> float:
    """Pixel [m] of the reconstruction at `energy` [eV] with `detector` at `distance` [m]."""
    return float(wavelength(energy) * distance / (max(detector.shape) * detector.pixel))


def far_field_geometry(detector: Any, distance: float, energy: float) -> dict[str, Any]:
    """What files and reconstructions are told: distance and pixels, where the beam meets them, the object's pixel."""
    ny, nx = detector.shape
    return {
        "detector_distance [m]": distance,
        "detector_pixel [m]": float(detector.pixel),
        "beam_center [pixel]": np.array([ny // 2, nx // 2], np.float64),
        "object_pixel [m]": object_pixel(detector, distance, energy),
    }
