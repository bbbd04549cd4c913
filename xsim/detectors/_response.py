"""The spectrum that a silicon detector shows for photons of one energy.

A line at E becomes a Gaussian of FWHM^2 = noise^2 + 8 ln 2 F w E (w = 3.65 eV per pair), an exponential low-energy
tail and a flat shelf from incomplete charge collection, and an escape peak at E - 1.740 keV: the Si K photon leaves
with probability
    (1/2) W (1 - 1/J) [1 - (m_K/m) ln(1 + m/m_K)],
W = 0.047 the fluorescence yield of Si K, J its edge jump, m and m_K the attenuation of Si at E and at 1.740 keV.
Everything is an integral over each channel, so a line's sum is conserved. References: escape: Reed & Ware, J. Phys. E
5, 582 (1972), doi 10.1088/0022-3735/5/6/029; tail, shelf: Campbell & Maxwell, Nucl. Instrum. Methods B 129, 297 (1997).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr

from xsim.constants import FWHM

Array = NDArray[np.float64]

PAIR_ENERGY = 3.65  #: silicon [eV per electron-hole pair]
ESCAPE_ENERGY = 1740.0  #: Si K alpha [eV]
SILICON_EDGE = 1839.0  #: Si K edge [eV]
_YIELD, _JUMP = 0.047, 10.8


@dataclass(frozen=True)
class Response:
    """Width and shape of a line: electronic `noise` FWHM [eV], `fano`; `tail` and `shelf` fractions, length [eV]."""

    noise: float
    fano: float
    tail: float
    tail_length: float
    shelf: float

    def fwhm(self, energy: float) -> float:
        """Full width at half maximum [eV] at `energy` [eV]."""
        return float(np.sqrt(self.noise**2 + FWHM**2 * self.fano * PAIR_ENERGY * energy))

    def spectrum(self, energy: float, edges: Array, escape: float) -> Array:
        """Share of photons of `energy` [eV] between consecutive `edges` (n + 1,) [eV]; `escape` goes to its peak."""
        share = (1 - escape) * self._peak(energy, edges)
        if escape > 0:
            share = share + escape * self._peak(energy - ESCAPE_ENERGY, edges)
        return share

    def _peak(self, energy: float, edges: Array) -> Array:
        sigma = max(self.fwhm(energy) / FWHM, 1e-9)
        z = (edges - energy) / sigma
        cdf = (1 - self.tail - self.shelf) * ndtr(z)
        if self.tail > 0:
            ratio = sigma / self.tail_length
            cdf = cdf + self.tail * (ndtr(z) + np.exp(ratio * z + ratio**2 / 2 + log_ndtr(-z - ratio)))
        if self.shelf > 0:
            cdf = cdf + self.shelf * sigma / energy * (_integrated(edges / sigma) - _integrated(z))
        return np.clip(np.diff(cdf), 0, None)


def _integrated(u: Array) -> Array:
    """Integral of the normal distribution function up to u."""
    return np.asarray(u * ndtr(u) + np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi))


def escape_fraction(energy: float) -> float:
    """Chance that the Si K photon leaves the front of the sensor, for photons of `energy` [eV] detected in silicon."""
    if energy <= SILICON_EDGE:
        return 0.0
    from xsim.matter import library

    optics = library.find("Si", density="2.33 g/cm^3").optics(np.array([energy, ESCAPE_ENERGY]))
    ratio = float(optics.mu_photo[1] / optics.mu_photo[0])
    return 0.5 * _YIELD * (1 - 1 / _JUMP) * (1 - ratio * np.log1p(1 / ratio))
