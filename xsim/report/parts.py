"""What the views share: measured and noise-free side by side, pixels, labels, the most telling truth."""

from __future__ import annotations

import numpy as np

from xsim.constants import wavenumber
from xsim.exposure import Array, Axis, Measurement, Truth, lookup
from xsim.formats._entry import pitch, pixel_of
from xsim.report.figures import colour_limits
from xsim.report.panels import Panel, Picture
from xsim.report.text import quantity_text

Rows = list[list[Panel]]


def pair(
    measurement: Measurement,
    measured: Array,
    expected: Array | None,
    label: str,
    pixel: tuple[float, float] | None,
    same: bool,
    scale: str = "linear",
    length_unit: str = "m",
) -> list[Panel]:
    """Measured and noise-free side by side, with the same colours where both are photons."""
    colours = "inferno" if scale == "log" else "gray"
    unit = f"{measurement.counts_unit} / {'pixel' if len(measurement.axes) == 2 else 'point'}"
    measured = np.asarray(measured, np.float64)
    measured = np.where(measured < 0, np.nan, measured) if measurement.counts_unit == "counts" else measured
    limits = None
    if same and expected is not None:
        both = colour_limits(np.asarray(expected, np.float64), scale)
        seen = colour_limits(measured, scale)
        limits = (max(both[0], min(0.1, both[1] / 100)), max(both[1], seen[1])) if scale == "log" else seen
    title = f"Measured · {label}" if label else "Measured"
    panels: list[Panel] = [Picture(measured, title, unit, pixel, length_unit, scale, colours, limits)]
    if expected is not None:
        unit = unit.replace(measurement.counts_unit, "photons")
        panels.append(Picture(expected, "Noise-free", unit, pixel, length_unit, scale, colours, limits))
    return panels


def same_scale(measurement: Measurement) -> bool:
    """Whether counts are photons one to one (a counter of nearly full efficiency), so that colours may be shared."""
    if measurement.expected is None or measurement.counts_unit != "counts":
        return False
    index = chosen_frames(len(measurement.frames), 5)
    expected = float(np.sum(np.asarray(measurement.expected[index], np.float64)))
    counts = np.asarray(measurement.counts[index], np.float64)
    return bool(expected > 0 and 0.8 < counts[counts >= 0].sum() / expected < 1.25)


def chosen_frames(count: int, most: int) -> list[int]:
    """At most `most` frame numbers spread from the first to the last."""
    return sorted({round(k) for k in np.linspace(0, count - 1, min(count, most))})


def expected_frame(measurement: Measurement, index: int) -> Array | None:
    """The noise-free image of one frame, if it was kept and is an image."""
    if measurement.expected is None or len(measurement.expected_axes) < 2:
        return None
    return flat_image(measurement.expected[index])


def flat_image(frame: Array) -> Array:
    """The last two dimensions of a frame, summed over any before them."""
    image = np.asarray(frame, np.float64)
    return image.sum(axis=tuple(range(image.ndim - 2))) if image.ndim > 2 else image


def frame_label(measurement: Measurement, index: int) -> str:
    """What is particular to a frame: its place along the scan axes, else its number."""
    frames = measurement.frames
    if len(frames) == 1:
        return ""
    if not frames.axes:
        return f"frame {index + 1} of {len(frames)}"
    place = np.unravel_index(index, frames.shape)
    places = [(axis, int(k)) for axis, k in zip(frames.axes, place, strict=True) if len(axis) > 1]
    return ", ".join(axis_label(axis, k) for axis, k in places)


def axis_label(axis: Axis, index: int) -> str:
    """One value of an axis with its unit."""
    value = axis.values[index]
    if np.asarray(axis.values).dtype.kind not in "fiu":
        return f"{axis.name} {value}"
    if not axis.unit and np.asarray(axis.values).dtype.kind in "iu":
        return f"{axis.name} {index + 1} of {len(axis)}"
    if axis.unit == "eV":
        return f"{float(value):.7g} eV"
    if axis.unit == "rad":
        return f"{axis.name} {np.degrees(float(value)):.4g}°".replace("-", "−")
    return f"{axis.name} {quantity_text(float(value), axis.unit, 4)}"


