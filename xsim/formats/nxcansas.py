"""NXcanSAS: a reduced small-angle curve I(Q) with errors, for SasView and sasdata (export; not a run's own file).

Q [1/angstrom]; I [1/cm] where the measurement tells the specimen's thickness and transmission, else "arbitrary"
(counts / incident photons / solid angle). Definition: https://manual.nexusformat.org (NXcanSAS 1.1).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from xsim.constants import wavelength
from xsim.exposure import Measurement
from xsim.formats._entry import entry_file, is_image, need, need_pixel
from xsim.formats._nexus import group, put
from xsim.formats._scattering import radial_curve


class NXcanSAS:
    """NXcanSAS: a reduced small-angle curve I(Q) with errors (export)."""

    kind = "nxcansas"
    suffix = ".h5"
    #: an export only
    techniques: tuple[str, ...] = ()

    def accepts(self, measurement: Measurement) -> str:
        """Why this measurement cannot be written so; empty if it can."""
        if measurement.kind != "saxs" or not is_image(measurement):
            return "only scattering frames reduce to I(Q)"
        return "" if len(np.unique(measurement.frames["energy"])) == 1 else "it has more than one photon energy"

    def write(self, measurement: Measurement, path: Path | str, provenance: dict[str, Any]) -> None:
        """Reduce `measurement` and write the curve to `path`."""
        curve = radial_curve(measurement)
        factor, unit = (1e-2, "1/cm") if curve.unit == "1/m" else (1.0, "arbitrary")
        with entry_file(path, measurement, provenance, "NXcanSAS") as entry:
            entry.attrs.update({"canSAS_class": "SASentry", "version": "1.1"})
            put(entry, "run", measurement.name)
            data = group(entry, "data", "NXdata", canSAS_class="SASdata", signal="I", I_axes="Q")
            data.attrs["axes"] = ["Q"]
            data.attrs["Q_indices"] = np.array([0])
            data.attrs["mask"] = ""
            put(data, "Q", curve.q * 1e-10, "1/angstrom")
            put(data, "I", curve.intensity * factor, unit, uncertainties="Idev", scaling_factor=1.0)
            put(data, "Idev", curve.error * factor, unit)
            instrument = group(entry, "instrument", "NXinstrument", canSAS_class="SASinstrument")
            detector = group(instrument, "detector", "NXdetector", canSAS_class="SASdetector")
            put(detector, "name", measurement.name)
            put(detector, "SDD", need(measurement, "the detector distance", "detector_distance", "distance"), "m")
            pixel_y, pixel_x = need_pixel(measurement)
            put(detector, "x_pixel_size", pixel_x, "m")
            put(detector, "y_pixel_size", pixel_y, "m")
            source = group(instrument, "source", "NXsource", canSAS_class="SASsource")
            put(source, "radiation", "Synchrotron X-ray Source")
            put(source, "incident_wavelength", float(wavelength(measurement.frames["energy"][0])) * 1e10, "angstrom")
            part = group(entry, "sample", "NXsample", canSAS_class="SASsample")
            put(part, "name", "simulated specimen")
