"""EDF: scattering frames as the ESRF data format, with the detector's geometry as `.poni` beside them (export).

One image after another in one file, counts as 32-bit integers with -1 where there is no pixel (Dummy), the header in
the ESRF's SAXS keys: Center_1 (fast), Center_2 (slow) in pixels with a pixel's centre at its number + 1/2, PSize_1,
PSize_2, SampleDistance, WaveLength [m], ExposureTime [s]. Read by fabio; the `.poni` by pyFAI.
Reference: Boesecke 2007, doi 10.1107/S0021889807001100.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from xsim.constants import wavelength
from xsim.exposure import Measurement
from xsim.formats._entry import beam_center, is_image, lacks_detector, need, need_pixel, title_of
from xsim.formats._nexus import CONVENTION, version_of
from xsim.formats._pixels import bad_pixels
from xsim.formats._poni import poni_lines
from xsim.formats._text import write_lines

#: headers fill whole blocks of so many bytes
_BLOCK = 1024


class EDF:
    """EDF: scattering frames with a `.poni` beside them, for fabio and pyFAI (export)."""

    kind = "edf"
    suffix = ".edf"
    #: an export only
    techniques: tuple[str, ...] = ()

    def accepts(self, measurement: Measurement) -> str:
        """Why this measurement cannot be written so; empty if it can."""
        if not is_image(measurement):
            return "its frames are not images [y, x]"
        if len(np.unique(measurement.frames["energy"])) > 1:
            return "it has more than one photon energy"
        return lacks_detector(measurement)

    def write(self, measurement: Measurement, path: Path | str, provenance: dict[str, Any]) -> None:
        """Write the frames to `path` and the geometry to the same name with the suffix `.poni`."""
        path = Path(path)
        part = path.with_name(f".{path.name}.part")
        bad = bad_pixels(measurement)
        integer = measurement.counts.dtype.kind in "iu"
        try:
            with part.open("wb") as file:
                for number in range(len(measurement.frames)):
                    frame = np.asarray(measurement.counts[number : number + 1])[0]
                    frame = np.where(bad, -1, frame).astype("<i4" if integer else "<f4")
                    file.write(_header(measurement, provenance, number, frame))
                    file.write(frame.tobytes())
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
        write_lines(path.with_suffix(".poni"), poni_lines(measurement))


def _header(measurement: Measurement, provenance: dict[str, Any], number: int, frame: np.ndarray) -> bytes:
    (pixel_y, pixel_x), (row, column) = need_pixel(measurement), beam_center(measurement)
    keys = {
        "HeaderID": f"EH:{number + 1:06d}:000000:000000",
        "Image": number + 1,
        "ByteOrder": "LowByteFirst",
        "DataType": "SignedInteger" if frame.dtype.kind == "i" else "FloatValue",
        "Dim_1": frame.shape[1],
        "Dim_2": frame.shape[0],
        "Size": frame.nbytes,
        "Dummy": -1,
        "DDummy": 0.5,
        "Center_1": column + 0.5,
        "Center_2": row + 0.5,
        "PSize_1": pixel_x,
        "PSize_2": pixel_y,
        "SampleDistance": need(measurement, "the detector distance", "detector_distance", "distance"),
        "WaveLength": float(wavelength(measurement.frames["energy"][number])),
        "ExposureTime": float(measurement.frames["time"][number]),
        "IncidentPhotons": float(measurement.incident[number]),
        "Title": _plain(title_of(measurement, provenance)),
        "History": _plain(
            f"xsim {version_of(provenance)}, seed {measurement.seed}, scenario "
            f"{provenance.get('scenario_hash', 'none')}. {CONVENTION}"
        ),
    }
    text = "{\n" + "".join(f"{key} = {value} ;\n" for key, value in keys.items())
    padding = -(len(text) + 2) % _BLOCK
    return (text + " " * padding + "}\n").encode("ascii")


def _plain(text: str) -> str:
    """ASCII in one line without the characters that end a value or a header."""
    for mark, other in ((";", ","), ("{", "("), ("}", ")"), ("\n", " ")):
        text = text.replace(mark, other)
    return text.encode("ascii", "replace").decode()