def image_pixel(measurement: Measurement) -> tuple[float, float] | None:
    """Pixel (y, x) [m] of images at the specimen: that of their axes, else of the geometry."""
    if len(measurement.axes) >= 2:
        found = axes_pixel(measurement.axes[-2], measurement.axes[-1])
        if found is not None:
            return found
    return pixel_of(measurement)


def axes_pixel(slow: Axis, fast: Axis) -> tuple[float, float] | None:
    """Spacing (y, x) [m] of two axes, if both are even and in metres."""
    steps = pitch(slow), pitch(fast)
    return (abs(steps[0]), abs(steps[1])) if steps[0] and steps[1] else None


def far_pixel(measurement: Measurement) -> tuple[tuple[float, float] | None, str]:
    """Step of q (y, x) [rad/m] per detector pixel at the beam's centre; the pixel [m] where the distance is unknown."""
    pixel = pixel_of(measurement)
    distance = lookup(measurement, "detector_distance", "distance")
    if pixel is None or distance is None:
        return pixel, "m"
    k = float(wavenumber(measurement.frames["energy"][0]))
    return (k * pixel[0] / float(distance), k * pixel[1] / float(distance)), "rad/m"


#: truths worth a picture, most telling first
_TELLING = ("object", "exit_wave", "optical_density", "phase")


def with_truth(measurement: Measurement, rows: Rows, scan_points: bool = False) -> Rows:
    """Add the most telling truth map to the first row, with the scan's positions on it where asked."""
    picture = telling_truth(measurement, scan_points)
    if picture is not None and rows:
        rows[0].append(picture)
    return rows


def telling_truth(measurement: Measurement, scan_points: bool = False) -> Picture | None:
    """A picture of the first truth map that has one: the phase of a complex wave, else its values."""
    maps = {name: truth for name, truth in measurement.truth.items() if _is_map(truth)}
    telling = ("phase", *_TELLING) if "phase_ring_advance [rad]" in measurement.geometry else _TELLING
    name = next((key for key in telling if key in maps), next(iter(maps), None))
    if name is None:
        return None
    truth = maps[name]
    values, label, unit = np.asarray(truth.values), name.replace("_", " "), truth.unit
    if np.iscomplexobj(values):
        values, label, unit = np.angle(values), f"phase of the {label}", "rad"
    slow, fast = truth.axes[-2:]
    points = _points(measurement, slow, fast) if scan_points else None
    if points is not None:
        values, points = _scanned_part(values, points)
    colours = "viridis_r" if unit == "rad" else "viridis"  # matter advances the phase: dark ground for both
    return Picture(values, f"Truth · {label}", unit, axes_pixel(slow, fast), colours=colours, points=points)


def _scanned_part(values: Array, points: tuple[Array, Array]) -> tuple[Array, tuple[Array, Array]]:
    """The part of a map round the points of a scan, half their spread beyond them on each side."""
    x, y = points
    margin = 0.5 * max(float(np.ptp(x)), float(np.ptp(y))) + 4
    x0, x1 = max(0, int(x.min() - margin)), min(values.shape[1], int(x.max() + margin) + 2)
    y0, y1 = max(0, int(y.min() - margin)), min(values.shape[0], int(y.max() + margin) + 2)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return values, points
    return values[y0:y1, x0:x1], (x - x0, y - y0)


def _is_map(truth: Truth) -> bool:
    units = [axis.unit for axis in truth.axes]
    return len(truth.axes) == 2 and units == ["m", "m"] and min(np.shape(truth.values)) > 1


def _points(measurement: Measurement, slow: Axis, fast: Axis) -> tuple[Array, Array] | None:
    columns, steps = measurement.frames.columns, axes_pixel(slow, fast)
    if "x" not in columns or "y" not in columns or steps is None or len(measurement.frames) < 2:
        return None
    some = chosen_frames(len(measurement.frames), 2000)
    x = (np.asarray(columns["x"])[some] - fast.values[0]) / steps[1]
    y = (np.asarray(columns["y"])[some] - slow.values[0]) / steps[0]
    return x, y
