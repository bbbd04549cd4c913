"""Whether a label shows in front of a flat background: the ideal observer, who knows what it looks for.

SNR^2 = F integral (I_f - I_b)^2 / I_b over the picture, F the fluence, I transmitted signals per photon. In Zernike
phase contrast of a weak sphere of radius a the signal is 2 k ddelta T(r), and with integral T^2 = 2 pi a^4:
    SNR^2 = 8 pi a^4 (k ddelta)^2 F exp(-mu T)
behind background of optical depth mu T. In absorption the signal is 2 k dbeta T(r): the same with dbeta. Valid while
2 a k |ddelta - i dbeta| << 1 and the sphere is resolved. Reference: Barrett & Myers, Foundations of Image Science
(2004), ch. 13.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from xsim.constants import wavenumber
from xsim.errors import RangeError
from xsim.matter.material import Material


def ideal_snr(feature: Any, background: Any, fluence: float, pixel: float) -> float:
    """SNR between images of signal per incident photon, with and without the feature; fluence [1/m^2], pixel [m]."""
    feature, background = np.broadcast_arrays(np.asarray(feature, float), np.asarray(background, float))
    if not (np.all(background > 0) and np.all(feature >= 0)):
        raise RangeError("signal per photon", value=float(np.min(background)), allowed="background > 0, feature >= 0")
    return float(np.sqrt(fluence * pixel**2 * np.sum((feature - background) ** 2 / background)))


def sphere_snr(
    index_contrast: float, radius: float, energy: float, fluence: float, optical_depth: float = 0.0
) -> float:
    """SNR of a weak sphere: |ddelta| (Zernike) or |dbeta| (absorption), radius [m], energy [eV], fluence [1/m^2]."""
    k = float(wavenumber(energy))
    return float(np.sqrt(8 * np.pi * radius**4 * (k * index_contrast) ** 2 * fluence * np.exp(-optical_depth)))


def sphere_fluence(
    index_contrast: float, radius: float, energy: float, snr: float = 5.0, optical_depth: float = 0.0
) -> float:
    """Photons per area [1/m^2] for a weak sphere to reach `snr`."""
    return (snr / sphere_snr(index_contrast, radius, energy, 1.0, optical_depth)) ** 2


def label_fluence(
    label: Material,
    background: tuple[Material, float],
    radius: float,
    energy: float,
    *,
    snr: float = 5.0,
    contrast: Literal["zernike", "absorption"] = "zernike",
) -> float:
    """Photons per area [1/m^2] for a spherical label of `radius` [m] in a background (material, thickness [m])."""
    material, thickness = background
    n, m = label.optics(energy), material.optics(energy)
    part = float(n.delta - m.delta) if contrast == "zernike" else float(-(n.decrement - m.decrement).imag)
    return sphere_fluence(part, radius, energy, snr, float(m.mu_total) * thickness)
