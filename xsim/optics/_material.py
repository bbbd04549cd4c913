"""The material of an optic: a name of the library, or a formula with a density."""

from __future__ import annotations

from typing import Any


def find_material(name: str, density: float | None) -> Any:
    """The `Material`; density [kg/m^3] or None for the library's. Raises UnknownNameError with the nearest name."""
    from xsim.matter import library
    from xsim.units import quantity

    return library.find(name, density=None if density is None else quantity(density, "kg/m^3"))
