"""The border where quantities with units become floats.

Inside xsim every number is an SI float (photon energy in eV is the one exception). Quantities enter as strings
("12.2 nm") or pint quantities and are converted here; a bare number for a dimensional field is refused.

Fields of pydantic models are annotated with the types below, e.g. ``radius: PositiveLength``; they hold floats,
and `model_dump()` writes them back as strings with their unit, so every model round-trips through TOML.
"""

from __future__ import annotations

import math
import numbers
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic_core import core_schema

from xsim.errors import RangeError, UnitError

if TYPE_CHECKING:
    import pint

#: what the border accepts for a dimensional value
Quantity = Any  # str | pint.Quantity; pint is imported lazily


@cache
def registry() -> pint.UnitRegistry:
    """The unit registry of xsim: pint's, plus `photon` (dimensionless) and its short form `ph`."""
    import pint

    ureg: pint.UnitRegistry = pint.UnitRegistry()
    ureg.define("photon = count = ph = photons")
    return ureg


def as_float(value: Quantity, unit: str, *, field: str = "") -> float:
    """Convert a string with a unit or a pint quantity to a float in `unit`; refuse bare numbers.

    Raises UnitError naming the value, the unit expected and an example of the right form.
    """
    cure = f'write a string with its unit, such as "{_example(unit)}"'
    if isinstance(value, numbers.Number):
        raise UnitError("missing unit", field=field, value=value, allowed=f"a quantity in {unit}", cure=cure)
    given = value
    if isinstance(value, str):
        value = _parse(value, unit, field, cure)
    if not (hasattr(value, "to") and hasattr(value, "units")):
        raise UnitError("not a quantity", field=field, value=repr(value), allowed=f"a quantity in {unit}", cure=cure)
    if str(value.units) == "dimensionless":
        raise UnitError("missing unit", field=field, value=str(given), allowed=f"a quantity in {unit}", cure=cure)
    try:
        result = float(registry().Quantity(value.magnitude, str(value.units)).to(unit).magnitude)
    except Exception:
        raise UnitError(
            "wrong unit",
            field=field,
            value=str(given),
            allowed=f"a quantity convertible to {unit}",
            cure=cure,
        ) from None
    if result != result or result in (float("inf"), float("-inf")):
        raise UnitError("not a finite number", field=field, value=str(given), allowed="finite", cure=cure)
    return result


#: least and greatest size of a quantity other than 0: beyond, a unit or an exponent is mistaken
_EXTREMES = {
    "m": (1e-18, 1e9), "eV": (1e-9, 1e12), "rad": (1e-12, 1e6), "s": (1e-24, 1e12), "m/s": (1e-24, 3e8),
    "1/s": (1e-30, 1e40), "1/m^2": (1e-12, 1e50), "kg/m^3": (1e-12, 1e8), "m^2": (1e-36, 1e18), "K": (1e-9, 1e9),
    "J": (1e-18, 1e3), "Pa": (1e-12, 1e9),
}  # fmt: skip

#: the number that a quantity begins with
_NUMBER = re.compile(r"\s*[+-]?(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|\s*[+-]?(?:inf|nan)\b")
#: what may hold digits in its unit: a power of one unit, and 1 over units
_POWER = re.compile(r"(?<=[^\W\d_])\s*(?:\^|\*\*)\s*(?:\d|-\d|\(-?\d\))(?!\d)")
_OVER = re.compile(r"(?:^|(?<=[\s*/·(]))1\s*(?=/)")
_LONGEST = 100


def _well_formed(text: str) -> bool:
    """Whether `text` is one number and then a unit.

    pint reads more, and not as a person means it: "12,2 nm" as 122 nm, "1 2 nm" as 2 nm, "nm" as 1 nm, and it works
    out any sum and power.
    """
    number = _NUMBER.match(text)
    if number is None or len(text) > _LONGEST:
        return False
    unit = _OVER.sub("", _POWER.sub("", text[number.end() :].strip()))
    return not re.search(r"\d|\*\*|[\^+,;-]", unit)


def _parse(text: str, unit: str, field: str, cure: str) -> Any:
    try:
        if not _well_formed(text):
            raise ValueError(text)
        return registry().Quantity(text)
    except Exception:
        raise UnitError(
            "cannot read this quantity",
            field=field,
            value=text,
            allowed=f"a number and a unit of {unit}",
            cure=cure,
        ) from None


