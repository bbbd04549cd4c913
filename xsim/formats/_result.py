"""The file of a reconstruction: values with axes, errors, history and by-products, plottable as NeXus data.

Takes plain arrays, for this room knows no algorithm.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from xsim.exposure import Array, Axis, Truth
from xsim.formats._nexus import CONVENTION, create, group, plot, put, stream, to_json
from xsim.formats.nexus import unique_names


@dataclass(frozen=True, eq=False)
class Result:
    """What is written. notes: name -> text or a number (method, knobs, run, scores)."""

    title: str
    values: Truth
    error: Array | None = None
    history: dict[str, Array] = field(default_factory=dict)
    extras: dict[str, Truth] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)


def write_result(path: Path | str, result: Result, provenance: dict[str, Any]) -> None:
    """Write /entry/data/{values, errors, axes}, /entry/history, /entry/extras and /entry/process."""
    with create(path, provenance) as file:
        entry = group(file, "entry", "NXentry", default="data")
        put(entry, "title", result.title)
        put(entry, "program_name", "xsim")
        data = group(entry, "data", "NXdata")
        _write(data, result.values)
        if result.error is not None:
            stream(data, "values_errors", np.asarray(result.error), unit=result.values.unit)
        history = group(entry, "history", "NXcollection")
        for name, curve in result.history.items():
            bare, _, unit = name.partition(" [")
            put(history, bare.replace(" ", "_"), np.asarray(curve), unit.rstrip("]"))
        extras = group(entry, "extras", "NXcollection")
        for name, extra in result.extras.items():
            _write(group(extras, name, "NXdata"), extra)
        process = group(entry, "process", "NXprocess")
        put(process, "program", "xsim")
        put(process, "sign_convention", CONVENTION)
        for name, note in result.notes.items():
            put(process, name, note if isinstance(note, str | int | float) else to_json(note))


def _write(data: Any, what: Truth) -> None:
    values = np.asarray(what.values)
    stream(data, "values", values, unit=what.unit)
    data.attrs["signal"] = "values"
    axes: tuple[Axis, ...] = what.axes
    if values.ndim == len(axes) and values.ndim:
        names = unique_names(axes, taken={"values", "values_errors"})
        for name, axis in zip(names, axes, strict=True):
            put(data, name, np.asarray(axis.values), axis.unit, axis=axis.name)
        plot(data, "values", names, "image" if len(axes) > 1 else "spectrum")
