"""The materials shipped in `materials/*.toml`, found by name, alias or formula."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import Field, ValidationError

from xsim import units
from xsim.errors import FileError, UnknownNameError, XsimError
from xsim.matter.elements import SYMBOLS, element
from xsim.matter.formula import parse
from xsim.matter.material import Composition, Material
from xsim.matter.mixture import mixture
from xsim.matter.near_edge import NearEdge
from xsim.model import Model
from xsim.registry import unknown
from xsim.resources import data_files

#: the ways to give a composition; parts are names of materials
_WAYS = ("formula", "mass_fractions", "parts_by_mass", "parts_by_volume")
_FORM = (
    "title, formula (or mass_fractions, parts_by_mass, parts_by_volume), density with unit, source; "
    'see any file in "materials/"'
)


class NearEdgeEntry(Model):
    """A measured near edge of a material: an XDI file beside the material's file."""

    element: str
    edge: str
    file: str
    energy_shift: units.EnergyShift = 0.0
    source: str = ""


class MaterialEntry(Model):
    """What a file in `materials/` holds."""

    title: str
    aliases: list[str] = Field(default_factory=list)
    formula: str = ""
    mass_fractions: dict[str, float] = Field(default_factory=dict)
    parts_by_mass: dict[str, float] = Field(default_factory=dict)
    parts_by_volume: dict[str, float] = Field(default_factory=dict)
    density: units.Density | None = None
    source: str
    near_edge: list[NearEdgeEntry] = Field(default_factory=list)

    def build(self, name: str, near: tuple[NearEdge, ...]) -> Material:
        """The material; raises FileError, RangeError or UnknownNameError for what does not fit together."""
        ways = {way: bool(getattr(self, way)) for way in _WAYS}
        if sum(ways.values()) != 1:
            given = [way for way, there in ways.items() if there]
            raise FileError("a composition in one way", field="formula", value=given, allowed=f"one of {_WAYS}")
        if self.formula or self.mass_fractions:
            if self.density is None:
                raise FileError("missing", field="density", allowed='a quantity such as "2.2 g/cm^3"')
            return Material.build(name, self._composition(), self.density, near, self.source)
        shares = self.parts_by_mass or self.parts_by_volume
        wrong = [part for part in shares if part == name or part.endswith(".toml")]
        if wrong or near:
            allowed = "names of other materials of the library, whose near edges count"
            raise FileError("parts of a mixture", field="parts", value=wrong or "its own near_edge", allowed=allowed)
        parts = [(find(part), share) for part, share in shares.items()]
        return mixture(name, parts, "mass" if self.parts_by_mass else "volume", self.density, self.source)

    def _composition(self) -> Composition:
        """Atoms per formula unit, or per 100 g/mol where mass fractions are given."""
        if self.formula:
            return parse(self.formula)
        for symbol, share in self.mass_fractions.items():
            if symbol not in SYMBOLS:
                raise UnknownNameError("unknown element", field="mass_fractions", value=symbol, allowed="H ... U")
            if not share > 0:
                raise FileError("mass fraction", field=f"mass_fractions.{symbol}", value=share, allowed="> 0")
        total = sum(self.mass_fractions.values())
        if abs(total - 1) > 0.01:
            raise FileError("mass fractions do not add up", field="mass_fractions", value=total, allowed="1 within 1 %")
        return tuple(
            (symbol, 100 * share / total / element(symbol).weight) for symbol, share in self.mass_fractions.items()
        )


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
        near = tuple(_near_edge(item, path) for item in entry.near_edge)
        material = entry.build(path.stem, near)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        text = str(first.get("ctx", {}).get("error", first["msg"]))
        raise FileError(f'{path}: key "{key}": {text}', field=key, allowed=_FORM) from None
    except XsimError as error:
        key = f'key "{error.field}": ' if error.field else ""
        raise FileError(f"{path}: {key}{error}", field=error.field) from None
    return Entry(material, entry.title, tuple(entry.aliases))


def _near_edge(item: NearEdgeEntry, path: Path) -> NearEdge:
    shipped = path.parent in {file.parent for file in data_files("materials")[:1]}
    # shipped spectra keep their short name, so that a material is the same on every machine
    file = item.file if shipped else str((path.parent / item.file).resolve())
    return NearEdge(item.element, item.edge, file, item.energy_shift, item.source)


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
            # symbols keep their capitals: "Co" is cobalt, "CO" is not
            index.setdefault(word if word in SYMBOLS else _key(word), name)
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
