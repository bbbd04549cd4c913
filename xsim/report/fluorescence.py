"""View of a fluorescence map: the sum spectrum, and each element beside the photons that it sent to the detector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xsim.exposure import Array, Measurement
from xsim.report.panels import Curves, Line, Panel, Picture
from xsim.report.parts import axes_pixel

_MOST = 3  # maps
_HALF_WIDTH = 0.13  # keV of the window round a line, about one resolution of a silicon detector
_SOFTEST = 1.0  # keV below which windows and air leave little


@dataclass(frozen=True, eq=False)
class Window:
    """Channels that are counted for one map: `energy` [keV] of the line; `truth` its noise-free photons per point."""

    label: str
    energy: float
    truth: Array | None = None


def fluorescence_view(measurement: Measurement) -> list[list[Panel]]:
    """The sum spectrum, and maps of the strongest lines, one element each."""
    axis = measurement.axes[0]
    keV = np.asarray(axis.values, np.float64) / (1e3 if axis.unit == "eV" else 1.0)
    counts = measurement.counts
    total = np.asarray(counts.sum(axis=0), np.float64)
    windows = windows_of_truth(measurement, keV) or windows_of_peaks(measurement, keV, total)
    pixel = axes_pixel(*measurement.frames.axes)
    rows: list[list[Panel]] = []
    for window in windows:
        inside = np.abs(keV - window.energy) <= _HALF_WIDTH
        image = measurement.folded(np.asarray(counts[:, inside].sum(axis=1), np.float64))
        label = f"{window.label}, {window.energy:.2f} keV" if window.label else f"{window.energy:.2f} keV"
        row: list[Panel] = [Picture(image, f"Measured · {label}", "counts / point", pixel, colours="inferno")]
        if window.truth is not None:
            title = f"Noise-free · {window.label} at the detector"
            row.append(Picture(window.truth, title, "photons / point", pixel, colours="inferno"))
        rows.append(row)
    marks = {window.label or f"{window.energy:.2f} keV": window.energy for window in windows}
    label = f"{measurement.counts_unit} / channel"
    shown = keV <= 1.05 * float(np.max(measurement.frames["energy"])) / 1e3
    line = Line("measured", keV[shown], total[shown])
    spectrum = Curves("Sum of all points", "photon energy [keV]", label, (line,), log_y=True, marks=marks)
    rows = rows or [[]]
    rows[0].append(spectrum)
    return rows


def windows_of_truth(measurement: Measurement, keV: Array) -> list[Window]:
    """The strongest family of lines of each element, strongest first, as the truth lists them.

    Needs "line_energies" and "line_photons" over labels such as "Fe KL3", and the family's map "line_Fe_K".
    """
    energies, photons = (measurement.truth.get(name) for name in ("line_energies", "line_photons"))
    if energies is None or photons is None:
        return []
    families: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for label, energy, number in zip(energies.axes[0].values, energies.values, photons.values, strict=True):
        element, _, name = str(label).partition(" ")
        if name and max(_SOFTEST, keV[0]) <= energy / 1e3 <= keV[-1] and number > 0:
            families.setdefault((element, name[0]), []).append((float(number), float(energy) / 1e3))
    found: dict[str, Window] = {}
    for (element, family), lines in sorted(families.items(), key=lambda item: -sum(n for n, _ in item[1])):
        truth = measurement.truth.get(f"line_{element}_{family}")
        if element not in found and truth is not None:
            found[element] = Window(f"{element} {family}", max(lines)[1], np.asarray(truth.values))
    return list(found.values())[:_MOST]


def windows_of_peaks(measurement: Measurement, keV: Array, total: Array) -> list[Window]:
    """The strongest peaks of the sum spectrum below the elastic one, where no truth tells the lines."""
    from scipy.signal import find_peaks  # slow to import, seldom needed

    step = float(np.median(np.diff(keV)))
    peaks, found = find_peaks(np.sqrt(total), prominence=3, distance=max(1, round(0.2 / step)))
    beam = float(measurement.frames["energy"][0]) / 1e3
    order = [k for k in np.argsort(found["prominences"])[::-1] if keV[peaks[k]] < 0.9 * beam]
    return [Window("", float(keV[peaks[k]])) for k in order[:_MOST]]
