"""NXstxm: scanning transmission images, spectra and spectro-stacks (data [energy, y, x]).

A segmented detector writes all its segments [energy, y, x, segment] with their borders (NXdetector and NXdata
`segments`), and as `data` their sum, the light that they take together, which every reader of the format shows.

Read by MANTiS (which wants `definition` and `stxm_scan_type` as length-1 bytes arrays, `@axes` as fixed-length bytes
and `control/data` of the shape of the data for I0: the measured one where the beam has a monitor), hyperspy and silx.
Definition: https://manual.nexusformat.org (NXstxm).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from xsim.exposure import Array, Measurement, lookup
from xsim.formats._entry import entry_file, sample, scan_axis
from xsim.formats._nexus import add_source, group, integer_type, link, plot, put, stream
from xsim.formats._record import write_record
from xsim.formats._spectrum import monitor
from xsim.spill import blocks


class NXstxm:
    """NXstxm: scanning transmission images and spectro-stacks, [energy, y, x]."""

    kind = "nxstxm"
    suffix = ".nxs"
    techniques: tuple[str, ...] = ("stxm", "microprobe")

    def accepts(self, measurement: Measurement) -> str:
        """Why this measurement cannot be written so; empty if it can."""
        if [axis.name for axis in measurement.axes] not in ([], ["segment"]):
            return "its detector is neither a single element nor cut into segments"
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
            dtype, unit = integer_type(measurement.counts), measurement.counts_unit
            if measurement.axes:
                recorded = self._segments(instrument, measurement, shape, dtype)
                together = _summed(measurement.counts)
                counts = stream(detector, "data", together, shape=shape, dtype=integer_type(together), unit=unit)
                put(detector, "description", "sum over all segments")
            else:
                recorded = counts = stream(detector, "data", measurement.counts, shape=shape, dtype=dtype, unit=unit)
            part = sample(entry, measurement)
            put(part, "rotation_angle", float(np.degrees(np.ravel(frames.columns.get("tilt", 0.0))[0])), "degree")
            data = group(entry, "data", "NXdata")
            scan_type = b"sample image" if len(energy) == 1 else b"sample image stack"
            data.create_dataset("stxm_scan_type", data=np.array([scan_type]))
            link(data, "data", counts)
            link(data, "energy", energy_set)
            for axis in (y, x):
                position = put(data, f"sample_{axis.name}", np.asarray(axis.values, np.float64), axis.unit or "m")
                link(group(instrument, f"sample_{axis.name}", "NXdetector"), "data", position)
            put(data, "count_time", np.asarray(frames["time"], np.float64).reshape(shape), "s")
            plot(data, "data", ["energy", "sample_y", "sample_x"], "image")
            data.attrs["axes"] = np.array([b"energy", b"sample_y", b"sample_x"])
            if measurement.axes:
                parts = group(entry, "segments", "NXdata")
                for name in ("energy", "sample_y", "sample_x", "stxm_scan_type", "count_time"):
                    link(parts, name, data[name])
                link(parts, "data", recorded)
                link(parts, "segment", instrument["segments/segment"])
                plot(parts, "data", ["energy", "sample_y", "sample_x", "segment"], "spectrum")
            self._control(entry, measurement, shape)
            write_record(entry, measurement, recorded)

    @staticmethod
    def _segments(
        instrument: h5py.Group, measurement: Measurement, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> h5py.Dataset:
        """All segments with their borders; the dataset of their counts."""
        numbers = np.asarray(measurement.axes[0].values)
        detector = group(instrument, "segments", "NXdetector")
        put(detector, "description", "rings and sectors of the far field, azimuths from +x towards +y")
        put(detector, "segment", numbers)
        for name, meaning in (
            ("segment_inner", "inner_angle"),
            ("segment_outer", "outer_angle"),
            ("segment_start", "first_azimuth"),
            ("segment_stop", "last_azimuth"),
        ):
            border = lookup(measurement, name)
            if border is not None:
                put(detector, meaning, np.asarray(border, np.float64), "rad")
        whole = (*shape, len(numbers))
        return stream(detector, "data", measurement.counts, shape=whole, dtype=dtype, unit=measurement.counts_unit)

    @staticmethod
    def _control(entry: h5py.Group, measurement: Measurement, shape: tuple[int, ...]) -> None:
        """I0 in counts of the detector, as measured by the monitor where there is one; and the monitor's own counts."""
        control = group(entry, "control", "NXmonitor")
        put(control, "data", monitor(measurement).reshape(shape), measurement.counts_unit)
        counts = lookup(measurement, "monitor_counts")
        if counts is not None:
            put(control, "monitor_counts", np.asarray(counts, np.float64).reshape(shape), "counts")


def _summed(counts: Array) -> Array:
    """Counts (frames,) of all segments together."""
    kind = np.int64 if counts.dtype.kind in "iu" else np.float64
    return np.concatenate([block.sum(axis=-1, dtype=kind) for block in blocks(counts)])
