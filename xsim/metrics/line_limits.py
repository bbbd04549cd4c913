"""Detection limits of fluorescence lines in matter: from a spectrum, calibrated by thin films.

    a_D = L_D / (N n),   m_D = a_D A,   atoms = m_D / m_atom,   concentration = a_D / a_all

L_D net counts (`xsim.metrics.detection_limit`), N photons in the focus, n counts in the line's window per photon and
kg/m^2 of a thin film of the element, A the spot's area 1/peak, m_atom the mass of an atom, a_all the area density of
all that is in the beam. The window is two resolutions (FWHM) wide; the background lies 1.25 to 2.5 resolutions away on
both sides, where no other line of the standards falls. A film is thin: what the specimen absorbs of a line on its way
out is not made good. The measurement tells n, A and a_all among its geometry ("standard_...", "probe_area").
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.errors import RangeError
from xsim.exposure import Measurement, lookup
from xsim.metrics.detection_limit import Confidence, CountLimit, count_limit, detected

FloatArray = NDArray[np.float64]

#: 5 % of false alarms, 5 % of misses
USUAL = Confidence()
#: half width of the window, and where the background begins and ends, in resolutions from the line
WINDOW, BEGIN, END = 1.0, 1.25, 2.5
#: chance of a false alarm beyond which a frame counts as showing a line, and not as background
CLEAR = 1e-3


@dataclass(frozen=True)
class Standard:
    """A thin film's calibration of one line, "Zn_K".

    energy, resolution [eV]; counts: in the window per photon and kg/m^2; atom: mass of one [kg].
    """

    line: str
    energy: float
    resolution: float
    counts: float
    atom: float

    def inside(self, channel: FloatArray) -> NDArray[np.bool_]:
        """Channels (centres [eV]) of the line's window."""
        return np.asarray(np.abs(channel - self.energy) <= WINDOW * self.resolution)

    def beside(self, channel: FloatArray, others: list[Standard]) -> NDArray[np.bool_]:
        """Channels of its background, clear of the windows of `others`."""
        away = np.abs(channel - self.energy)
        found = (away >= BEGIN * self.resolution) & (away <= END * self.resolution)
        clear = found & ~np.any([other.inside(channel) for other in others], axis=0)
        return np.asarray(clear if clear.any() else found)


@dataclass(frozen=True)
class LineLimit:
    """The least of an element that is detected: net counts, [kg/m^2], [kg] and atoms in the spot, share by mass."""

    line: str
    energy: float
    counts: CountLimit
    area_density: float
    mass: float
    atoms: float
    concentration: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Calibration:
    """What a microprobe knows of itself: its standards, probe area [m^2], area density of all in the beam [kg/m^2]."""

    standards: list[Standard]
    probe_area: float
    everything: float

    @staticmethod
    def of(geometry: dict[str, Any]) -> Calibration | None:
        """The calibration among the geometry of a measurement; None where it tells none."""
        names = geometry.get("standard_lines")
        if names is None or not len(np.atleast_1d(names)):
            return None
        keys = ("standard_energy [eV]", "standard_resolution [eV]", "standard_counts [m^2/kg]", "standard_atom [kg]")
        columns = [np.atleast_1d(np.asarray(geometry[key], np.float64)) for key in keys]
        rows = zip(np.atleast_1d(names), *columns, strict=True)
        found = [Standard(name.decode() if isinstance(name, bytes) else str(name), *map(float, v)) for name, *v in rows]
        return Calibration(
            found, float(geometry["probe_area [m^2]"]), float(geometry.get("specimen_area_density [kg/m^2]", np.nan))
        )

    def limits(
        self, spectrum: FloatArray, channel: FloatArray, photons: float, confidence: Confidence = USUAL
    ) -> list[LineLimit]:
        """The limit of every line over a background `spectrum` (channels,) [counts] with `photons` in the focus."""
        found = []
        for one in self.standards:
            inside = one.inside(channel)
            beside = one.beside(channel, [other for other in self.standards if other is not one])
            if not inside.any() or not beside.any():
                continue
            ratio = np.count_nonzero(inside) / np.count_nonzero(beside)
            limit = count_limit(float(spectrum[beside].sum()) * ratio, ratio, confidence)
            density = limit.detection / (photons * one.counts)
            mass = density * self.probe_area
            share = density / self.everything if self.everything > 0 else float("nan")
            found.append(LineLimit(one.line, one.energy, limit, density, mass, mass / one.atom, share))
        return found


def background(
    counts: FloatArray, channel: FloatArray, calibration: Calibration
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Mean spectrum (channels,) of the frames (frames, channels) that show no line, and which frames show each line.

    Where most frames show a line, by an element of the matrix or by the tails of a probe, the half of least counts in
    its window is taken: chosen by the window, they tell the background beside it without bias.
    """
    shown = np.zeros((len(calibration.standards), len(counts)), bool)
    dark = np.ones(len(counts), bool)
    for k, one in enumerate(calibration.standards):
        inside = one.inside(channel)
        beside = one.beside(channel, [other for other in calibration.standards if other is not one])
        if inside.any() and beside.any():
            ratio = np.count_nonzero(inside) / np.count_nonzero(beside)
            gross = counts[:, inside].sum(axis=1)
            shown[k] = detected(gross, counts[:, beside].sum(axis=1), ratio, CLEAR)
            dark &= ~shown[k] if shown[k].mean() < 0.5 else gross <= np.median(gross)
    kept = counts[dark] if dark.any() else counts
    return np.asarray(kept.mean(axis=0, dtype=np.float64)), shown


def of_measurement(measurement: Measurement, confidence: Confidence = USUAL) -> list[LineLimit]:
    """The limits of one frame of a measured map. Raises RangeError for what is no calibrated fluorescence map."""
    calibration = Calibration.of(measurement.geometry)
    if calibration is None or not measurement.axes or measurement.axes[-1].unit not in ("eV", "keV"):
        allowed = "spectra of an energy-dispersive detector with standards"
        raise RangeError("detection limits of lines", value=measurement.kind, allowed=allowed)
    energies = len(np.unique(np.asarray(measurement.frames["energy"])))
    if energies > 1:
        raise RangeError("photon energies of a map with standards of one", value=energies, allowed="1")
    counts, channel = spectra(measurement)
    mean, _ = background(counts, channel, calibration)
    return calibration.limits(mean, channel, focused(measurement), confidence)


def spectra(measurement: Measurement) -> tuple[FloatArray, FloatArray]:
    """Counts (frames, channels), of all detectors together, and channel centres [eV]."""
    axis = measurement.axes[-1]
    counts = np.asarray(measurement.counts)
    counts = counts.sum(axis=1) if len(measurement.axes) == 2 else counts
    return counts, np.asarray(axis.values, np.float64) * (1e3 if axis.unit == "keV" else 1.0)


def focused(measurement: Measurement) -> float:
    """Photons in the focus of a frame on the average: of all that are incident, without the unfocused orders."""
    share = lookup(measurement, "unfocused_share")
    return float(np.mean(measurement.incident)) / (1 + float(share or 0.0))
