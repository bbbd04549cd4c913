"""How well does an exposure show one particle? The ideal observer's answer, the same for every technique.

    SNR^2 = sum over detector elements and frames of (n_with - n_without)^2 / n_without

n are expected photons with the particle in place and with it taken out (its host in its stead). This is the
signal-to-noise ratio of an observer who knows exactly what to look for, limited by photon noise alone; it grows as the
square root of fluence, so the fluence, and with it the dose, for a wanted SNR follows by scaling. Elements that expect
no photons without the particle but some with it are counted as n_with (a Poisson likelihood-ratio test is no weaker).
Reference: Barrett & Myers, Foundations of Image Science (Wiley, 2004), ch. 13; Rose, J. Opt. Soc. Am. 38, 196
(1948), doi 10.1364/JOSA.38.000196, whose criterion is SNR = 5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xsim.dose.ledger import absorbed
from xsim.exposure import Dose, Exposure, FrameTable
from xsim.specimen.specimen import Specimen

#: working memory for one chunk of frames [bytes]
CHUNK_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Detectability:
    """What one instrument, run as described, says of one particle. dose by material; time [s]; incident photons."""

    snr: float
    dose: dict[str, Dose]
    time: float
    photons: float


def without(specimen: Specimen, name: str, index: int) -> Specimen:
    """The specimen with particle `index` of population `name` taken out, its host in its stead."""
    specimen.particle(name, index)  # raises UnknownNameError naming what there is
    parts = tuple(p.take(~((p.name == name) & (p.index == index))) for p in specimen.populations)
    return replace(specimen, populations=parts)


def aimed(instrument: Any, specimen: Specimen) -> Any:
    """The instrument held where its target is in `specimen`, within any scans, for when that is taken out."""
    if hasattr(instrument, "inner"):
        return replace(instrument, inner=aimed(instrument.inner, specimen))
    return instrument.aimed(specimen) if hasattr(instrument, "aimed") else instrument


def detectability(specimen: Specimen, instrument: Any, name: str, index: int = 0) -> Detectability:
    """Expose with and without the particle and sum the ideal observer's SNR over all frames."""
    instrument = aimed(instrument, specimen)
    frames = instrument.frames()
    present = instrument.prepare(specimen)
    absent = instrument.prepare(without(specimen, name, index))
    total: list[float] = []
    photons: list[float] = []
    step = max(1, CHUNK_BYTES // max(1, present.frame_bytes))
    for start in range(0, len(frames), step):
        rows: FrameTable = frames.take(slice(start, start + step))
        seen = present.expose(rows)
        total.append(_snr_squared(*_matched(seen, absent.expose(rows))))
        photons.append(float(seen.incident.sum()))
    dose = absorbed(specimen, present.illuminate(frames))
    return Detectability(math.sqrt(math.fsum(total)), dose, float(np.sum(frames["time"])), math.fsum(photons))


def _matched(first: Exposure, second: Exposure) -> tuple[Any, Any]:
    """The expected photons of both with the same photon energies in each group.

    Without the particle there may be fewer groups: the lines of an element that nothing else holds are gone.
    """
    if np.array_equal(first.group_energy, second.group_energy):
        return first.expected, second.expected
    energies = np.unique(np.concatenate([first.group_energy.ravel(), second.group_energy.ravel()]))
    return _by_energy(first, energies), _by_energy(second, energies)


def _by_energy(exposure: Exposure, energies: Any) -> Any:
    """Expected photons (frames, energies, ...), groups of equal energy added up."""
    expected = exposure.expected
    out = np.zeros((len(expected), len(energies), *expected.shape[2:]))
    rows = np.arange(len(expected))
    for group, column in enumerate(np.searchsorted(energies, exposure.group_energy).T):
        out[rows, column] += expected[:, group]  # one column per row: no index twice
    return out


def _snr_squared(present: Any, absent: Any) -> float:
    difference = np.asarray(present, np.float64) - absent
    floor = np.where(absent > 0, absent, np.maximum(present, 1e-300))
    return float(np.sum(difference**2 / floor))
