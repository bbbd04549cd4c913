"""The validity ladder: how many slabs a specimen needs, and a warning with numbers where fewer are forced.

Projection (one slab) holds while the specimen is thinner than about 4 d^2/lambda, d the half period to be
resolved; what error slabs of a given thickness make is told by `xsim.interaction.validity`, where they lie by
`xsim.interaction.cutting`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from xsim.constants import wavenumber
from xsim.errors import ValidityWarning
from xsim.interaction.cutting import Cut, cut, walled
from xsim.interaction.validity import ERROR, projection_limit, slab_error, slab_thickness, structured_depth
from xsim.specimen.population import Population
from xsim.specimen.specimen import Specimen, contrast
from xsim.waves.grid import Grid

Ladder = Literal["auto", "projection", "multislice"]

#: share of the light at a half period that slabs may get wrong; `validity.ERROR` where not given
SlabError = Annotated[float, Field(gt=0, lt=1)] | None
#: numbers of slabs that always fit, and the memory [byte] that more of them may take
FEW, MEMORY = 32, 4e9

#: error of the intensity above which a projection is warned of
PROJECTED = 0.25

#: largest change of the wave's phase and logarithm across a particle for the Born approximation [rad]
BORN_LIMIT = 0.3


def slab_cut(
    model: Ladder,
    specimen: Specimen,
    energy: float,
    half_period: float,
    error: float | None = None,
    room: Callable[[], int] | None = None,
) -> Cut:
    """Slabs for a half period [m] at `energy` [eV]; one is the projection. Warns, with numbers, where they are wrong.

    error: of the intensity at that half period (see `cutting.cut`), 5 % unless given. room: how many slabs fit into
    memory, asked for where there are more than a few.
    """
    least = 2 if model == "multislice" else 1
    found = cut(specimen, energy, half_period, error, least)
    if room is not None and model != "projection" and found.count > FEW and found.count > room():
        found = cut(specimen, energy, half_period, error, least, room())
    if model == "projection" and found.count > 1:
        _warn_of_depth(specimen, energy, half_period, error, found.count)
    elif model == "projection" or found.count == 1:
        _warn_of_projection(specimen, energy, half_period, error)
    else:
        _warn_of_few(found, specimen, energy, half_period, error)
    return Cut.even(*specimen.z_range, 1) if model == "projection" else found


def room_for(grid: Grid, specimen: Specimen) -> int:
    """How many slabs of `specimen` on `grid` fit into `MEMORY`: thicknesses, and transmissions."""
    return max(FEW, int(MEMORY / (math.prod(grid.shape) * (4 * max(1, len(specimen.materials)) + 8))))


def _warn_of_depth(specimen: Specimen, energy: float, half_period: float, error: float | None, needed: int) -> None:
    depth = structured_depth(specimen)
    limit = projection_limit(energy, half_period)
    if error is not None:
        limit = slab_thickness(energy, half_period, error)
    wrong = max(slab_error(depth, energy, half_period), walled(specimen, energy, half_period))
    warnings.warn(
        f"projection of a specimen structured over {depth:.3g} m, valid up to about {limit:.3g} m for a "
        f"half period of {half_period:.3g} m at {energy:.6g} eV, where its intensity is wrong by up to "
        f'{wrong:.2g} of itself; use model = "auto" or "multislice" ({needed} slabs)',
        ValidityWarning,
        stacklevel=4,
    )


def _warn_of_projection(specimen: Specimen, energy: float, half_period: float, error: float | None) -> None:
    """Warn of a projection that is thin enough by 4 d^2/lambda, yet wrong by more than `error`, or `PROJECTED`."""
    depth, limit = structured_depth(specimen), error or PROJECTED
    deep, walls = slab_error(depth, energy, half_period), walled(specimen, energy, half_period)
    if max(deep, walls) <= limit * (1 + 1e-9):
        return
    slabs = cut(specimen, energy, half_period, error, 2).count
    of = "strong bodies, whose walls guide light" if walls > deep else f"a specimen structured over {depth:.3g} m"
    warnings.warn(
        f"projection of {of}: at {energy:.6g} eV the intensity at a half period of {half_period:.3g} m is wrong by up "
        f'to about {max(deep, walls):.2g} of itself (limit {limit:.2g}); use model = "multislice" ({slabs} slabs), or '
        f"slab_error = {ERROR}" + (", or thin dense bodies for an ideal screen" if walls > deep else ""),
        ValidityWarning,
        stacklevel=4,
    )


def _warn_of_few(found: Cut, specimen: Specimen, energy: float, half_period: float, error: float | None) -> None:
    wrong, wanted = found.error(specimen, energy, half_period), error or ERROR
    if wrong > 1.05 * wanted:
        needed = cut(specimen, energy, half_period, error, 2, 1_000_000).count
        warnings.warn(
            f"{found.count} slabs, the most that are used, leave an error of about {wrong:.2g} of the intensity at a "
            f"half period of {half_period:.3g} m and {energy:.6g} eV; the limit {wanted:.2g} takes {needed} slabs; use "
            "a smaller or thinner specimen, a smaller field, or a lens or detector of less resolution",
            ValidityWarning,
            stacklevel=4,
        )


def warn_of_other_energy(
    slabs: Cut, specimen: Specimen, energy: float, half_period: float, error: float | None
) -> None:
    """Warn where a specimen, cut for another energy, has too few slabs for `energy` [eV] at the half period [m].

    error: of the intensity for which it was cut; half as much again is let pass.
    """
    wanted = error or ERROR
    if slabs.count == 1:
        slab_cut("projection", specimen, energy, half_period)
        return
    wrong = slabs.error(specimen, energy, half_period)
    if wrong > 1.5 * wanted:
        warnings.warn(
            f"{slabs.count} slabs leave an error of about {wrong:.2g} of the intensity at a half period of "
            f"{half_period:.3g} m and {energy:.6g} eV (limit {1.5 * wanted:.2g}); set the instrument's energy to that "
            "of the scan that needs the thinnest slabs, or a smaller slab_error",
            ValidityWarning,
            stacklevel=4,
        )


def model_note(slabs: Cut, specimen: Specimen, energy: float, half_period: float) -> dict[str, str]:
    """For an instrument's `measured`: which rung of the ladder it uses, how wrong that is at the half period [m]."""
    error, how = slabs.error(specimen, energy, half_period), "projection"
    if slabs.count > 1:
        thickness = np.diff(slabs.edges)
        low, high = f"{float(thickness.min()):.3g}", f"{float(thickness.max()):.3g}"
        how = f"multislice, {slabs.count} slabs of {high if low == high else f'{low} to {high}'} m"
    return {"interaction_model": f"{how}, error of intensity <= {error:.1g} at half period {half_period:.3g} m"}


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
