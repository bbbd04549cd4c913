"""Spectra of an energy-dispersive detector as reconstructions take them: channels in eV, several detectors added up."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from xsim.exposure import Array, Measurement
from xsim.reconstruct._data import single_energy
from xsim.spill import blocks


def lacks_spectra(measurement: Measurement) -> str:
    """Why its frames are not spectra taken at one incident energy; empty if they are."""
    axes = measurement.axes
    if not axes or axes[-1].unit not in ("eV", "keV") or [axis.name for axis in axes[:-1]] not in ([], ["detector"]):
        return "its frames are not energy spectra"
    return single_energy(measurement)


def channels(measurement: Measurement) -> Array:
    """Energy of the centre of each channel (channels,) [eV]."""
    axis = measurement.axes[-1]
    return np.asarray(axis.values, np.float64) * (1e3 if axis.unit == "keV" else 1.0)


def spectra(measurement: Measurement) -> Iterator[Array]:
    """Counts (some frames, channels) of all detectors together, block by block."""
    for block in blocks(measurement.counts):
        yield block if block.ndim == 2 else block.sum(axis=1)


def total_spectrum(measurement: Measurement) -> Array:
    """Counts of all frames and detectors (channels,)."""
    return np.asarray(sum(block.sum(axis=0, dtype=np.float64) for block in spectra(measurement)), np.float64)
