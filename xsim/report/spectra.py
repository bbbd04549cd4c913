"""Views of what has a spectrum over photon energy: absorption, and a stack of images."""

from __future__ import annotations

import numpy as np

from xsim.exposure import Array, Axis, Measurement, one_channel
from xsim.formats._spectrum import absorbance, fluorescence
from xsim.report.panels import Curves, Line, Panel


def absorption_view(measurement: Measurement) -> list[list[Panel]]:
    """ln(I0/I) with counting errors over the noise-free curve, the counts themselves, and the fluorescence yield."""
    energy = np.asarray(measurement.frames["energy"], np.float64)
    if len(energy) < 2:
        return []
    further, measurement = _yield_view(measurement, energy), one_channel(measurement)
    values, errors = absorbance(measurement)
    counts = np.asarray(measurement.counts, np.float64).reshape(len(energy))
    lines = [Line("measured", energy, values, errors, points=True)]
    raw = [Line("measured", energy, counts, np.sqrt(np.maximum(counts, 0)), points=True)]
    if measurement.expected is not None and measurement.expected.size == len(energy):
        expected = np.asarray(measurement.expected, np.float64).reshape(len(energy))
        incident = np.asarray(measurement.incident, np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            lines.append(Line("noise-free", energy, np.log(incident / expected)))
        raw.append(Line("noise-free", energy, expected))
    return [
        [
            Curves("Absorption spectrum", "photon energy [eV]", "ln(I₀ / I)", tuple(lines)),
            Curves("Transmitted", "photon energy [eV]", measurement.counts_unit, tuple(raw)),
        ],
        *further,
    ]


def _yield_view(measurement: Measurement, energy: Array) -> list[list[Panel]]:
    """Fluorescence over I0 with counting errors over the noise-free curve, where it was recorded."""
    found = fluorescence(measurement)
    if found is None:
        return []
    lines = [Line("measured", energy, *found, points=True)]
    expected = one_channel(measurement, "fluorescence").expected
    if expected is not None and expected.size == len(energy):
        ideal = np.asarray(expected, np.float64).reshape(len(energy)) / np.asarray(measurement.incident, np.float64)
        lines.append(Line("noise-free", energy, ideal))
    return [[Curves("Fluorescence yield", "photon energy [eV]", "photons / I₀", tuple(lines))]]


def stack_spectrum(measurement: Measurement, counts: Array, expected: Array | None, axis: Axis) -> Curves:
    """ln(I0/I) of the 5 % of points that change most along the stack, less that of all the others.

    The points are chosen on the noise-free stack where it is kept, so that noise does not choose them.
    """
    scaled = np.asarray(counts if expected is None else expected, np.float64)
    image = scaled.reshape(len(scaled), -1)
    mean = image.mean(axis=0)
    change = image.std(axis=0) / np.where(mean > 0, mean, 1)
    number = max(1, round(0.05 * change.size))
    inside = np.zeros(change.size, bool)
    inside[np.argsort(change, kind="stable")[-number:]] = True
    incident = np.asarray(measurement.incident, np.float64).reshape(len(scaled), -1)
    lines = []
    for label, stack in (("measured", counts), ("noise-free", expected)):
        if stack is None:
            continue
        here = np.asarray(stack, np.float64).reshape(len(scaled), -1)[:, inside].sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            depth = np.log(incident[:, inside].sum(axis=1) / here)
        error = 1 / np.sqrt(np.maximum(here, 1)) if label == "measured" else None
        lines.append(Line(label, np.asarray(axis.values, np.float64), depth, error, points=label == "measured"))
    name = "photon energy" if axis.unit == "eV" else axis.name
    label = f"{name} [{axis.unit}]" if axis.unit else name
    return Curves("Where the stack changes most (5 % of points)", label, "ln(I₀ / I)", tuple(lines))
