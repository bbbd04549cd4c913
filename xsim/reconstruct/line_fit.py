"""Fluorescence maps: every spectrum as a sum of the spectra of line groups, by weighted linear least squares.

    n(channel) = sum_g N_g d(channel, g),   d = sum_lines share_line efficiency(E_line) response(channel, E_line)

A group is the K, L or M lines of one element in the proportions in which the beam excites them; d is what the detector
makes of one photon of it. Compton and elastic scatter, and sums of two photons where the detector has a resolving time,
have columns of their own, whose shapes are fitted to the sum spectrum first (non-negative least squares: Compton
scatter is a row of narrow peaks below the elastic one, with a tail to low energies that falls smoothly). Each point
is then fitted with the same weights, 1 over the fitted sum spectrum: they are those of Poisson counts but for a factor,
and since they know nothing of the point's own noise the result has no bias. N = sum_c B_gc n_c has the variance sum_c
B_gc^2 n_c, at least that of one count. Photons are told by dividing by the live time over the real time, and by the
share of events that hold one photon alone. Where no elements are named, those are fitted that the sum spectrum shows
(`xsim.reconstruct._line_choice`).

Range of validity. Lines of a group keep their proportions: where the specimen itself absorbs soft lines of a group more
than hard ones (L lines in thick matter), the group's number leans to the lines that count most. Elements whose lines
overlap wholly are told apart by their weaker lines only, with the errors that this brings.
Reference: Van Espen & Lemberge, Adv. X-ray Anal. 43, 560 (2000); Vekemans et al., X-Ray Spectrom. 23, 278 (1994).
"""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from xsim.constants import FWHM
from xsim.errors import RangeError
from xsim.exposure import Array, Axis, Measurement, Truth, lookup
from xsim.matter.silicon_response import Response, spectra
from xsim.model import Model
from xsim.reconstruct._data import need, refuse
from xsim.reconstruct._line_choice import LEAST, chosen
from xsim.reconstruct._protocol import Reconstruction
from xsim.reconstruct._spectra import channels, lacks_spectra, total_spectrum
from xsim.reconstruct._spectra import spectra as counted
from xsim.reconstruct.line_sum import SOUGHT, strongest
from xsim.spill import blocks
from xsim.units import Energy

#: lines that the detector sees less than this share of do not make a group
_SEEN = 1e-3
#: photons of less [eV] are lost in noise
_LOWEST = 200.0
#: Compton peaks: from this share of the Compton energy, this many deviations of the response apart
_COMPTON_FROM, _COMPTON_STEP = 0.88, 1.25
#: its tail below: falls by 1/e over so many eV each, from that share of the Compton energy; smooth, so no line is made
_TAILS, _TAIL_FROM, _TAIL_STEP = np.geomspace(60.0, 3000.0, 10), 0.4, 20.0


