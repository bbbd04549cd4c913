"""What every detector offers."""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import NDArray

from xsim.exposure import Axis, Exposure
from xsim.streams import StreamKey


class Detector(Protocol):
    """Turns expected photons into what is recorded. A frozen pydantic model with a `kind`."""

    kind: str
    #: unit of what `read` returns: "counts", "ADU"
    counts_unit: str

    def read(self, exposure: Exposure, key: StreamKey) -> NDArray[Any]:
        """Recorded values (frames, *counts axes); frame f draws under (key, exposure.frames.index[f]) alone."""
        ...

    def mean(self, exposure: Exposure) -> NDArray[Any]:
        """The expectation of `read`, float64."""
        ...

    def counts_axes(self, axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
        """Axes of one recorded frame given the exposure's detector axes (an energy-dispersive one adds channels)."""
        ...
