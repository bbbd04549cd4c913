"""Over-absorption: the deeper parts of a thick sample get less light where it absorbs more, so yields flatten out.

    I_f / I_0 ~ mu_el(E) t c(E),    c = [1 - exp(-D - D_f)] / (D + D_f),    D_f = mu(E_f) t / |cos angle|

for a flat layer, alike in depth, that fills the beam, seen from the side on which the beam comes in. D = -ln(I/I0) is
what the transmission beside it measured, D_f follows from D before the edge as E^-3 down to the line of energy E_f.
Bodies narrower than they are long to the detector lose less on the way out. Reference: Troeger et al., Phys. Rev. B 46,
3283 (1992), doi 10.1103/PhysRevB.46.3283.
"""

from __future__ import annotations

import math
import warnings

import numpy as np

from xsim.errors import RangeError, ValidityWarning
from xsim.exposure import Array, Measurement, lookup
from xsim.reconstruct._stack import Stack

#: a flattening of the edge above which a warning is due
TOLERATED = 0.02


def layer_share(measurement: Measurement, transmitted: Stack, element: str) -> tuple[Array, Array]:
    """c (energies,) and its slope d ln c / dD; transmitted: the spectrum of the same spot in transmission.

    Raises RangeError for a detector that looks at the side where the beam comes out.
    """
    from xsim.matter.lines import fluorescence_lines

    angle = float(lookup(measurement, "fluorescence_angle") or math.pi)
    if angle <= math.pi / 2:
        told = f"{math.degrees(angle):.4g} deg"
        cure = "use transmission, or a detector beyond 90 deg"
        raise RangeError("over-absorption of a layer seen from behind", value=told, allowed="> 90 deg", cure=cure)
    depth = np.maximum(transmitted.density[:, 0], 1e-6)
    energies = transmitted.energies
    lines = fluorescence_lines(element, float(energies[-1]))
    line = max(lines, key=lambda one: one.cross_section).energy
    before = float(depth[0]) * (energies[0] / line) ** 3
    both = depth + before / abs(math.cos(angle))
    share = -np.expm1(-both) / both
    return share, np.exp(-both) / -np.expm1(-both) - 1 / both


def warn_of_flattening(share: Array) -> None:
    """Warn where over-absorption that is not corrected lowers the top of the edge against its foot."""
    loss = 1 - float(share.min() / share[0])
    if loss > TOLERATED:
        warnings.warn(
            f"over-absorption lowers the fluorescence by up to {100 * loss:.2g} % from before to above the edge, "
            f'tolerated {100 * TOLERATED:g} %: shares are biased; set over_absorption = "layer" for a flat sample '
            "that fills the beam, or fit the transmission",
            ValidityWarning,
            stacklevel=4,
        )
