"""The frozen pydantic base of everything that can be written in a scenario, and fields that hold plug-ins.

`model_dump()` gives the scenario form (quantities as strings), `model_validate()` reads it back.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import core_schema

from xsim.errors import ScenarioError, XsimError
from xsim.registry import ROOMS, lookup, unknown


class Model(BaseModel):
    """Immutable; unknown keys are errors; a `kind` field (if any) is fixed by the class."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)

    @model_validator(mode="before")
    @classmethod
    def _parts_of_defaults(cls, data: Any) -> Any:
        """A table for a part replaces those values of the part's default here that it names, and no others."""
        if not isinstance(data, dict):
            return data
        found = dict(data)
        for name, field in cls.model_fields.items():
            if isinstance(field.default, Model) and isinstance(found.get(name), dict):
                found[name] = {**field.default.model_dump(exclude_unset=True), **found[name]}
        return found


class NestedErrors(XsimError):
    """Carries the pydantic errors of a plug-in found inside another model, so that their key paths survive."""

    def __init__(self, error: ValidationError):
        super().__init__(str(error))
        self.error = error

    def __reduce__(self) -> tuple[Any, ...]:
        return ScenarioError, (self.message,)


class Plugin:
    """Marks a pydantic field that holds a plug-in of one room, chosen by its `kind` key or by a preset's name.

    ``detector: Annotated[Any, Plugin("detectors")]`` accepts a built detector, a table ``{kind = "camera", ...}``,
    the name of a preset, or a table ``{preset = "name", ...}`` whose other keys replace those of the preset.
    """

    def __init__(self, room: str):
        self.room = room

    def validate(self, value: Any) -> Any:
        """Build the plug-in; raises UnknownNameError, ScenarioError or NestedErrors."""
        if isinstance(value, str):
            value = {"preset": value}
        if not isinstance(value, dict):
            if getattr(value, "kind", None) is None:
                raise ScenarioError("not a table", value=repr(value), cure=f'give a table with "kind" ({self.room})')
            return value
        table = dict(value)
        if "preset" in table:
            table = {**preset(self.room, table.pop("preset")), **table}
        if not isinstance(table.get("kind"), str):
            raise ScenarioError('the key "kind" is missing', allowed=", ".join(_kinds(self.room)))
        try:
            return lookup(self.room, table["kind"]).model_validate(table)
        except ValidationError as error:
            raise NestedErrors(error) from None

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.validate,
            serialization=core_schema.plain_serializer_function_ser_schema(lambda v: v.model_dump()),
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {
            "anyOf": [
                {"type": "object", "required": ["kind"], "properties": {"kind": {"enum": _kinds(self.room)}}},
                {"type": "object", "required": ["preset"]},
                {"type": "string", "description": f"the name of a preset ({self.room})"},
            ]
        }


def _kinds(room: str) -> list[str]:
    from xsim.registry import discover

    return list(discover(room))


@cache
def presets(room: str) -> dict[str, dict[str, Any]]:
    """All presets of a room: tables of `presets/*.toml` in its package, without their `source` and `title` notes."""
    folder = resources.files(ROOMS[room]) / "presets"
    found: dict[str, dict[str, Any]] = {}
    if folder.is_dir():
        for path in sorted(folder.iterdir(), key=lambda p: p.name):
            if path.name.endswith(".toml"):
                found.update(tomllib.loads(path.read_text(encoding="utf-8")))
    return found


def preset(room: str, name: str) -> dict[str, Any]:
    """One preset as a table that the plug-in's model accepts; raises UnknownNameError naming the nearest."""
    known = presets(room)
    if not isinstance(name, str) or name not in known:
        raise unknown(f"unknown preset of {room}", name, list(known), field="preset")
    return {key: value for key, value in known[name].items() if key not in ("source", "title")}
