"""Elements weighed and their limits told: area density by thin-film standards, and where each element is detected.

    a = (g - q b) / (N n),   detected where g is more than the background makes by chance alpha (`xsim.metrics`)

g counts in the line's window, b beside it, q the ratio of their channels, N the photons of the frame, n the counts of a
thin film per photon and kg/m^2. The limits (area density, mass, atoms in the spot, concentration) are those of one
frame over the mean background of frames that show no line. Self-absorption of thick specimens is not made good.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from xsim.exposure import Array, Axis, Measurement, Truth
from xsim.metrics.detection_limit import Confidence, detected
from xsim.metrics.line_limits import Calibration, Standard, background, focused, spectra
from xsim.model import Model
from xsim.reconstruct._data import refuse, single_energy
from xsim.reconstruct._protocol import Reconstruction


class DetectionLimit(Model):
    """Area density of each element [kg/m^2] with its detection limit. lines: "Zn_K", ... (all standards if empty)."""

    kind: Literal["detection_limit"] = "detection_limit"
    techniques: ClassVar[tuple[str, ...]] = ("fluorescence", "microprobe")
    preference: ClassVar[int] = -1
    lines: tuple[str, ...] = ()
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    beta: Annotated[float, Field(gt=0, lt=0.5)] = 0.05

    def accepts(self, measurement: Measurement) -> str:
        """Why it cannot reconstruct this measurement; empty if it can."""
        return uncalibrated(measurement) or single_energy(measurement)

    def __call__(self, measurement: Measurement) -> Reconstruction:
        """Maps (elements, ...scan) [kg/m^2]. Raises FileError for what is no calibrated map."""
        refuse(measurement, self.kind, self.accepts(measurement))
        calibration = Calibration.of(measurement.geometry)
        assert calibration is not None
        chosen = [s for s in calibration.standards if not self.lines or s.line in self.lines]
        refuse(measurement, self.kind, "" if chosen else f"it has no standard of {', '.join(self.lines)}")
        counts, channel = spectra(measurement)
        weighed = [area_density(measurement, one, calibration) for one in chosen]
        mean, _ = background(counts, channel, calibration)
        confidence = Confidence(self.alpha, self.beta)
        numbers: dict[str, float] = {}
        for limit in calibration.limits(mean, channel, focused(measurement), confidence):
            if limit.line in [one.line for one in chosen]:
                numbers[f"{limit.line}_limit [kg/m^2]"] = limit.area_density
                numbers[f"{limit.line}_limit [kg]"] = limit.mass
                numbers[f"{limit.line}_limit_atoms"] = limit.atoms
                numbers[f"{limit.line}_limit_concentration"] = limit.concentration
        elements = Axis("element", np.array([one.line.split("_")[0] for one in chosen]))
        scan = measurement.frames.axes or (Axis("frame", measurement.frames.index),)
        values, error = (np.stack([measurement.folded(w[k]) for w in weighed]) for k in (0, 1))
        shown = np.stack([measurement.folded(_shown(counts, channel, one, calibration, self.alpha)) for one in chosen])
        extras = {"detected": Truth(shown.astype(np.uint8), (elements, *scan))}
        title = "area density by thin-film standards"
        return Reconstruction(values, (elements, *scan), "kg/m^2", title, "area_density", error=error,
                              numbers=numbers, extras=extras)  # fmt: skip


def uncalibrated(measurement: Measurement) -> str:
    """Why these are no spectra with thin-film standards; empty if they are."""
    if not measurement.axes or measurement.axes[-1].unit not in ("eV", "keV"):
        return "its frames are not energy spectra"
    return "" if Calibration.of(measurement.geometry) else "it tells no thin-film standards"


def area_density(measurement: Measurement, one: Standard, calibration: Calibration) -> tuple[Array, Array]:
    """Area density (frames,) [kg/m^2] of one line's element and its standard error."""
    counts, channel = spectra(measurement)
    inside, beside, ratio = _windows(channel, one, calibration)
    gross = np.asarray(counts[:, inside].sum(axis=1), np.float64)
    around = np.asarray(counts[:, beside].sum(axis=1), np.float64)
    share = focused(measurement) / float(np.mean(measurement.incident))
    scale = np.asarray(measurement.incident, np.float64) * share * one.counts
    return (gross - ratio * around) / scale, np.sqrt(np.maximum(gross + ratio**2 * around, 1)) / scale


def _shown(counts: Array, channel: Array, one: Standard, calibration: Calibration, alpha: float) -> Array:
    inside, beside, ratio = _windows(channel, one, calibration)
    return detected(counts[:, inside].sum(axis=1), counts[:, beside].sum(axis=1), ratio, alpha)


def _windows(channel: Array, one: Standard, calibration: Calibration) -> tuple[Array, Array, float]:
    inside = one.inside(channel)
    beside = one.beside(channel, [other for other in calibration.standards if other is not one])
    return inside, beside, float(np.count_nonzero(inside)) / float(np.count_nonzero(beside) or 1)
