"""Views of what has a spectrum: absorption, a stack of images over energy, a fluorescence map."""

from __future__ import annotations

import numpy as np

from xsim.exposure import Array, Axis, Measurement
from xsim.formats._entry import pitch
from xsim.formats._spectrum import absorbance
from xsim.report.panels import Curves, Line, Panel, Picture

_MOST_MAPS = 3


def absorption_view(measurement: Measurement) -> list[list[Panel]]:
    """ln(I0/I) with counting errors over the noise-free curve, and the counts themselves."""
    energy = np.asarray(measurement.frames["energy"], np.float64)
    if len(energy) < 2:
        return []
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
        ]
    ]


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


def fluorescence_view(measurement: Measurement) -> list[list[Panel]]:
    """The sum spectrum, and maps of its strongest lines beside the noise-free maps of the truth."""
    channels = np.asarray(measurement.axes[0].values, np.float64)
    shape = measurement.frames.shape
    cube = np.asarray(measurement.counts, np.float64).reshape(*shape, len(channels))
    total = cube.sum(axis=(0, 1))
    unit = measurement.axes[0].unit
    slow, fast = measurement.frames.axes
    steps = pitch(slow), pitch(fast)
    pixel = (abs(steps[0]), abs(steps[1])) if steps[0] and steps[1] else None
    keV = channels / 1e3 if unit == "eV" else channels
    windows = line_windows(measurement, keV, total)
    marks = {label: centre for label, (centre, _, _) in windows.items()}
    spectrum = Curves("Sum of all points", "photon energy [keV]", f"{measurement.counts_unit} / channel",
                      (Line("measured", keV, total),), log_y=True, marks=marks)  # fmt: skip
    measured: list[Panel] = []
    for label, (_, low, high) in windows.items():
        image = cube[..., (keV >= low) & (keV <= high)].sum(axis=-1)
        measured.append(Picture(image, f"Measured · {label}", "counts / point", pixel, colours="inferno"))
    truths = _truth_maps(measurement, list(windows), pixel)
    rows: list[list[Panel]] = []
    for number, panel in enumerate(measured):
        row = [panel, *([truths[number]] if truths[number] is not None else [])]
        rows.append([part for part in row if part is not None])
    if not rows:
        rows = [[]]
    rows[0].append(spectrum)
    return rows


def line_windows(measurement: Measurement, keV: Array, total: Array) -> dict[str, tuple[float, float, float]]:
    """Lines to map: label -> (energy, low, high) [keV].

    Those of "lines" in the geometry (label -> energy [eV], strongest first), else the strongest peaks found in the sum
    spectrum below the elastic peak.
    """
    lines = measurement.geometry.get("lines [eV]") or measurement.geometry.get("lines")
    width = 0.12
    if isinstance(lines, dict) and lines:
        centres = {str(label): float(energy) / 1e3 for label, energy in lines.items()}
    else:
        from scipy.signal import find_peaks  # slow to import, seldom needed

        step = float(np.median(np.diff(keV)))
        peaks, found = find_peaks(np.sqrt(total), prominence=3, distance=max(1, round(0.2 / step)))
        beam = float(measurement.frames["energy"][0]) / 1e3
        order = [k for k in np.argsort(found["prominences"])[::-1] if keV[peaks[k]] < 0.9 * beam]
        centres = {f"{keV[peaks[k]]:.2f} keV": float(keV[peaks[k]]) for k in order}
    inside = {k: v for k, v in centres.items() if keV[0] <= v <= keV[-1]}
    return {k: (v, v - width, v + width) for k, v in list(inside.items())[:_MOST_MAPS]}


def _truth_maps(measurement: Measurement, labels: list[str], pixel: tuple[float, float] | None) -> list[Picture | None]:
    """For each line the noise-free map of it, or of its element: matched by the names of the truth maps."""
    maps = {name: truth for name, truth in measurement.truth.items() if np.ndim(truth.values) == 2}
    free = dict(maps)
    found: list[Picture | None] = []
    for label in labels:
        element = label.split()[0].split("_")[0]
        names = [n for n in free if n == label or n.replace("_", " ") == label.replace("_", " ")]
        names += [n for n in free if element in n.replace("_", " ").split()]
        name = names[0] if names else None
        if name is None:
            found.append(None)
            continue
        truth = maps[name]
        title = f"Truth · {name.replace('_', ' ')}"
        found.append(Picture(np.asarray(truth.values), title, truth.unit, pixel, colours="inferno"))
    return found
