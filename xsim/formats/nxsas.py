"""NXsas: small- and wide-angle scattering frames.

`instrument/detector/{data, distance, x_pixel_size, y_pixel_size, beam_center_x, beam_center_y}`, gaps -1, and the
pixel mask (0 = good). Read by silx; the numbers are those pyFAI asks for. Definition: https://manual.nexusformat.org.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from xsim.constants import wavelength
from xsim.exposure import Measurement
from xsim.formats._entry import beam_center, entry_file, is_image, lacks_detector, need, need_pixel, sample
from xsim.formats._nexus import add_source, group, integer_type, link, plot, put, stream
from xsim.formats._pixels import bad_pixels
from xsim.formats._record import write_record


class NXsas:
    """NXsas: small- and wide-angle scattering frames."""

    kind = "nxsas"
    suffix = ".nxs"
    techniques: tuple[str, ...] = ("saxs",)

    def accepts(self, measurement: Measurement) -> str:
        """Why this measurement cannot be written so; empty if it can."""
        if not is_image(measurement):
            return "its frames are not images [y, x]"
        if len(np.unique(measurement.frames["energy"])) > 1:
            return "it has more than one photon energy"
        return lacks_detector(measurement)

    def write(self, measurement: Measurement, path: Path | str, provenance: dict[str, Any]) -> None:
        """Write `measurement` to `path`. Raises FileError if its geometry lacks distance or pixel size."""
        pixel_y, pixel_x = need_pixel(measurement)
        distance = need(measurement, "the detector distance", "detector_distance", "distance")
        shape = measurement.counts.shape[1:] if len(measurement.frames) == 1 else measurement.counts.shape
        with entry_file(path, measurement, provenance, "NXsas") as entry:
            instrument = group(entry, "instrument", "NXinstrument")
            put(instrument, "name", measurement.name)
            add_source(instrument)
            mono = group(instrument, "monochromator", "NXmonochromator")
            put(mono, "wavelength", float(wavelength(measurement.frames["energy"][0])) * 1e10, "angstrom")
            detector = group(instrument, "detector", "NXdetector")
            dtype = integer_type(measurement.counts)
            counts = stream(
                detector, "data", measurement.counts, shape=shape, dtype=dtype, unit=measurement.counts_unit
            )
            put(detector, "distance", distance, "m")
            put(detector, "x_pixel_size", pixel_x, "m")
            put(detector, "y_pixel_size", pixel_y, "m")
            row, column = beam_center(measurement)
            put(detector, "beam_center_x", column * pixel_x, "m")
            put(detector, "beam_center_y", row * pixel_y, "m")
            put(detector, "pixel_mask", bad_pixels(measurement).astype(np.uint32))
            put(detector, "count_time", np.asarray(measurement.frames["time"], np.float64), "s")
            sample(entry, measurement)
            monitor = group(entry, "control", "NXmonitor")
            put(monitor, "mode", "timer")
            put(monitor, "preset", float(np.sum(measurement.frames["time"])), "s")
            put(monitor, "integral", float(np.sum(measurement.incident)), "photons")
            data = group(entry, "data", "NXdata")
            link(data, "data", counts)
            plot(data, "data", ["."] * len(shape), "image")
            write_record(entry, measurement, counts)
