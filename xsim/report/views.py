"""What to show of a measurement: rows of panels chosen by technique, and by the number of axes for any other.

Each picture of what was measured stands beside its noise-free truth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from xsim.exposure import Array, Axis, Measurement
from xsim.report.diffraction import diffraction_view, saxs_view
from xsim.report.fluorescence import fluorescence_view
from xsim.report.panels import Curves, Line, Picture
from xsim.report.parts import (
    Rows,
    axes_pixel,
    axis_label,
    chosen_frames,
    expected_frame,
    flat_image,
    frame_label,
    image_pixel,
    pair,
    same_scale,
    with_truth,
)  # fmt: skip
from xsim.report.scanning import segmented_view
from xsim.report.spectra import absorption_view, stack_spectrum
from xsim.report.spectral_stack import fits as stack_fits
from xsim.report.spectral_stack import spectral_stack_view


def rows_of(measurement: Measurement) -> Rows:
    """The panels that show a measurement."""
    special: dict[str, Callable[[Measurement], Rows]] = {
        "fluorescence": fluorescence_view,
        "microprobe": fluorescence_view,
        "absorption": absorption_view,
        "saxs": saxs_view,
        "ptychography": diffraction_view,
        "cdi": diffraction_view,
        "single_particle": diffraction_view,
        "aligned_stream": diffraction_view,
    }
    chosen = special.get(measurement.kind, by_dimension)
    return (chosen(measurement) if _fits(measurement, chosen) else None) or by_dimension(measurement)


def _fits(measurement: Measurement, view: Callable[[Measurement], Rows]) -> bool:
    """Whether a scan around the technique has left the axes that its own view needs."""
    scan = [axis.name for axis in measurement.frames.axes]
    if view is fluorescence_view:
        channels = measurement.axes[-1:]
        first = [axis.name for axis in measurement.axes[:-1]]
        return bool(channels) and channels[0].unit in ("eV", "keV") and first in ([], ["detector"]) and len(scan) == 2
    if view is absorption_view:
        return [axis.name for axis in measurement.axes] in ([], ["channel"]) and len(scan) <= 1
    if view in (saxs_view, diffraction_view):
        return len(measurement.axes) == 2
    return True


def by_dimension(measurement: Measurement) -> Rows:
    """Images, stacks of images, spectra or numbers, whatever the axes say."""
    axes = (*measurement.frames.axes, *measurement.axes)
    if stack_fits(measurement) and (rows := spectral_stack_view(measurement)):
        return rows
    if len(measurement.axes) >= 2:
        return image_view(measurement)
    if not measurement.axes and len(measurement.frames.axes) >= 2:
        return scanned_view(measurement)
    if [axis.name for axis in measurement.axes] == ["segment"] and len(measurement.frames.axes) >= 2:
        return segmented_view(measurement)
    if axes and len(axes) <= 2 and len(axes[-1]) > 1:
        return spectrum_view(measurement, axes[-1])
    return table_view(measurement)


def image_view(measurement: Measurement) -> Rows:
    """Some frames of an area detector, each beside its expectation; the first with a truth map."""
    rows: Rows = []
    same = same_scale(measurement)
    for index in chosen_frames(len(measurement.frames), 2):
        label = frame_label(measurement, index)
        measured = flat_image(measurement.counts[index])
        row = pair(measurement, measured, expected_frame(measurement, index), label, image_pixel(measurement), same)
        rows.append(row)
    rows = with_truth(measurement, rows)
    moved = any(axis.unit in ("m", "rad") for axis in measurement.frames.axes)
    if moved and rows and isinstance(rows[0][-1], Picture) and rows[0][-1].title.startswith("Truth"):
        rows[0][-1] = replace(rows[0][-1], title=f"{rows[0][-1].title}, stage at 0")
    return rows


def scanned_view(measurement: Measurement) -> Rows:
    """A scan with a point detector: its images, and for a stack of energies the spectrum of where they differ."""
    counts = measurement.folded(np.asarray(measurement.counts))
    expected = None if measurement.expected is None else measurement.folded(np.asarray(measurement.expected))
    *outer, slow, fast = measurement.frames.axes
    pixel = axes_pixel(slow, fast)
    shape = counts.shape[:-2]
    same = same_scale(measurement)
    if not shape:
        return with_truth(measurement, [pair(measurement, counts, expected, "", pixel, same)])
    rows: Rows = []
    flat = counts.reshape(-1, *counts.shape[-2:])
    flat_expected = None if expected is None else expected.reshape(flat.shape)
    for index in contrasting(flat if flat_expected is None else flat_expected):
        place = np.unravel_index(index, shape)
        label = ", ".join(axis_label(axis, int(k)) for axis, k in zip(outer, place, strict=True))
        truth = None if flat_expected is None else flat_expected[index]
        rows.append(pair(measurement, flat[index], truth, label, pixel, same))
    rows = with_truth(measurement, rows)
    if len(outer) == 1 and outer[0].unit == "eV":
        spectrum = stack_spectrum(measurement, flat, flat_expected, outer[0])
        rows[min(1, len(rows) - 1)].append(spectrum)
    return rows


def contrasting(stack: Array) -> list[int]:
    """Two images of a stack: where it is brightest on the whole, and the one that differs most from that."""
    if len(stack) == 1:
        return [0]
    scaled = np.asarray(stack, np.float64)
    level = scaled.mean(axis=(1, 2))
    first = int(np.argmax(level))
    base = scaled[first] / (level[first] or 1)
    shape = [np.abs(image / (mean or 1) - base).sum() for image, mean in zip(scaled, level, strict=True)]
    return sorted({first, int(np.argmax(shape))})


def spectrum_view(measurement: Measurement, axis: Axis) -> Rows:
    """One curve, the mean over the frames, with Poisson errors where they are counts."""
    counts = np.asarray(measurement.counts, np.float64).reshape(-1, len(axis)).mean(axis=0)
    number = max(1, measurement.counts.size // len(axis))
    error = np.sqrt(np.maximum(counts, 0) / number) if measurement.counts_unit == "counts" else None
    x = _numbers(axis)
    lines = [Line("measured", x, counts, error, points=True)]
    if measurement.expected is not None and measurement.expected.size == measurement.counts.size:
        expected = np.asarray(measurement.expected, np.float64).reshape(-1, len(axis)).mean(axis=0)
        lines.append(Line("noise-free", x, expected))
    label = f"{axis.name} [{axis.unit}]" if axis.unit else axis.name
    return [[Curves("Measured and noise-free", label, f"{measurement.counts_unit}", tuple(lines))]]


def _numbers(axis: Axis) -> Array:
    values = np.asarray(axis.values)
    return values.astype(np.float64) if values.dtype.kind in "fiu" else np.arange(len(values), dtype=np.float64)


def table_view(measurement: Measurement) -> Rows:
    """Counts against the frame number, for what has no other picture."""
    counts = np.asarray(measurement.counts[:2000], np.float64)
    counts = counts.reshape(len(counts), -1).sum(axis=1)
    lines = [Line("measured", np.arange(len(counts)), counts, points=True)]
    if measurement.expected is not None:
        expected = np.asarray(measurement.expected[:2000], np.float64)
        lines.append(Line("noise-free", np.arange(len(counts)), expected.reshape(len(counts), -1).sum(axis=1)))
    return [[Curves("Counts of each frame", "frame", measurement.counts_unit, tuple(lines))]]
