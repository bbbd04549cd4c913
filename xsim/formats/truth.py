"""truth.h5: the noise-free side of a run, for scoring only.

/particles: the particle table of the specimen, one dataset per column; a unit in brackets of the column name becomes
`@units`, lengths and volumes are in SI. /INSTRUMENT/expected: expected photons per detector element, [frames, ...];
/INSTRUMENT/truth/NAME: maps and curves with axes and units. All groups are NeXus ones, so silx plots them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from xsim.exposure import Array, Axis, Measurement, Truth
from xsim.formats._nexus import create, group, plot, put, stream
from xsim.formats.nexus import unique_names
from xsim.spill import Packed

#: units of the particle table's columns that do not state theirs
_UNITS = {"position": "m", "radius": "m", "volume": "m^3"}


def write_truth(
    path: Path | str,
    specimen_table: dict[str, Array],
    measurements: Iterable[Measurement],
    provenance: dict[str, Any] | None = None,
) -> None:
    """Write particle table, expectations and truth maps of all `measurements` to `path`.

    The largest expectation that lies packed beside `path` is not copied: its own file becomes this one, and it is read
    from there.
    """
    measurements = list(measurements)
    grown = _own(measurements, Path(path).parent)
    with create(path, provenance or {}, "particles", grown) as file:
        particles = group(file, "particles", "NXentry")
        table = group(particles, "table", "NXcollection")
        for key, column in specimen_table.items():
            match = re.fullmatch(r"(.*?)\s*\[(.*)\]", key)
            name, unit = match.groups() if match else (key, "")
            put(table, name, np.asarray(column), unit or _UNITS.get(name, ""))
        for number, measurement in enumerate(measurements):
            entry = group(file, measurement.name, "NXentry")
            _instrument(entry, measurement, grown)
            if number == 0 and "default" in entry.attrs:
                file.attrs["default"] = measurement.name
    for measurement in measurements:
        if grown is not None and measurement.expected is grown:
            grown.open(Path(path), f"/{measurement.name}/expected/photons")


def _own(measurements: list[Measurement], folder: Path) -> Packed | None:
    """The largest expectation packed in `folder`."""
    arrays: list[Any] = [m.expected for m in measurements]
    packed = [array for array in arrays if isinstance(array, Packed) and array.path.parent == folder]
    return max(packed, key=lambda array: array.stored, default=None)


def _instrument(entry: h5py.Group, measurement: Measurement, grown: Packed | None) -> None:
    put(entry, "title", f"{measurement.name}: noise-free")
    put(entry, "kind", measurement.kind)
    if measurement.expected is not None:
        scan = measurement.frames.axes or (Axis("frame", measurement.frames.index),)
        axes = (*scan, *measurement.expected_axes)
        shape = tuple(len(axis) for axis in axes)
        data = group(entry, "expected", "NXdata")
        if grown is not None and measurement.expected is grown:
            entry.file.move(grown.name, f"{data.name}/photons")
            data["photons"].attrs["units"] = "photons"
        else:
            stream(data, "photons", measurement.expected, shape=shape, unit="photons")
        _axes(data, "photons", axes)
        entry.attrs["default"] = "expected"
    folder = group(entry, "truth", "NXcollection")
    for name, truth in measurement.truth.items():
        data = group(folder, name, "NXdata")
        _truth(data, truth)


def _truth(data: h5py.Group, truth: Truth) -> None:
    values = np.asarray(truth.values)
    stream(data, "values", values, unit=truth.unit)
    if values.ndim == len(truth.axes) and values.ndim:
        _axes(data, "values", truth.axes)
    else:
        data.attrs["signal"] = "values"


def _axes(data: h5py.Group, signal: str, axes: tuple[Axis, ...]) -> None:
    names = unique_names(axes, taken={signal})
    for name, axis in zip(names, axes, strict=True):
        put(data, name, np.asarray(axis.values), axis.unit, axis=axis.name)
    plot(data, signal, names, "image" if len(axes) > 1 else "spectrum")


def read_truth(path: Path | str, instrument: str) -> dict[str, Truth]:
    """The truth maps of one instrument; "expected" is the noise-free expectation in photons."""
    found: dict[str, Truth] = {}
    with h5py.File(path) as file:
        entry = file[instrument]
        groups = {**{name: entry["truth"][name] for name in entry["truth"]}}
        if "expected" in entry:
            groups["expected"] = entry["expected"]
        for name, data in groups.items():
            signal = data[data.attrs["signal"]]
            parts = [data[str(name)] for name in data.attrs.get("axes", [])]
            axes = tuple(Axis(str(p.attrs["axis"]), _values(p), str(p.attrs.get("units", ""))) for p in parts)
            found[name] = Truth(signal[...], axes, str(signal.attrs.get("units", "")))
    return found


def read_particles(path: Path | str) -> dict[str, Array]:
    """The particle table of the specimen, column by column, lengths in metres."""
    with h5py.File(path) as file:
        return {name: _values(column) for name, column in file["particles/table"].items()}


def _values(dataset: h5py.Dataset) -> Array:
    return dataset.asstr()[...].astype(str) if h5py.check_string_dtype(dataset.dtype) else dataset[...]
