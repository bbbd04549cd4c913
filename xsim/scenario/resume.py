"""Which instruments of an earlier run can be kept: those whose specimen, settings, seed and xsim version are the same.

A finished run is read back from its own files. A run that was killed leaves, beside each finished file, a hidden
state with what that file does not hold (expectation, truth); it is removed when the run is complete.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import xsim
from xsim.errors import FileError
from xsim.exposure import Measurement
from xsim.scenario.directory import RECORD
from xsim.scenario.schema import Scenario, fingerprint
from xsim.spill import Packed


@dataclass(frozen=True, eq=False)
class Kept:
    """An instrument that need not be simulated again: what it measured, its file and that file's format."""

    measurement: Measurement
    path: Path
    form: str

    def place(self, folder: Path) -> tuple[str, str]:
        """Have the file in `folder` (linked if possible, else copied); its name and format."""
        target = folder / self.path.name
        if not target.exists():
            try:
                os.link(self.path, target)
            except OSError:
                shutil.copy2(self.path, target)
        return target.name, self.form


def finished(out: Path, folder: Path, scenario: Scenario, seed: int) -> dict[str, Kept]:
    """The instruments that an earlier run in `out`, or one that was killed in `folder`, has finished alike."""
    wanted = {entry.name: _print(scenario.table(), entry.name, seed, xsim.__version__) for entry in scenario.instrument}
    return {**_of_complete(out, wanted), **_of_killed(folder, wanted)}


def remember(folder: Path, scenario: Scenario, seed: int, measurement: Measurement, file: tuple[str, str]) -> None:
    """Leave the hidden state of a finished instrument in `folder`; `file` is its file's name and format."""
    kept = replace(measurement, counts=np.empty(0, measurement.counts.dtype), flats=None, darks=None)
    packed = None
    if isinstance(measurement.expected, Packed):  # it lies in a file already
        packed = (measurement.expected.path.name, measurement.expected.name, measurement.expected.inner)
        kept = replace(kept, expected=None)
    mark = _print(scenario.table(), measurement.name, seed, xsim.__version__)
    state = {"fingerprint": mark, "file": file, "measurement": kept, "packed": packed}
    part = folder / f".{measurement.name}.state.part"
    with open(part, "wb") as stream:
        pickle.dump(state, stream, protocol=5)
    os.replace(part, folder / f".{measurement.name}.state")


def _print(table: dict[str, Any], name: str, seed: int, version: str) -> str:
    (entry,) = (entry for entry in table["instrument"] if entry["name"] == name)
    entry = {key: value for key, value in entry.items() if key != "notes"}
    return fingerprint([version, seed, table["specimen"], entry])


def _of_complete(out: Path, wanted: dict[str, str]) -> dict[str, Kept]:
    from xsim.formats.run_reader import read_measurement
    from xsim.formats.truth import read_truth

    if not (out / RECORD).is_file():
        return {}
    try:
        record = json.loads((out / RECORD).read_text(encoding="utf-8"))
        old, seed, version, files = record["scenario"], record["seed"], record["xsim"], record["instruments"]
    except (ValueError, KeyError) as error:
        cure = "give --force to begin again"
        raise FileError("not the record of a run", value=str(out / RECORD), cure=cure) from error
    kept = {}
    for name, want in wanted.items():
        if name not in files or _print(old, name, seed, version) != want:
            continue
        path = out / files[name]["file"]
        truth = read_truth(out / "truth.h5", name)
        expected = truth.pop("expected", None)
        measurement = read_measurement(path)
        scan = max(1, len(measurement.frames.axes))
        measurement = replace(
            measurement,
            truth=truth,
            expected=None if expected is None else _unfolded(expected.values, len(measurement.frames), scan),
            expected_axes=() if expected is None else expected.axes[scan:],
        )
        kept[name] = Kept(measurement, path, files[name]["format"])
    return kept


def _unfolded(values: Any, frames: int, scan: int) -> Any:
    return values.reshape(frames, *values.shape[scan:])


def _of_killed(folder: Path, wanted: dict[str, str]) -> dict[str, Kept]:
    from xsim.formats.run_reader import read_measurement

    kept, needed = {}, set[str]()
    for name, want in wanted.items():
        path = folder / f".{name}.state"
        if not path.is_file():
            continue
        with open(path, "rb") as stream:
            state = pickle.load(stream)
        file, form = state["file"]
        here = (file, *(state["packed"] or ())[:1])
        if state["fingerprint"] == want and all((folder / part).is_file() for part in here):
            read = read_measurement(folder / file)
            measurement = replace(state["measurement"], counts=read.counts, flats=read.flats, darks=read.darks)
            if state["packed"] is not None:
                own, dataset, inner = state["packed"]
                measurement = replace(measurement, expected=Packed(folder / own, dataset, inner))
            kept[name] = Kept(measurement, folder / file, form)
            needed |= set(here)
    for stale in folder.iterdir():
        if stale.is_file() and stale.name not in needed:
            stale.unlink()
    return kept