def _example(unit: str) -> str:
    examples = {
        "m": "12.2 nm", "eV": "8 keV", "rad": "3 mrad", "s": "10 ms", "kg/m^3": "19.3 g/cm^3", "1/m^2": "1e6 1/um^2",
        "1/s": "1e9 1/s", "K": "300 K", "W/m^2": "1e12 W/cm^2", "m^2": "1 um^2", "sr": "0.1 sr",
        "m/s": "2 nm/min", "J": "2 mJ", "Pa": "100 mbar",
    }  # fmt: skip
    return examples.get(unit, f"1 {unit}")


def quantity(value: float, unit: str) -> str:
    """The string form of a float in `unit`, exact on the way back: ``quantity(1.2e-8, "m") == "1.2e-08 m"``."""
    return f"{value!r} {unit}" if isinstance(value, float) else f"{float(value)!r} {unit}"


@dataclass(frozen=True)
class Unit:
    """Marks a pydantic float field as a quantity in `unit`, with optional bounds in that unit."""

    unit: str
    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None

    def validate(self, value: Quantity) -> float:
        """Convert, check the bounds, and that no experiment is that small or large. Raises UnitError or RangeError."""
        result = as_float(value, self.unit)
        checks = (
            (self.gt is None or result > self.gt),
            (self.ge is None or result >= self.ge),
            (self.lt is None or result < self.lt),
            (self.le is None or result <= self.le),
        )
        if not all(checks):
            raise RangeError("out of range", value=str(value), allowed=self.range_text())
        least, greatest = _EXTREMES.get(self.unit, (0.0, math.inf))
        if result and not least <= abs(result) <= greatest:
            allowed = f"{least:g} to {greatest:g} {self.unit}" + (" or 0" if self.gt is None else "")
            raise RangeError("beyond any experiment", value=str(value), allowed=allowed, cure="mend unit or exponent")
        return result

    def range_text(self) -> str:
        """The allowed range in words, e.g. "> 0 m"."""
        pairs = ((">", self.gt), (">=", self.ge), ("<", self.lt), ("<=", self.le))
        return " and ".join(f"{sign} {bound:g} {self.unit}" for sign, bound in pairs if bound is not None)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.validate,
            serialization=core_schema.plain_serializer_function_ser_schema(lambda v: quantity(v, self.unit)),
            metadata={},
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        description = f"a quantity with its unit, convertible to {self.unit}"
        if self.range_text():
            description += f"; {self.range_text()}"
        return {"type": "string", "description": description, "examples": [_example(self.unit)]}


Length = Annotated[float, Unit("m")]
PositiveLength = Annotated[float, Unit("m", gt=0)]
NonNegativeLength = Annotated[float, Unit("m", ge=0)]
Area = Annotated[float, Unit("m^2", gt=0)]
Energy = Annotated[float, Unit("eV", gt=0)]
NonNegativeEnergy = Annotated[float, Unit("eV", ge=0)]
EnergyShift = Annotated[float, Unit("eV")]
Angle = Annotated[float, Unit("rad")]
PositiveAngle = Annotated[float, Unit("rad", gt=0)]
Time = Annotated[float, Unit("s", gt=0)]
NonNegativeTime = Annotated[float, Unit("s", ge=0)]
Speed = Annotated[float, Unit("m/s")]
Rate = Annotated[float, Unit("1/s", gt=0)]
NonNegativeRate = Annotated[float, Unit("1/s", ge=0)]
Fluence = Annotated[float, Unit("1/m^2", gt=0)]
Density = Annotated[float, Unit("kg/m^3", gt=0)]
Intensity = Annotated[float, Unit("W/m^2", ge=0)]
Volume = Annotated[float, Unit("m^3", gt=0)]
NumberDensity = Annotated[float, Unit("1/m^3", gt=0)]
SolidAngle = Annotated[float, Unit("sr", gt=0)]
Temperature = Annotated[float, Unit("K", gt=0)]
PulseEnergy = Annotated[float, Unit("J", gt=0)]
NonNegativePressure = Annotated[float, Unit("Pa", ge=0)]
