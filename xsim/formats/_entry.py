"""The NXentry that every format starts from, and look-ups in a measurement's axes and geometry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from xsim.errors import FileError
from xsim.exposure import Axis, Measurement, lookup
from xsim.formats._nexus import add_dose, add_provenance, create, group, put, times


@contextmanager
def entry_file(
    path: Path | str, measurement: Measurement, provenance: dict[str, Any], definition: str, name: str = "entry"
) -> Iterator[h5py.Group]:
    """A file with one NXentry that holds title, times, provenance and dose; the caller adds the data."""
    with (
        create(path, provenance, default=name) as file,
        new_entry(file, measurement, provenance, definition, name) as e,
    ):
        yield e


@contextmanager
def new_entry(
    file: h5py.File, measurement: Measurement, provenance: dict[str, Any], definition: str, name: str = "entry"
) -> Iterator[h5py.Group]:
    """One more NXentry with title, times, provenance and dose; the caller adds the data."""
    entry = group(file, name, "NXentry", default="data")
    put(entry, "title", title_of(measurement, provenance))
    start, end = times(measurement, provenance)
    put(entry, "start_time", start)
    put(entry, "end_time", end)
    if definition:
        put(entry, "definition", definition)
    put(entry, "program_name", "xsim")
    yield entry
    add_provenance(entry, measurement, provenance)
    add_dose(entry, measurement)


def title_of(measurement: Measurement, provenance: dict[str, Any]) -> str:
    """The scenario's title and the instrument's name."""
    title = str(provenance.get("scenario_title", provenance.get("title", ""))).strip()
    return f"{title}: {measurement.name}" if title else measurement.name


def scan_axis(measurement: Measurement, name: str) -> Axis | None:
    """The scan axis of that name, if there is one."""
    return next((axis for axis in measurement.frames.axes if axis.name == name), None)


def need(measurement: Measurement, what: str, *names: str) -> float:
    """A geometry value that the format cannot do without. Raises FileError naming the instrument and the key."""
    value = lookup(measurement, *names)
    if value is None:
        raise FileError(
            f"this format needs {what} of instrument {measurement.name}",
            value=", ".join(measurement.geometry) or "no geometry",
            allowed=" or ".join(f'"{name}" in its geometry' for name in names),
            cure="choose the format nexus",
        )
    return float(value)


def pitch(axis: Axis) -> float | None:
    """Spacing [m] of an evenly spaced axis in metres, else None."""
    if axis.unit != "m" or len(axis) < 2:
        return None
    steps = np.diff(np.asarray(axis.values, np.float64))
    return float(steps.mean()) if np.allclose(steps, steps.mean(), rtol=1e-6, atol=0) else None


def pixel_of(measurement: Measurement) -> tuple[float, float] | None:
    """Pixel (y, x) [m] of the detector: of its geometry, else of its axes."""
    value = lookup(measurement, "detector_pixel", "pixel")
    if value is not None:
        return float(value), float(value)
    pitches = [pitch(axis) for axis in measurement.axes[-2:]]
    if len(pitches) == 2 and pitches[0] and pitches[1]:
        return abs(pitches[0]), abs(pitches[1])
    return None


def need_pixel(measurement: Measurement) -> tuple[float, float]:
    """Pixel (y, x) [m]; raises FileError where the measurement does not tell it."""
    pixel = pixel_of(measurement)
    return pixel if pixel else (need(measurement, "the pixel size", "detector_pixel", "pixel"),) * 2


def lacks_detector(measurement: Measurement) -> str:
    """What a frame of diffraction needs and the geometry does not tell: empty, or a reason to refuse a format."""
    if pixel_of(measurement) is None:
        return "it does not tell the pixel size of its detector (detector_pixel)"
    if lookup(measurement, "detector_distance", "distance") is None:
        return "it does not tell the distance of its detector (detector_distance)"
    return ""


def tilt_axes(measurement: Measurement) -> dict[str, str]:
    """Names of the scan axes that are angles, slowest first, with the axis "x" or "y" about which they turn."""
    scans = [scan for scan in measurement.settings.get("scan") or [] if isinstance(scan, dict)]
    about = {str(scan.get("name", "tilt")): str(scan.get("axis", "y")) for scan in scans if scan.get("kind") == "tilts"}
    return {axis.name: about.get(axis.name, "y") for axis in measurement.frames.axes if axis.unit == "rad"}


def beam_center(measurement: Measurement) -> tuple[float, float]:
    """Direct beam (row, column) [pixels]: "beam_center" or "beam_center_y" and "_x" of the geometry, or the middle."""
    both = lookup(measurement, "beam_center")
    if both is not None:
        row, column = np.asarray(both, np.float64)
        return float(row), float(column)
    ny, nx = measurement.counts.shape[-2:]
    row, column = (lookup(measurement, name) for name in ("beam_center_y", "beam_center_x"))
    return float(ny // 2 if row is None else row), float(nx // 2 if column is None else column)


def is_image(measurement: Measurement) -> bool:
    """Whether one frame of counts has exactly two detector axes."""
    return len(measurement.axes) == 2


def sample(entry: h5py.Group, measurement: Measurement, name: str = "sample") -> h5py.Group:
    """NXsample named after the specimen."""
    made = group(entry, name, "NXsample")
    put(made, "name", str(measurement.geometry.get("specimen", "simulated specimen")))
    return made
