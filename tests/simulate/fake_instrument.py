"""A tiny instrument that follows the protocol: its expectation depends on the frame's row alone."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xsim.errors import ValidityWarning
from xsim.exposure import Axis, Exposure, FrameTable, Illumination, Truth
from xsim.streams import StreamKey, generator


@dataclass(frozen=True)
class PoissonDetector:
    """Draws one frame after another under its own number."""

    kind: str = "poisson"
    counts_unit: str = "counts"

    def read(self, exposure: Exposure, key: StreamKey) -> Any:
        frames = zip(exposure.expected.sum(axis=1), exposure.frames.index, strict=True)
        return np.array([generator(key, int(i)).poisson(e) for e, i in frames], dtype=np.int32)

    def counts_axes(self, axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
        return axes


@dataclass(frozen=True)
class FakePrepared:
    flux: float
    shape: tuple[int, int]
    frame_bytes: int

    def expose(self, frames: FrameTable) -> Exposure:
        if 7 in frames.index:
            warnings.warn("frame 7 is odd", ValidityWarning, stacklevel=1)
        y, x = np.mgrid[: self.shape[0], : self.shape[1]]
        wave = 1 + np.cos(x * y + frames["angle"][:, None, None, None] * np.array([1.0, 2.0, 3.0])[None, :, None, None])
        energy = np.repeat(frames["energy"][:, None], 3, axis=1)
        axes = (Axis("y", np.arange(self.shape[0]), "m"), Axis("x", np.arange(self.shape[1]), "m"))
        expected = (self.flux * frames["time"])[:, None, None, None] * wave
        return Exposure(expected, energy, axes, frames, self.flux * frames["time"])

    def illuminate(self, frames: FrameTable) -> list[Illumination]:
        return []

    def truth(self) -> dict[str, Truth]:
        return {"flux": Truth(np.array(self.flux), (), "1/s")}


@dataclass(frozen=True)
class FakeInstrument:
    count: int = 24
    flux: float = 50.0
    shape: tuple[int, int] = (5, 8)
    frame_bytes: int = 1000
    kind: str = "fake"
    detector: Any = field(default_factory=PoissonDetector)

    def frames(self) -> FrameTable:
        angles = np.linspace(0, 1, self.count)
        return FrameTable.single(8000.0, 1.0).outer(Axis("angle", angles, "rad"), {"angle": angles}, {"angle": "rad"})

    def prepare(self, specimen: Any) -> FakePrepared:
        return FakePrepared(self.flux, self.shape, self.frame_bytes)

    def geometry(self) -> dict[str, Any]:
        return {"distance [m]": 1.0}


def heavy(state: object, piece: int) -> np.ndarray:
    """A result so large that a process spends most of its time handing it over."""
    return np.full(8_000_000, float(piece))
