"""Fluorescence maps: the counts in a window round each element's strongest line, less a background beside it.

    map = sum_window n - (background per channel) * channels,   window: line +- width/2

The background is the mean of two windows of half the width on either side, where no other line of the elements in
question falls; it takes away scatter and the tails of stronger lines to first order. Overlapping lines are not taken
apart (that needs a fit of all lines). The elements are those named, or found: those whose strongest line stands out
of the sum spectrum by 6 standard errors of its background, strongest first.

Variance: all counts in the three windows are Poisson numbers. Reference: Van Espen & Lemberge, Adv. X-ray Anal. 43,
560 (2000); line energies: `xsim.matter.lines`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from xsim.errors import RangeError
from xsim.exposure import Array, Axis, Measurement
from xsim.model import Model
from xsim.reconstruct._data import refuse
from xsim.reconstruct._protocol import Reconstruction
from xsim.reconstruct._spectra import channels, lacks_spectra, total_spectrum
from xsim.units import Energy

#: elements that are looked for, by their K lines and (from Sr on) L lines
SOUGHT = """
Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Sr Y Zr Nb Mo Ag Cd In Sn Sb I Cs Ba
Ce Gd W Re Os Ir Pt Au Hg Tl Pb Bi U
"""
#: lines nearer than this to the beam's energy drown in scatter: Compton at back scattering of 12 keV is 0.6 keV off
_BELOW_BEAM = 0.93


@dataclass(frozen=True)
class Peak:
    """The strongest line of an element's family within reach: "Fe", "K", its energy [eV]."""

    element: str
    family: str
    energy: float


class LineSum(Model):
    """Element maps. elements: whose lines are counted (found if empty); width: of a window [eV]; most: maps found."""

    kind: Literal["line_sum"] = "line_sum"
    techniques: ClassVar[tuple[str, ...]] = ("fluorescence", "microprobe")
    elements: tuple[str, ...] = ()
    width: Energy = 260.0
    most: Annotated[int, Field(ge=1, le=50)] = 6
    background: bool = True

    def accepts(self, measurement: Measurement) -> str:
        """Why it cannot reconstruct this measurement; empty if it can."""
        return lacks_spectra(measurement)

    def __call__(self, measurement: Measurement) -> Reconstruction:
        """Maps (elements, ...scan) [counts]. Raises FileError, UnknownNameError, RangeError if nothing is found."""
        refuse(measurement, self.kind, self.accepts(measurement))
        channel, total = channels(measurement), total_spectrum(measurement)
        beam = float(measurement.frames["energy"][0])
        peaks = [strongest(element, beam, channel) for element in self.elements or self.found(channel, total, beam)]
        counts = np.asarray(measurement.counts)
        counts = counts if counts.ndim == 2 else counts.sum(axis=1)
        maps, errors = zip(*(self._map(counts, channel, peak) for peak in peaks), strict=True)
        names = Axis("line", np.array([f"{peak.element}_{peak.family}" for peak in peaks]))
        axes = (names, *(measurement.frames.axes or (Axis("frame", measurement.frames.index),)))
        values, error = (np.stack([measurement.folded(one) for one in part]) for part in (maps, errors))
        return Reconstruction(values, axes, "counts", "counts in line windows", "line", error=error)

    def _windows(self, channel: Array, energy: float) -> tuple[Array, Array]:
        away = np.abs(channel - energy)
        return away <= self.width / 2, (away > self.width / 2) & (away <= self.width)

    def _map(self, counts: Array, channel: Array, peak: Peak) -> tuple[Array, Array]:
        inside, beside = self._windows(channel, peak.energy)
        value = np.asarray(counts[:, inside].sum(axis=1), np.float64)
        variance = np.maximum(value, 1)
        if self.background and beside.any():
            ratio = np.count_nonzero(inside) / np.count_nonzero(beside)
            around = np.asarray(counts[:, beside].sum(axis=1), np.float64)
            value, variance = value - ratio * around, variance + ratio**2 * around
        return value, np.sqrt(variance)

    def found(self, channel: Array, total: Array, beam: float) -> list[str]:
        """Elements whose strongest line stands out of the sum spectrum `total`, strongest first, one per peak.

        channel: energies (channels,) and beam: energy [eV]. Raises RangeError if there is none.
        """
        from xsim.matter.lines import fluorescence_lines

        found: list[tuple[float, Peak]] = []
        for element in SOUGHT.split():
            try:
                peak = strongest(element, beam, channel)
            except RangeError:
                continue
            value, error = self._map(total[None], channel, peak)
            if value[0] > 6 * error[0] and self._peaks_at(channel, total, peak.energy):
                found.append((float(value[0]), peak))
        kept: list[Peak] = []
        known: list[float] = []  # every line of the elements found so far: Au M must not pass for Nb L
        for _, peak in sorted(found, key=lambda item: -item[0]):
            if all(abs(peak.energy - energy) > self.width for energy in known):
                kept.append(peak)
                known += [line.energy for line in fluorescence_lines(peak.element, beam)]
        if not kept:
            raise RangeError(
                "no line stands out of the sum spectrum",
                value=f"{total.sum():.4g} counts",
                allowed="6 standard errors of the background",
                cure='name the elements, such as elements = ["Fe"], or count longer',
            )
        return [peak.element for peak in kept[: self.most]]

    def _peaks_at(self, channel: Array, total: Array, energy: float) -> bool:
        """Whether the spectrum, smoothed over a quarter of the window, has its highest point near `energy`."""
        step = float(np.median(np.diff(channel)))
        size = max(1, round(self.width / 4 / step))
        smooth = np.convolve(total, np.ones(size) / size, mode="same")
        near = np.abs(channel - energy) <= self.width
        top = float(channel[near][np.argmax(smooth[near])])
        return abs(top - energy) <= self.width / 5


def strongest(element: str, beam: float, channel: Array) -> Peak:
    """The strongest line of `element` between the lowest channel (1 keV at least) and the beam's scatter.

    Raises UnknownNameError for what is no element, RangeError if no line of it can be seen.
    """
    from xsim.matter.lines import fluorescence_lines

    low, high = max(1e3, float(channel[0])), min(_BELOW_BEAM * beam, float(channel[-1]))
    lines = [line for line in fluorescence_lines(element, beam) if low <= line.energy <= high]
    if not lines:
        raise RangeError(
            f"no line of {element} is excited and recorded at {beam:.6g} eV",
            value=element,
            allowed=f"elements with a line in {low:.4g} .. {high:.4g} eV",
        )
    best = max(lines, key=lambda line: line.cross_section)
    return Peak(element, best.family, best.energy)
