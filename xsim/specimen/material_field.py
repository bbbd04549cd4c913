"""A field of a scenario that names a material: a library name, or a table as `xsim.matter.material_form` has it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import ValidationError
from pydantic_core import core_schema

from xsim.errors import ScenarioError, XsimError
from xsim.matter import library
from xsim.matter.material import Material
from xsim.matter.material_form import MaterialForm, NearEdgeForm
from xsim.model import NestedErrors
from xsim.units import quantity


class _MaterialMark:
    """Marks a pydantic field that holds a `Material`."""

    @staticmethod
    def validate(value: Any) -> Material:
        """From a name, a table, or a Material; raises UnknownNameError with the nearest name, or another XsimError."""
        if isinstance(value, Material):
            return value
        if isinstance(value, str):
            return library.find(value)
        if isinstance(value, dict):
            try:
                form = MaterialForm.model_validate(value)
            except ValidationError as error:
                raise NestedErrors(error) from None
            if set(value) == {"formula", "density"}:
                return library.find(form.formula, value["density"])
            return form.build(form.name or form.formula or "mixture", Path.cwd(), "as given", library.find)
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
        plain = {"formula": formula, "density": density}
        if not material.near_edges and material.name == formula:
            return plain
        near = [NearEdgeForm.of(near).model_dump(exclude_unset=True) for near in material.near_edges]
        return {"name": material.name, **plain, **({"near_edge": near} if near else {})}

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.validate, serialization=core_schema.plain_serializer_function_ser_schema(self.dump)
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        table = handler(MaterialForm.__pydantic_core_schema__)
        return {"anyOf": [{"type": "string", "description": "the name of a material"}, table]}


#: annotation of a field that holds a Material
MaterialField = Annotated[Material, _MaterialMark()]
