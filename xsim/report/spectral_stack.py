"""View of fluorescence maps over a further axis (energies, tilts): the map of one line at several of its steps."""

from __future__ import annotations

import numpy as np

from xsim.exposure import Measurement
from xsim.metrics.line_limits import spectra
from xsim.report.fluorescence import windows_of_truth
from xsim.report.panels import Panel, Picture
from xsim.report.parts import axes_pixel, axis_label, chosen_frames

#: pictures in a row, and half the width of a line's window [eV]
MOST, HALF = 5, 130.0


def fits(measurement: Measurement) -> bool:
    """Whether it is a stack of maps of spectra with lines that are known."""
    names = [axis.name for axis in measurement.frames.axes]
    spectral = bool(measurement.axes) and measurement.axes[-1].unit in ("eV", "keV")
    return spectral and len(names) == 3 and names[1:] == ["y", "x"] and "line_energies" in measurement.truth


def spectral_stack_view(measurement: Measurement) -> list[list[Panel]]:
    """One row: counts in the window of the line whose noise-free map varies most, at up to five steps."""
    counts, channel = spectra(measurement)
    windows = windows_of_truth(measurement, channel / 1e3)
    if not windows:
        return []

    def contrast(values: object) -> float:
        image = np.asarray(values, np.float64)
        return float(image.std() / image.mean()) if image.mean() > 0 else 0.0

    window = max(windows, key=lambda one: contrast(one.truth))
    inside = np.abs(channel - 1e3 * window.energy) <= HALF
    images = counts[:, inside].sum(axis=1).reshape(measurement.frames.shape)
    slow, y, x = measurement.frames.axes
    row: list[Panel] = []
    for index in chosen_frames(len(slow), MOST):
        title = f"Measured · {window.label}, {axis_label(slow, index)}"
        picture = np.asarray(images[index], np.float64)
        row.append(Picture(picture, title, "counts / point", axes_pixel(y, x), colours="inferno"))
    return [row]
