"""The spectrum that a silicon detector shows for photons of one energy.

A line at E becomes a Gaussian of FWHM^2 = noise^2 + 8 ln 2 F w E (w = 3.65 eV per pair), an exponential low-energy
tail and a flat shelf from incomplete charge collection, and an escape peak at E - 1.740 keV. Part of the charge is
lost for photons that stop within a depth d behind the entrance: their share is 1 - exp(-mu(E) d), which grows as mu
does towards low energies and jumps up at the Si K edge; d is told by the share `tail` at 5.895 keV (Mn K alpha), where
detectors are specified. The law "constant" gives every line the same share, as programs that fit spectra assume. The
shelf keeps its share at all energies. The Si K photon leaves with probability
    (1/2) W (1 - 1/J) [1 - (m_K/m) ln(1 + m/m_K)],
W = 0.047 the fluorescence yield of Si K, J its edge jump, m and m_K the attenuation of Si at E and at 1.740 keV.
Everything is an integral over each channel, so a line's sum is conserved. References: escape: Reed & Ware, J. Phys. E
5, 582 (1972), doi 10.1088/0022-3735/5/6/029; tail, shelf: Campbell & Maxwell, Nucl. Instrum. Methods B 129, 297 (1997);
layer of incomplete charge: Scholze & Procop, X-Ray Spectrom. 30, 69 (2001), doi 10.1002/xrs.473.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr

from xsim.constants import FWHM

Array = NDArray[np.float64]

PAIR_ENERGY = 3.65  #: silicon [eV per electron-hole pair]
ESCAPE_ENERGY = 1740.0  #: Si K alpha [eV]
SILICON_EDGE = 1839.0  #: Si K edge [eV]
TAIL_ENERGY = 5895.0  #: Mn K alpha, where `tail` is stated [eV]
_YIELD, _JUMP = 0.047, 10.8
SOFTEST = 30.0  #: where the tables of silicon begin [eV]


@dataclass(frozen=True)
class Response:
    """Width and shape of a line: electronic `noise` FWHM [eV], `fano`; `tail` and `shelf` fractions, length [eV].

    by_depth: the tail grows towards low energies as photons stop nearer the entrance; else it is the same everywhere.
    """

    noise: float
    fano: float
    tail: float
    tail_length: float
    shelf: float
    by_depth: bool = False

    def fwhm(self, energy: float) -> float:
        """Full width at half maximum [eV] at `energy` [eV]."""
        return float(np.sqrt(self.noise**2 + FWHM**2 * self.fano * PAIR_ENERGY * energy))

    def tail_share(self, energy: float) -> float:
        """Share of the photons of `energy` [eV] in the tail, at most what the shelf leaves."""
        if not self.by_depth or self.tail == 0:
            return self.tail
        reference, here = _silicon(TAIL_ENERGY), _silicon(max(float(energy), SOFTEST))
        share = 1.0 if self.tail == 1 else -np.expm1(np.log1p(-self.tail) * here / reference)
        return float(min(share, 1 - self.shelf))

    def spectrum(self, energy: float, edges: Array, escape: float) -> Array:
        """Share of photons of `energy` [eV] between consecutive `edges` (n + 1,) [eV]; `escape` goes to its peak."""
        tail = self.tail_share(energy)
        share = (1 - escape) * self._peak(energy, edges, tail)
        if escape > 0:
            share = share + escape * self._peak(energy - ESCAPE_ENERGY, edges, tail)
        return share

    def _peak(self, energy: float, edges: Array, tail: float) -> Array:
        sigma = max(self.fwhm(energy) / FWHM, 1e-9)
        z = (edges - energy) / sigma
        cdf = (1 - tail - self.shelf) * ndtr(z)
        if tail > 0:
            ratio = sigma / self.tail_length
            cdf = cdf + tail * (ndtr(z) + np.exp(ratio * z + ratio**2 / 2 + log_ndtr(-z - ratio)))
        if self.shelf > 0:
            cdf = cdf + self.shelf * sigma / energy * (_integrated(edges / sigma) - _integrated(z))
        return np.clip(np.diff(cdf), 0, None)


def _integrated(u: Array) -> Array:
    """Integral of the normal distribution function up to u."""
    return np.asarray(u * ndtr(u) + np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi))


@lru_cache(maxsize=32)
def spectra(response: Response, escape: bool, energies: bytes, edges: bytes) -> Array:
    """Spectra (n, channels) of float64 `energies` (n,) [eV] between `edges` [eV]; kept for the next chunk."""
    limits = np.frombuffer(edges)
    rows = [response.spectrum(e, limits, escape_fraction(e) if escape else 0.0) for e in np.frombuffer(energies)]
    found = np.array(rows).reshape(-1, len(limits) - 1)
    found.setflags(write=False)
    return found


@lru_cache(maxsize=4096)
def _silicon(energy: float) -> float:
    """Photoelectric attenuation of silicon [1/m] at `energy` [eV]."""
    from xsim.matter import library

    return float(library.find("Si", density="2.33 g/cm^3").optics(np.array([energy])).mu_photo[0])


def escape_fraction(energy: float) -> float:
    """Chance that the Si K photon leaves the front of the sensor, for photons of `energy` [eV] detected in silicon."""
    if energy <= SILICON_EDGE:
        return 0.0
    ratio = _silicon(ESCAPE_ENERGY) / _silicon(energy)
    return 0.5 * _YIELD * (1 - 1 / _JUMP) * (1 - ratio * np.log1p(1 / ratio))
