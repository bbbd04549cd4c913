"""The spectrum of nearly monochromatic light: lines of weight w_i that stand for it, added as intensities.

    <I> = int S(E) I(E) dE = sum_i w_i I(E_i),    sum_i w_i = 1

S is a Gaussian or a rectangle of full width at half maximum dE about the nominal energy. The lines are the nodes of
Gauss's quadrature for S (Hermite, Legendre): n of them are exact for every polynomial of degree 2n - 1 in E, so mean
and variance of the spectrum are exact from two lines on, and smooth responses converge exponentially: what turns
through one period over the width is met to 3e-4 by 9 lines of a Gaussian, to 1e-6 by 13 (`Bandwidth.enough`).

Valid for widths of up to a tenth of the energy. The coherence length of the light is lambda E/dE. References:
Abramowitz & Stegun, Handbook of Mathematical Functions, 25.4; Born & Wolf, Principles of Optics, ch. 7.5.8.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xsim.constants import FWHM, wavelength
from xsim.model import Model

FloatArray = NDArray[np.float64]

#: lines weaker than this are left out
_FAINTEST = 1e-9


class Bandwidth(Model):
    """How far the photon energies of the beam spread; `relative_width` = 0 is one energy alone."""

    #: full width at half maximum over the energy, dE/E
    relative_width: float = Field(default=0.0, ge=0, le=0.1)
    shape: Literal["gaussian", "rectangular"] = "gaussian"
    #: how many energies stand for the spectrum; each costs one more image
    samples: int = Field(default=9, ge=2, le=101)

    def lines(self, energy: float) -> tuple[FloatArray, FloatArray]:
        """Energies (n,) [eV], ascending, and weights (n,) summing to 1; a single line without width."""
        if self.relative_width == 0:
            return np.array([float(energy)]), np.ones(1)
        if self.shape == "gaussian":
            offsets, weights = np.polynomial.hermite_e.hermegauss(self.samples)
            offsets = offsets / FWHM
        else:
            offsets, weights = np.polynomial.legendre.leggauss(self.samples)
            offsets = offsets / 2
        weights = weights / weights.sum()
        kept = weights > _FAINTEST
        weights = weights[kept] / weights[kept].sum()
        return float(energy) * (1 + self.relative_width * offsets[kept]), weights

    def geometry(self, energy: float) -> dict[str, float]:
        """What files and reconstructions are told: the spread (FWHM) [eV] about `energy`, nothing without width."""
        return {"energy_spread [eV]": self.relative_width * energy} if self.relative_width else {}

    def rms(self, energy: float) -> float:
        """Standard deviation of the photon energies [eV]."""
        spread = 1 / FWHM if self.shape == "gaussian" else 1 / np.sqrt(12)
        return float(energy * self.relative_width * spread)

    def coherence_length(self, energy: float) -> float:
        """Path difference lambda E/dE [m] beyond which waves no longer interfere; infinite without width."""
        return math.inf if self.relative_width == 0 else float(wavelength(energy) / self.relative_width)

    def enough(self, turns: float) -> int:
        """How many lines meet a response that turns through `turns` periods over the width, to 1e-3."""
        turns = abs(turns)
        return math.ceil(3 + (4 * turns + 2 * turns**2 if self.shape == "gaussian" else 2 * turns) - 1e-9)
