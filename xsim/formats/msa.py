"""MSA: one spectrum as EMSA/MAS text, the sum over all points and detectors, for hyperspy (export).

`#OFFSET` is the energy of the centre of the first channel, `#XPERCHAN` the width of a channel, `#LIVETIME` and
`#REALTIME` those of all points (of several detectors: their mean). Format: ISO 22029:2012; Egerton et al., Microsc.
Microanal. Microstruct. 2, 1991 (EMSA/MAS standard).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from xsim.exposure import Measurement, lookup
from xsim.formats._channels import calibration, lacks_channels, live_times, sum_spectra
from xsim.formats._entry import title_of
from xsim.formats._nexus import CONVENTION, times, version_of
from xsim.formats._text import write_lines

#: the standard's longest line after its keyword
_LONGEST = 64


class MSA:
    """MSA: the sum spectrum as EMSA/MAS text (export)."""

    kind = "msa"
    suffix = ".msa"
    #: an export only
    techniques: tuple[str, ...] = ()

    def accepts(self, measurement: Measurement) -> str:
        """Why this measurement cannot be written so; empty if it can."""
        return lacks_channels(measurement)

    def write(self, measurement: Measurement, path: Path | str, provenance: dict[str, Any]) -> None:
        """Write the sum spectrum of `measurement` to `path` as text."""
        write_lines(path, _lines(measurement, provenance))


def _lines(measurement: Measurement, provenance: dict[str, Any]) -> Iterator[str]:
    zero, width = calibration(measurement)
    spectrum = sum_spectra(measurement).sum(axis=0)
    start = datetime.fromisoformat(times(measurement, provenance)[0])
    header: dict[str, object] = {
        "FORMAT": "EMSA/MAS Spectral Data File",
        "VERSION": "1.0",
        "TITLE": _plain(title_of(measurement, provenance))[:_LONGEST],
        "DATE": f"{start.day:02d}-{_MONTHS[start.month - 1]}-{start.year}",
        "TIME": f"{start:%H:%M}",
        "OWNER": f"xsim {version_of(provenance)}",
        "NPOINTS": f"{len(spectrum)}.",
        "NCOLUMNS": "1.",
        "XUNITS": "eV",
        "YUNITS": "counts",
        "DATATYPE": "Y",
        "XPERCHAN": f"{width:.9g}",
        "OFFSET": f"{zero:.9g}",
        "SIGNALTYPE": "XRF",
        "LIVETIME -s": f"{live_times(measurement).mean(axis=1).sum():.9g}",
        "REALTIME -s": f"{np.sum(measurement.frames['time']):.9g}",
    }
    solid = lookup(measurement, "solid_angle")
    if solid is not None and np.ndim(solid) == 0:
        header["SOLIDANGL-sR"] = f"{float(solid):.9g}"
    for key, value in header.items():
        yield f"#{key:<12}: {value}"
    note = _plain(f"seed {measurement.seed}, scenario {provenance.get('scenario_hash', 'none')}. {CONVENTION}")
    for i in range(0, len(note), _LONGEST):
        yield f"#COMMENT     : {note[i : i + _LONGEST]}"
    yield "#SPECTRUM    : Spectral Data Starts Here"
    yield from (f"{float(n):.1f}" for n in spectrum)
    yield "#ENDOFDATA   : "


def _plain(text: str) -> str:
    """ASCII without colons, at which readers part a keyword from its value."""
    return text.replace(":", " -").encode("ascii", "replace").decode()


_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
