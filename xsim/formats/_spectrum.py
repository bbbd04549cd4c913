"""ln(I0 / I) and the fluorescence yield of a spectrum with their counting errors."""

from __future__ import annotations

import numpy as np

from xsim.exposure import Array, Measurement, incident_photons, lookup, one_channel


def absorbance(measurement: Measurement) -> tuple[Array, Array]:
    """ln(I0 / I) and its standard error, (frames,) each; NaN where nothing was counted.

    I0 is that of the monitor (`monitor`). The error is that of Poisson counts, of the monitor's too.
    """
    counts = np.asarray(one_channel(measurement).counts, np.float64).reshape(len(measurement.frames))
    seen = np.where(counts > 0, counts, np.nan)
    expected, variance = monitor(measurement), incident_photons(measurement)[1]
    return np.log(np.where(expected > 0, expected, np.nan) / seen), np.sqrt(1 / seen + variance)


def monitor(measurement: Measurement) -> Array:
    """I0 (frames,): the counts that the detector would have without a specimen, as far as the measurement tells them.

    Incident photons times the detector's counts per photon ("counts_per_photon" or "detector_efficiency").
    """
    known = (lookup(measurement, name) for name in ("counts_per_photon", "detector_efficiency"))
    scale = next((np.asarray(value, np.float64) for value in known if value is not None), np.asarray(1.0))
    return np.asarray(incident_photons(measurement)[0] * scale)


def fluorescence(measurement: Measurement) -> tuple[Array, Array] | None:
    """Fluorescence counts over I0 with their standard error, (frames,) each; None where none were recorded."""
    if not any(axis.name == "channel" and "fluorescence" in axis.values for axis in measurement.axes):
        return None
    counts = np.asarray(one_channel(measurement, "fluorescence").counts, np.float64)
    blank, variance = monitor(measurement), incident_photons(measurement)[1]
    return counts / blank, np.sqrt(np.maximum(counts, 1) + counts**2 * variance) / blank
