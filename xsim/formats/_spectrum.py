"""ln(I0 / I) of a transmission spectrum with its counting error."""

from __future__ import annotations

import numpy as np

from xsim.exposure import Array, Measurement, lookup


def absorbance(measurement: Measurement) -> tuple[Array, Array]:
    """ln(I0 / I) and its standard error, (frames,) each; NaN where nothing was counted.

    I0 is the incident photons times the detector's efficiency where the geometry tells "detector_efficiency".
    The error is that of Poisson counts, 1 / sqrt(counts).
    """
    counts = np.asarray(measurement.counts, np.float64).reshape(len(measurement.frames))
    seen = np.where(counts > 0, counts, np.nan)
    efficiency = lookup(measurement, "detector_efficiency")
    expected = np.asarray(measurement.incident, np.float64) * np.asarray(1.0 if efficiency is None else efficiency)
    return np.log(np.where(expected > 0, expected, np.nan) / seen), 1 / np.sqrt(seen)
