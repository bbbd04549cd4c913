"""What every instrument offers, and every combinator in `xsim.scans` too."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from xsim.detectors._protocol import Detector
from xsim.exposure import Exposure, FrameTable, Illumination, Truth
from xsim.specimen.specimen import Specimen


class Prepared(Protocol):
    """An instrument with a specimen in it: geometry sampled once; picklable; pure."""

    @property
    def frame_bytes(self) -> int:
        """Bytes of working memory per frame, from which the pipeline chooses its chunks."""
        ...

    def expose(self, frames: FrameTable) -> Exposure:
        """Expected photons for these frames; each frame's result depends on its own row only, to the bit."""
        ...

    def illuminate(self, frames: FrameTable) -> list[Illumination]:
        """The fluence these frames put on the specimen, summed over frames, one entry per energy and pose."""
        ...

    def truth(self) -> dict[str, Truth]:
        """Noise-free maps or curves that an algorithm would recover (exit phase, thickness, spectrum ...)."""
        ...


@runtime_checkable
class Measuring(Protocol):
    """A prepared instrument that also measures numbers of the specimen, beside its frames."""

    def measured(self) -> dict[str, Any]:
        """What a beamline would write down, e.g. "specimen_transmission": joins the geometry of the measurement."""
        ...


@runtime_checkable
class Calibrated(Protocol):
    """An instrument that also records frames without the specimen and without light."""

    @property
    def flats(self) -> int:
        """Frames without the specimen at each photon energy."""
        ...

    @property
    def darks(self) -> int:
        """Frames without light at each exposure time that is needed."""
        ...


class Instrument(Protocol):
    """A technique. A frozen pydantic model with a `kind` and a default for every field."""

    @property
    def kind(self) -> str:
        """The technique: a Literal field of its model."""
        ...

    @property
    def detector(self) -> Any:
        """Its `Detector`."""
        ...

    def frames(self) -> FrameTable:
        """One row per exposure; cheap; independent of the specimen."""
        ...

    def prepare(self, specimen: Specimen) -> Prepared:
        """Sample the geometry once (energy never touches geometry). Raises SamplingError, RangeError; may warn."""
        ...

    def geometry(self) -> dict[str, Any]:
        """What a reader of the file needs: distances, pixel sizes ... in SI, unit in the key: "pixel [m]"."""
        ...


__all__ = ["Calibrated", "Detector", "Instrument", "Measuring", "Prepared"]
