"""Repeats: the same measurement again and again, with fresh noise each time.

The expectation is the same for every repeat; what differs is the detector's draw, keyed by the frame's number. Use it
for statistics, for half-data sets (Fourier shell correlation) and for dose fractionation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from xsim.exposure import Axis, Exposure, FrameTable, Illumination, Truth
from xsim.instruments._protocol import Instrument, Measuring, Prepared
from xsim.model import Model
from xsim.scans._wrap import Scanned, new_axis
from xsim.specimen.specimen import Specimen


class Repeats(Model):
    """Repeats an instrument `count` times; the new axis and the column are `repeat`, counted from 0."""

    kind: Literal["repeats"] = "repeats"
    count: Annotated[int, Field(ge=1, le=10_000_000)] = 10

    def frames(self, inner: FrameTable) -> FrameTable:
        """The inner frames `count` times, the repeat slowest."""
        numbers = np.arange(self.count)
        return new_axis(inner, Axis("repeat", numbers), {"repeat": numbers}, {"repeat": ""})

    def prepare(self, inner: Instrument, specimen: Specimen) -> Prepared:
        """The inner instrument prepared once."""
        prepared = inner.prepare(specimen)
        return RepeatedPrepared(prepared, prepared.frame_bytes)

    def apply(self, instrument: Instrument) -> Scanned:
        """The instrument that repeats itself."""
        return Scanned(self, instrument)


@dataclass(frozen=True, eq=False)
class RepeatedPrepared:
    """Works out equal frames once and hands the result to every repeat of them."""

    inner: Prepared
    frame_bytes: int

    def expose(self, frames: FrameTable) -> Exposure:
        """Expected photons; frames that differ in nothing but the repeat share one computation."""
        names = [name for name in frames.columns if name != "repeat"]
        table = np.stack([np.asarray(frames[name], np.float64) for name in names], axis=1)
        _, first, inverse = np.unique(table, axis=0, return_index=True, return_inverse=True)
        inverse = inverse.ravel()
        if len(first) == len(frames):
            return self.inner.expose(frames)
        one = self.inner.expose(frames.take(first))
        return Exposure(one.expected[inverse], one.group_energy[inverse], one.axes, frames, one.incident[inverse])

    def illuminate(self, frames: FrameTable) -> list[Illumination]:
        """What the inner instrument puts on the specimen, summed over the repeats."""
        return self.inner.illuminate(frames)

    def truth(self) -> dict[str, Truth]:
        """The truth of the inner instrument."""
        return self.inner.truth()

    def measured(self) -> dict[str, Any]:
        """What the inner instrument measures."""
        return self.inner.measured() if isinstance(self.inner, Measuring) else {}
