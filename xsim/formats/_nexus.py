"""What every NeXus file of xsim shares: root, default chain, links, units, provenance, compressed streaming writes.

References: NeXus manual, https://manual.nexusformat.org (NXroot, NXprocess, NXnote, NXcollection, link `@target`).
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from xsim.errors import FileError, RangeError
from xsim.exposure import Array, Measurement
from xsim.spill import BLOCK, Packed, blocks, packing

#: written into every file: what a phase in it means
CONVENTION = (
    "Wave exp(+ikz - i omega t), refractive index n = 1 - delta + i beta: a thickness t multiplies the wave by "
    "exp(-ik delta t - k beta t). Forward transform exp(-iq.r). Arrays are [y, x]; x and y grow with their index, "
    "z points along the beam. Scan positions x, y are those of the beam on the specimen unless stated otherwise."
)
_COMPRESS_ABOVE = 4096


@contextmanager
def create(
    path: Path | str, provenance: dict[str, Any], default: str = "entry", grown: Packed | None = None
) -> Iterator[h5py.File]:
    """An HDF5 file with NXroot attributes, written beside `path` and moved into place when complete.

    grown: an array whose own file becomes this one; it is closed.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.part")
    try:
        if grown is not None:
            grown.become(part)
        with h5py.File(part, "w" if grown is None else "r+") as file:
            file.attrs["NX_class"] = "NXroot"
            file.attrs["default"] = default
            file.attrs["file_name"] = path.name
            file.attrs["creator"] = "xsim"
            file.attrs["creator_version"] = version_of(provenance)
            file.attrs["HDF5_Version"] = h5py.version.hdf5_version
            file.attrs["h5py_version"] = h5py.version.version
            yield file
        os.replace(part, path)
    except OSError as error:
        raise FileError("cannot write the file", value=str(path), cure=str(error)) from None
    finally:
        part.unlink(missing_ok=True)


def version_of(provenance: dict[str, Any]) -> str:
    """The xsim version that made the data: of the provenance, else of this xsim."""
    from xsim import __version__

    return str(provenance.get("version", provenance.get("xsim", __version__)))


def group(parent: h5py.Group, name: str, nx_class: str, **attrs: Any) -> h5py.Group:
    """A new subgroup of a NeXus class."""
    made = parent.create_group(name)
    made.attrs["NX_class"] = nx_class
    for key, value in attrs.items():
        made.attrs[key] = value
    return made


def put(parent: h5py.Group, name: str, value: Any, unit: str = "", **attrs: Any) -> h5py.Dataset:
    """A small dataset: a number, a string, strings or an array, with its unit."""
    array = np.asarray(value)
    if array.dtype.kind in "US" and array.ndim:
        made = parent.create_dataset(name, data=array.astype(object), dtype=h5py.string_dtype())
    elif array.dtype.kind == "b":
        made = parent.create_dataset(name, data=array.astype(np.int8))
    elif array.ndim:
        return stream(parent, name, array, unit=unit, **attrs)
    else:
        made = parent.create_dataset(name, data=value)
    _describe(made, unit, attrs)
    return made


def _describe(dataset: h5py.Dataset, unit: str, attrs: dict[str, Any]) -> None:
    if unit:
        dataset.attrs["units"] = unit
    for key, value in attrs.items():
        dataset.attrs[key] = value


def stream(
    parent: h5py.Group,
    name: str,
    values: Array,
    *,
    shape: tuple[int, ...] | None = None,
    dtype: Any = None,
    unit: str = "",
    **attrs: Any,
) -> h5py.Dataset:
    """Write an array of any size (a packed one too) block by block: gzip 1 + shuffle, chunks of at most 1 MB.

    shape: the shape in the file, with the same order and number of elements as `values`.
    """
    made = _empty(parent, name, shape or values.shape, np.dtype(dtype or values.dtype))
    if isinstance(values, Packed) and values.packed_alike(made.shape, made.dtype, made.chunks, made.compression):
        values.copy_chunks(made)
    else:
        _fill(made, values if shape is None else values.reshape(shape), 0)
    _describe(made, unit, attrs)
    return made


def stack(
    parent: h5py.Group, name: str, parts: list[Array], *, transposed: bool = False, dtype: Any, unit: str = ""
) -> h5py.Dataset:
    """Arrays of equal images one after another, each turned if wanted, in one dataset, written as `stream` does."""
    image = parts[0].shape[:0:-1] if transposed else parts[0].shape[1:]
    made = _empty(parent, name, (sum(map(len, parts)), *image), np.dtype(dtype))
    start = 0
    for part in parts:
        _fill(made, part, start, transposed)
        start += len(part)
    _describe(made, unit, {})
    return made


def _empty(parent: h5py.Group, name: str, shape: tuple[int, ...], kind: np.dtype[Any]) -> h5py.Dataset:
    options: dict[str, Any] = {}
    if math.prod(shape) * kind.itemsize > _COMPRESS_ABOVE:
        options = packing(shape, kind.itemsize)
    return parent.create_dataset(name, shape=shape, dtype=kind, **options)


