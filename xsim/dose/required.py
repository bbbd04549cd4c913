"""How many photons a feature needs to be seen, what dose that is, and what dose it survives.

Imaging by diffraction or perfect phase contrast: a voxel of size d whose density of scattering length differs from its
background by |drho| [1/m^3, in electrons] scatters so that P photons are detected from
    N0 = P / (r_e^2 lambda^2 |drho|^2 d^4) per area,   D = mu N0 E / rho,
P = 25 by the Rose criterion (J. Soc. Motion Pict. Eng. 47, 273 (1946)). The dose tolerated at resolution d is 1e8 Gy
per nm (10 MGy per angstrom). Reference: Howells et al., J. Electron Spectrosc. 170, 4 (2009),
doi 10.1016/j.elspec.2008.10.008. The linear law is empirical: a reanalysis finds a power of about 1.7, Atakisi et al.,
IUCrJ 6, 1040 (2019), doi 10.1107/S2052252519008777. Valid for weak features (phase and absorption well below 1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from xsim.constants import E_CHARGE, R_E, wavelength
from xsim.errors import RangeError
from xsim.matter.material import Material

#: signal-to-noise ratio that the Rose criterion asks for, and its square: photons per voxel
ROSE = 5.0
ROSE_PHOTONS = ROSE**2


def electron_contrast(feature: Material, background: Material | None, energy: float) -> float:
    """|difference| of the complex density of scattering [electrons/m^3] at `energy` [eV]; None: vacuum."""
    index = feature.optics(energy).decrement
    if background is not None:
        index = index - background.optics(energy).decrement
    return float(2 * np.pi * abs(index) / (R_E * wavelength(energy) ** 2))


def required_fluence(contrast: float, size: float, energy: float, photons: float = ROSE_PHOTONS) -> float:
    """Photons per area [1/m^2]: contrast [electrons/m^3], feature `size` [m], `energy` [eV], photons P detected."""
    for name, value in (("contrast", contrast), ("size", size), ("energy", energy), ("photons", photons)):
        if not 0 < value < np.inf:
            raise RangeError(name, value=value, allowed="finite, > 0")
    return float(photons / (R_E**2 * wavelength(energy) ** 2 * contrast**2 * size**4))


def required_dose(
    feature: Material, background: Material | None, size: float, energy: float, photons: float = ROSE_PHOTONS
) -> float:
    """Dose [Gy] to a feature of `size` [m] for `photons` to be detected from it at `energy` [eV]."""
    fluence = required_fluence(electron_contrast(feature, background, energy), size, energy, photons)
    return float(feature.optics(energy).mu_photo) / feature.density * fluence * energy * E_CHARGE


@dataclass(frozen=True)
class PowerLaw:
    """Tolerable dose [Gy] at a resolution d [m]: dose_at_1nm x (d / 1 nm)^power."""

    dose_at_1nm: float = 1e8
    power: float = 1.0

    def __call__(self, size: float) -> float:
        """The tolerable dose [Gy] at resolution `size` [m]."""
        return self.dose_at_1nm * (size / 1e-9) ** self.power


#: the law of Howells et al. (2009): 10 MGy per angstrom of resolution
HOWELLS = PowerLaw()


def resolution_limit(
    feature: Material, background: Material | None, energy: float, tolerable: Callable[[float], float] = HOWELLS
) -> float:
    """Smallest feature [m] that is seen (Rose) before its tolerable dose is passed. Raises RangeError if none is."""

    def excess(log_size: float) -> float:
        size = float(np.exp(log_size))
        return float(np.log(required_dose(feature, background, size, energy) / tolerable(size)))

    low, high = np.log(1e-11), np.log(1e-3)
    if excess(low) * excess(high) > 0:
        raise RangeError(
            "no size between 0.01 nm and 1 mm meets the tolerable dose", value=energy, allowed="a crossing"
        )
    return float(np.exp(brentq(excess, low, high, xtol=1e-12)))


def rose_photons(feature_signal: float, background_signal: float, snr: float = ROSE) -> float:
    """Photons N = snr^2 / Theta^2 per voxel, Theta = |I_f - I_b| / sqrt(I_f + I_b), signals per incident photon."""
    total = feature_signal + background_signal
    if not (min(feature_signal, background_signal) >= 0 and total > 0 and feature_signal != background_signal):
        raise RangeError("signals per photon", value=(feature_signal, background_signal), allowed=">= 0, not equal")
    return snr**2 * total / (feature_signal - background_signal) ** 2
