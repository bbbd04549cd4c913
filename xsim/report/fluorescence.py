"""View of a fluorescence map: the sum spectrum with what each part of it comes from, and maps of the elements.

Each map stands beside the photons that the element sent to the detector and the mass of it that was there. Of several
detectors, the counts are added up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xsim.exposure import Array, Measurement, lookup
from xsim.matter.silicon_response import ESCAPE_ENERGY, SILICON_EDGE
from xsim.report.panels import Curves, Line, Panel, Picture
from xsim.report.parts import axes_pixel
from xsim.spill import blocks

_MOST = 3  # maps
_HALF_WIDTH = 0.13  # keV of the window round a line, about one resolution of a silicon detector
_ESCAPE, _SILICON_EDGE = ESCAPE_ENERGY / 1e3, SILICON_EDGE / 1e3  # keV
_SOFTEST = 1.0  # keV below which windows and air leave little


@dataclass(frozen=True, eq=False)
class Window:
    """Channels that are counted for one map: `energy` [keV] of the line; `truth` its noise-free photons per point."""

    label: str
    energy: float
    truth: Array | None = None


def fluorescence_view(measurement: Measurement) -> list[list[Panel]]:
    """The sum spectrum, and maps of the strongest lines, one element each."""
    axis = measurement.axes[-1]
    keV = np.asarray(axis.values, np.float64) / (1e3 if axis.unit == "eV" else 1.0)
    several = len(measurement.axes) > 1
    total = np.asarray(sum(block.sum(axis=0, dtype=np.float64) for block in blocks(measurement.counts)))
    total = total.sum(axis=0) if several else total
    windows = windows_of_truth(measurement, keV) or windows_of_peaks(measurement, keV, total)
    rows: list[list[Panel]] = []
    pixel = axes_pixel(*measurement.frames.axes)
    for window in windows:
        inside = np.abs(keV - window.energy) <= _HALF_WIDTH
        parts = [block[..., inside].reshape(len(block), -1).sum(axis=1) for block in blocks(measurement.counts)]
        image = measurement.folded(np.concatenate(parts).astype(np.float64))
        label = f"{window.label}, {window.energy:.2f} keV" if window.label else f"{window.energy:.2f} keV"
        row: list[Panel] = [Picture(image, f"Measured · {label}", "counts / point", pixel, colours="inferno")]
        if window.truth is not None:
            title = f"Noise-free · {window.label} at the detector"
            row.append(Picture(window.truth, title, "photons / point", pixel, colours="inferno"))
        mass = measurement.truth.get(f"area_density_{window.label.partition(' ')[0]}")
        if mass is not None and np.shape(mass.values) == image.shape:
            title = f"Truth · {window.label.partition(' ')[0]} in the specimen"
            row.append(Picture(np.asarray(mass.values), title, mass.unit, pixel, colours="cividis"))
        rows.append(row)
    rows = rows or [[]]
    rows[0].append(_spectrum(measurement, keV, total, windows))
    return rows


def _spectrum(measurement: Measurement, keV: Array, total: Array, windows: list[Window]) -> Curves:
    """All points added up over the noise-free expectation, on a logarithmic scale, its features named."""
    beam = float(np.max(measurement.frames["energy"])) / 1e3
    shown = keV <= 1.05 * beam
    lines = [Line("measured", keV[shown], total[shown])]
    lit = _expected(measurement)
    if lit is not None:
        # what the response is stated for: each photon apart, no dead time, no pile-up
        lines.append(Line("single photons, noise-free", keV[shown], np.maximum(lit[shown], 0.1)))
    label = f"{measurement.counts_unit} / channel"
    marks = _marks(measurement, windows, beam)
    title = "Sum of all points" if len(measurement.axes) == 1 else "Sum of all points and detectors"
    return Curves(title, "photon energy [keV]", label, tuple(lines), log_y=True, marks=marks)


def _expected(measurement: Measurement) -> Array | None:
    """Noise-free counts (channels,) of all lines while the counter was alive; None where no response is told."""
    photons, response = (measurement.truth.get(name) for name in ("line_photons", "line_response"))
    if photons is None or response is None or np.shape(photons.values) != np.shape(response.values)[:1]:
        return None
    live = lookup(measurement, "live_time")
    share = 1.0
    if live is not None:
        clock = np.asarray(live, np.float64).reshape(len(measurement.frames), -1).mean(axis=1)
        counted = np.concatenate(
            [b.reshape(len(b), -1).sum(axis=1, dtype=np.float64) for b in blocks(measurement.counts)]
        )
        arrived = np.divide(counted * measurement.frames["time"], clock, out=np.zeros_like(clock), where=clock > 0)
        share = float(counted.sum() / max(arrived.sum(), 1e-300))
    return share * np.asarray(photons.values, np.float64) @ np.asarray(response.values, np.float64)


def _marks(measurement: Measurement, windows: list[Window], beam: float) -> dict[str, float]:
    """Energies [keV] by name: lines, escape and sum of the strongest where the detector has them, scatter."""
    marks = {window.label or f"{window.energy:.2f} keV": window.energy for window in windows}
    if windows:
        name, energy = windows[0].label or "strongest", windows[0].energy
        if lookup(measurement, "escape") and energy > _SILICON_EDGE:
            marks[f"{name} escape"] = energy - _ESCAPE
        if lookup(measurement, "resolving_time") and 2 * energy < beam:
            marks[f"2 x {name}, pile-up"] = 2 * energy
    energies, photons = (measurement.truth.get(name) for name in ("line_energies", "line_photons"))
    if energies is not None and photons is not None:
        compton = np.array([str(label).startswith("Compton") for label in energies.axes[0].values])
        weight = np.asarray(photons.values, np.float64) * compton
        if weight.sum() > 0:
            marks["Compton"] = float(weight @ np.asarray(energies.values, np.float64) / weight.sum()) / 1e3
    marks["elastic"] = beam
    return marks


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
