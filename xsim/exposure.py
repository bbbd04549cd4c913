"""The upper narrow waist: what every instrument returns and every detector, file, plot and score takes.

An instrument gives *expected* photons; it never draws a random number. A detector turns an `Exposure` into
counts; a `Measurement` holds the counts of a whole run of one instrument with everything a reader needs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.errors import RangeError
from xsim.spill import total
from xsim.waves.grid import Grid

Array = NDArray[Any]

#: frames of one instrument at most, against a scan that is far too long or too fine for any memory
MOST_FRAMES = 50_000_000


def check_frames(count: float, *, field: str = "") -> None:
    """Raise RangeError if `count` frames are more than any run can hold."""
    if not count <= MOST_FRAMES:
        cure = "scan fewer points, or split the scan over several runs"
        raise RangeError("too many frames", field=field, value=f"{count:.4g}", allowed=f"<= {MOST_FRAMES}", cure=cure)


@dataclass(frozen=True, eq=False)
class Axis:
    """A named coordinate with its unit: `values` (n,), numbers or strings."""

    name: str
    values: Array
    unit: str = ""

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, eq=False)
class FrameTable:
    """One row per exposure. `axes` are the scan axes in C order (the product of their lengths is the row count).

    columns: name -> (n,) array; every table has "energy" [eV] and "time" [s] (exposure time of the frame).
    units: column -> unit. index: (n,) the frame's number in the whole run, which keys its random numbers.
    """

    columns: dict[str, Array]
    units: dict[str, str]
    axes: tuple[Axis, ...]
    index: NDArray[np.int64]

    @staticmethod
    def single(energy: float, time: float) -> FrameTable:
        """A table of one frame at `energy` [eV] lasting `time` [s], without scan axes."""
        columns = {"energy": np.array([energy]), "time": np.array([time])}
        return FrameTable(columns, {"energy": "eV", "time": "s"}, (), np.zeros(1, np.int64))

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, name: str) -> Array:
        return self.columns[name]

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the scan axes."""
        return tuple(len(axis) for axis in self.axes)

    def take(self, rows: slice | Array) -> FrameTable:
        """The chosen rows with their frame numbers kept; scan axes no longer apply and are dropped."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        return FrameTable(columns, self.units, (), self.index[rows])

    def outer(self, axis: Axis, columns: dict[str, Array], units: dict[str, str]) -> FrameTable:
        """Repeat this table for every value of `axis`, which becomes the slowest; `columns` (len(axis),) are set.

        Raises RangeError for too many frames.
        """
        n, m = len(axis), len(self)
        check_frames(n * m)
        merged = {name: np.tile(column, n) for name, column in self.columns.items()}
        merged |= {name: np.repeat(np.asarray(column), m) for name, column in columns.items()}
        return FrameTable(merged, {**self.units, **units}, (axis, *self.axes), np.arange(n * m, dtype=np.int64))

    def with_columns(self, **columns: Array) -> FrameTable:
        """The same frames with some columns replaced or added."""
        return replace(self, columns={**self.columns, **columns})


@dataclass(frozen=True, eq=False)
class Exposure:
    """Expected photons for some frames.

    expected: (frames, groups, *detector shape) photons arriving in each detector element, float, >= 0.
    group_energy: (frames, groups) [eV]; photons of different energy are drawn apart.
    axes: the detector's axes, one per trailing dimension of `expected` (none for a point detector).
    frames: the table of these frames.
    incident: (frames,) photons incident on the specimen during the frame.
    """

    expected: Array
    group_energy: Array
    axes: tuple[Axis, ...]
    frames: FrameTable
    incident: Array

    def __post_init__(self) -> None:
        want = (len(self.frames), self.group_energy.shape[1], *(len(axis) for axis in self.axes))
        if self.expected.shape != want:
            raise RangeError("shape of an exposure", value=self.expected.shape, allowed=str(want))
        if self.group_energy.shape[0] != len(self.frames) or self.incident.shape != (len(self.frames),):
            raise RangeError("rows of an exposure", value=self.group_energy.shape, allowed=str(len(self.frames)))


@dataclass(frozen=True, eq=False)
class Illumination:
    """Photons per area [1/m^2] put on the specimen at one energy [eV] and in one orientation, on a grid [y, x].

    pose: name of the orientation/position, e.g. "tilt=12.0 deg"; illuminations of equal pose add up voxel by voxel.
    rotation: (3, 3), specimen frame to laboratory frame; shift: (x, y) [m] of the specimen after rotation.
    """

    energy: float
    grid: Grid
    fluence: Array
    pose: str = ""
    rotation: Array = field(default_factory=lambda: np.eye(3))
    shift: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Dose:
    """Absorbed dose of one material [Gy = J/kg]: the mean over its illuminated mass and the largest local value."""

    mean: float
    max: float
    energy: float  #: absorbed energy [J]
    mass: float  #: illuminated mass [kg]


@dataclass(frozen=True, eq=False)
class Reference:
    """Frames that calibrate others: flats (light without the specimen) or darks (no light).

    frames: their own table (energy, time), whose index keys their random numbers; counts: (frames, *counts axes);
    incident: (frames,) photons of the beam during each, none of which meets the specimen.
    """

    frames: FrameTable
    counts: Array
    incident: Array

    def __len__(self) -> int:
        return len(self.frames)


@dataclass(frozen=True, eq=False)
class Measurement:
    """Everything recorded by one instrument in one run; knows nothing of the specimen.

    counts: (frames, *counts axes) what the detector wrote, in `counts_unit`.
    expected: (frames, *exposure axes) noise-free expectation summed over photon groups, or None if streamed away.
    axes: axes of one frame of counts. expected_axes: axes of one frame of `expected`.
    geometry: plain floats, strings and arrays with SI units in the key, e.g. "detector_distance [m]".
    settings: the instrument in its scenario form. truth: arrays that only scoring may see.
    flats, darks: frames without the specimen and without light, None where none were taken.
    """

    name: str
    kind: str
    frames: FrameTable
    counts: Array
    counts_unit: str
    axes: tuple[Axis, ...]
    expected: Array | None
    expected_axes: tuple[Axis, ...]
    incident: Array
    dose: dict[str, Dose]
    geometry: dict[str, Any]
    settings: dict[str, Any]
    seed: int
    warnings: tuple[str, ...] = ()
    truth: dict[str, Truth] = field(default_factory=dict)
    flats: Reference | None = None
    darks: Reference | None = None

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of all axes of `counts` once its frames are folded into the scan axes."""
        return tuple(axis.name for axis in (*self.frames.axes, *self.axes))

    def folded(self, values: Array) -> Array:
        """`values` (frames, ...) with the frame dimension folded into the scan axes."""
        return values.reshape(*self.frames.shape, *values.shape[1:]) if self.frames.axes else values

    @property
    def total_counts(self) -> float:
        """Sum of all counts, without the -1 that marks a gap or a masked pixel."""
        return total(self.counts, gaps=True)


