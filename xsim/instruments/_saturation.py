"""Warnings before a run: pixels brighter than their detector can follow, with the number and what would mend it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from xsim.detectors._sensor import efficiency
from xsim.errors import ValidityWarning

#: share of the photons that dead time may lose in the brightest pixel before that is told
LOSS = 0.1


def warn_of_saturation(detector: Any, photons: float, energy: float, time: float) -> None:
    """Warn where the brightest pixel's expected `photons` in a frame of `time` [s] at `energy` [eV] saturate it."""
    for text in _limits(detector, photons, energy, time):
        warnings.warn(
            f"detector: the brightest pixel expects {photons:.3g} photons per frame, {text}; use more and shorter "
            "exposures (repeats), less flux, or an attenuator",
            ValidityWarning,
            stacklevel=3,
        )


def _limits(detector: Any, photons: float, energy: float, time: float) -> list[str]:
    qe = float(efficiency(getattr(detector, "efficiency", 1.0), np.array([energy]))[0])
    detected, found = qe * photons, []
    dead = float(getattr(detector, "dead_time", 0.0) or 0.0)
    if dead > 0:
        x = detected * dead / time
        kept = float(np.exp(-x)) if getattr(detector, "dead_time_model", "") == "paralysable" else 1 / (1 + x)
        if 1 - kept > LOSS:
            found.append(f"of which its dead time of {dead:.3g} s loses {1 - kept:.0%} (limit {LOSS:.0%})")
    bits = getattr(detector, "counter_bits", None)
    if bits is not None and detected > 2**bits - 1:
        found.append(f"and counts up to {2**bits - 1} ({bits} bits)")
    well = getattr(detector, "full_well", None)
    if well is not None:
        electrons = detected * float(detector.electrons_per_photon(energy))
        if electrons > well:
            found.append(f"{electrons:.3g} electrons in a full well of {well:.3g}")
        top = 2**detector.adc_bits - 1
        if electrons / detector.gain + detector.offset > top:
            found.append(f"{electrons / detector.gain + detector.offset:.3g} ADU where its ADC ends at {top}")
    return found
