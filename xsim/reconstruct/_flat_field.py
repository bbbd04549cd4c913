"""Transmission of a full field: each frame less its dark level, over what arrives without the specimen.

    T = [(N - D(t)) / t] / [(F - D(t_F)) / t_F]

N counts of a frame of exposure time t, F the mean of the flats at its energy, D the mean of the darks, on a straight
line between exposure times where darks were taken at several. Without flats or darks, the detector's calibration and
the light that the source gives stand in for them.
"""

from __future__ import annotations

import numpy as np

from xsim.exposure import Array, Measurement, incident_photons, lookup
from xsim.reconstruct._data import flat


def transmission(measurement: Measurement) -> Array:
    """T (frames, ny, nx), at least half a photon's worth in each pixel; NaN in gaps (counts of -1)."""
    raw = np.asarray(measurement.counts)
    shape = (-1, *(1,) * (raw.ndim - 1))
    times = np.asarray(measurement.frames["time"], np.float64)
    level = _dark_level(measurement, times)
    photon = _per_frame(measurement, "counts_per_photon", 1.0).reshape(shape)
    blank = _blank(measurement, shape, photon)
    found = np.maximum(raw - level, 0.5 * photon) / np.maximum(blank, 0.5 * photon)
    return np.where(raw < 0, np.nan, found) if raw.dtype.kind == "i" else found


def optical_density(measurement: Measurement) -> Array:
    """-ln T (frames, ...), finite in dark elements too."""
    return np.asarray(-np.log(transmission(measurement)))


def flat_variance(measurement: Measurement) -> Array:
    """Variance (frames,) that the counting noise of I0 adds to ln T: one over the photons in flats or monitor."""
    flats = measurement.flats
    if flats is None:
        return incident_photons(measurement)[1]
    energies = np.asarray(measurement.frames["energy"], np.float64)
    counted = np.full(len(energies), np.inf)
    for energy in np.unique(energies):
        rows = np.flatnonzero(flats.frames["energy"] == energy)
        of_energy = np.flatnonzero(energies == energy)
        scale = _per_frame(measurement, "counts_per_photon", 1.0)[of_energy[0]]
        level = _dark_level(measurement, np.asarray(flats.frames["time"])[rows])
        net = float(np.mean(np.asarray(flats.counts[rows], np.float64) - level)) / scale
        share = scale if measurement.counts_unit == "counts" else 1.0
        counted[of_energy] = max(net, 0.5) * share * len(rows)
    return 1 / counted


def _blank(measurement: Measurement, shape: tuple[int, ...], photon: Array) -> Array:
    """Counts above the dark level (frames, ny, nx or 1s) that each frame would have without the specimen."""
    flats = measurement.flats
    times = np.asarray(measurement.frames["time"], np.float64)
    if flats is None:
        return np.asarray(flat(measurement).reshape(shape) * photon)
    energies = np.asarray(measurement.frames["energy"], np.float64)
    blank = np.empty(measurement.counts.shape, np.float64)
    for energy in np.unique(energies):
        rows = np.flatnonzero(flats.frames["energy"] == energy)
        exposed = np.asarray(flats.frames["time"], np.float64)[rows]
        net = np.asarray(flats.counts[rows], np.float64) - _dark_level(measurement, exposed)
        rate = net.sum(axis=0) / exposed.sum()
        of_energy = np.flatnonzero(energies == energy)
        blank[of_energy] = rate * times[of_energy].reshape(shape)
    return blank


def _dark_level(measurement: Measurement, times: Array) -> Array:
    """Counts without light (len(times), ny, nx or 1s) in exposures of `times` [s]."""
    darks = measurement.darks
    if darks is None:
        offset = _per_frame(measurement, "counts_offset", 0.0)
        order = np.argsort(measurement.frames["time"], kind="stable")
        level = np.interp(times, np.asarray(measurement.frames["time"], np.float64)[order], offset[order])
        return np.asarray(level.reshape(-1, *(1,) * (measurement.counts.ndim - 1)))
    taken = np.asarray(darks.frames["time"], np.float64)
    distinct = np.unique(taken)
    means = [np.mean(darks.counts[taken == t], axis=0, dtype=np.float64) for t in distinct]
    if len(distinct) == 1:
        return np.broadcast_to(means[0], (len(times), *means[0].shape))
    part = (times - distinct[0]) / (distinct[-1] - distinct[0])
    part = part.reshape(-1, *(1,) * means[0].ndim)
    return np.asarray((1 - part) * means[0] + part * means[-1])


def _per_frame(measurement: Measurement, name: str, default: float) -> Array:
    value = lookup(measurement, name)
    return np.broadcast_to(np.asarray(default if value is None else value, np.float64), len(measurement.frames))
