"""Pictures of a scan with a segmented detector: all segments together, and what opposite ones tell apart."""

from __future__ import annotations

import numpy as np

from xsim.exposure import Array, Measurement, lookup
from xsim.report.panels import Panel, Picture
from xsim.report.parts import Rows, axes_pixel, pair, same_scale, with_truth

#: segments shown one by one at most
SHOWN = 4


def segmented_view(measurement: Measurement) -> Rows:
    """The first image of a scan: the sum of its segments beside its expectation, where light is bent to, segments."""
    *outer, slow, fast = measurement.frames.axes
    pixel = axes_pixel(slow, fast)

    def first(values: Array) -> Array:
        folded = measurement.folded(np.asarray(values, np.float64))
        return np.asarray(folded[(0,) * len(outer)])

    counts = first(measurement.counts)
    expected = None if measurement.expected is None else first(measurement.expected)
    together = None if expected is None else expected.sum(axis=-1)
    rows = [pair(measurement, counts.sum(axis=-1), together, "all segments", pixel, same_scale(measurement))]
    rows = with_truth(measurement, rows)
    moments = _moments(measurement, counts)
    if moments is not None:
        rows.append([Picture(m, f"Light bent towards +{n}", "mrad", pixel, scale="symmetric") for n, m in moments])
    unit, number = f"{measurement.counts_unit} / point", counts.shape[-1]
    chosen = np.unique(np.linspace(0, number - 1, min(number, SHOWN)).astype(int))
    shown: list[Panel] = [
        Picture(counts[..., s], _label(measurement, int(s)), unit, pixel, colours="gray") for s in chosen
    ]
    return [*rows, shown]


def _moments(measurement: Measurement, counts: Array) -> list[tuple[str, Array]] | None:
    """Mean angle (y, x) [mrad] of the light along x and y, as the segments' middles tell; None without directions."""
    borders = [lookup(measurement, f"segment_{name}") for name in ("inner", "outer", "start", "stop")]
    if any(border is None for border in borders):
        return None
    inner, outer, start, stop = (np.asarray(border, np.float64) for border in borders)
    if np.ptp(start) == 0:
        return None
    middle, radius, total = (start + stop) / 2, (inner + outer) / 2, np.maximum(counts.sum(axis=-1), 1)
    return [(n, 1e3 * (counts * radius * f(middle)).sum(axis=-1) / total) for n, f in (("x", np.cos), ("y", np.sin))]


def _label(measurement: Measurement, segment: int) -> str:
    borders = [lookup(measurement, f"segment_{name}") for name in ("inner", "outer", "start", "stop")]
    if any(border is None for border in borders):
        return f"Segment {segment}"
    inner, outer, start, stop = (float(np.asarray(border)[segment]) for border in borders)
    angles = f"{np.degrees(start):.0f}° to {np.degrees(stop):.0f}°"
    return f"Segment {segment} · {1e3 * inner:.3g} to {1e3 * outer:.3g} mrad, {angles}"
