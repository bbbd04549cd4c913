"""Projections of one element's area density [kg/m^2] from a tilt series of fluorescence maps.

Each point's counts in the element's line, less the background beside it, are weighed by a thin film of the element:
the line integral of its density along the beam, as long as little of the line is absorbed on its way out. What is
absorbed makes far sides too thin; the share that survives in the untilted specimen is told ("survived").
"""

from __future__ import annotations

import numpy as np

from xsim.exposure import Array, Axis, Measurement, lookup
from xsim.metrics.line_limits import Calibration, Standard, spectra
from xsim.reconstruct._data import merged_repeats
from xsim.reconstruct.detection_limit import area_density, uncalibrated


def spectral(measurement: Measurement) -> bool:
    """Whether its frames are energy spectra."""
    return bool(measurement.axes) and measurement.axes[-1].unit in ("eV", "keV")


def objection(measurement: Measurement, element: str) -> str:
    """Why these maps are no tilt series of an element; empty if they are."""
    names = [axis.name for axis in measurement.frames.axes if not axis.name.startswith("repeat")]
    if names[-2:] != ["y", "x"] or len(names) != 3:
        return f"its scan axes are {', '.join(names)}, not a tilt, y and x"
    missing = uncalibrated(measurement)
    if missing or not element:
        return missing
    known = [one.line.split("_")[0] for one in _calibration(measurement).standards]
    return "" if element in known else f"it has no standard of {element}, only of {', '.join(known)}"


def element_projections(measurement: Measurement, element: str) -> tuple[Standard, Array, tuple[Axis, ...]]:
    """The standard, area densities (tilts, y, x) and axes; the element with most counts if none is named."""
    calibration = _calibration(measurement)
    chosen = [one for one in calibration.standards if one.line.split("_")[0] == element]
    one = chosen[0] if chosen else _strongest(measurement, calibration)
    values, axes = merged_repeats(measurement, area_density(measurement, one, calibration)[0])
    return one, values, axes


def survived(measurement: Measurement, one: Standard) -> float | None:
    """Share of the line's light that survives beam and way out, where the measurement tells it."""
    shares = lookup(measurement, "standard_survived")
    names = [s.line for s in _calibration(measurement).standards]
    return None if shares is None else float(np.atleast_1d(shares)[names.index(one.line)])


def _strongest(measurement: Measurement, calibration: Calibration) -> Standard:
    counts, channel = spectra(measurement)
    total = np.asarray(counts.sum(axis=0), np.float64)

    def net(one: Standard) -> float:
        inside, beside = one.inside(channel), one.beside(channel, [s for s in calibration.standards if s is not one])
        return float(total[inside].sum() - total[beside].sum() * inside.sum() / max(1, beside.sum()))

    return max(calibration.standards, key=net)


def _calibration(measurement: Measurement) -> Calibration:
    found = Calibration.of(measurement.geometry)
    assert found is not None
    return found
