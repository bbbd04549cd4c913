"""The NXcollection `xsim` of every file: what is needed, besides the counts, to rebuild the Measurement.

Written by every format, read by `run_reader`. It never holds ground truth: no expectation and no `truth`.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from xsim import spill
from xsim.errors import FileError
from xsim.exposure import Array, Axis, Dose, FrameTable, Measurement, Reference
from xsim.formats._nexus import group, integer_type, link, put, stream, to_json
from xsim.spill import Picked

_VERSION = 2


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the dataset of a file that keeps all frames together has each: rows of the frames, flats and darks.

    transposed: its images are [x, y].
    """

    frames: Array
    flats: Array
    darks: Array
    transposed: bool = False


def write_record(
    entry: h5py.Group,
    measurement: Measurement,
    counts: h5py.Dataset | h5py.VirtualLayout,
    layout: Layout | None = None,
) -> None:
    """Add the collection to `entry`.

    counts: the dataset that holds all counts (or a virtual one of several) in frame order, or as `layout` says;
    without a layout, flats and darks are written here.
    """
    record = group(entry, "xsim", "NXcollection", record_version=_VERSION)
    for name in ("name", "kind", "counts_unit"):
        put(record, name, getattr(measurement, name))
    put(record, "seed", measurement.seed)
    put(record, "settings", to_json(measurement.settings))
    put(record, "warnings", to_json(list(measurement.warnings)))
    put(record, "incident", np.asarray(measurement.incident, np.float64), "photons")
    if isinstance(counts, h5py.VirtualLayout):
        record.create_virtual_dataset("counts", counts)
    else:
        link(record, "counts", counts)
    record.attrs["counts_shape"] = np.asarray(measurement.counts.shape, np.int64)
    record.attrs["counts_dtype"] = measurement.counts.dtype.str
    _write_table(record, measurement.frames)
    if layout is not None:
        put(record, "frame_rows", layout.frames)
        record.attrs["transposed"] = layout.transposed
    for name, reference in (("flats", measurement.flats), ("darks", measurement.darks)):
        if reference is not None:
            _write_reference(record, name, reference, layout)
    _write_axes(record, "scan_axes", measurement.frames.axes)
    _write_axes(record, "detector_axes", measurement.axes)
    geometry = group(record, "geometry", "NXcollection")
    for key, value in measurement.geometry.items():
        _write_value(geometry, key, value)


def _write_table(folder: h5py.Group, table: FrameTable) -> None:
    frames = group(folder, "frames", "NXcollection", order=to_json(list(table.columns)))
    for name, column in table.columns.items():
        put(frames, _safe(name), np.asarray(column), table.units.get(name, ""), column=name)
    put(folder, "frame_number", table.index)


def _write_reference(record: h5py.Group, name: str, reference: Reference, layout: Layout | None) -> None:
    folder = group(record, name, "NXcollection")
    _write_table(folder, reference.frames)
    put(folder, "incident", np.asarray(reference.incident, np.float64), "photons")
    folder.attrs["counts_dtype"] = reference.counts.dtype.str
    if layout is None:
        stream(folder, "counts", reference.counts, dtype=integer_type(reference.counts))
    else:
        put(folder, "frame_rows", getattr(layout, name))


def _write_axes(record: h5py.Group, name: str, axes: tuple[Axis, ...]) -> None:
    folder = group(record, name, "NXcollection", count=len(axes))
    for number, axis in enumerate(axes):
        put(folder, f"axis_{number}", np.asarray(axis.values), axis.unit, axis=axis.name)


def _write_value(folder: h5py.Group, key: str, value: Any) -> None:
    match = re.fullmatch(r"(.*?)\s*\[(.*)\]", key)
    name, unit = match.groups() if match else (key, "")
    array = np.asarray(value) if not isinstance(value, (dict, type(None), str)) else None
    plain = array is not None and array.dtype.kind in "iufc"
    safe = _safe(name) if _safe(name) not in folder else _safe(key)
    if plain or isinstance(value, str):
        put(folder, safe, value, unit, key=key, encoding="value")
    else:
        put(folder, safe, to_json(value), unit, key=key, encoding="json")


def _safe(name: str) -> str:
    return re.sub(r"\W", "_", name) or "_"


