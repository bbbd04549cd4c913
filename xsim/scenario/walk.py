"""Follows a key path through a scenario's data and its models side by side.

Needed to name the keys that are known at some place, to give an example of a missing one, and to tell the parts of a
path that a person wrote from those that a validator put in.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from xsim.errors import XsimError
from xsim.model import Plugin, preset
from xsim.registry import discover, lookup
from xsim.units import Unit


def labels(items: Sequence[Any]) -> list[str | int]:
    """How the items of a list are called in a key path: by their unique `name`, else by their number from 0."""
    names = [item.get("name") if isinstance(item, Mapping) else None for item in items]
    return [name if isinstance(name, str) and names.count(name) == 1 else number for number, name in enumerate(names)]


@dataclass(frozen=True)
class Place:
    """A place in a scenario: its `data`, the `annotation` of the field that it fills, and its key path."""

    data: Any
    annotation: Any
    key: str = ""

    def at(self, loc: Sequence[str | int]) -> Place:
        """The place reached by a pydantic location; components that are not keys of the data are passed over."""
        place = self
        for component in loc:
            place = place._step(component)
        return place

    def known_keys(self) -> list[str]:
        """Keys that may stand at this place."""
        model = self.model()
        if model is None:
            return []
        folded = getattr(model, "folded_key", None)
        if folded is None:
            return list(model.model_fields)
        inside = replace(self, annotation=_annotation(model, folded)).known_keys()
        return [*(key for key in model.model_fields if key != folded), *inside]

    def example(self, key: str) -> str:
        """An example line for a missing key, "" if none is known."""
        model = self.model()
        field = model.model_fields.get(key) if model is not None else None
        for unit in field.metadata if field is not None else ():
            if isinstance(unit, Unit):
                schema = unit.__get_pydantic_json_schema__(None, None)
                return f'{key} = "{schema["examples"][0]}"'
        return ""

    def length(self) -> int:
        """How many items a list at this place must have, 0 if any number may stand there."""
        for option in _options(self.annotation):
            items = get_args(option)
            if get_origin(option) is tuple and items and items[-1] is not Ellipsis:
                return len(items)
        return 0

    def kinds(self) -> list[str]:
        """The kinds of plug-ins that may stand at this place."""
        rooms = [option.room for option in _options(self.annotation) if isinstance(option, Plugin)]
        return [kind for room in rooms for kind in discover(room)]

    def model(self) -> type[BaseModel] | None:
        """The model that validates the data here."""
        for option in _options(self.annotation):
            if isinstance(option, Plugin):
                return _plugin_class(option.room, self.data)
            if isinstance(option, type) and issubclass(option, BaseModel) and isinstance(self.data, Mapping):
                return option
        return None

    def _step(self, component: str | int) -> Place:
        if isinstance(component, int):
            return self._item(component)
        model = self.model()
        if model is not None and component == getattr(model, "folded_key", None):
            return replace(self, annotation=_annotation(model, component))
        if not isinstance(self.data, Mapping) or component not in self.data:
            return self
        key = f"{self.key}.{component}" if self.key else component
        return Place(self.data[component], _annotation(model, component), key)

    def _item(self, index: int) -> Place:
        if not isinstance(self.data, (list, tuple)) or not 0 <= index < len(self.data):
            return self
        item, label = self.data[index], labels(self.data)[index]
        return Place(item, _item_annotation(self.annotation), f"{self.key}[{label}]")


def _options(annotation: Any) -> list[Any]:
    """The alternatives of an annotation, with `Plugin` marks in the place of what they annotate."""
    origin = get_origin(annotation)
    if origin is Annotated:
        base, *marks = get_args(annotation)
        return [mark for mark in marks if isinstance(mark, Plugin)] or _options(base)
    if origin in (Union, types.UnionType):
        return [option for part in get_args(annotation) for option in _options(part)]
    return [annotation]


def _item_annotation(annotation: Any) -> Any:
    for option in _options(annotation):
        if get_origin(option) in (list, tuple, Sequence):
            return get_args(option)[0]
    return Any


def _annotation(model: type[BaseModel] | None, key: str) -> Any:
    field = model.model_fields.get(key) if model is not None else None
    if field is None:
        return Any
    return Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


def _plugin_class(room: str, table: Any) -> type[BaseModel] | None:
    """The class that a table with `kind` or `preset` stands for."""
    try:
        if isinstance(table, str):
            table = preset(room, table)
        elif "preset" in table:
            table = {**preset(room, table["preset"]), **table}
        return lookup(room, table["kind"])
    except (XsimError, KeyError, TypeError):
        return None
