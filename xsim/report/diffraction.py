"""Views of what is recorded far away: coherent diffraction, ptychography, single particles, small-angle scattering."""

from __future__ import annotations

import numpy as np

from xsim.exposure import Array, Measurement, Truth
from xsim.formats._pixels import masked_pixels
from xsim.formats._scattering import radial_curve
from xsim.report.panels import Curves, Line
from xsim.report.parts import (
    Rows,
    chosen_frames,
    expected_frame,
    far_pixel,
    flat_image,
    frame_label,
    pair,
    same_scale,
    with_truth,
)  # fmt: skip
from xsim.spill import blocks, total


def diffraction_view(measurement: Measurement) -> Rows:
    """Far-field frames on a logarithmic scale over q, and what a reconstruction would recover."""
    rows: Rows = []
    pixel, unit = far_pixel(measurement)
    same = same_scale(measurement)
    for index in chosen_frames(len(measurement.frames), 2):
        label = frame_label(measurement, index)
        measured, expected = _seen(measurement, index)
        rows.append(pair(measurement, measured, expected, label, pixel, same, "log", unit))
    kept = kept_panel(measurement)
    if kept is not None:
        rows.append([kept])
    return with_truth(measurement, rows, scan_points=True)


def kept_panel(measurement: Measurement) -> Curves | None:
    """What each pulse leaves of the particle's pattern, over q; None where no damage was modelled."""
    kept = measurement.truth.get("kept")
    if kept is None:
        return None
    q = kept.axes[-1].values * 1e-9
    rows = kept.values.reshape(-1, len(q))
    lines = tuple(Line(label, q, row) for label, row in zip(_pulse_labels(kept), rows, strict=True))
    return Curves("What a pulse leaves of the pattern", "q [nm⁻¹]", "share of the intact pattern", lines)


def _pulse_labels(kept: Truth) -> list[str]:
    """Duration and energy of every pulse, as far as they differ."""
    scales = {"pulse_duration": (1e15, "fs"), "pulse_energy": (1e3, "mJ")}
    labels = [""]
    for axis in kept.axes[:-1]:
        scale, unit = scales.get(axis.name, (1.0, ""))
        names = [f"{value * scale:.3g} {unit}" for value in axis.values.tolist()] if unit else [""]
        labels = [", ".join(part for part in (label, name) if part) for label in labels for name in names]
    return labels


def saxs_view(measurement: Measurement) -> Rows:
    """The frame on a logarithmic scale, its expectation, and the radial average over q with counting errors."""
    pixel, unit = far_pixel(measurement)
    measured, expected = _seen(measurement, 0)
    row = pair(measurement, measured, expected, "", pixel, same_scale(measurement), "log", unit)
    row.append(radial_panel(measurement))
    return [row]


def radial_panel(measurement: Measurement) -> Curves:
    """The radial average with counting errors over the noise-free one, absolute where the geometry tells how."""
    curve = radial_curve(measurement)
    scale, text = 1.0, "scattered fraction per solid angle [1/sr]"
    if curve.unit == "1/m":
        scale, text = 1e-2, "dΣ/dΩ [cm⁻¹ sr⁻¹]"
    lines = [Line("measured", curve.q * 1e-9, curve.intensity * scale, curve.error * scale, points=True)]
    if measurement.expected is not None:
        summed = sum(block.sum(axis=0, dtype=np.float64) for block in blocks(measurement.expected))
        true = radial_curve(measurement, values=flat_image(np.asarray(summed)) * _efficiency(measurement))
        lines.append(Line("noise-free", true.q * 1e-9, true.intensity * scale))
    return Curves("Radial average", "q [nm⁻¹]", text, tuple(lines), log_x=True, log_y=True)


def _seen(measurement: Measurement, index: int) -> tuple[Array, Array | None]:
    """Counts and expectation of a frame; NaN where the geometry masks the detector."""
    bad = masked_pixels(measurement)
    expected = expected_frame(measurement, index)
    measured = np.where(bad, np.nan, flat_image(measurement.counts[index]))
    return measured, None if expected is None else np.where(bad, np.nan, expected)


def _efficiency(measurement: Measurement) -> float:
    """Counts per expected photon, so that the noise-free curve passes through counts of an imperfect detector."""
    expected = total(measurement.expected) if measurement.expected is not None else 0.0
    if measurement.counts_unit != "counts" or not expected:
        return 1.0
    ratio = measurement.total_counts / expected
    return 1.0 if abs(ratio - 1) < 5 / np.sqrt(expected) else ratio
