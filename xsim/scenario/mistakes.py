"""Turns whatever is wrong with a scenario into one line per mistake, each with its file and key path.

Pydantic reports positions inside the validated data; plug-ins found by their `kind` report their own. Both are joined
here into paths such as `specimen.population[labels].shape.radius` or `instrument[txm].detector.pixel`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from xsim.errors import ScenarioError, UnknownNameError, XsimError
from xsim.model import NestedErrors
from xsim.scenario.walk import Place

#: pydantic's error types in the words of a person who writes TOML
_WANTED = {
    "string_type": "a text in quotes",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list in [ ]",
    "tuple_type": "a list in [ ]",
    "dict_type": "a table { key = value }",
    "model_type": "a table { key = value }",
    "model_attributes_type": "a table { key = value }",
}
#: longer phrases first
_SIGNS = {
    "greater than or equal to": ">=",
    "less than or equal to": "<=",
    "greater than": ">",
    "less than": "<",
}


@dataclass(frozen=True)
class Mistake:
    """One thing to mend: the key path it is at ("" for the file as a whole) and what is wrong there, in one line."""

    key: str
    text: str

    def line(self, file: str) -> str:
        """The line for a person: `FILE: key.path: what is wrong ...`."""
        return ": ".join(part for part in (file, " ".join(self.key.split()), " ".join(self.text.split())) if part)


class ScenarioMistakes(ScenarioError):
    """Every mistake found in one scenario; `str()` gives one line each."""

    def __init__(self, file: str, mistakes: Iterable[Mistake]):
        self.file, self.mistakes = file, tuple(dict.fromkeys(mistakes))
        super().__init__("\n".join(self.lines))

    @property
    def lines(self) -> list[str]:
        """One line per mistake."""
        return [mistake.line(self.file) for mistake in self.mistakes]

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def __reduce__(self) -> tuple[Any, ...]:
        return ScenarioMistakes, (self.file, self.mistakes)


def join(*parts: str) -> str:
    """Key paths joined with dots, except before an index."""
    path = ""
    for part in parts:
        if part:
            path += part if part.startswith("[") or not path else f".{part}"
    return path


def of_error(error: XsimError, key: str = "") -> list[Mistake]:
    """The mistakes of an error raised while the part at `key` was built or used."""
    if isinstance(error, ScenarioMistakes):
        return [Mistake(join(key, m.key), m.text) for m in error.mistakes]
    return [Mistake(join(key, error.field), str(error))]


def of_validation(error: ValidationError, place: Place) -> list[Mistake]:
    """The mistakes of a pydantic validation of the data at `place`."""
    found: dict[str, list[str]] = {}
    errors = error.errors(include_url=False)
    for one in errors:
        if _of_another_branch(one, errors):
            continue
        for mistake in _of_one(one, place):
            found.setdefault(mistake.key, []).append(mistake.text)
    # a union of a number and a table complains that a wrong table is no number: what is wrong in the table says it all
    deeper = {key for key, texts in found.items() if any(k.startswith((f"{key}.", f"{key}[")) for k in found if k)}
    told = {key: texts for key, texts in found.items() if key not in deeper or not all(map(_of_a_type, texts))}
    return [Mistake(key, text) for key, texts in told.items() for text in _merged(texts)]


def _of_another_branch(one: Any, errors: Sequence[Any]) -> bool:
    """Whether a table is told to be none of the words that may stand in its place, while others tell its mistake."""
    loc = one["loc"][:-1]
    word = one["type"] == "literal_error" and isinstance(one["input"], Mapping)
    return word and any(other is not one and other["loc"][: len(loc)] == loc for other in errors)


def _of_a_type(text: str) -> bool:
    return text.startswith("wrong type; ")


def _of_one(one: Any, place: Place) -> list[Mistake]:
    kind, loc = one["type"], one["loc"]
    cause = one.get("ctx", {}).get("error")
    if kind == "extra_forbidden":
        owner = place.at(loc[:-1])
        return [Mistake(join(owner.key, str(loc[-1])), unknown_key(str(loc[-1]), owner.known_keys()))]
    if kind == "missing":
        owner = place.at(loc[:-1])
        if isinstance(loc[-1], int):
            return [Mistake(owner.key, f"too short; got {shown(owner.data)}; allowed: a list of {owner.length()}")]
        return [Mistake(join(owner.key, str(loc[-1])), _missing(owner.example(str(loc[-1]))))]
    here = place.at(loc)
    if isinstance(cause, NestedErrors):
        return of_validation(cause.error, here)
    if isinstance(cause, ScenarioMistakes):
        return of_error(cause, here.key)
    if isinstance(cause, UnknownNameError) and cause.field == "preset" and isinstance(one["input"], str):
        return [Mistake(here.key, _no_preset(cause, here))]
    if isinstance(cause, XsimError):
        field = "" if cause.field and here.key.split(".")[-1] == cause.field else cause.field
        return [Mistake(join(here.key, field), str(cause))]
    return [Mistake(here.key, _words(one))]


def _no_preset(cause: UnknownNameError, here: Place) -> str:
    """A text where a plug-in's table belongs is the name of a preset, or a kind written too shortly."""
    kinds = here.kinds()
    near = get_close_matches(str(cause.value), kinds, n=1, cutoff=0.5)
    table = f'write a table {{ kind = "{near[0] if near else kinds[0]}", ... }}'
    return f"{cause}; {table}" if cause.allowed else f"{cause}; allowed: a table; {table}"


def _words(one: Any) -> str:
    text = f"wrong type; got {shown(one['input'])}; allowed: {_WANTED[one['type']]}" if one["type"] in _WANTED else ""
    if text:
        return text
    if one["type"] in ("too_long", "too_short"):
        limits = one["ctx"]
        most = limits.get("max_length")
        allowed = f"at least {limits['min_length']} items" if most is None else f"a list of {most} at most"
        return f"{one['type'].replace('_', ' ')}; got {shown(one['input'])}; allowed: {allowed}"
    message = str(one["msg"]).removeprefix("Value error, ")
    if message.startswith("Input should be "):
        allowed = message.removeprefix("Input should be ")
        for words, sign in _SIGNS.items():
            allowed = allowed.replace(words, sign)
        return f"not allowed; got {shown(one['input'])}; allowed: {allowed}"
    return f"{message[:1].lower()}{message[1:]}; got {shown(one['input'])}"


def _missing(example: str) -> str:
    return "a required key is missing" + (f"; add it, such as: {example}" if example else "; add it")


def _merged(texts: Sequence[str]) -> list[str]:
    """Errors of the branches of one union stand at one place: say once what would have been allowed."""
    unique = list(dict.fromkeys(texts))
    wrong = [text for text in unique if text.startswith("wrong type; ")]
    if len(wrong) < 2:
        better = [text for text in unique if text not in wrong]
        return better or unique
    allowed = " or ".join(dict.fromkeys(text.split("; allowed: ", 1)[1] for text in wrong))
    rest = [text for text in unique if text not in wrong]
    return rest or [wrong[0].split("; allowed: ", 1)[0] + f"; allowed: {allowed}"]


def unknown_key(key: str, known: Sequence[str]) -> str:
    """What is wrong with a key that is not known, with the nearest one that is."""
    near = get_close_matches(key, known, n=1, cutoff=0.5)
    cure = f'did you mean "{near[0]}"?' if near else "remove it"
    return f"unknown key; got {key!r}; allowed: {', '.join(known)}; {cure}"


def shown(value: Any, limit: int = 60) -> str:
    """The value as a person wrote it, shortened."""
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."
