"""What may stand in a scenario: one specimen and the instruments that look at it.

The instrument's own settings, its detector and its scans are plug-ins; each is validated by the class that its `kind`
names, so a new technique needs no change here.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, ClassVar

from pydantic import Field, PrivateAttr, field_validator, model_serializer, model_validator

from xsim.errors import RangeError, ScenarioError
from xsim.instruments._protocol import Instrument
from xsim.model import Model, Plugin
from xsim.specimen.description import SpecimenDescription

NAME = r"[a-z0-9][a-z0-9_-]{0,99}"


class Entry(Model):
    """One `[[instrument]]` table: a unique name, the scans around it (the first is the slowest), and the instrument.

    score: numbers to be found in its image, such as the modulation of lines. In a scenario the instrument's own keys
    stand beside `name` and `scan`; here they are gathered in `setup`.
    """

    folded_key: ClassVar[str] = "setup"

    name: Annotated[str, Field(description="unique; names the result and its file")]
    scan: tuple[Annotated[Any, Plugin("scans")], ...] = ()
    score: tuple[Annotated[Any, Plugin("scores")], ...] = ()
    notes: str = ""
    setup: Annotated[Any, Plugin("instruments")]

    @field_validator("name")
    @classmethod
    def _plain(cls, name: str) -> str:
        import re

        if not re.fullmatch(NAME, name):
            allowed = "1 to 100 small letters, digits, _ and -, beginning with a letter or digit"
            raise ScenarioError("a name that cannot be a file's", value=name, allowed=allowed)
        return name

    @field_validator("score")
    @classmethod
    def _told_apart(cls, score: tuple[Any, ...]) -> tuple[Any, ...]:
        names = [one.name for one in score]
        for name in names:
            if names.count(name) > 1:
                raise ScenarioError("two scores of the same name", value=name, cure="give each its own")
        return score

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, table: Any) -> Any:
        if not isinstance(table, dict) or "setup" in table:
            return table
        own = {key: value for key, value in table.items() if key in cls.model_fields}
        return {**own, "setup": {key: value for key, value in table.items() if key not in own}}

    @model_serializer(mode="wrap")
    def _spread(self, handler: Any) -> dict[str, Any]:
        table = handler(self)
        setup = table.pop("setup")
        return {"name": table.pop("name"), **setup, **{key: value for key, value in table.items() if value}}

    def build(self) -> Instrument:
        """The instrument with its scans around it."""
        instrument = self.setup
        for scan in reversed(self.scan):
            instrument = scan.apply(instrument)
        return instrument


class Expectation(Model):
    """A published number that the run has to reproduce: a quantity of `run.json` and the range it must fall in.

    quantity: key path below "instruments", e.g. "txm.dose.gold.mean" or "txm.scores.lines". source: where the number is
    published.
    """

    quantity: str
    at_least: float | None = None
    at_most: float | None = None
    source: str
    notes: str = ""

    @model_validator(mode="after")
    def _bounded(self) -> Expectation:
        low, high = self.at_least, self.at_most
        if low is None and high is None:
            raise ScenarioError("an expectation without a bound", cure="give at_least, at_most or both")
        if low is not None and high is not None and low > high:
            raise RangeError("an empty range", value=f"{low} .. {high}", allowed="at_least <= at_most")
        return self


class Scenario(Model):
    """A specimen, the instruments that look at it, and the seed of all random numbers."""

    title: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**63, strict=True)] = 1
    notes: str = ""
    references: tuple[str, ...] = ()
    specimen: SpecimenDescription
    instrument: tuple[Entry, ...]
    expect: tuple[Expectation, ...] = ()

    _name: str = PrivateAttr(default="scenario")
    _file: str = PrivateAttr(default="scenario")
    _text: str = PrivateAttr(default="")

    @model_validator(mode="after")
    def _unique(self) -> Scenario:
        if not self.instrument:
            raise ScenarioError("no instrument looks at the specimen", field="instrument", cure="add an [[instrument]]")
        names = [entry.name for entry in self.instrument]
        for number, name in enumerate(names):
            if name in names[:number]:
                field = f"instrument[{number}].name"
                raise ScenarioError("a name used twice", field=field, value=name, cure="give each instrument its own")
        for number, one in enumerate(self.expect):
            if one.quantity.split(".")[0] not in names:
                field, allowed = f"expect[{number}].quantity", "an instrument's name, a dot and a key of its record"
                cure = f'such as "{names[0]}.counts"'
                raise ScenarioError("of no instrument", field=field, value=one.quantity, allowed=allowed, cure=cure)
        return self

    @property
    def name(self) -> str:
        """The name of its file without the ending, which names the run."""
        return self._name

    @property
    def file(self) -> str:
        """The file that it was read from, for messages."""
        return self._file

    @property
    def text(self) -> str:
        """The text of its file, "" if it was given as a table."""
        return self._text

    def entry(self, name: str) -> Entry:
        """The instrument called `name`; raises UnknownNameError."""
        from xsim.registry import unknown

        for entry in self.instrument:
            if entry.name == name:
                return entry
        raise unknown("unknown instrument", name, [entry.name for entry in self.instrument])

    def table(self) -> dict[str, Any]:
        """The scenario form with every default written out: what `load` accepts and `run.json` keeps."""
        return self.model_dump(exclude_none=True)

    @property
    def hash(self) -> str:
        """SHA-256 of the scenario form, hexadecimal."""
        return fingerprint(self.table())


def fingerprint(table: Any) -> str:
    """SHA-256 of a table, independent of the order of its keys."""
    return hashlib.sha256(json.dumps(table, sort_keys=True, default=str).encode()).hexdigest()
