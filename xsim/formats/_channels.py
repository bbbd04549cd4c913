"""Spectra of an energy-dispersive detector: its channels, its single detectors and their clocks, and sums over them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xsim.exposure import Array, Axis, Measurement, lookup
from xsim.spill import blocks


def lacks_channels(measurement: Measurement) -> str:
    """Why its frames are not spectra over evenly spaced channels, of one detector or of several; empty if they are."""
    axes = measurement.axes
    if not axes or axes[-1].unit not in ("eV", "keV") or [axis.name for axis in axes[:-1]] not in ([], ["detector"]):
        return "its detector does not record a spectrum over energy channels"
    step = np.diff(np.asarray(axes[-1].values, np.float64))
    if len(step) == 0 or not np.allclose(step, step.mean(), rtol=1e-6, atol=0):
        return "its energy channels are not evenly spaced"
    return ""


def calibration(measurement: Measurement) -> tuple[float, float]:
    """Energy [eV] of the centre of channel 0 and the width of a channel [eV]."""
    axis = measurement.axes[-1]
    values = np.asarray(axis.values, np.float64) * (1e3 if axis.unit == "keV" else 1.0)
    return float(values[0]), float(values[-1] - values[0]) / (len(values) - 1)


def detectors(measurement: Measurement) -> Axis | None:
    """The axis of several detectors, None for one."""
    return measurement.axes[0] if len(measurement.axes) == 2 else None


def by_detector(measurement: Measurement, values: Array) -> Array:
    """`values` (frames, [detectors,] ...) with the axis of detectors, of length 1 for a single one."""
    return values if detectors(measurement) is not None else values[:, None]


def live_times(measurement: Measurement) -> NDArray[np.float64]:
    """Live time [s] (frames, detectors) of each spectrum: that told by the detector, else the exposure time."""
    told = lookup(measurement, "live_time")
    if told is not None:
        return np.asarray(by_detector(measurement, np.asarray(told, np.float64)))
    axis = detectors(measurement)
    real = np.asarray(measurement.frames["time"], np.float64)
    return np.repeat(real[:, None], 1 if axis is None else len(axis), axis=1)


def sum_spectra(measurement: Measurement) -> NDArray[np.int64]:
    """Counts of all frames (detectors, channels)."""
    total = sum(block.sum(axis=0, dtype=np.int64) for block in blocks(by_detector(measurement, measurement.counts)))
    return np.asarray(total)


def cube_type(counts: Array) -> np.dtype[np.generic]:
    """uint16 where all counts fit, as in most maps, else what `integer_type` says."""
    from xsim.formats._nexus import integer_type

    if counts.dtype.kind not in "iu":
        return integer_type(counts)
    limits = [(int(block.min(initial=0)), int(block.max(initial=0))) for block in blocks(counts)]
    if all(low >= 0 and high <= np.iinfo(np.uint16).max for low, high in limits):
        return np.dtype(np.uint16)
    return integer_type(counts)
