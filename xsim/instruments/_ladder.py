"""The validity ladder: how many slabs a specimen needs, and a warning with numbers where fewer are forced.

Projection (one slab) holds while the specimen is thinner than about 4 d^2/lambda, d the half period to be
resolved; what error slabs of a given thickness make is told by `xsim.interaction.validity`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Literal

import numpy as np

from xsim.constants import wavenumber
from xsim.errors import ValidityWarning
from xsim.interaction.validity import (
    projection_limit,
    required_slabs,
    slab_error,
    slab_thickness,
    structured_depth,
)
from xsim.specimen.population import Population
from xsim.specimen.specimen import Specimen, contrast

Ladder = Literal["auto", "projection", "multislice"]

#: largest change of the wave's phase and logarithm across a particle for the Born approximation [rad]
BORN_LIMIT = 0.3


def slab_count(model: Ladder, specimen: Specimen, energy: float, half_period: float, error: float | None = None) -> int:
    """Slabs for a half period [m] at `energy` [eV]; 1 is the projection. Warns where a forced projection is wrong.

    error: of the intensity at that half period (see `validity.slabs_for`).
    """
    needed = required_slabs(specimen, energy, half_period, error)
    if model == "projection":
        if needed > 1:
            depth = structured_depth(specimen)
            limit = projection_limit(energy, half_period)
            if error is not None:
                limit = slab_thickness(energy, half_period, error)
            warnings.warn(
                f"projection of a specimen structured over {depth:.3g} m, valid up to about {limit:.3g} m for a "
                f"half period of {half_period:.3g} m at {energy:.6g} eV, where its intensity is wrong by up to "
                f'{slab_error(depth, energy, half_period):.2g} of itself; use model = "auto" '
                f'or "multislice" ({needed} slabs)',
                ValidityWarning,
                stacklevel=3,
            )
        return 1
    return max(2, needed) if model == "multislice" else needed


def model_note(slabs: int, specimen: Specimen, energy: float, half_period: float) -> dict[str, str]:
    """For an instrument's `measured`: which rung of the ladder it uses, how wrong that is at the half period [m].

    For weak matter that is `slab_error`; for bodies that stand through many slabs `wall_error` where it is larger.
    """
    depth = structured_depth(specimen)
    low, high = specimen.z_range
    thickness = depth if slabs == 1 else (high - low) / slabs
    error = slab_error(min(depth, thickness), energy, half_period)
    if slabs > 1:
        error = max(error, wall_error(specimen, energy, thickness))
    cut = "projection" if slabs == 1 else f"multislice, {slabs} slabs of {thickness:.3g} m"
    return {"interaction_model": f"{cut}, error of intensity <= {error:.1g} at half period {half_period:.3g} m"}


def wall_error(specimen: Specimen, energy: float, thickness: float) -> float:
    """Estimated error of the intensity behind bodies that stand through many slabs of `thickness` [m]; 0 without any.

    Waves creep along the walls of strong matter within less than a half period, which slabs that turn the phase by p
    [rad] or more each get wrong: about 0.05 (p/0.3)^1.5, which is right within a factor of 2 for the mean behind
    gratings of gold (815 eV, 800 nm deep), nickel (700 eV, 1 um) and silica (1 keV, 2 um), p from 0.1 to 1.8.
    """
    k = float(wavenumber(energy))
    turns = [0.0]
    for p in specimen.populations:
        low, high = p.z_extents
        if len(p) and float(np.max(high - low)) >= 3 * thickness:
            turns.append(k * abs(contrast(p.material, p.host, energy)) * thickness)
    return min(1.0, 0.05 * (max(turns) / 0.3) ** 1.5)


def born_depth(populations: Iterable[Population], energy: float) -> float:
    """Largest |k (n - n_host) t| along a particle's diameter [rad]; 0 without particles."""
    k = float(wavenumber(energy))
    depths = (abs(contrast(p.material, p.host, energy)) * k * 2 * float(p.radii.max()) for p in populations if len(p))
    return max(depths, default=0.0)


def born_note(populations: Iterable[Population], energy: float) -> dict[str, str]:
    """For an instrument's `measured`: single scattering, and how much the strongest particle changes the wave."""
    depth = born_depth(populations, energy)
    return {"interaction_model": f"born, a particle changes the wave by <= {depth:.2g} rad (limit {BORN_LIMIT})"}


def warn_beyond_born(populations: Iterable[Population], energy: float, cure: str) -> None:
    """Warn with the number where a particle changes the wave by too much for the Born approximation."""
    depth = born_depth(populations, energy)
    if depth > BORN_LIMIT:
        warnings.warn(
            f"Born approximation for a particle that changes the wave by {depth:.3g} rad at {energy:.6g} eV, limit "
            f"{BORN_LIMIT}; {cure}",
            ValidityWarning,
            stacklevel=4,
        )
