"""Detection limits of fluorescence lines before anything is drawn: over the background expected of one frame."""

from __future__ import annotations

from typing import Any

import numpy as np

from xsim.instruments._protocol import Measuring
from xsim.metrics.line_limits import Calibration, LineLimit
from xsim.specimen.specimen import Specimen


def expected_limits(specimen: Specimen, absent: Specimen, instrument: Any) -> list[LineLimit]:
    """Limits of one frame of `instrument`, calibrated with the specimen, over the background of what is `absent` of it.

    Empty for instruments without thin-film standards, and for scans of several energies.
    """
    frames = instrument.frames()
    if not hasattr(instrument.detector, "energies") or len(np.unique(frames["energy"])) > 1:
        return []
    prepared = instrument.prepare(specimen)
    calibration = Calibration.of(prepared.measured()) if isinstance(prepared, Measuring) else None
    if calibration is None:
        return []
    first = frames.take(slice(0, 1))
    exposure = instrument.prepare(absent).expose(first)
    spectrum = np.asarray(instrument.detector.mean(exposure), np.float64)
    spectrum = spectrum.reshape(-1, spectrum.shape[-1]).sum(axis=0)
    photons = float(exposure.incident[0]) / (1 + float(prepared.measured().get("unfocused_share", 0.0)))
    return calibration.limits(spectrum, np.asarray(instrument.detector.energies, np.float64), photons)
