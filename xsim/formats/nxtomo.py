"""NXtomo: full-field images and tilt series.

`instrument/detector/data` [n, y, x] int32, `image_key` 0 projection / 1 flat / 2 dark / 3 invalid, `rotation_angle`
[deg], pixel sizes at the specimen [m]. Read by nxtomo, tomoscan, httomo, silx. A series over several energies keeps
the energy of each frame in `beam/incident_energy` [keV]. Definition: https://manual.nexusformat.org (NXtomo 2.0).

Frames follow one another as darks, half of the flats, projections, the other flats. The rotation axis is vertical
(along the columns of an image), as readers take it, and the angle right-handed about +y: matter at (x, z) is seen at
x cos a + z sin a. A series tilted about x is written with every image transposed, so that the file's x, y, z are
xsim's y, x, -z: a rotation of the axes, not a mirror image, in which the angle is right-handed about the file's y as
before. `x_rotation_axis_pixel_position` tells where the axis lies from the middle of the detector, half a pixel for
an even number of pixels, because coordinates are counted from pixel n//2.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from xsim.exposure import Measurement
from xsim.formats._entry import entry_file, is_image, lookup, need_pixel, sample
from xsim.formats._nexus import add_source, group, integer_type, link, plot, put, stack
from xsim.formats._record import Layout, write_record


class NXtomo:
    """NXtomo: full-field images and tilt series."""

    kind = "nxtomo"
    suffix = ".nxs"
    techniques: tuple[str, ...] = ("full_field",)

    def accepts(self, measurement: Measurement) -> str:
        """Why this measurement cannot be written so; empty if it can."""
        if not is_image(measurement):
            return "its frames are not images [y, x]"
        return "it is tilted about more than one axis" if len(tilt_axes(measurement)) > 1 else ""

    def write(self, measurement: Measurement, path: Path | str, provenance: dict[str, Any]) -> None:
        """Write `measurement` to `path`. Raises FileError if its geometry lacks the pixel size."""
        pixel_y, pixel_x = need_pixel(measurement)
        order = _Order(measurement)
        if order.transposed:
            pixel_y, pixel_x = pixel_x, pixel_y
        with entry_file(path, measurement, provenance, "NXtomo") as entry:
            entry["definition"].attrs["version"] = "2.0"
            entry.attrs["version"] = 2.0  # a number here, a text there: that is how readers want them
            entry.attrs["NeXus_Coordinate_System"] = "McStas"  # right-handed, y up, z along the beam
            instrument = group(entry, "instrument", "NXinstrument")
            add_source(instrument)
            detector = group(instrument, "detector", "NXdetector")
            counts = order.write(detector)
            key = put(detector, "image_key", order.image_key)
            put(detector, "image_key_control", order.image_key)
            put(detector, "x_pixel_size", pixel_x, "m")
            put(detector, "y_pixel_size", pixel_y, "m")
            put(detector, "x_rotation_axis_pixel_position", 0.5 * (1 - counts.shape[-1] % 2))
            put(detector, "field_of_view", "Full")
            distance = lookup(measurement, "detector_distance", "distance")
            if distance is not None:
                put(detector, "distance", float(distance), "m")
            put(detector, "count_time", order.column("time"), "s")
            part = sample(entry, measurement)
            names = tilt_axes(measurement)
            tilt = order.column(names[0]) if names else np.zeros(len(order.image_key))
            angle = put(part, "rotation_angle", np.degrees(tilt), "degree")
            _positions(part, order)
            self._beam(entry, instrument, order)
            data = group(entry, "data", "NXdata")
            link(data, "data", counts)
            link(data, "rotation_angle", angle)
            link(data, "image_key", key)
            plot(data, "data", [".", ".", "."], "image")
            write_record(entry, measurement, counts, order.layout)

    @staticmethod
    def _beam(entry: h5py.Group, instrument: h5py.Group, order: _Order) -> None:
        beam = group(instrument, "beam", "NXbeam")
        energy = order.column("energy") / 1e3
        value = float(energy[0]) if np.all(energy == energy[0]) else energy
        link(group(entry, "beam", "NXbeam"), "incident_energy", put(beam, "incident_energy", value, "keV"))


class _Order:
    """The frames of a measurement and its flats and darks in the order of the file."""

    def __init__(self, measurement: Measurement):
        self.measurement = measurement
        self.transposed = _about_x(measurement)
        flats = 0 if measurement.flats is None else len(measurement.flats)
        darks = 0 if measurement.darks is None else len(measurement.darks)
        before, n = -(-flats // 2), len(measurement.frames)
        first = darks + before
        rows = np.empty(flats, np.int64)
        rows[0::2] = darks + np.arange(before)
        rows[1::2] = first + n + np.arange(flats - before)
        self.layout = Layout(first + np.arange(n), rows, np.arange(darks), self.transposed)
        self.image_key = np.zeros(darks + flats + n, np.int32)
        self.image_key[rows], self.image_key[:darks] = 1, 2

    def write(self, detector: h5py.Group) -> h5py.Dataset:
        """All images in one dataset."""
        m = self.measurement
        parts = [m.counts]
        if m.flats is not None:
            parts = [m.flats.counts[0::2], m.counts, m.flats.counts[1::2]]
        if m.darks is not None:
            parts = [m.darks.counts, *parts]
        dtype = np.result_type(*(integer_type(part) for part in parts))
        turned = [part.swapaxes(-1, -2) if self.transposed else part for part in parts]
        return stack(detector, "data", turned, dtype=dtype, unit=m.counts_unit)

    def column(self, name: str) -> Any:
        """A column for all rows; flats and darks have that of the frame next to them where it is not their own."""
        m, layout = self.measurement, self.layout
        values = np.asarray(m.frames[name], np.float64)
        found = np.where(np.arange(len(self.image_key)) < layout.frames[0], values[0], values[-1])
        found[layout.frames] = values
        for rows, reference in ((layout.flats, m.flats), (layout.darks, m.darks)):
            if reference is not None and name in reference.frames.columns:
                found[rows] = reference.frames[name]
        return found


def tilt_axes(measurement: Measurement) -> list[str]:
    """Names of the scan axes that are angles."""
    return [axis.name for axis in measurement.frames.axes if axis.unit == "rad"]


def _about_x(measurement: Measurement) -> bool:
    scans = measurement.settings.get("scan") or []
    return any(isinstance(scan, dict) and scan.get("kind") == "tilts" and scan.get("axis") == "x" for scan in scans)


def _positions(part: h5py.Group, order: _Order) -> None:
    for name in ("x", "y"):
        if name in order.measurement.frames.columns:
            # a beam position on the specimen of +x is a motion of the specimen by -x
            along = name if not order.transposed else {"x": "y", "y": "x"}[name]
            put(part, f"{along}_translation", -order.column(name), "m")
