"""Born approximation: every photon scatters at most once.

    f(q) = (k^2/2 pi) * integral of (-Delta delta + i Delta beta) exp(-iq.r) d3r          [m]
    photons in a pixel = fluence * |f|^2 * polarisation * solid angle

Contrast Delta is taken against the host. Valid while k |Delta n| t << 1 along every ray (`xsim.interaction.validity`)
and absorption is weak; exact in the scattering angle, with the curvature of the Ewald sphere. Reference: Born & Wolf,
Principles of Optics, ch. 13.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from xsim.specimen.specimen import Specimen


def far_field(specimen: Specimen, q: NDArray[np.float64], energy: float) -> NDArray[np.complex128]:
    """Scattering amplitude f (...) [m] of the specimen at q (..., 3) [rad/m]; |f|^2 is the cross section [m^2/sr]."""
    return np.asarray(specimen.amplitude(q, energy), np.complex128)


def photons(amplitude: Any, solid_angle: Any, fluence: float, polarisation: Any = 1.0) -> Any:
    """Expected photons per pixel from f [m], solid angles [sr] and the incident fluence [1/m^2]."""
    return fluence * np.abs(amplitude) ** 2 * solid_angle * polarisation
