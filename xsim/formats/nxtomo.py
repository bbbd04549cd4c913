"""NXtomo: full-field images and tilt series.

`instrument/detector/data` [n, y, x] int32, `image_key` 0 projection / 1 flat / 2 dark / 3 invalid, `rotation_angle`
[deg], pixel sizes at the specimen [m]. Read by nxtomo, tomoscan, httomo, silx. A series over several energies keeps
the energy of each frame in `beam/incident_energy` [keV]. Definition: https://manual.nexusformat.org (NXtomo 2.0).

The rotation axis is vertical (y, along the columns of an image), as readers take it; the angle is the right-handed
rotation of the specimen about +y in xsim's axes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from xsim.exposure import Measurement
from xsim.formats._entry import entry_file, is_image, lookup, need_pixel, sample
from xsim.formats._nexus import add_source, group, integer_type, link, plot, put, stream
from xsim.formats._record import write_record


class NXtomo:
    """NXtomo: full-field images and tilt series."""

    kind = "nxtomo"
    suffix = ".nxs"
    techniques: tuple[str, ...] = ("full_field",)

    def accepts(self, measurement: Measurement) -> str:
        """Why this measurement cannot be written so; empty if it can."""
        if not is_image(measurement):
            return "its frames are not images [y, x]"
        if len(tilt_axes(measurement)) > 1:
            return "it is tilted about more than one axis"
        return "it is tilted about x, and readers take the vertical axis" if _about_x(measurement) else ""

    def write(self, measurement: Measurement, path: Path | str, provenance: dict[str, Any]) -> None:
        """Write `measurement` to `path`. Raises FileError if its geometry lacks the pixel size."""
        pixel_y, pixel_x = need_pixel(measurement)
        frames = measurement.frames
        with entry_file(path, measurement, provenance, "NXtomo") as entry:
            entry["definition"].attrs["version"] = "2.0"
            entry.attrs["version"] = "2.0"
            instrument = group(entry, "instrument", "NXinstrument")
            add_source(instrument)
            detector = group(instrument, "detector", "NXdetector")
            dtype = integer_type(measurement.counts)
            counts = stream(detector, "data", measurement.counts, dtype=dtype, unit=measurement.counts_unit)
            key = put(detector, "image_key", _image_key(measurement))
            put(detector, "image_key_control", _image_key(measurement))
            put(detector, "x_pixel_size", pixel_x, "m")
            put(detector, "y_pixel_size", pixel_y, "m")
            put(detector, "field_of_view", "Full")
            distance = lookup(measurement, "detector_distance", "distance")
            if distance is not None:
                put(detector, "distance", float(distance), "m")
            put(detector, "count_time", np.asarray(frames["time"], np.float64), "s")
            part = sample(entry, measurement)
            names = tilt_axes(measurement)
            tilt = np.asarray(frames[names[0]] if names else np.zeros(len(frames)), np.float64)
            angle = put(part, "rotation_angle", np.degrees(tilt), "degree")
            _positions(part, measurement)
            self._beam(entry, instrument, measurement)
            data = group(entry, "data", "NXdata")
            link(data, "data", counts)
            link(data, "rotation_angle", angle)
            link(data, "image_key", key)
            plot(data, "data", [".", ".", "."], "image")
            write_record(entry, measurement, counts)

    @staticmethod
    def _beam(entry: h5py.Group, instrument: h5py.Group, measurement: Measurement) -> None:
        beam = group(instrument, "beam", "NXbeam")
        energy = np.unique(measurement.frames["energy"]) / 1e3
        value = float(energy[0]) if len(energy) == 1 else measurement.frames["energy"] / 1e3
        link(group(entry, "beam", "NXbeam"), "incident_energy", put(beam, "incident_energy", value, "keV"))


def tilt_axes(measurement: Measurement) -> list[str]:
    """Names of the scan axes that are angles."""
    return [axis.name for axis in measurement.frames.axes if axis.unit == "rad"]


def _about_x(measurement: Measurement) -> bool:
    scans = measurement.settings.get("scan") or []
    return any(isinstance(scan, dict) and scan.get("kind") == "tilts" and scan.get("axis") == "x" for scan in scans)


def _image_key(measurement: Measurement) -> Any:
    key = measurement.frames.columns.get("image_key")
    return np.zeros(len(measurement.frames), np.int32) if key is None else np.asarray(key, np.int32)


def _positions(part: h5py.Group, measurement: Measurement) -> None:
    for name in ("x", "y"):
        column = measurement.frames.columns.get(name)
        if column is not None:
            # a beam position on the specimen of +x is a motion of the specimen by -x
            put(part, f"{name}_translation", -np.asarray(column, np.float64), "m")
