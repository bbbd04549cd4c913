"""The materials shipped in `materials/*.toml`, found by name, alias or formula."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import Field, ValidationError

from xsim import units
from xsim.errors import FileError, UnknownNameError, XsimError
from xsim.matter.elements import SYMBOLS
from xsim.matter.formula import parse
from xsim.matter.material import Composition, Material
from xsim.matter.material_form import WAYS, MaterialForm
from xsim.registry import unknown
from xsim.resources import data_files

_FORM = f'title, one of {", ".join(WAYS)}, density with unit, source; see any file in "materials/"'


class MaterialEntry(MaterialForm):
    """What a file in `materials/` holds."""

    title: str
    aliases: list[str] = Field(default_factory=list)
    source: str


@dataclass(frozen=True)
class Entry:
    """A material with the words that find it and what a list prints."""

    material: Material
    title: str
    aliases: tuple[str, ...]


def read(path: Path) -> Entry:
    """One material file; raises FileError naming the file, the key and what is allowed."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise FileError("cannot read the material", value=str(path), cure="check the path") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FileError(f"not TOML: {error}", value=str(path)) from None
    try:
        entry = MaterialEntry.model_validate(table)
        material = entry.build(entry.name or path.stem, path.parent, entry.source, find)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        text = str(first.get("ctx", {}).get("error", first["msg"]))
        raise FileError(f'{path}: key "{key}": {text}', field=key, allowed=_FORM) from None
    except XsimError as error:
        key = f'key "{error.field}": ' if error.field else ""
        raise FileError(f"{path}: {key}{error}", field=error.field) from None
    return Entry(material, entry.title, tuple(entry.aliases))


@cache
def _files() -> dict[str, Path]:
    return {path.stem: path for path in data_files("materials")}


@cache
def entry(name: str) -> Entry:
    """The shipped material of exactly this name."""
    return read(_files()[name])


def entries() -> dict[str, Entry]:
    """All shipped materials by name, sorted."""
    return {name: entry(name) for name in names()}


@cache
def _index() -> dict[str, str]:
    """Words that find a material, without reading more of the files than their words."""
    index: dict[str, str] = {}
    for name, path in _files().items():
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        for word in (name, table["title"], *table.get("aliases", [])):
            # as written first, so that "TiN" is not tin; symbols keep their capitals: "Co" is cobalt, "CO" is not
            index.setdefault(word, name)
            if word not in SYMBOLS:
                index.setdefault(_key(word), name)
    return index


def _key(word: str) -> str:
    return "_".join(word.lower().replace("-", " ").replace("_", " ").split())


def names() -> list[str]:
    """Names of all shipped materials, sorted."""
    return list(_files())


def find(name_or_formula: str, density: units.Quantity | None = None) -> Material:
    """A material by its name or alias in the library, as a formula with a density, or from a TOML file of yours.

    density: a string with unit or a pint quantity; needed for formulas, replaces the library's density for names.
    Raises UnknownNameError with the nearest name, FileError for a wrong file.
    """
    word = name_or_formula.strip()
    if word.endswith(".toml"):
        material = read(Path(word)).material
        return material if density is None else material.with_density(density)
    if density is not None and word not in _files():
        formula = _as_formula(word)
        if formula is not None:
            return Material(word, density=density)
    found = word if word in _files() else _index().get(word) or _index().get(_key(word))
    if found is not None:
        material = entry(found).material
        return material if density is None else material.with_density(density)
    if _as_formula(word) is not None:
        raise UnknownNameError(
            "a formula needs a density",
            field="density",
            value=word,
            cure=f'give one, such as {{ formula = "{word}", density = "2.2 g/cm^3" }}, or a name of the library',
        )
    near = unknown(
        "unknown material",
        name_or_formula,
        [*names(), *(word for word in _index() if word not in SYMBOLS)],
        field="material",
    )
    allowed = f"one of the {len(names())} names that `xsim list materials` prints, or a formula with a density"
    raise UnknownNameError(near.message, field="material", value=name_or_formula, allowed=allowed, cure=near.cure)


def _as_formula(word: str) -> Composition | None:
    try:
        return parse(word)
    except XsimError:
        return None
