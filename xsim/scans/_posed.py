"""Scans that move the specimen: the inner instrument is prepared once for every pose of it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xsim.errors import RangeError, SamplingError
from xsim.exposure import Exposure, FrameTable, Illumination, Truth
from xsim.instruments._protocol import Instrument, Measuring, Prepared
from xsim.specimen.specimen import Specimen

#: specimens kept prepared at a time in each process; frames come ordered by pose, so two are enough
KEEP = 2


class Mover(Protocol):
    """The part of a scan that says how a row of the table moves the specimen."""

    def move(self, values: tuple[float, ...]) -> tuple[NDArray[np.float64], tuple[float, float]]:
        """Rotation (3, 3) about the origin and shift (x, y) [m] after it."""
        ...

    def pose_name(self, values: tuple[float, ...]) -> str:
        """What the pose is called, e.g. "tilt=12.0 deg"."""
        ...

    def truth(self, inner: dict[str, Truth], energy: float, specimen: Specimen) -> dict[str, Truth]:
        """What only scoring may know of the scan at `energy` [eV], beside the `inner` instrument's truth."""
        ...


@dataclass(frozen=True, eq=False)
class PosedPrepared:
    """The inner instrument with the specimen in every pose; poses are prepared when they are first needed.

    columns: the columns of the frame table that make the pose. The cache is not pickled.
    """

    mover: Mover
    columns: tuple[str, ...]
    inner: Instrument
    specimen: Specimen
    frame_bytes: int
    _cache: OrderedDict[tuple[float, ...], Prepared] = field(default_factory=OrderedDict)

    def __getstate__(self) -> dict[str, Any]:
        kept = {name: value for name, value in self.__dict__.items() if name != "_unmoved"}
        return {**kept, "_cache": OrderedDict()}

    def at(self, values: tuple[float, ...]) -> Prepared:
        """The inner instrument with the specimen in one pose."""
        if values in self._cache:
            self._cache.move_to_end(values)
            return self._cache[values]
        rotation, shift = self.mover.move(values)
        try:
            specimen = moved(self.specimen, rotation, shift)
        except RangeError as error:  # the layers cannot be turned so far: it is the scan that asks for it
            error.field = "scan"
            raise
        prepared = self.inner.prepare(specimen)
        self._cache[values] = prepared
        while len(self._cache) > KEEP:
            self._cache.popitem(last=False)
        return prepared

    def poses(self, frames: FrameTable) -> Iterator[tuple[tuple[float, ...], NDArray[np.int64]]]:
        """Each pose in the order of its first frame, with the rows that have it."""
        table = np.stack([np.asarray(frames[name], np.float64) for name in self.columns], axis=1)
        distinct, first, inverse = np.unique(table, axis=0, return_index=True, return_inverse=True)
        for number in np.argsort(first, kind="stable"):
            yield tuple(float(v) for v in distinct[number]), np.flatnonzero(inverse.ravel() == number)

    def expose(self, frames: FrameTable) -> Exposure:
        """Expected photons: each frame from the instrument with the specimen in that frame's pose."""
        return gather(frames, ((rows, self.at(v).expose(frames.take(rows))) for v, rows in self.poses(frames)))

    def illuminate(self, frames: FrameTable) -> list[Illumination]:
        """The inner illuminations with the pose added to their name, rotation and shift."""
        found: list[Illumination] = []
        for values, rows in self.poses(frames):
            rotation, shift = self.mover.move(values)
            name = self.mover.pose_name(values)
            found += [_posed(i, name, rotation, shift) for i in self.at(values).illuminate(frames.take(rows))]
        return found

    def truth(self) -> dict[str, Truth]:
        """The truth of the specimen as it was given, neither tilted nor shifted, and what the scan adds to it."""
        inner = self._unmoved.truth()
        energy = float(self.inner.frames()["energy"][0])
        return {**inner, **self.mover.truth(inner, energy, self.specimen)}

    def measured(self) -> dict[str, Any]:
        """What the inner instrument measures of the specimen as it was given."""
        return self._unmoved.measured() if isinstance(self._unmoved, Measuring) else {}

    @cached_property
    def _unmoved(self) -> Prepared:
        return self.inner.prepare(self.specimen)


def moved(specimen: Specimen, rotation: NDArray[np.float64], shift: tuple[float, float]) -> Specimen:
    """The specimen rotated about the origin and then shifted; untouched where nothing moves."""
    if not np.array_equal(rotation, np.eye(3)):
        specimen = specimen.rotated(rotation)
    return specimen.shifted(*shift) if shift != (0.0, 0.0) else specimen


def _posed(i: Illumination, name: str, rotation: NDArray[np.float64], shift: tuple[float, float]) -> Illumination:
    # the inner instrument may rotate the specimen again, after this pose: r -> R_in (R r + s) + s_in
    inner = np.asarray(i.rotation, np.float64)
    carried = inner @ np.array([*shift, 0.0])
    return replace(
        i,
        pose=", ".join(part for part in (name, i.pose) if part),
        rotation=inner @ rotation,
        shift=(i.shift[0] + float(carried[0]), i.shift[1] + float(carried[1])),
    )


def gather(frames: FrameTable, parts: Iterator[tuple[NDArray[np.int64], Exposure]]) -> Exposure:
    """One exposure of `frames` from exposures of parts of its rows; raises SamplingError if these differ in shape."""
    out: dict[str, Any] = {}
    for rows, part in parts:
        pieces = {"expected": part.expected, "group_energy": part.group_energy, "incident": part.incident}
        if not out:
            out = {name: np.empty((len(frames), *a.shape[1:]), a.dtype) for name, a in pieces.items()}
            axes = part.axes
        for name, array in pieces.items():
            if array.shape[1:] != out[name].shape[1:]:
                raise SamplingError(
                    f"the frames of a scan differ in the shape of {name}",
                    value=array.shape[1:],
                    allowed=str(out[name].shape[1:]),
                    cure="fix the sampling of the instrument so that it does not depend on the pose",
                )
            out[name][rows] = array
    return Exposure(axes=axes, frames=frames, **out)


def prepare(
    mover: Mover,
    columns: tuple[str, ...],
    inner: Instrument,
    specimen: Specimen,
    check: Callable[[PosedPrepared], list[tuple[float, ...]]],
) -> PosedPrepared:
    """Prepare the poses that `check` names now (so that mistakes show before anything runs), the others when needed."""
    posed = PosedPrepared(mover, columns, inner, specimen, 0)
    size = max(posed.at(values).frame_bytes for values in check(posed))
    return replace(posed, frame_bytes=size)
