"""Detection limits of fluorescence lines before anything is drawn: over the background of what the frames expect.

The frames that show no line are found among the expected spectra as a measurement finds them among the counted ones
(`xsim.metrics.line_limits`), so that a plan and the run that follows it tell the same limits but for counting noise.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xsim.instruments._protocol import Measuring
from xsim.metrics.line_limits import Calibration, LineLimit, background
from xsim.specimen.specimen import Specimen

#: frames at most whose spectra are worked out
FRAMES = 900


def expected_limits(specimen: Specimen, instrument: Any) -> list[LineLimit]:
    """Limits of one frame of `instrument` on `specimen`.

    Empty for instruments without thin-film standards, and for scans of several energies.
    """
    frames = instrument.frames()
    if not hasattr(instrument.detector, "energies") or len(np.unique(frames["energy"])) > 1:
        return []
    prepared = instrument.prepare(specimen)
    calibration = Calibration.of(prepared.measured()) if isinstance(prepared, Measuring) else None
    if calibration is None:
        return []
    exposure = prepared.expose(frames.take(np.unique(np.linspace(0, len(frames) - 1, FRAMES).round().astype(int))))
    spectra = np.asarray(instrument.detector.mean(exposure), np.float64)
    spectra = spectra.reshape(len(spectra), -1, spectra.shape[-1]).sum(axis=1)
    channel = np.asarray(instrument.detector.energies, np.float64)
    spectrum, _ = background(spectra, channel, calibration)
    photons = float(exposure.incident.mean()) / (1 + float(prepared.measured().get("unfocused_share", 0.0)))
    return calibration.limits(spectrum, channel, photons)
