"""The focus of an X-ray laser: how the photons of one pulse lie across the plane of the particles.

    fluence(x, y) = N p(x, y),    integral of p over the plane = 1    [1/m^2]

    flat        p = 4/(pi d^2) within the diameter d
    gaussian    p = exp(-r^2/2s^2)/(2 pi s^2),  s = FWHM/2.355
    lorentzian  p = a/(2 pi (a^2 + r^2)^(3/2)),  a = FWHM/(2 sqrt(2^(2/3) - 1)): tails that hold 1/sqrt(1 + r^2/a^2)
                of all photons outside r
    kb          p = sinc^2(x/b) sinc^2(y/b)/b^2,  b = FWHM/0.886, sinc(u) = sin(pi u)/(pi u): evenly lit mirrors

`size` is the diameter of the flat focus and the full width at half maximum of the others. Valid for particles small
against the focus, over which p is one number. References: Siegman, Lasers (1986), ch. 17; Yumoto et al., Nature
Photon. 7, 43 (2013), doi 10.1038/nphoton.2012.306 (mirror pairs at an X-ray laser).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xsim.constants import FWHM
from xsim.model import Model
from xsim.units import NonNegativeLength, PositiveLength

FloatArray = NDArray[np.float64]

#: FWHM of sinc^2(u), sin(pi u)/(pi u) squared
_SINC_FWHM = 0.8858929413789


class Focus(Model):
    """Shape and size of the focus, and how far shots land from its middle.

    jitter: standard deviation [m] along x and along y of the distance between particle and focus, from shot to shot.
    """

    shape: Literal["flat", "gaussian", "lorentzian", "kb"] = "gaussian"
    size: PositiveLength = 200e-9
    jitter: NonNegativeLength = 0.0

    def density(self, x: Any, y: Any) -> FloatArray:
        """Share of the photons per area [1/m^2] at (x, y) [m] from the middle."""
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        square = x**2 + y**2
        if self.shape == "flat":
            return np.where(square <= self.size**2 / 4, 4 / (np.pi * self.size**2), 0.0)
        if self.shape == "gaussian":
            variance = (self.size / FWHM) ** 2
            return np.asarray(np.exp(-square / (2 * variance)) / (2 * np.pi * variance))
        if self.shape == "lorentzian":
            a = self.size / (2 * np.sqrt(2 ** (2 / 3) - 1))
            return np.asarray(a / (2 * np.pi * (a**2 + square) ** 1.5))
        b = self.size / _SINC_FWHM
        return np.asarray(np.sinc(x / b) ** 2 * np.sinc(y / b) ** 2 / b**2)

    @property
    def peak(self) -> float:
        """Share of the photons per area in the middle [1/m^2]."""
        return float(self.density(0.0, 0.0))