def lookup(measurement: Measurement, *names: str) -> Any:
    """The first geometry value under one of `names` (the unit in brackets of its key is ignored), else None."""
    bare = {re.sub(r"\s*\[.*\]$", "", key): value for key, value in measurement.geometry.items()}
    return next((bare[name] for name in names if name in bare), None)


def incident_photons(measurement: Measurement) -> tuple[Array, Array]:
    """Photons on the specimen (frames,) as an experimenter knows them, and their relative variance.

    Of the beam monitor where there was one (its counts over its counts per photon), else those that were sent.
    """
    counts = lookup(measurement, "monitor_counts")
    if counts is None:
        return np.asarray(measurement.incident, np.float64), np.zeros(len(measurement.frames))
    seen = np.maximum(np.asarray(counts, np.float64), 0.5)
    return seen / np.asarray(lookup(measurement, "monitor_counts_per_photon"), np.float64), 1 / seen


def one_channel(measurement: Measurement, name: str = "transmission") -> Measurement:
    """The measurement with the counts of channel `name` alone; as it is where its detector has no channels.

    Raises RangeError for a channel that was not recorded.
    """
    if [axis.name for axis in measurement.axes] != ["channel"]:
        return measurement
    names = [str(one) for one in measurement.axes[0].values]
    if name not in names:
        raise RangeError("a channel that was not recorded", field="channel", value=name, allowed=", ".join(names))
    number = names.index(name)
    expected = None if measurement.expected is None else measurement.expected[..., number]
    counts = measurement.counts[..., number]
    return replace(measurement, counts=counts, expected=expected, axes=(), expected_axes=())


@dataclass(frozen=True, eq=False)
class Truth:
    """A noise-free quantity kept for scoring: `values` with its axes and unit."""

    values: Array
    axes: tuple[Axis, ...]
    unit: str = ""
