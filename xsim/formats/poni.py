"""PONI: the detector's geometry for pyFAI, beside a frame in any format it reads (export).

See `xsim.formats._poni` for what its numbers mean.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xsim.exposure import Measurement
from xsim.formats._entry import is_image, lacks_detector
from xsim.formats._poni import poni_lines
from xsim.formats._text import write_lines


class Poni:
    """PONI: the detector's geometry for pyFAI (export)."""

    kind = "poni"
    suffix = ".poni"
    #: an export only
    techniques: tuple[str, ...] = ()

    def accepts(self, measurement: Measurement) -> str:
        """Why this measurement cannot be written so; empty if it can."""
        return lacks_detector(measurement) if is_image(measurement) else "its frames are not images [y, x]"

    def write(self, measurement: Measurement, path: Path | str, provenance: dict[str, Any]) -> None:
        """Write the geometry of `measurement` to `path`."""
        write_lines(path, poni_lines(measurement))
