"""The validity ladder: how many slabs a specimen needs, and a warning with numbers where fewer are forced.

Projection (one slab) holds while the specimen is thinner than about 4 d^2/lambda, d the half period to be resolved.
"""

from __future__ import annotations

import warnings
from typing import Literal

from xsim.constants import wavelength
from xsim.errors import ValidityWarning
from xsim.interaction.multislice import required_slabs
from xsim.specimen.specimen import Specimen

Ladder = Literal["auto", "projection", "multislice"]


def slab_count(model: Ladder, specimen: Specimen, energy: float, half_period: float) -> int:
    """Slabs for a half period [m] at `energy` [eV]; 1 is the projection. Warns where a forced projection is wrong."""
    needed = required_slabs(specimen, energy, half_period)
    if model == "projection":
        if needed > 1:
            low, high = specimen.z_range
            limit = 4 * half_period**2 / wavelength(energy)
            warnings.warn(
                f"projection of a specimen {high - low:.3g} m thick, valid up to about {limit:.3g} m for a "
                f'half period of {half_period:.3g} m at {energy:.6g} eV; use model = "auto" '
                f'or "multislice" ({needed} slabs)',
                ValidityWarning,
                stacklevel=3,
            )
        return 1
    return max(2, needed) if model == "multislice" else needed