class LineFit(Model):
    """Element maps in photons. elements: whose lines are fitted (found if empty); lowest: energy fitted [eV]."""

    kind: Literal["line_fit"] = "line_fit"
    techniques: ClassVar[tuple[str, ...]] = ("fluorescence", "microprobe")
    #: it wants a calibrated detector, so the simple method is taken where none is named
    preference: ClassVar[int] = -1
    elements: tuple[str, ...] = ()
    most: Annotated[int, Field(ge=1, le=50)] = 20
    lowest: Energy = 1000.0

    def accepts(self, measurement: Measurement) -> str:
        """Why it cannot reconstruct this measurement; empty if it can."""
        known = lookup(measurement, "channel_efficiency") is not None
        return lacks_spectra(measurement) or ("" if known else "its detector's response is not told")

    def __call__(self, measurement: Measurement) -> Reconstruction:
        """Maps (groups, ...scan) [photons]. Raises FileError, UnknownNameError, RangeError if nothing is found."""
        refuse(measurement, self.kind, self.accepts(measurement))
        beam, total = float(measurement.frames["energy"][0]), total_spectrum(measurement)
        columns = _Columns(measurement, self.lowest)
        inside = columns.inside(beam)
        elements = self.elements or self._found(columns, total, inside, beam)
        groups = {name: column for element in elements for name, column in columns.groups(element, beam).items()}
        if not groups:
            raise RangeError("no line to fit", value=", ".join(elements), allowed=f"lines from {self.lowest:g} eV")
        names = list(groups)
        shapes, fitted = _shapes(columns, list(groups.values()), total, inside, beam)
        weight = 1 / np.maximum(fitted[inside], 1e-3 * fitted[inside].max() / inside.sum())
        design = np.stack([*groups.values(), *shapes.values()], axis=1)[inside]
        invert = np.linalg.pinv((design.T * weight) @ design) @ (design.T * weight)
        parts = [(block[:, inside] @ invert.T, block[:, inside] @ (invert**2).T) for block in counted(measurement)]
        values, variance = (np.concatenate(part)[:, : len(names)] for part in zip(*parts, strict=True))
        variance = np.maximum(variance, (invert**2).max(axis=1)[: len(names)])  # no less than that of one count
        factor = _photons_per_single(measurement)[:, None]
        axes = (Axis("line", np.array(names)), *_scan(measurement))
        maps, errors = (
            np.stack([measurement.folded(one) for one in part.T])
            for part in (values * factor, np.sqrt(variance) * factor)
        )
        chi2 = np.mean((total - fitted)[inside] ** 2 / np.maximum(fitted[inside], 1))
        spectrum = (Axis("emission", columns.energy, "eV"),)
        extras = {
            "sum_spectrum": Truth(total, spectrum, "counts"),
            "fitted_spectrum": Truth(fitted, spectrum, "counts"),
        }
        numbers = {"chi2_per_channel": float(chi2), "groups": float(len(names))}
        title = "photons of line groups, by linear least squares"
        return Reconstruction(maps, axes, "photon", title, "line", error=errors, extras=extras, numbers=numbers)

    def _found(self, columns: _Columns, total: Array, inside: Array, beam: float) -> list[str]:
        """Elements whose lines the sum spectrum shows. Raises RangeError if there are none."""
        candidates: dict[str, dict[str, Array]] = {}
        for element in SOUGHT.split():
            with suppress(RangeError):
                strongest(element, beam, columns.energy)
                candidates[element] = columns.groups(element, beam)
        found = chosen(
            {name: groups for name, groups in candidates.items() if groups},
            total,
            inside,
            lambda groups: _shapes(columns, groups, total, inside, beam),
            self.most,
        )
        if not found:
            raise RangeError(
                "no line stands out of the sum spectrum",
                value=f"{total.sum():.4g} counts",
                allowed=f"{LEAST:g} standard errors",
                cure='name the elements, such as elements = ["Fe"], or count longer',
            )
        return found


class _Columns:
    """What the detector makes of photons: its calibration, and columns (channels,) of counts."""

    def __init__(self, measurement: Measurement, lowest: float):
        self.energy, self.lowest = channels(measurement), lowest
        width = need(measurement, "channel_width")
        self.edges = np.append(self.energy - width / 2, self.energy[-1] + width / 2)
        self.escape = bool(need(measurement, "escape"))
        self.response = Response(
            need(measurement, "electronic_noise"), need(measurement, "fano_factor"), need(measurement, "tail"),
            need(measurement, "tail_length"), need(measurement, "shelf"),
            by_depth=str(lookup(measurement, "tail_law")) == "depth",
        )  # fmt: skip
        self.efficiency = np.asarray(lookup(measurement, "channel_efficiency"), np.float64)
        self.angle = lookup(measurement, "detector_angle")
        self.sums = float(lookup(measurement, "resolving_time") or 0) > 0

    def seen(self, energies: Array) -> Array:
        """Share of photons of `energies` [eV] that the detector detects."""
        return np.interp(energies, self.energy, self.efficiency, left=0.0)

    def of(self, energies: Array) -> Array:
        """Spectra (n, channels) of one photon of each of `energies` [eV] that arrives."""
        rows = spectra(self.response, self.escape, np.asarray(energies, np.float64).tobytes(), self.edges.tobytes())
        return np.asarray(rows * self.seen(np.asarray(energies, np.float64))[:, None])

    def inside(self, beam: float) -> Array:
        """Which channels are fitted: from the lowest energy to just above the elastic peak."""
        top = beam + 4 * self.response.fwhm(beam) / FWHM
        return np.asarray((self.energy >= self.lowest) & (self.energy <= top))

    def groups(self, element: str, beam: float) -> dict[str, Array]:
        """Column of one photon for each family "Fe_K" of lines that the beam excites and the detector sees."""
        from xsim.matter.lines import fluorescence_lines

        found = {}
        lines = fluorescence_lines(element, beam)
        for family in dict.fromkeys(line.family for line in lines):
            mine = [line for line in lines if line.family == family]
            energies, strength = (np.array([getattr(m, what) for m in mine]) for what in ("energy", "cross_section"))
            seen = strength * self.seen(energies)
            fitted = seen[energies > self.lowest].sum()
            if fitted > _SEEN * strength.sum() and fitted > seen.sum() / 2:
                far = energies > _LOWEST  # softer lines leave no trace
                found[f"{element}_{family}"] = strength[far] / strength.sum() @ self.of(energies[far])
        return found

    def compton(self, beam: float) -> Array:
        """What Compton scatter is made of (n, channels): narrow peaks up to the elastic one, and smooth tails."""
        from xsim.matter.scatter import compton_energy

        middle = float(compton_energy(beam, np.pi / 2 if self.angle is None else float(np.mean(self.angle))))
        step = _COMPTON_STEP * self.response.fwhm(middle) / FWHM
        peaks = self.of(np.arange(_COMPTON_FROM * middle, beam - step, step))
        below = np.arange(_TAIL_FROM * middle, middle, _TAIL_STEP)
        falling = np.exp((below - middle) / _TAILS[:, None])
        return np.concatenate([peaks, falling / falling.sum(axis=1, keepdims=True) @ self.of(below)])


