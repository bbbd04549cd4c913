"""Physical constants in SI units, except where the name says eV (CODATA 2018, from scipy)."""

from __future__ import annotations

import math
from typing import Any

from scipy import constants as _c

#: classical electron radius [m]
R_E: float = _c.physical_constants["classical electron radius"][0]
#: Planck constant times speed of light [eV m]
HC: float = _c.h * _c.c / _c.e
#: elementary charge [C], also joule per electronvolt
E_CHARGE: float = _c.e
#: speed of light [m/s]
C: float = _c.c
#: Boltzmann constant [J/K]
K_B: float = _c.k
#: Avogadro constant [1/mol]
N_A: float = _c.N_A
#: full width at half maximum of a Gaussian over its standard deviation
FWHM: float = math.sqrt(8 * math.log(2))


def wavelength(energy: Any) -> Any:
    """Wavelength [m] of photons of `energy` [eV] (float or array)."""
    return HC / energy


def wavenumber(energy: Any) -> Any:
    """Wavenumber k = 2 pi / lambda [rad/m] of photons of `energy` [eV] (float or array)."""
    return 2 * _c.pi * energy / HC