def _fill(made: h5py.Dataset, values: Array, first: int, transposed: bool = False) -> None:
    if values.ndim == 0:
        made[...] = values
    if values.ndim == 0 or values.size == 0:
        return
    row = max(1, values.size // len(values) * made.dtype.itemsize)
    unit_rows = made.chunks[0] if made.chunks else 1
    step = max(1, BLOCK // (row * unit_rows)) * unit_rows  # whole chunks, so that each is compressed once
    start = 0
    while start < len(values):
        stop = min(len(values), start + step - (first + start) % unit_rows)
        block = values[start:stop].astype(made.dtype, copy=False)
        made[first + start : first + stop] = block.swapaxes(-1, -2) if transposed else block
        start = stop


def link(parent: h5py.Group, name: str, original: h5py.Dataset | h5py.Group) -> None:
    """A NeXus link: a hard link, and on the original `@target` with its own path."""
    if "target" not in original.attrs:
        original.attrs["target"] = original.name
    parent[name] = original


def plot(data: h5py.Group, signal: str, axes: list[str], interpretation: str) -> None:
    """Make an NXdata plottable; `axes` name one dataset per dimension of the signal ("." for none)."""
    data.attrs["signal"] = signal
    data.attrs["axes"] = axes
    data.attrs["interpretation"] = interpretation
    data[signal].attrs["interpretation"] = interpretation
    for number, axis in enumerate(axes):
        if axis != ".":
            data.attrs[f"{axis}_indices"] = number


def integer_type(counts: Array) -> np.dtype[Any]:
    """int32 where all counts fit (what readers of frames expect), else int64; the own type of real-valued data."""
    if counts.dtype.kind not in "iub" or counts.dtype.itemsize < 4 or counts.dtype == np.int32:
        return np.dtype(np.int32) if counts.dtype.kind in "iub" else counts.dtype
    limit = np.iinfo(np.int32)
    small = all(block.max(initial=0) <= limit.max and block.min(initial=0) >= limit.min for block in blocks(counts))
    if not small and counts.dtype.kind == "u" and max(int(b.max(initial=0)) for b in blocks(counts)) >= 2**63:
        raise RangeError("counts too large for a file", value="> 2^63", allowed="< 2^63")
    return np.dtype(np.int32 if small else np.int64)


def times(measurement: Measurement, provenance: dict[str, Any]) -> tuple[str, str]:
    """Start and end of the simulated acquisition, ISO 8601: the run's date, and that plus the exposure times."""
    text = provenance.get("date")
    start = datetime.fromisoformat(str(text)) if text else datetime.now(UTC).replace(microsecond=0)
    length = float(np.sum(measurement.frames["time"])) if "time" in measurement.frames.columns else 0.0
    return start.isoformat(), (start + timedelta(seconds=length)).isoformat()


def add_provenance(entry: h5py.Group, measurement: Measurement, provenance: dict[str, Any]) -> None:
    """NXprocess with version, seed, scenario hash and the sign convention; NXnotes with all of it as text."""
    process = group(entry, "simulation", "NXprocess")
    put(process, "program", "xsim")
    put(process, "version", version_of(provenance))
    put(process, "date", times(measurement, provenance)[0])
    put(process, "sequence_index", 1)
    parameters = group(process, "parameters", "NXparameters")
    put(parameters, "seed", measurement.seed)
    put(parameters, "scenario_hash", str(provenance.get("scenario_hash", "none: not run from a scenario")))
    notes = {
        "sign_convention": ("text/plain", CONVENTION),
        "instrument_settings": ("application/json", to_json(measurement.settings)),
        "provenance": ("application/json", to_json(provenance)),
    }
    for name, (kind, text) in notes.items():
        note = group(process, name, "NXnote")
        put(note, "type", kind)
        put(note, "data", text)


def to_json(value: Any) -> str:
    """JSON text of plain values and arrays; anything else as its text."""

    def plain(item: Any) -> Any:
        if isinstance(item, np.ndarray):
            return item.tolist()
        return item.item() if isinstance(item, np.generic) else str(item)

    return json.dumps(value, default=plain, ensure_ascii=False)


def add_dose(entry: h5py.Group, measurement: Measurement) -> None:
    """NXcollection `dose`: for each material the mean and largest absorbed dose [Gy], energy [J] and mass [kg]."""
    dose = group(entry, "dose", "NXcollection")
    put(dose, "description", "absorbed dose of the whole measurement, by material; inside a small particle it is kerma")
    if not measurement.dose:
        return
    put(dose, "material", list(measurement.dose))
    for name, unit in (("mean", "Gy"), ("max", "Gy"), ("energy", "J"), ("mass", "kg")):
        put(dose, name, np.array([getattr(part, name) for part in measurement.dose.values()], np.float64), unit)


def add_source(parent: h5py.Group, name: str = "source") -> h5py.Group:
    """NXsource of a simulated X-ray beam."""
    source = group(parent, name, "NXsource")
    put(source, "type", "Synchrotron X-ray Source")
    put(source, "name", "simulated by xsim")
    put(source, "probe", "x-ray")
    return source
