"""NXstxm: scanning transmission images, spectra and spectro-stacks (data [energy, y, x]).

Read by MANTiS (which wants `definition` as a length-1 bytes array, `@axes` as fixed-length bytes and `control/data`
of the shape of the data for I0), hyperspy and silx. Definition: https://manual.nexusformat.org (NXstxm).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from xsim.exposure import Array, Measurement
from xsim.formats._entry import entry_file, sample, scan_axis
from xsim.formats._nexus import add_source, group, integer_type, link, plot, put, stream
from xsim.formats._record import write_record


class NXstxm:
    """NXstxm: scanning transmission images and spectro-stacks, [energy, y, x]."""

    kind = "nxstxm"
    suffix = ".nxs"
    techniques: tuple[str, ...] = ("stxm",)

    def accepts(self, measurement: Measurement) -> str:
        """Why this measurement cannot be written so; empty if it can."""
        if measurement.axes:
            return "its detector has more than one element"
        names = tuple(axis.name for axis in measurement.frames.axes)
        return "" if names in (("y", "x"), ("energy", "y", "x")) else f"its scan axes are {names}, not (energy, y, x)"

    def write(self, measurement: Measurement, path: Path | str, provenance: dict[str, Any]) -> None:
        """Write `measurement` to `path`."""
        frames = measurement.frames
        y, x = frames.axes[-2], frames.axes[-1]
        energies = scan_axis(measurement, "energy")
        energy = np.asarray(frames["energy"][:1] if energies is None else energies.values, np.float64)
        shape = (len(energy), len(y), len(x))
        with entry_file(path, measurement, provenance, "") as entry:
            entry.create_dataset("definition", data=np.array([b"NXstxm"]))
            instrument = group(entry, "instrument", "NXinstrument")
            add_source(instrument)
            mono = group(instrument, "monochromator", "NXmonochromator")
            energy_set = put(mono, "energy", energy, "eV")
            detector = group(instrument, "detector", "NXdetector")
            dtype = integer_type(measurement.counts)
            counts = stream(
                detector, "data", measurement.counts, shape=shape, dtype=dtype, unit=measurement.counts_unit
            )
            part = sample(entry, measurement)
            put(part, "rotation_angle", float(np.degrees(np.ravel(frames.columns.get("tilt", 0.0))[0])), "degree")
            data = group(entry, "data", "NXdata")
            put(data, "stxm_scan_type", "sample image" if len(energy) == 1 else "sample image stack")
            link(data, "data", counts)
            link(data, "energy", energy_set)
            for axis in (y, x):
                position = put(data, f"sample_{axis.name}", np.asarray(axis.values, np.float64), axis.unit or "m")
                link(group(instrument, f"sample_{axis.name}", "NXdetector"), "data", position)
            put(data, "count_time", np.asarray(frames["time"], np.float64).reshape(shape), "s")
            plot(data, "data", ["energy", "sample_y", "sample_x"], "image")
            data.attrs["axes"] = np.array([b"energy", b"sample_y", b"sample_x"])
            self._control(entry, measurement.incident, shape)
            write_record(entry, measurement, counts)

    @staticmethod
    def _control(entry: h5py.Group, incident: Array, shape: tuple[int, ...]) -> None:
        control = group(entry, "control", "NXmonitor")
        put(control, "data", np.asarray(incident, np.float64).reshape(shape), "photons")
