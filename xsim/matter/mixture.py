"""Mixtures of materials by mass, by volume or by atoms, near edges included.

By volume v: density sum v_i rho_i; what is missing to 1 is empty (porosity). By mass w: 1/density = sum w_i / rho_i, no
change of volume on mixing; by atoms a: the same, volumes in proportion to a_i / (atoms per volume of i). The optical
constants are those of the atoms side by side, valid where the grains of the mixture are far smaller than what the
optics resolve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from xsim.constants import N_A
from xsim.errors import RangeError
from xsim.matter.elements import element
from xsim.matter.material import Material


def mixture(
    name: str,
    parts: Sequence[tuple[Material, float]],
    by: Literal["mass", "volume", "atoms"] = "mass",
    density: float | None = None,
    source: str = "",
) -> Material:
    """A material of `parts` (material, share); shares by mass or atoms add up to 1, by volume to at most 1.

    density [kg/m^3] replaces the one that follows from the parts. Raises RangeError for shares that do not add up.
    """
    total = sum(share for _, share in parts)
    fits = 0 < total < 1.01 if by == "volume" else abs(total - 1) < 0.01
    if not parts or not fits or min(share for _, share in parts) <= 0:
        in_all = "at most 1 (the rest is empty)" if by == "volume" else "1 within 1 %"
        allowed = f"each > 0, in all {in_all}"
        raise RangeError(f"shares by {by} of a mixture", field=f"parts_by_{by}", value=total, allowed=allowed)
    if by == "volume":
        volumes = [share for _, share in parts]
    else:
        bulk = [m.density if by == "mass" else sum(m.number_densities.values()) for m, _ in parts]
        specific = [share / each for (_, share), each in zip(parts, bulk, strict=True)]
        volumes = [volume / sum(specific) for volume in specific]
    atoms: dict[str, float] = {}
    for (material, _), volume in zip(parts, volumes, strict=True):
        for symbol, number in material.number_densities.items():
            atoms[symbol] = atoms.get(symbol, 0.0) + volume * number
    near = tuple(
        replace(near, share=near.share * volume * material.number_densities[near.element] / atoms[near.element])
        for (material, _), volume in zip(parts, volumes, strict=True)
        for near in material.near_edges
    )
    natural = sum(number * element(symbol).weight for symbol, number in atoms.items()) * 1e-3 / N_A
    # per 100 g/mol, so that the counts are of the order of one
    composition = tuple((symbol, number * 0.1 / (natural * N_A)) for symbol, number in atoms.items())
    return Material.build(name, composition, density or natural, near, source)
