"""Plain NeXus: one NXentry with one NXdata, for every technique that has no format of its own, and for export.

`data` holds the counts folded over the scan axes, with each axis and its unit. It takes any measurement, so it is
the format of an instrument kind that no other format lists, and of a scan that the technique's own format cannot
express (say a STXM tilt series).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from xsim.exposure import Axis, Measurement
from xsim.formats._entry import entry_file, sample
from xsim.formats._nexus import add_source, group, integer_type, link, plot, put, stream
from xsim.formats._record import write_record


class Nexus:
    """Plain NeXus: one NXentry with one NXdata; holds any measurement."""

    kind = "nexus"
    suffix = ".nxs"
    #: "*": any technique that no other format lists
    techniques: tuple[str, ...] = ("*",)

    def accepts(self, measurement: Measurement) -> str:
        """Always empty: every measurement can be written so."""
        return ""

    def write(self, measurement: Measurement, path: Path | str, provenance: dict[str, Any]) -> None:
        """Write `measurement` to `path`."""
        frames = measurement.frames
        scan = frames.axes or (Axis("frame", frames.index),)
        axes = (*scan, *measurement.axes)
        with entry_file(path, measurement, provenance, "") as entry:
            instrument = group(entry, "instrument", "NXinstrument")
            put(instrument, "name", measurement.name)
            add_source(instrument)
            beam = group(instrument, "beam", "NXbeam")
            put(beam, "incident_energy", np.asarray(frames["energy"], np.float64), "eV")
            detector = group(instrument, "detector", "NXdetector")
            shape = tuple(len(axis) for axis in axes)
            dtype = integer_type(measurement.counts)
            counts = stream(
                detector, "data", measurement.counts, shape=shape, dtype=dtype, unit=measurement.counts_unit
            )
            put(detector, "count_time", np.asarray(frames["time"], np.float64), "s")
            sample(entry, measurement)
            monitor = group(entry, "control", "NXmonitor")
            put(monitor, "data", np.asarray(measurement.incident, np.float64), "photons")
            data = group(entry, "data", "NXdata")
            link(data, "data", counts)
            names = unique_names(axes, taken={"data"})
            for name, axis in zip(names, axes, strict=True):
                put(data, name, np.asarray(axis.values), axis.unit)
            image = len(measurement.axes) == 2 or (not measurement.axes and len(axes) >= 2)
            plot(data, "data", names, "image" if image else "spectrum")
            write_record(entry, measurement, counts)


def unique_names(axes: tuple[Axis, ...], taken: set[str]) -> list[str]:
    """The names of the axes, with "_2", "_3" ... where one repeats (a scanned y and a detector's y)."""
    names: list[str] = []
    for axis in axes:
        name, number = axis.name, 1
        while name in names or name in taken:
            number += 1
            name = f"{axis.name}_{number}"
        names.append(name)
    return names
