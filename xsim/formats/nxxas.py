"""NXxas: an absorption spectrum, its classical fields and the newer ones in one entry.

Classical: `monochromator/energy`, `incoming_beam/data` (I0 by the beam monitor, in counts of the detector),
`absorbed_beam/data` (transmitted). Newer: `element`, `edge` where the geometry tells them, `mode`, `energy`,
`intensity` = ln(I0 / I). Fluorescence stands beside them: `fluorescence_beam/data`, and `fluorescence` = I_f / I0.
Read by silx, and by larch, which takes `instrument/energy` (a positioner, the same numbers) and the detectors.
Definition: https://manual.nexusformat.org (NXxas).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from xsim.exposure import Measurement, lookup, one_channel
from xsim.formats._entry import entry_file, sample
from xsim.formats._nexus import add_source, group, link, plot, put, stream
from xsim.formats._record import write_record
from xsim.formats._spectrum import absorbance, fluorescence
from xsim.formats._spectrum import monitor as monitor_counts


class NXxas:
    """NXxas: an absorption spectrum."""

    kind = "nxxas"
    suffix = ".nxs"
    techniques: tuple[str, ...] = ("absorption",)

    def accepts(self, measurement: Measurement) -> str:
        """Why this measurement cannot be written so; empty if it can."""
        if [axis.name for axis in measurement.axes] not in ([], ["channel"]):
            return "its detector has more than one element"
        names = tuple(axis.name for axis in measurement.frames.axes)
        return "" if names in ((), ("energy",)) else f"its scan axes are {names}, not (energy,)"

    def write(self, measurement: Measurement, path: Path | str, provenance: dict[str, Any]) -> None:
        """Write `measurement` to `path`."""
        frames = measurement.frames
        with entry_file(path, measurement, provenance, "NXxas") as entry:
            instrument = group(entry, "instrument", "NXinstrument")
            add_source(instrument)
            mono = group(instrument, "monochromator", "NXmonochromator")
            energy = put(mono, "energy", np.asarray(frames["energy"], np.float64), "eV")
            # larch lists what stands in positioners and detectors as the columns of a spectrum
            link(group(instrument, "energy", "NXpositioner"), "value", energy)
            blank = monitor_counts(measurement)
            incoming = group(instrument, "incoming_beam", "NXdetector")
            put(incoming, "data", blank, measurement.counts_unit)
            absorbed = group(instrument, "absorbed_beam", "NXdetector")
            passed = np.asarray(one_channel(measurement).counts).reshape(len(frames))
            counts = stream(absorbed, "data", passed, unit=measurement.counts_unit)
            sample(entry, measurement)
            monitor = group(entry, "monitor", "NXmonitor")
            put(monitor, "mode", "timer")
            put(monitor, "preset", float(frames["time"][0]), "s")
            put(monitor, "data", blank, measurement.counts_unit)
            put(entry, "mode", "Transmission")
            for name in ("element", "edge"):
                if lookup(measurement, name) is not None:
                    put(entry, name, str(lookup(measurement, name)))
            data = group(entry, "data", "NXdata")
            link(data, "energy", energy)
            link(data, "absorbed_beam", counts)
            put(data, "mode", "Transmission")
            values, errors = absorbance(measurement)
            put(data, "intensity", values, "dimensionless", long_name="ln(I0 / I)")
            put(data, "intensity_errors", errors, "dimensionless")
            plot(data, "intensity", ["energy"], "spectrum")
            recorded = self._fluorescence(instrument, data, measurement) or counts
            write_record(entry, measurement, recorded)

    @staticmethod
    def _fluorescence(instrument: h5py.Group, data: h5py.Group, measurement: Measurement) -> h5py.Dataset | None:
        """What was counted beside the beam; the dataset of the counts of all channels. None without that channel."""
        found = fluorescence(measurement)
        if found is None:
            return None
        counts = np.asarray(one_channel(measurement, "fluorescence").counts).reshape(len(measurement.frames))
        detector = group(instrument, "fluorescence_beam", "NXdetector")
        link(data, "fluorescence_beam", put(detector, "data", counts, measurement.counts_unit))
        for name, values in zip(("fluorescence", "fluorescence_errors"), found, strict=True):
            put(data, name, values, "dimensionless", long_name="I_f / I0")
        channels = group(instrument, "channels", "NXdetector")
        put(channels, "channel", np.asarray(measurement.axes[0].values))
        return stream(channels, "data", measurement.counts, unit=measurement.counts_unit)
