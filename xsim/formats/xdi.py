"""XDI: an absorption spectrum as text, for larch and Athena (export; not a run's own file).

Columns energy [eV], mutrans = ln(i0 / itrans), itrans, i0, and with a fluorescence detector mufluor = ifluor / i0 and
ifluor. i0 is what the beam monitor counted, scaled to the counts of the other detectors without a specimen.

Reference: Ravel and Newville, J. Phys. Conf. Ser. 712, 012148 (2016), doi 10.1088/1742-6596/712/1/012148.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from xsim.exposure import Array, Measurement, lookup, one_channel
from xsim.formats._entry import title_of
from xsim.formats._nexus import CONVENTION, times, version_of
from xsim.formats._spectrum import absorbance, fluorescence, monitor
from xsim.formats.nxxas import NXxas


class XDI:
    """XDI: an absorption spectrum as text (export)."""

    kind = "xdi"
    suffix = ".xdi"
    #: an export only
    techniques: tuple[str, ...] = ()

    def accepts(self, measurement: Measurement) -> str:
        """Why this measurement cannot be written so; empty if it can."""
        reason = NXxas().accepts(measurement)
        return reason if measurement.kind == "absorption" else reason or "it is not an absorption spectrum"

    def write(self, measurement: Measurement, path: Path | str, provenance: dict[str, Any]) -> None:
        """Write `measurement` to `path` as text."""
        columns = self._columns(measurement)
        header = [
            f"# XDI/1.0 xsim/{version_of(provenance)}",
            *(f"# Column.{number}: {name}" for number, name in enumerate(columns, start=1)),
            *self._element(measurement),
            "# Mono.d_spacing: 3.1355",
            "# Facility.name: simulated",
            f"# Scan.start_time: {times(measurement, provenance)[0]}",
            f"# Scan.edge_energy: {lookup(measurement, 'edge_energy')}" if lookup(measurement, "edge_energy") else "",
            f"# xsim.seed: {measurement.seed}",
            f"# xsim.scenario_hash: {provenance.get('scenario_hash', 'none')}",
            "# ///",
            f"# {title_of(measurement, provenance)}",
            f"# {CONVENTION}",
            "# -------------",
            "# " + " ".join(name.split()[0] for name in columns),
        ]
        order = np.argsort(measurement.frames["energy"], kind="stable")
        table = np.column_stack(list(columns.values()))[order]
        lines = [" ".join(f"{number:.10g}" for number in row) for row in table]
        path = Path(path)
        part = path.with_name(f".{path.name}.part")
        part.write_text("\n".join([line for line in header if line] + lines) + "\n", encoding="utf-8")
        os.replace(part, path)

    @staticmethod
    def _columns(measurement: Measurement) -> dict[str, Array]:
        """Column label (with its unit) -> values (frames,)."""
        found = {
            "energy eV": np.asarray(measurement.frames["energy"], np.float64),
            "mutrans": absorbance(measurement)[0],
            "itrans": np.ravel(one_channel(measurement).counts),
            "i0": monitor(measurement),
        }
        yielded = fluorescence(measurement)
        if yielded is not None:
            found["mufluor"] = yielded[0]
            found["ifluor"] = np.ravel(one_channel(measurement, "fluorescence").counts)
        return found

    @staticmethod
    def _element(measurement: Measurement) -> list[str]:
        known = {"Element.symbol": "element", "Element.edge": "edge"}
        return [f"# {key}: {lookup(measurement, name)}" for key, name in known.items() if lookup(measurement, name)]
