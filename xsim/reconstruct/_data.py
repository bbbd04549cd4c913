"""Reads a measurement as an experimenter would: photons from counts, incident photons, geometry by name."""

from __future__ import annotations

from typing import Any

import numpy as np

from xsim.errors import FileError
from xsim.exposure import Array, Axis, Measurement, incident_photons, lookup
from xsim.spill import blocks


def need(measurement: Measurement, *names: str) -> float:
    """A geometry value that the method cannot do without. Raises FileError naming the key."""
    value = lookup(measurement, *names)
    if value is None:
        raise FileError(
            f"instrument {measurement.name} does not tell its {names[0].replace('_', ' ')}",
            value=", ".join(measurement.geometry) or "no geometry",
            allowed=" or ".join(f'"{name}" in its geometry' for name in names),
            cure="run the scenario again with this version of xsim",
        )
    return float(value)


def photons(measurement: Measurement, counts: Array | None = None, rows: slice = slice(None)) -> Array:
    """Photons that arrived (frames, ...): counts less offset over counts per photon; NaN in gaps (counts of -1).

    counts: (frames, ...) in place of the measurement's own, for a part of its channels. rows: only these frames.
    """
    raw = np.asarray((measurement.counts if counts is None else counts)[rows])
    values = raw.astype(np.float64)
    offset, scale = (lookup(measurement, name) for name in ("counts_offset", "counts_per_photon"))
    shape = (-1, *(1,) * (values.ndim - 1))
    if scale is not None:
        values = (values - _per_frame(offset, shape, rows)) / _per_frame(scale, shape, rows)
    return np.where(raw < 0, np.nan, values) if raw.dtype.kind == "i" else values


def counted_share(measurement: Measurement) -> Array | float:
    """Counts per photon that arrives, where counts are photons: (frames,) or one number; 1 for cameras.

    N photons that are told by counting a share e of them have the variance N / e.
    """
    scale = lookup(measurement, "counts_per_photon") if measurement.counts_unit == "counts" else None
    return 1.0 if scale is None else np.asarray(scale, np.float64)


def _per_frame(value: Any, shape: tuple[int, ...], rows: slice) -> Array:
    array = np.asarray(0.0 if value is None else value, np.float64)
    return array[rows].reshape(shape) if array.ndim and len(array) > 1 else array.reshape(shape if array.ndim else ())


def flat(measurement: Measurement) -> Array:
    """Photons (frames,) that a detector element gets per frame without a specimen; by the monitor if there is one."""
    per_second = lookup(measurement, "fluence_per_second")
    if per_second is None:
        return incident_photons(measurement)[0]
    pixel = need(measurement, "pixel")
    efficiency = lookup(measurement, "objective_efficiency")
    share = float(per_second) * pixel**2 * float(1.0 if efficiency is None else efficiency)
    return share * np.asarray(measurement.frames["time"], np.float64)


def merged_repeats(measurement: Measurement, values: Array) -> tuple[Array, tuple[Axis, ...]]:
    """`values` (frames, ...) folded over the scan, repeats averaged; with the scan axes that remain."""
    folded, axes = measurement.folded(values), list(measurement.frames.axes)
    if not axes and len(folded) == 1:
        return folded[0], ()
    for number in reversed(range(len(axes))):
        if not axes[number].unit and axes[number].name.startswith("repeat"):
            folded = folded.mean(axis=number)
            del axes[number]
    return folded, tuple(axes)


def bad_pixels(measurement: Measurement) -> Array:
    """Pixels (ny, nx) that must not be used, true = bad: the geometry's mask, behind its beam stop, gaps (-1)."""
    shape = measurement.counts.shape[-2:]
    mask = lookup(measurement, "mask")
    bad: Array = np.zeros(shape, bool) if mask is None else np.asarray(mask, bool).reshape(shape).copy()
    if measurement.counts.dtype.kind == "i":
        for block in blocks(measurement.counts.reshape(-1, *shape)):
            bad |= (block < 0).any(axis=0)
    stop = lookup(measurement, "beam_stop_diameter")
    if stop is not None and float(stop) > 0:
        y, x = offsets(measurement)
        bad |= np.hypot(y, x) < float(stop) / 2
    return bad


def offsets(measurement: Measurement) -> tuple[Array, Array]:
    """Distances (y (ny, 1), x (1, nx)) [m] of the pixels from the direct beam."""
    pixel = need(measurement, "detector_pixel", "pixel")
    ny, nx = measurement.counts.shape[-2:]
    both = lookup(measurement, "beam_center")
    if both is None:
        row, column = lookup(measurement, "beam_center_y"), lookup(measurement, "beam_center_x")
        both = (ny // 2 if row is None else row, nx // 2 if column is None else column)
    row, column = (float(value) for value in np.asarray(both, np.float64))
    return ((np.arange(ny) - row) * pixel)[:, None], ((np.arange(nx) - column) * pixel)[None, :]


def single_energy(measurement: Measurement) -> str:
    """Why the frames are not of one photon energy; empty if they are."""
    found = np.unique(np.asarray(measurement.frames["energy"]))
    return "" if len(found) == 1 else f"it has {len(found)} photon energies"


def refuse(measurement: Measurement, kind: str, reason: str) -> None:
    """Raise FileError with `reason` unless that is empty."""
    if reason:
        what = f"{kind} cannot reconstruct instrument {measurement.name} ({measurement.kind})"
        raise FileError(f"{what}: {reason}", cure="see the methods that can: xsim list reconstructions")
