"""Energies: the same measurement at each of a list of photon energies (a spectrum, a stack across an edge).

The geometry of the specimen is sampled once; only the optical constants and the optics change. Energies are given one
by one, as ranges, or as segments of different step, as absorption spectra are taken:

    scan = [{ kind = "energies", values = ["7.00 keV", "7.05 keV", "7.10 keV .. 7.15 keV / 1 eV"] }]
    scan = [{ kind = "energies", segments = [
        { start = "7.00 keV", stop = "7.10 keV", step = "10 eV" },
        { start = "7.10 keV", stop = "7.15 keV", step = "1 eV" }] }]

Energies are taken in the order in which they stand; one given twice is measured once. Both ends belong to a range.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from xsim.errors import RangeError, ScenarioError
from xsim.exposure import Axis, FrameTable
from xsim.instruments._protocol import Instrument, Prepared
from xsim.model import Model
from xsim.scans._wrap import Scanned, new_axis
from xsim.specimen.specimen import Specimen
from xsim.units import Energy, as_float, quantity

#: energies at most
MOST = 100_000


class Segment(Model):
    """Energies from `start` to `stop` [eV], both included, every `step` [eV]."""

    start: Energy
    stop: Energy
    step: Energy

    def values(self) -> list[float]:
        """The energies [eV]."""
        if self.stop < self.start:
            raise RangeError(
                "a segment of energies that runs backwards",
                field="stop",
                value=quantity(self.stop, "eV"),
                allowed=f">= start ({quantity(self.start, 'eV')})",
                cure="exchange start and stop",
            )
        steps = (self.stop - self.start) / self.step
        if steps >= MOST:
            raise RangeError(
                "too many energies in a segment",
                field="step",
                value=quantity(self.step, "eV"),
                allowed=f"at most {MOST} energies",
                cure="take longer steps",
            )
        count = int(np.floor(steps + 1e-9)) + 1
        return [self.start + self.step * i for i in range(count)]


class Energies(Model):
    """Repeats an instrument over photon energies; the new axis and the column are `energy` [eV].

    values: energies, or ranges "a .. b / step". segments: tables of start, stop and step. One of both.
    """

    kind: Literal["energies"] = "energies"
    values: Annotated[tuple[Energy, ...], Field(max_length=MOST)] = ()
    segments: tuple[Segment, ...] = ()

    @field_validator("values", mode="before")
    @classmethod
    def _ranges(cls, given: Any) -> Any:
        items = [given] if isinstance(given, str) else given
        if not isinstance(items, list | tuple):
            return items
        return tuple(value for item in items for value in _expand(item))

    @model_validator(mode="after")
    def _one_way(self) -> Energies:
        if self.values and self.segments:
            cure = 'leave out values or segments; a range among values is written "7.0 keV .. 7.1 keV / 5 eV"'
            raise ScenarioError("energies given twice, as values and as segments", field="segments", cure=cure)
        if not self.energies():
            raise ScenarioError(
                "a scan over no energies", value="[]", cure='give values = ["520 eV", ...] or segments with a step'
            )
        return self

    def energies(self) -> list[float]:
        """All photon energies [eV] in the order in which they are measured."""
        listed = [*self.values, *(value for segment in self.segments for value in segment.values())]
        return list(dict.fromkeys(listed))

    def frames(self, inner: FrameTable) -> FrameTable:
        """The inner frames at every energy, energy slowest."""
        values = np.array(self.energies())
        return new_axis(inner, Axis("energy", values, "eV"), {"energy": values}, {"energy": "eV"})

    def prepare(self, inner: Instrument, specimen: Specimen) -> Prepared:
        """The inner instrument prepared once; its sampling is checked at the ends of the range where it offers that."""
        prepared = inner.prepare(specimen)
        check = getattr(prepared, "check_energy", None)
        if check is not None:
            for energy in sorted({min(self.energies()), max(self.energies())}):
                check(energy)
        return prepared

    def apply(self, instrument: Instrument) -> Scanned:
        """The instrument that measures at all energies."""
        return Scanned(self, instrument)


def _expand(item: Any) -> list[Any]:
    if not (isinstance(item, str) and ".." in item):
        return [item]
    ends, _, step = item.partition("/")
    start, _, stop = ends.partition("..")
    if not step.strip():
        raise ScenarioError(
            "a range of energies without a step", value=item, cure='write it as "7.00 keV .. 7.10 keV / 5 eV"'
        )
    energies = [as_float(part.strip(), "eV") for part in (start, stop, step)]
    segment = Segment.model_validate(
        dict(zip(("start", "stop", "step"), (quantity(e, "eV") for e in energies), strict=True))
    )
    return [quantity(value, "eV") for value in segment.values()]
