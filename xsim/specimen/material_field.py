"""A field of a scenario that names a material: a library name, or a table with formula and density."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic_core import core_schema

from xsim.errors import ScenarioError, XsimError
from xsim.matter import library
from xsim.matter.material import Material
from xsim.units import quantity


class _MaterialMark:
    """Marks a pydantic field that holds a `Material`."""

    @staticmethod
    def validate(value: Any) -> Material:
        """From a name, a formula with density, or a Material; raises UnknownNameError with the nearest name."""
        if isinstance(value, Material):
            return value
        if isinstance(value, str):
            return library.find(value)
        if isinstance(value, dict):
            table = dict(value)
            formula, density = table.pop("formula", None), table.pop("density", None)
            if table:
                raise ScenarioError("unknown keys of a material", value=", ".join(table), allowed="formula, density")
            if not isinstance(formula, str) or density is None:
                raise ScenarioError(
                    "a material given as a table needs formula and density",
                    value=str(value),
                    cure='write { formula = "SiO2", density = "2.2 g/cm^3" }',
                )
            return library.find(formula, density)
        raise ScenarioError("not a material", value=str(value), cure='give a name such as "gold", or a table')

    @staticmethod
    def dump(material: Material) -> Any:
        """The scenario form, from which `validate` gives the same material back."""
        density = quantity(material.density, "kg/m^3")
        for arguments, form in (((material.name,), material.name), ((material.name, density), None)):
            try:
                if library.find(*arguments) == material:
                    return form or {"formula": material.name, "density": density}
            except XsimError:
                continue  # not known under this name: write what it is made of
        formula = "".join(f"{symbol}{count!r}" if count != 1 else symbol for symbol, count in material.composition)
        return {"formula": formula, "density": density}

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.validate, serialization=core_schema.plain_serializer_function_ser_schema(self.dump)
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        table = {
            "type": "object",
            "required": ["formula", "density"],
            "additionalProperties": False,
            "properties": {"formula": {"type": "string"}, "density": {"type": "string"}},
        }
        return {"anyOf": [{"type": "string", "description": "the name of a material"}, table]}


#: annotation of a field that holds a Material
MaterialField = Annotated[Material, _MaterialMark()]
