"""A scan around an instrument is again an instrument, so scans nest in any order.

`scan = [a, b]` in a scenario means ``a.apply(b.apply(instrument))``: the first one listed is the slowest axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from xsim.errors import ScenarioError
from xsim.exposure import Axis, FrameTable
from xsim.instruments._protocol import Instrument, Prepared
from xsim.specimen.specimen import Specimen


class Scan(Protocol):
    """A frozen pydantic model with a `kind` that repeats an instrument's frames over one or more new axes."""

    @property
    def kind(self) -> str:
        """The kind of scan: a Literal field of its model."""
        ...

    def frames(self, inner: FrameTable) -> FrameTable:
        """The table of `inner` repeated over the scan's axes, which become the slowest."""
        ...

    def prepare(self, inner: Instrument, specimen: Specimen) -> Prepared:
        """Put the specimen into the inner instrument for every step of the scan."""
        ...

    def apply(self, instrument: Instrument) -> Scanned:
        """The instrument that makes this scan."""
        ...


@dataclass(frozen=True)
class Scanned:
    """An instrument with one scan around it; follows `xsim.instruments._protocol.Instrument`."""

    scan: Scan
    inner: Instrument

    @property
    def kind(self) -> str:
        """The technique: the kind of the innermost instrument."""
        return self.inner.kind

    @property
    def detector(self) -> Any:
        """The detector of the innermost instrument."""
        return self.inner.detector

    @property
    def scans(self) -> tuple[Scan, ...]:
        """All scans around the innermost instrument, the slowest first."""
        return (self.scan, *(self.inner.scans if isinstance(self.inner, Scanned) else ()))

    @property
    def instrument(self) -> Instrument:
        """The innermost instrument."""
        return self.inner.instrument if isinstance(self.inner, Scanned) else self.inner

    def frames(self) -> FrameTable:
        """One row per exposure, the scan's axes slowest."""
        return self.scan.frames(self.inner.frames())

    def prepare(self, specimen: Specimen) -> Prepared:
        """The inner instrument prepared for every step of the scan."""
        return self.scan.prepare(self.inner, specimen)

    def geometry(self) -> dict[str, Any]:
        """The geometry of the innermost instrument."""
        return self.inner.geometry()

    def model_dump(self, **options: Any) -> dict[str, Any]:
        """The scenario form: the innermost instrument's table with its list of scans; options as in pydantic."""
        table: dict[str, Any] = self.instrument.model_dump(**options)  # type: ignore[attr-defined]
        return {**table, "scan": [scan.model_dump(**options) for scan in self.scans]}  # type: ignore[attr-defined]


def apply(instrument: Instrument, scans: Sequence[Scan]) -> Instrument:
    """The instrument with all `scans` around it, the first one the slowest."""
    for scan in reversed(scans):
        instrument = scan.apply(instrument)
    return instrument


def new_axis(inner: FrameTable, axis: Axis, columns: dict[str, Any], units: dict[str, str]) -> FrameTable:
    """`inner` repeated over `axis` (slowest). Raises ScenarioError if an axis of that name is there already."""
    taken = [known.name for known in inner.axes]
    if axis.name in taken:
        raise ScenarioError(
            f'two scans over "{axis.name}" around one instrument',
            value=axis.name,
            allowed=f"an axis other than {', '.join(taken)}",
            cure="put all values into one scan, or (tilts) give the second one another name",
        )
    return inner.outer(axis, columns, units)
