"""The JSON Schema of a scenario, with the keys of every plug-in, for editors that complete and check TOML."""

from __future__ import annotations

from typing import Any

from xsim.errors import XsimError
from xsim.model import presets
from xsim.registry import discover
from xsim.scenario.schema import Entry, Scenario

#: rooms whose plug-ins are written in a scenario
ROOMS = ("shapes", "placements", "detectors", "scans", "scores")


def json_schema() -> dict[str, Any]:
    """The schema of the whole scenario (JSON Schema 2020-12)."""
    definitions: dict[str, Any] = {}
    schema = _lifted(Scenario.model_json_schema(mode="validation"), definitions)
    for room in (*ROOMS, "instruments"):
        for kind, cls in discover(room).items():
            definitions[f"{room}.{kind}"] = _plugin(cls, kind, definitions)
    schema["$defs"] = definitions
    definitions["Entry"] = _entry(definitions)
    for room in ROOMS:
        _refer(schema, room)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "xsim scenario", **schema}


def _plugin(cls: Any, kind: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """The table of one plug-in; a preset may stand for its kind."""
    schema = _lifted(cls.model_json_schema(mode="validation"), definitions)
    schema["properties"] = {**schema.get("properties", {}), "kind": {"const": kind}}
    schema["required"] = sorted({*schema.get("required", []), "kind"})
    return schema


def _lifted(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema without its own `$defs`, which join those of the whole."""
    definitions.update(schema.pop("$defs", {}))
    return schema


def _entry(definitions: dict[str, Any]) -> dict[str, Any]:
    """An `[[instrument]]` table: one of the techniques with the keys that every entry has."""
    own = _lifted(Entry.model_json_schema(mode="validation"), definitions)
    own["properties"].pop("setup")
    kinds = []
    for kind in discover("instruments"):
        table = definitions.pop(f"instruments.{kind}")
        table["properties"] = {**own["properties"], **table["properties"]}
        table["required"] = ["name", *table["required"]]
        definitions[f"instruments.{kind}"] = table
        kinds.append({"$ref": f"#/$defs/instruments.{kind}"})
    preset = {"type": "object", "required": ["name", "preset"]}
    return {"description": own.get("description", ""), "anyOf": [*kinds, *([preset] if presets("instruments") else [])]}


def _refer(node: Any, room: str) -> None:
    """Replace what stands for a plug-in of the room by references to the tables of all its kinds, in place."""
    kinds = list(discover(room))
    if isinstance(node, list):
        for item in node:
            _refer(item, room)
    elif isinstance(node, dict):
        options = node.get("anyOf")
        if isinstance(options, list) and options and _enumerates(options[0], kinds):
            names = {"enum": sorted(presets(room))} if _has_presets(room) else None
            by_preset = {"type": "object", "required": ["preset"], "properties": {"preset": names}}
            references = [{"$ref": f"#/$defs/{room}.{kind}"} for kind in kinds]
            node["anyOf"] = [*references, *([by_preset, names] if names else [])]
        for item in list(node.values()):
            _refer(item, room)


def _has_presets(room: str) -> bool:
    try:
        return bool(presets(room))
    except XsimError:
        return False


def _enumerates(option: Any, kinds: list[str]) -> bool:
    return isinstance(option, dict) and option.get("properties", {}).get("kind", {}).get("enum") == kinds
