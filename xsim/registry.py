"""Discovers plug-ins: every class with its own `kind` in a room, plus those of installed entry points.

A room is a package such as `xsim.specimen.shapes`; adding a plug-in is adding a file to it. Third-party packages
add theirs through entry points in the groups `xsim.shapes`, `xsim.instruments`, `xsim.detectors`, `xsim.scans`,
`xsim.formats`, `xsim.reconstructions`, `xsim.scores`.
"""

from __future__ import annotations

import importlib
import pkgutil
from difflib import get_close_matches
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from xsim.errors import UnknownNameError

#: room of plug-ins -> package searched
ROOMS = {
    "shapes": "xsim.specimen.shapes",
    "placements": "xsim.specimen.placements",
    "instruments": "xsim.instruments",
    "detectors": "xsim.detectors",
    "scans": "xsim.scans",
    "formats": "xsim.formats",
    "reconstructions": "xsim.reconstruct",
    "scores": "xsim.metrics.scores",
}


def kind_of(cls: type) -> str | None:
    """The default of the `kind` field of a pydantic model, or the class attribute `kind`."""
    fields = getattr(cls, "model_fields", {})
    kind = fields["kind"].default if "kind" in fields else getattr(cls, "kind", None)
    return kind if isinstance(kind, str) else None


@cache
def discover(room: str) -> dict[str, type[Any]]:
    """All plug-ins of a room, by kind, sorted by name. `room` is a key of ROOMS."""
    package = importlib.import_module(ROOMS[room])
    found: dict[str, type[Any]] = {}
    for info in pkgutil.iter_modules(package.__path__):
        if info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        for cls in vars(module).values():
            if isinstance(cls, type) and cls.__module__ == module.__name__ and not cls.__name__.startswith("_"):
                kind = kind_of(cls)
                if kind:
                    found[kind] = cls
    for point in entry_points(group=f"xsim.{room}"):
        cls = point.load()
        found[kind_of(cls) or point.name] = cls
    return dict(sorted(found.items()))


def lookup(room: str, kind: str, *, field: str = "kind") -> type[Any]:
    """The plug-in named `kind`; raises UnknownNameError with the nearest known name."""
    known = discover(room)
    if kind in known:
        return known[kind]
    raise unknown(f"unknown {room[:-1]}", kind, list(known), field=field)


def unknown(what: str, name: str, known: list[str], *, field: str = "") -> UnknownNameError:
    """The error for an unknown name, with the nearest known one as the cure."""
    near = get_close_matches(str(name), known, n=1, cutoff=0.5)
    cure = f'did you mean "{near[0]}"?' if near else ""
    return UnknownNameError(what, field=field, value=str(name), allowed=", ".join(known), cure=cure)
