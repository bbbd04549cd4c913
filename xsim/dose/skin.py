"""Dose at the surface, and its mean over a slab.

D = (mu_photo / rho) F E at the entrance, D (1 - exp(-mu T)) / (mu T) on average over a depth T: E the photon energy,
F the fluence, rho the density. Valid where the photoelectrons of a place are replaced by those of its neighbourhood;
smaller bodies keep less (see `ledger`). Reference: Howells et al., doi 10.1016/j.elspec.2008.10.008.
"""

from __future__ import annotations

import numpy as np

from xsim.constants import E_CHARGE
from xsim.errors import RangeError


def skin_dose(mass_attenuation: float, fluence: float, energy: float) -> float:
    """Dose [Gy] at the surface: mu_photo / rho [m^2/kg], fluence [1/m^2], energy [eV]; else RangeError."""
    for name, value in (("mass attenuation", mass_attenuation), ("fluence", fluence), ("energy", energy)):
        if not 0 <= value < np.inf:
            raise RangeError(name, value=value, allowed="finite, >= 0")
    return mass_attenuation * fluence * energy * E_CHARGE


def slab_mean(dose: float, optical_depth: float) -> float:
    """Mean dose [Gy] over a slab of `optical_depth` = mu T whose surface dose is `dose` [Gy]."""
    if not 0 <= optical_depth < np.inf:
        raise RangeError("optical depth", value=optical_depth, allowed="finite, >= 0")
    return dose if optical_depth == 0 else float(-dose * np.expm1(-optical_depth) / optical_depth)
