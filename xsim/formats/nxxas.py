"""NXxas: an absorption spectrum, its classical fields and the newer ones in one entry.

Classical: `monochromator/energy`, `incoming_beam/data` (I0), `absorbed_beam/data` (transmitted). Newer: `element`,
`edge` where the geometry tells them, `mode`, `energy`, `intensity` = ln(I0 / I). Read by larch and silx.
Definition: https://manual.nexusformat.org (NXxas).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from xsim.exposure import Measurement, lookup
from xsim.formats._entry import entry_file, sample
from xsim.formats._nexus import add_source, group, link, plot, put, stream
from xsim.formats._record import write_record
from xsim.formats._spectrum import absorbance


class NXxas:
    """NXxas: an absorption spectrum."""

    kind = "nxxas"
    suffix = ".nxs"
    techniques: tuple[str, ...] = ("absorption",)

    def accepts(self, measurement: Measurement) -> str:
        """Why this measurement cannot be written so; empty if it can."""
        if measurement.axes:
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
            incoming = group(instrument, "incoming_beam", "NXdetector")
            put(incoming, "data", np.asarray(measurement.incident, np.float64), "photons")
            absorbed = group(instrument, "absorbed_beam", "NXdetector")
            counts = stream(absorbed, "data", measurement.counts, unit=measurement.counts_unit)
            sample(entry, measurement)
            monitor = group(entry, "monitor", "NXmonitor")
            put(monitor, "mode", "timer")
            put(monitor, "preset", float(frames["time"][0]), "s")
            put(monitor, "data", np.asarray(measurement.incident, np.float64), "photons")
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
            write_record(entry, measurement, counts)