def read_record(record: h5py.Group) -> Measurement:
    """The Measurement of a collection written by `write_record`; large counts stay in the file (`xsim.spill`)."""
    if record.attrs.get("record_version") not in (1, _VERSION):  # version 1 had no flats and darks
        found = str(record.attrs.get("record_version"))
        raise FileError("a record of another version", value=found, allowed=str(_VERSION), cure="run xsim again")
    table = _read_table(record, _read_axes(record["scan_axes"]))
    counts = _read_counts(record, record).reshape(tuple(record.attrs["counts_shape"]))
    return Measurement(
        name=_text(record["name"][()]),
        kind=_text(record["kind"][()]),
        frames=table,
        counts=counts,
        counts_unit=_text(record["counts_unit"][()]),
        axes=_read_axes(record["detector_axes"]),
        expected=None,
        expected_axes=(),
        incident=record["incident"][...],
        dose=_read_dose(record.parent["dose"]) if "dose" in record.parent else {},
        geometry={_text(item.attrs["key"]): _read_value(item) for item in record["geometry"].values()},
        settings=json.loads(_text(record["settings"][()])),
        seed=int(record["seed"][()]),
        warnings=tuple(json.loads(_text(record["warnings"][()]))),
        flats=_read_reference(record, "flats"),
        darks=_read_reference(record, "darks"),
    )


def _read_table(folder: h5py.Group, axes: tuple[Axis, ...]) -> FrameTable:
    columns, units = {}, {}
    frames = folder["frames"]
    by_name = {_text(item.attrs["column"]): item for item in frames.values()}
    for name in json.loads(frames.attrs["order"]):
        columns[name] = _array(by_name[name])
        units[name] = _text(by_name[name].attrs.get("units", ""))
    return FrameTable(columns, units, axes, folder["frame_number"][...])


def _read_counts(record: h5py.Group, folder: h5py.Group) -> Any:
    """The counts of `folder`, its own or the rows of the record's that it names, in their own type and order.

    Above `IN_MEMORY_BYTES` they stay in the file.
    """
    rows = folder["frame_rows"][...] if "frame_rows" in folder else None
    data, dtype = (folder if rows is None else record)["counts"], np.dtype(folder.attrs["counts_dtype"])
    number = data.size if rows is None else len(rows) * math.prod(data.shape[1:])
    if data.ndim and number * dtype.itemsize > spill.IN_MEMORY_BYTES:
        turned = rows is not None and bool(record.attrs["transposed"])
        return Picked(Path(record.file.filename), data.name, dtype, rows, turned)
    if rows is not None:
        order = np.argsort(rows)  # files are read in rising order
        first, last = int(rows[order[0]]), int(rows[order[-1]])
        counts = record["counts"][slice(first, last + 1) if last - first + 1 == len(rows) else rows[order]]
        counts = counts[np.argsort(order)]
        counts = counts.swapaxes(-1, -2) if record.attrs["transposed"] else counts
    else:
        counts = data[...]
    return np.ascontiguousarray(counts.astype(dtype, copy=False))


def _read_reference(record: h5py.Group, name: str) -> Reference | None:
    if name not in record:
        return None
    folder = record[name]
    return Reference(_read_table(folder, ()), _read_counts(record, folder), folder["incident"][...])


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _array(dataset: h5py.Dataset) -> Array:
    return dataset.asstr()[...].astype(str) if h5py.check_string_dtype(dataset.dtype) else dataset[...]


def _read_axes(folder: h5py.Group) -> tuple[Axis, ...]:
    parts = [folder[f"axis_{number}"] for number in range(int(folder.attrs["count"]))]
    return tuple(Axis(_text(p.attrs["axis"]), _array(p), _text(p.attrs.get("units", ""))) for p in parts)


def _read_value(dataset: h5py.Dataset) -> Any:
    if dataset.attrs["encoding"] == "json":
        return json.loads(_text(dataset[()]))
    if h5py.check_string_dtype(dataset.dtype):
        return _text(dataset[()])
    return dataset[...] if dataset.shape else dataset[()].item()


def _read_dose(folder: h5py.Group) -> dict[str, Dose]:
    if "material" not in folder:
        return {}
    rows = zip(*(folder[name][...] for name in ("mean", "max", "energy", "mass")), strict=True)
    return {name: Dose(*map(float, row)) for name, row in zip(_array(folder["material"]), rows, strict=True)}
