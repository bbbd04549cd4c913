"""NXfluo: fluorescence spectra and maps, a cube [y, x, channel].

`instrument/fluorescence/{data, energy}`; the incident photons of each point in the NXmonitor. Read by silx, PyMca and
hyperspy. Definition: https://manual.nexusformat.org (NXfluo), with its spectrum repeated over the scan.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from xsim.constants import wavelength
from xsim.exposure import Measurement
from xsim.formats._entry import entry_file, sample
from xsim.formats._nexus import add_source, group, integer_type, link, plot, put, stream
from xsim.formats._record import write_record
from xsim.spill import blocks


class NXfluo:
    """NXfluo: fluorescence spectra and maps, [y, x, channel]."""

    kind = "nxfluo"
    suffix = ".nxs"
    techniques: tuple[str, ...] = ("fluorescence", "microprobe")

    def accepts(self, measurement: Measurement) -> str:
        """Why this measurement cannot be written so; empty if it can."""
        if len(measurement.axes) != 1 or measurement.axes[0].unit not in ("eV", "keV"):
            return "its detector does not record a spectrum over energy channels"
        return "" if len(np.unique(measurement.frames["energy"])) == 1 else "it has more than one incident energy"

    def write(self, measurement: Measurement, path: Path | str, provenance: dict[str, Any]) -> None:
        """Write `measurement` to `path`."""
        frames, channels = measurement.frames, measurement.axes[0]
        shape = (*frames.shape, len(channels))
        with entry_file(path, measurement, provenance, "NXfluo") as entry:
            instrument = group(entry, "instrument", "NXinstrument")
            add_source(instrument)
            mono = group(instrument, "monochromator", "NXmonochromator")
            put(mono, "wavelength", float(wavelength(frames["energy"][0])) * 1e10, "angstrom")
            put(mono, "energy", float(frames["energy"][0]), "eV")
            detector = group(instrument, "fluorescence", "NXdetector")
            dtype = integer_type(measurement.counts)
            counts = stream(
                detector, "data", measurement.counts, shape=shape, dtype=dtype, unit=measurement.counts_unit
            )
            energy = put(detector, "energy", np.asarray(channels.values, np.float64), channels.unit)
            put(detector, "count_time", np.asarray(frames["time"], np.float64).reshape(frames.shape), "s")
            sample(entry, measurement)
            monitor = group(entry, "monitor", "NXmonitor")
            put(monitor, "mode", "timer")
            put(monitor, "preset", float(frames["time"][0]), "s")
            incident = np.rint(measurement.incident).astype(np.int64).reshape(frames.shape)
            put(monitor, "data", incident, "photons")
            data = group(entry, "data", "NXdata")
            link(data, "data", counts)
            link(data, "energy", energy)
            for axis in frames.axes:
                put(data, axis.name, np.asarray(axis.values), axis.unit)
            plot(data, "data", [*(axis.name for axis in frames.axes), "energy"], "spectrum")
            self._map(entry, measurement)
            write_record(entry, measurement, counts)

    @staticmethod
    def _map(entry: Any, measurement: Measurement) -> None:
        """A picture of the total counts, on which viewers open."""
        axes = measurement.frames.axes
        if len(axes) < 2:
            return
        total = group(entry, "total_counts", "NXdata", title="counts in all channels")
        sums = np.concatenate([block.sum(axis=1, dtype=np.int64) for block in blocks(measurement.counts)])
        put(total, "data", sums.reshape(measurement.frames.shape), measurement.counts_unit)
        for axis in axes:
            link(total, axis.name, entry["data"][axis.name])
        plot(total, "data", [axis.name for axis in axes], "image")
        entry.attrs["default"] = "total_counts"
