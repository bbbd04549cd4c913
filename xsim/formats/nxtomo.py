"""NXtomo: full-field images and tilt series.

`instrument/detector/data` [n, y, x] int32, `image_key` 0 projection / 1 flat / 2 dark / 3 invalid, `rotation_angle`
[deg], pixel sizes at the specimen [m]. Read by nxtomo, tomoscan, httomo, silx. An NXtomo entry has one energy, so a
series over several has an entry for each (`entry`, `entry_2` ...), with its own flats and the darks, which all share.
Definition: https://manual.nexusformat.org (NXtomo 2.0).

Frames follow one another as darks, half of the flats, projections, the other flats. The rotation axis is vertical
(along the columns of an image), as readers take it, and the angle right-handed about +y: matter at (x, z) is seen at
x cos a + z sin a. A series tilted about x is written with every image transposed, so that the file's x, y, z are
xsim's y, x, -z: a rotation of the axes, not a mirror image, in which the angle is right-handed about the file's y as
before. `x_rotation_axis_pixel_position` tells where the axis lies from the middle of the detector, half a pixel for
an even number of pixels, because coordinates are counted from pixel n//2.

Frames of unequal exposure (tilts with share = "secant") hold counts of their own times, told frame by frame in
`count_time`; flats are as long as the shortest. Programs that divide by flats alone (tomoscan's
`flat_field_correction`) take longer frames for clearer ones: divide frames, less their darks, by `count_time` first, or
share the exposure evenly.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from xsim.exposure import Measurement, lookup
from xsim.formats._entry import is_image, lacks_detector, need_pixel, new_entry, pixel_of, sample, tilt_axes
from xsim.formats._nexus import add_source, create, group, integer_type, link, plot, put, stack
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
        if measurement.kind not in self.techniques and not lacks_detector(measurement):
            return "its frames are diffraction, a detector's distance behind the specimen, not images of it"
        if pixel_of(measurement) is None:
            return "it does not tell the size of its pixels (pixel)"
        return "it is tilted about more than one axis" if len(tilt_axes(measurement)) > 1 else ""

    def write(self, measurement: Measurement, path: Path | str, provenance: dict[str, Any]) -> None:
        """Write `measurement` to `path`. Raises FileError if its geometry lacks the pixel size."""
        need_pixel(measurement)
        orders = [_Order(measurement, energy) for energy in dict.fromkeys(np.asarray(measurement.frames["energy"]))]
        with create(path, provenance) as file:
            counts: list[h5py.Dataset] = []
            for number, order in enumerate(orders):
                name = "entry" if number == 0 else f"entry_{number + 1}"
                with new_entry(file, measurement, provenance, "NXtomo", name) as entry:
                    counts.append(_write_entry(entry, order, several=len(orders) > 1))
            write_record(file["entry"], measurement, *_together(orders, counts))


def _write_entry(entry: h5py.Group, order: _Order, several: bool) -> h5py.Dataset:
    """One NXtomo entry, with the frames of one energy; the dataset of its images."""
    measurement = order.measurement
    pixel_y, pixel_x = need_pixel(measurement)
    if order.transposed:
        pixel_y, pixel_x = pixel_x, pixel_y
    if several:
        entry["title"][...] = f"{entry['title'].asstr()[()]}, {order.energy:g} eV"
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
    distance = _distance(measurement)
    if distance is not None:
        put(detector, "distance", distance, "m")
    put(detector, "count_time", order.column("time"), "s")
    part = sample(entry, measurement)
    names = [*tilt_axes(measurement)]
    tilt = order.column(names[0]) if names else np.zeros(len(order.image_key))
    angle = put(part, "rotation_angle", np.degrees(tilt), "degree")
    _positions(part, order)
    beam = group(instrument, "beam", "NXbeam")
    energy = put(beam, "incident_energy", order.energy / 1e3, "keV")
    link(group(entry, "beam", "NXbeam"), "incident_energy", energy)
    data = group(entry, "data", "NXdata")
    link(data, "data", counts)
    link(data, "rotation_angle", angle)
    link(data, "image_key", key)
    plot(data, "data", [".", ".", "."], "image")
    return counts


def _distance(measurement: Measurement) -> float | None:
    """From the specimen to the detector [m]; through an objective f (1 + 1/M) + f (1 + M)."""
    distance = lookup(measurement, "detector_distance", "distance")
    behind, magnification = lookup(measurement, "objective_to_camera"), lookup(measurement, "magnification")
    if distance is None and behind is not None and magnification is not None:
        distance = float(behind) * (1 + 1 / float(magnification))
    return None if distance is None else float(distance)


class _Order:
    """The frames of one energy [eV], their flats and the darks, in the order of an entry."""

    def __init__(self, measurement: Measurement, energy: float):
        self.measurement, self.energy = measurement, float(energy)
        self.transposed = "x" in tilt_axes(measurement).values()
        #: rows of the measurement's frames, flats and darks that belong here
        self.frames = np.flatnonzero(measurement.frames["energy"] == energy)
        self.flats = np.flatnonzero(_flat_energies(measurement) == energy)
        self.darks = np.arange(0 if measurement.darks is None else len(measurement.darks))
        flats, darks, n = len(self.flats), len(self.darks), len(self.frames)
        before = -(-flats // 2)
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
        parts = [_pick(m.counts, self.frames)]
        if m.flats is not None:
            parts = [m.flats.counts[self.flats[0::2]], *parts, m.flats.counts[self.flats[1::2]]]
        if m.darks is not None:
            parts = [m.darks.counts, *parts]
        whole = [m.counts, *(reference.counts for reference in (m.flats, m.darks) if reference is not None)]
        dtype = np.result_type(*(integer_type(part) for part in whole))
        return stack(detector, "data", parts, transposed=self.transposed, dtype=dtype, unit=m.counts_unit)

    def column(self, name: str) -> Any:
        """A column for all rows; flats and darks have that of the frame next to them where it is not their own."""
        m, layout = self.measurement, self.layout
        values = np.asarray(m.frames[name], np.float64)[self.frames]
        found = np.where(np.arange(len(self.image_key)) < layout.frames[0], values[0], values[-1])
        found[layout.frames] = values
        for rows, reference, own in ((layout.flats, m.flats, self.flats), (layout.darks, m.darks, self.darks)):
            if reference is not None and name in reference.frames.columns:
                found[rows] = reference.frames[name][own]
        return found


def _flat_energies(measurement: Measurement) -> Any:
    """The photon energy [eV] of the frames that each flat belongs to: its own, or the one next to it."""
    if measurement.flats is None:
        return np.empty(0)
    wanted = np.unique(measurement.frames["energy"])
    own = np.asarray(measurement.flats.frames["energy"])
    return wanted[np.argmin(np.abs(own[:, None] - wanted), axis=1)]


def _pick(counts: Any, rows: Any) -> Any:
    """Those rows, without a copy where they are all or follow one another."""
    if np.array_equal(rows, np.arange(len(counts))):
        return counts
    return counts[rows[0] : rows[-1] + 1] if rows[-1] - rows[0] + 1 == len(rows) else counts[rows]


def _together(orders: list[_Order], counts: list[h5py.Dataset]) -> tuple[h5py.Dataset | h5py.VirtualLayout, Layout]:
    """All images of all entries one after another, and the row of each of the measurement's frames in them."""
    if len(orders) == 1:
        return counts[0], orders[0].layout
    first = np.cumsum([0, *(len(part) for part in counts)])
    layout = h5py.VirtualLayout((int(first[-1]), *counts[0].shape[1:]), counts[0].dtype)
    m = orders[0].measurement
    frames = np.empty(len(m.frames), np.int64)
    flats = np.empty(0 if m.flats is None else len(m.flats), np.int64)
    for order, part, start in zip(orders, counts, first[:-1], strict=True):
        layout[start : start + len(part)] = h5py.VirtualSource(".", part.name, part.shape)  # "." is the file itself
        frames[order.frames], flats[order.flats] = start + order.layout.frames, start + order.layout.flats
    return layout, Layout(frames, flats, orders[0].layout.darks, orders[0].transposed)


def _positions(part: h5py.Group, order: _Order) -> None:
    for name in ("x", "y"):
        if name in order.measurement.frames.columns:
            # a beam position on the specimen of +x is a motion of the specimen by -x
            along = name if not order.transposed else {"x": "y", "y": "x"}[name]
            put(part, f"{along}_translation", -order.column(name), "m")
