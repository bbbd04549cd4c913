"""View of fluorescence maps over a further axis (energies, tilts): the map of one line at several of its steps."""

from __future__ import annotations

import numpy as np

from xsim.exposure import Array, Measurement
from xsim.metrics.line_limits import spectra
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
    lines = families(measurement, float(channel[0]), 0.93 * float(np.min(measurement.frames["energy"])))
    if not lines:
        return []
    name, energy = max(lines.items(), key=lambda item: _contrast(measurement.truth[item[0]].values))
    label = name.removeprefix("line_").replace("_", " ")
    inside = np.abs(channel - energy) <= HALF
    images = counts[:, inside].sum(axis=1).reshape(measurement.frames.shape)
    slow, y, x = measurement.frames.axes
    row: list[Panel] = []
    for index in chosen_frames(len(slow), MOST):
        title = f"Measured · {label}, {axis_label(slow, index)}"
        picture = np.asarray(images[index], np.float64)
        row.append(Picture(picture, title, "counts / point", axes_pixel(y, x), colours="inferno"))
    return [row]


def families(measurement: Measurement, low: float, high: float) -> dict[str, float]:
    """The strongest line [eV] of every family in the truth, "line_Au_M", if it lies between two energies."""
    table, photons = measurement.truth["line_energies"], measurement.truth["line_photons"].values
    found: dict[str, tuple[float, float]] = {}
    for label, energy, number in zip(table.axes[0].values, table.values, photons, strict=True):
        element, _, line = str(label).partition(" ")
        name = f"line_{element}_{line[:1]}"
        if name in measurement.truth:
            found[name] = max(found.get(name, (0.0, 0.0)), (float(number), float(energy)))
    return {name: energy for name, (_, energy) in found.items() if max(low, 1e3) <= energy <= high}


def _contrast(values: Array) -> float:
    image = np.asarray(values, np.float64)
    return float(image.std() / image.mean()) if image.mean() > 0 else 0.0
