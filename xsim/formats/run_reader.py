"""Reads a finished run back from its files alone, so that exports and reconstructions never see ground truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py

from xsim.errors import FileError
from xsim.exposure import Measurement
from xsim.formats._record import read_record
from xsim.registry import unknown


def read_measurement(path: Path | str) -> Measurement:
    """The Measurement held by a file that xsim wrote. Raises FileError if it is missing or not such a file."""
    path = Path(path)
    if not path.is_file():
        raise FileError("no such file", value=str(path))
    try:
        with h5py.File(path) as file:
            entry = file[file.attrs["default"]]
            return read_record(entry["xsim"])
    except FileError:
        raise
    except (KeyError, ValueError, OSError) as error:
        raise FileError(
            "not a measurement written by xsim", value=str(path), cure=f"give a file of a run ({error})"
        ) from None


def read_provenance(path: Path | str) -> dict[str, Any]:
    """The provenance stored in a file that xsim wrote."""
    with h5py.File(path) as file:
        text = file[file.attrs["default"]]["simulation/provenance/data"].asstr()[()]
    result: dict[str, Any] = json.loads(text)
    return result


def instrument_files(run: Path | str) -> dict[str, Path]:
    """Instrument name -> its file, of a finished run directory, as its `run.json` lists them. Raises FileError."""
    run = Path(run)
    record = run / "run.json"
    if not record.is_file():
        raise FileError("not a finished run", value=str(run), cure="give a directory that holds run.json")
    try:
        instruments = json.loads(record.read_text(encoding="utf-8"))["instruments"]
        return {name: run / entry["file"] for name, entry in instruments.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        cure = "run the scenario again"
        raise FileError(
            "not the record of a run", value=str(record), allowed='"instruments" with "file"', cure=cure
        ) from None


def read_instrument(run: Path | str, name: str) -> Measurement:
    """The Measurement of one instrument of a finished run. Raises FileError or UnknownNameError."""
    files = instrument_files(run)
    if name not in files:
        raise unknown(f"unknown instrument of {run}", name, list(files), field="instrument")
    return read_measurement(files[name])
