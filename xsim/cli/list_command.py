"""`xsim list [WHAT]`: what there is, a line each."""

from __future__ import annotations

import argparse
import inspect
import tomllib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from xsim.cli._output import add_json, columns, print_json

if TYPE_CHECKING:
    from xsim.matter.material import Material

ROOMS = ("shapes", "placements", "instruments", "detectors", "scans", "formats", "reconstructions", "scores")
WHAT = ("scenarios", "materials", *ROOMS)
#: elements told of a mixture
MAIN = 5


def add(commands: Any) -> argparse.ArgumentParser:
    """The command's parser."""
    command: argparse.ArgumentParser = commands.add_parser("list", help="what there is, a line each")
    command.add_argument("what", metavar="WHAT", nargs="?", choices=WHAT, help=" | ".join(WHAT))
    add_json(command)
    return command


def execute(arguments: argparse.Namespace) -> int:
    """Print one list, or all of them."""
    chosen = [arguments.what] if arguments.what else list(WHAT)
    found = {what: LISTS[what]() for what in chosen}
    if arguments.json:
        print_json(found)
        return 0
    for what, rows in found.items():
        if len(found) > 1:
            print(f"{what}:")
        indent = "  " if len(found) > 1 else ""
        text = columns([(name, about) for name, about in rows.items()]) if rows else "(none)"
        print("\n".join(indent + line for line in text.splitlines()))
    return 0


def _scenarios() -> dict[str, str]:
    from xsim.resources import data_files

    tables = {path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in data_files("scenarios")}
    return {name: str(table.get("title", "")) for name, table in tables.items()}


def _materials() -> dict[str, str]:
    from xsim.matter import library

    found = {}
    for name in library.names():
        material = library.find(name)
        found[name] = f"{_composition(material)}, {material.density / 1000:.4g} g/cm^3"
    return found


def _composition(material: Material) -> str:
    """A formula where there is one; of a mixture the shares of mass of its main elements."""
    if all(count == round(count, 2) for _, count in material.composition):
        return "".join(f"{symbol}{count:g}" if count != 1 else symbol for symbol, count in material.composition)
    mass = material.mass_fractions
    most = sorted(mass, key=mass.__getitem__, reverse=True)
    more = f" and {len(most) - MAIN} more" if len(most) > MAIN else ""
    return " ".join(f"{symbol} {100 * mass[symbol]:.3g}" for symbol in most[:MAIN]) + f"{more} % by mass"


def _room(room: str) -> Callable[[], dict[str, str]]:
    def plugins() -> dict[str, str]:
        from xsim.model import presets
        from xsim.registry import ROOMS as known
        from xsim.registry import discover

        found = {kind: first_sentence(cls) for kind, cls in discover(room).items()}
        if room in known:
            found |= {
                name: f"preset: {table.get('title', table.get('kind', ''))}" for name, table in presets(room).items()
            }
        return found

    return plugins


def first_sentence(cls: type) -> str:
    """The first line of what a plug-in's class says about itself."""
    lines = (inspect.getdoc(cls) or "").splitlines()
    return lines[0] if lines else ""


LISTS: dict[str, Callable[[], dict[str, str]]] = {
    "scenarios": _scenarios,
    "materials": _materials,
    **{room: _room(room) for room in ROOMS},
}