def _shapes(
    columns: _Columns, groups: list[Array], total: Array, inside: Array, beam: float
) -> tuple[dict[str, Array], Array]:
    """Columns of scatter and of sums, their shapes told by the sum spectrum, and the sum spectrum as fitted."""
    from scipy.optimize import nnls
    from scipy.signal import fftconvolve

    elastic, narrow = columns.of(np.array([beam])), columns.compton(beam)
    parts = np.concatenate([*(group[None] for group in groups), elastic, narrow])
    weight, sums = 1 / np.sqrt(np.maximum(total[inside], 1)), np.zeros_like(total)
    fitted = total
    for _ in range(4):  # sums are made of what was fitted before; weights are those of the fit
        design = np.concatenate([parts, sums[None]])[:, inside]
        scale = np.maximum((design * weight).max(axis=1), 1e-300)
        amount = nnls((design * weight / scale[:, None]).T, total[inside] * weight)[0] / scale
        fitted = amount @ np.concatenate([parts, sums[None]])
        weight = 1 / np.sqrt(np.maximum(fitted[inside], 1))
        if columns.sums:
            single = amount[:-1] @ parts
            shift = round(columns.energy[0] / (columns.energy[1] - columns.energy[0]))
            sums = _shifted(fftconvolve(single, single), shift, len(total)) / max(single.sum(), 1)
    compton = amount[len(groups) + 1 : -1] @ narrow
    shapes = {"elastic": elastic[0], "Compton": compton, "sums": sums}
    return {name: shape for name, shape in shapes.items() if shape[inside].any()}, fitted


def _shifted(values: Array, by: int, size: int) -> Array:
    """`values` moved up by so many channels, `size` of them."""
    found = np.zeros(size)
    first = max(0, by)
    part = np.maximum(values[max(0, -by) :][: size - first], 0)
    found[first : first + len(part)] = part
    return found


def _photons_per_single(measurement: Measurement) -> Array:
    """Photons for each recorded event of one photon (frames,): dead time, and photons that piled up."""
    live, tau = lookup(measurement, "live_time"), float(lookup(measurement, "resolving_time") or 0)
    real = np.asarray(measurement.frames["time"], np.float64)
    if live is None:
        return np.ones(len(real))
    clock = np.maximum(np.asarray(live, np.float64).reshape(len(real), -1), 1e-300)
    each = [block.sum(axis=-1, dtype=np.float64) for block in blocks(measurement.counts)]
    recorded = np.maximum(np.concatenate(each).reshape(clock.shape), 1e-300)  # an empty point needs no correction
    rate = recorded / clock
    # detectors see the same lines, each at its own rate: all photons over all single ones
    return np.asarray(real * rate.sum(axis=1) / (recorded * np.exp(-rate * tau)).sum(axis=1))


def _scan(measurement: Measurement) -> tuple[Axis, ...]:
    return measurement.frames.axes or (Axis("frame", measurement.frames.index),)
