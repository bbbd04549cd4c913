"""Pulses: the same shots with X-ray laser pulses of other durations and energies, each seen by a fresh particle.

    scan = [{ kind = "pulses", durations = ["2 fs", "10 fs", "50 fs"], energies = ["0.01 mJ", "1 mJ"] }]

Orientations and the random numbers of the pulses belong to the shot, so shots of the same number differ in nothing but
duration and energy: what they lose is what the pulse destroyed. For instruments with a `pulse`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from xsim.errors import ScenarioError
from xsim.exposure import Axis, Exposure, FrameTable, Illumination, Truth
from xsim.instruments._protocol import Instrument, Measuring, Prepared
from xsim.instruments._shot_picture import alone, check_damage, kept_truth, target_of
from xsim.instruments._shot_pixels import pixels
from xsim.model import Model
from xsim.scans._wrap import Scanned, new_axis
from xsim.sources.pulse import Pulse
from xsim.specimen.specimen import Specimen
from xsim.units import PulseEnergy, Time


class Pulses(Model):
    """Repeats an instrument over pulse durations [s] (FWHM, slowest) and mean pulse energies [J]; a list left out keeps
    the instrument's own. The axes and columns are `pulse_duration` and `pulse_energy`."""

    kind: Literal["pulses"] = "pulses"
    durations: Annotated[tuple[Time, ...], Field(max_length=10_000)] = ()
    energies: Annotated[tuple[PulseEnergy, ...], Field(max_length=10_000)] = ()

    @model_validator(mode="after")
    def _something(self) -> Pulses:
        if not (self.durations or self.energies):
            cure = 'give durations = ["5 fs", ...], energies = ["1 mJ", ...] or both'
            raise ScenarioError("a scan over no pulses", field="durations", value="[]", cure=cure)
        return self

    def frames(self, inner: FrameTable) -> FrameTable:
        """The inner frames for every energy, and all that for every duration."""
        for name, values, unit in (("pulse_energy", self.energies, "J"), ("pulse_duration", self.durations, "s")):
            if values:
                column = np.array(values)
                inner = new_axis(inner, Axis(name, column, unit), {name: column}, {name: unit})
        return inner

    def of(self, pulse: Pulse) -> list[Pulse]:
        """The pulses in the order of the frames. Raises RangeError for durations that are none of a pulse."""
        found = []
        for duration in self.durations or (pulse.duration,):
            for energy in self.energies or (pulse.energy,):
                found.append(pulse.with_values(duration, energy))
        return found

    def prepare(self, inner: Instrument, specimen: Specimen) -> Prepared:
        """The inner instrument prepared once. Raises ScenarioError for one without pulses, RangeError for pulses
        outside the range of the source or of the damage model."""
        one: Any = inner.instrument if isinstance(inner, Scanned) else inner
        if getattr(one, "pulse", None) is None:
            raise ScenarioError(
                "a scan over pulses around an instrument without pulses", field="scan", value=one.kind,
                allowed="single_particle with a pulse", cure="give the instrument a pulse, or leave out this scan",
            )  # fmt: skip
        pulses = self.of(one.pulse)
        target = target_of(alone(specimen, one.particle))
        for pulse in pulses:
            check_damage(one.model_copy(update={"pulse": pulse}), target)
        seen = pixels(one.detector, one.distance, one.beam_stop, one.polarisation)
        truth = kept_truth(one, seen, target, pulses)
        axes = {
            "pulse_duration": Axis("pulse_duration", np.array(self.durations or (one.pulse.duration,)), "s"),
            "pulse_energy": Axis("pulse_energy", np.array(self.energies or (one.pulse.energy,)), "J"),
        }
        shape = tuple(len(axis) for axis in axes.values())
        folded = {
            name: Truth(t.values.reshape(*shape, *t.values.shape[1:]), (*axes.values(), *t.axes[1:]), t.unit)
            for name, t in truth.items()
        }
        prepared = inner.prepare(specimen)
        return PulsesPrepared(prepared, folded, prepared.frame_bytes)

    def apply(self, instrument: Instrument) -> Scanned:
        """The instrument that fires all pulses."""
        return Scanned(self, instrument)


@dataclass(frozen=True, eq=False)
class PulsesPrepared:
    """The prepared instrument, and what each pulse leaves of the particle."""

    inner: Prepared
    kept: dict[str, Truth]
    frame_bytes: int

    def expose(self, frames: FrameTable) -> Exposure:
        """Expected photons."""
        return self.inner.expose(frames)

    def illuminate(self, frames: FrameTable) -> list[Illumination]:
        """The fluence of the strongest pulse."""
        return self.inner.illuminate(frames)

    def truth(self) -> dict[str, Truth]:
        """The truth of the inner instrument, with what is kept for every pulse."""
        return {**self.inner.truth(), **self.kept}

    def measured(self) -> dict[str, Any]:
        """What the inner instrument measures."""
        return self.inner.measured() if isinstance(self.inner, Measuring) else {}
