"""NXfluo: fluorescence spectra and maps, a cube [y, x, channel].

`instrument/fluorescence/{data, energy, count_time, real_time, live_time}`, more detectors beside it as `fluorescence_2`
and so on, each a cube of its own; the incident photons of each point in the NXmonitor. Read by silx, PyMca and
hyperspy. Definition: https://manual.nexusformat.org (NXfluo), with its spectrum repeated over the scan.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from xsim.constants import wavelength
from xsim.exposure import Measurement
from xsim.formats._channels import (
    by_detector,
    calibration,
    cube_type,
    detectors,
    lacks_channels,
    live_times,
)
from xsim.formats._entry import entry_file, sample
from xsim.formats._nexus import add_source, group, link, plot, put, stream
from xsim.formats._record import write_record
from xsim.spill import blocks


class NXfluo:
    """NXfluo: fluorescence spectra and maps, [y, x, channel]."""

    kind = "nxfluo"
    suffix = ".nxs"
    techniques: tuple[str, ...] = ("fluorescence", "microprobe")

    def accepts(self, measurement: Measurement) -> str:
        """Why this measurement cannot be written so; empty if it can."""
        one = len(np.unique(measurement.frames["energy"])) == 1
        return lacks_channels(measurement) or ("" if one else "it has more than one incident energy")

    def write(self, measurement: Measurement, path: Path | str, provenance: dict[str, Any]) -> None:
        """Write `measurement` to `path`."""
        frames = measurement.frames
        with entry_file(path, measurement, provenance, "NXfluo") as entry:
            instrument = group(entry, "instrument", "NXinstrument")
            add_source(instrument)
            mono = group(instrument, "monochromator", "NXmonochromator")
            put(mono, "wavelength", float(wavelength(frames["energy"][0])) * 1e10, "angstrom")
            put(mono, "energy", float(frames["energy"][0]), "eV")
            cubes = self._detectors(instrument, measurement)
            sample(entry, measurement)
            monitor = group(entry, "monitor", "NXmonitor")
            put(monitor, "mode", "timer")
            put(monitor, "preset", float(frames["time"][0]), "s")
            incident = np.rint(measurement.incident).astype(np.int64).reshape(frames.shape)
            put(monitor, "data", incident, "photons")
            for number, cube in enumerate(cubes):
                data = group(entry, "data" if number == 0 else f"data_{number + 1}", "NXdata")
                link(data, "data", cube)
                link(data, "energy", cube.parent["energy"])
                for axis in frames.axes:
                    put(data, axis.name, np.asarray(axis.values), axis.unit)
                plot(data, "data", [*(axis.name for axis in frames.axes), "energy"], "spectrum")
            self._map(entry, measurement)
            write_record(entry, measurement, cubes[0] if detectors(measurement) is None else _together(cubes))

    @staticmethod
    def _detectors(instrument: h5py.Group, measurement: Measurement) -> list[h5py.Dataset]:
        """One NXdetector for each detector, and their cubes."""
        frames, names = measurement.frames, detectors(measurement)
        counts, live = by_detector(measurement, measurement.counts), live_times(measurement)
        dtype, (zero, width) = cube_type(measurement.counts), calibration(measurement)
        energies = zero + width * np.arange(counts.shape[-1])
        cubes = []
        for k in range(counts.shape[1]):
            place = group(instrument, "fluorescence" if k == 0 else f"fluorescence_{k + 1}", "NXdetector")
            put(place, "local_name", measurement.name if names is None else str(names.values[k]))
            shape = (*frames.shape, counts.shape[-1])
            cube = stream(place, "data", counts[:, k], shape=shape, dtype=dtype, unit=measurement.counts_unit)
            cubes.append(cube)
            put(place, "energy", energies, "eV")
            real = np.asarray(frames["time"], np.float64)
            for name, time in (
                ("count_time", real),
                ("real_time", real),
                ("live_time", live[:, k]),
                ("dead_time", real - live[:, k]),
            ):
                put(place, name, time.reshape(frames.shape), "s")
            settings = group(place, "calibration", "NXcollection", form="energy [eV] = a + b * channel, centres")
            put(settings, "a", zero, "eV")
            put(settings, "b", width, "eV")
        return cubes

    @staticmethod
    def _map(entry: h5py.Group, measurement: Measurement) -> None:
        """A picture of the total counts of all detectors, on which viewers open."""
        axes = measurement.frames.axes
        if len(axes) < 2:
            return
        total = group(entry, "total_counts", "NXdata", title="counts in all channels")
        sums = [block.reshape(len(block), -1).sum(axis=1, dtype=np.int64) for block in blocks(measurement.counts)]
        put(total, "data", np.concatenate(sums).reshape(measurement.frames.shape), measurement.counts_unit)
        for axis in axes:
            link(total, axis.name, entry["data"][axis.name])
        plot(total, "data", [axis.name for axis in axes], "image")
        entry.attrs["default"] = "total_counts"


def _together(cubes: list[h5py.Dataset]) -> h5py.VirtualLayout:
    """All cubes (..., channels) as one (..., detectors, channels), for the record."""
    shape = cubes[0].shape
    layout = h5py.VirtualLayout((*shape[:-1], len(cubes), shape[-1]), cubes[0].dtype)
    for k, cube in enumerate(cubes):
        layout[..., k, :] = h5py.VirtualSource(cube)
    return layout
