"""What a layer scatters besides its particles: density fluctuations of a liquid, and Compton scattering of any matter.

    dSigma/dOmega = |sld|^2 k_B T kappa_T + sum_e n_e dsigma_Compton/dOmega(theta)

sld: complex scattering-length density; kappa_T: isothermal compressibility, known for water (4.589e-10/Pa at 20 C,
Kell 1975, doi 10.1021/je60064a005), for which the first term is 0.0163 1/cm, the usual standard of absolute scale
(Orthaber, Bergmann & Glatter 2000, doi 10.1107/S0021889899015216); good well below the liquid's first peak, q < 4/nm.
A Compton photon is counted as an elastic one; its polarisation factor is taken to be the same.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavenumber
from xsim.errors import ValidityWarning
from xsim.matter.material import Material
from xsim.matter.scatter import compton

FloatArray = NDArray[np.float64]

_BOLTZMANN = 1.380649e-23
#: isothermal compressibility [1/Pa] of liquids by the name of the material
COMPRESSIBILITY = {"water": 4.589e-10}


def fluctuations(material: Material, q: FloatArray, energy: float, temperature: float) -> FloatArray:
    """dSigma/dOmega [1/m] at q (n,) [rad/m]; warns of a material whose compressibility is not known (Compton alone)."""
    theta = 2 * np.arcsin(np.minimum(q / (2 * float(wavenumber(energy))), 1.0))
    nodes = np.linspace(0.0, float(theta.max()) + 1e-6, 24)
    total = np.zeros(len(nodes))
    for element, density in material.number_densities.items():
        # without the polarisation factor, which the frame applies
        total += density * compton(element, energy, nodes) * 2 / (1 + np.cos(nodes) ** 2)
    known = COMPRESSIBILITY.get(material.name)
    if known is None:
        warnings.warn(
            f"no compressibility is known for {material.name}: its density fluctuations are left out (known: "
            f"{', '.join(COMPRESSIBILITY)}); give them as background",
            ValidityWarning,
            stacklevel=4,
        )
        known = 0.0
    sld = float(wavenumber(energy)) ** 2 / (2 * math.pi) * abs(complex(material.optics(energy).decrement))
    return np.asarray(np.interp(theta, nodes, total) + sld**2 * _BOLTZMANN * temperature * known)
