"""Reads a scenario: from a file, by the name of one that is shipped, or from a table."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from xsim.errors import FileError
from xsim.resources import data_files
from xsim.scenario.mistakes import Mistake, ScenarioMistakes, of_validation
from xsim.scenario.schema import Scenario
from xsim.scenario.walk import Place, labels

#: keys that hold the name of a file, wherever they stand in a scenario
FILE_KEYS = ("file", "path")
#: keys that hold a material, which may be a file of the user's own
MATERIAL_KEYS = ("material", "core_material")


def load(source: str | Path | Mapping[str, Any]) -> Scenario:
    """The scenario at a path, shipped under a name, or given as a table.

    Files that it names are looked for in its own folder (those of a table in the working directory). Raises
    ScenarioMistakes with every mistake found, and FileError if there is no such file.
    """
    if isinstance(source, Mapping):
        return read_table(dict(source), "scenario", Path.cwd())
    path = find(source)
    scenario = read_table(parse(path), str(path), path.parent.resolve())
    scenario._text = path.read_text(encoding="utf-8-sig")
    return scenario


def find(source: str | Path) -> Path:
    """The file that a path or the name of a shipped scenario stands for."""
    path = Path(source)
    if path.is_file():
        return path
    shipped = {file.stem: file for file in data_files("scenarios")}
    if str(source) in shipped:
        return shipped[str(source)]
    if path.is_dir():
        raise FileError(f"{source}: this is a folder", allowed="a .toml file", cure="give a file inside it")
    near = get_close_matches(path.stem, list(shipped), n=1)
    cure = f'did you mean "{near[0]}"?' if near else "see `xsim list scenarios`"
    raise FileError(f"{source}: no such file, and no scenario of that name", allowed="a path or a name", cure=cure)


def parse(path: Path) -> dict[str, Any]:
    """The table in a TOML file; raises ScenarioMistakes naming line and column."""
    text = ""
    try:
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
        return tomllib.loads(text)
    except UnicodeDecodeError as error:
        text = f"not UTF-8 text (byte {error.start}); save the file as UTF-8"
        raise ScenarioMistakes(str(path), [Mistake("", text)]) from None
    except RecursionError:
        raise ScenarioMistakes(str(path), [Mistake("", "lists nested too deeply; see `xsim schema`")]) from None
    except tomllib.TOMLDecodeError as error:
        raise ScenarioMistakes(str(path), [Mistake("", syntax(str(error), text))]) from None


def syntax(message: str, text: str) -> str:
    """A TOML syntax error in `text` with its position first and how to mend what is usually meant."""
    match = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", message, re.DOTALL)
    what = match.group(1) if match else message
    where = (
        f"line {match.group(2)}, column {match.group(3)}"
        if match and match.group(2)
        else f"line {len(text.splitlines())}"
    )
    cures = {
        "Invalid value": "texts and quantities stand in double quotes",
        "Cannot overwrite a value": "a key may be given once in a table",
        "Cannot declare": "a table may be opened once; several of a kind are written [[like.this]]",
        "Expected '=' after a key": 'write key = "value"',
        "Illegal character": "close the quotes on the same line",
        "Unclosed array": "close the list with ]",
        "Expected ']'": "close the name of the table with ]",
        "Expected newline or end of document": "one key = value on a line",
    }
    cure = next((text for begin, text in cures.items() if what.startswith(begin)), "see https://toml.io")
    return f"{where}: not valid TOML; {what[:1].lower()}{what[1:]}; {cure}"


def read_table(table: dict[str, Any], file: str, folder: Path) -> Scenario:
    """The validated scenario; raises ScenarioMistakes with all mistakes."""
    missing: list[Mistake] = []
    table = _with_files(table, folder, "", missing)
    try:
        scenario = Scenario.model_validate(table)
    except ValidationError as error:
        absent = {mistake.key for mistake in missing}
        found = [mistake for mistake in of_validation(error, Place(table, Scenario)) if mistake.key not in absent]
        raise ScenarioMistakes(file, [*missing, *found]) from None
    if missing:
        raise ScenarioMistakes(file, missing)
    scenario._file, scenario._name = file, Path(file).stem
    return scenario


def _with_files(value: Any, folder: Path, key: str, missing: list[Mistake]) -> Any:
    """The same data with relative file names made absolute; files that are not there are noted."""
    if isinstance(value, dict):
        return {k: _file_or(k, v, folder, f"{key}.{k}" if key else k, missing) for k, v in value.items()}
    if isinstance(value, list):
        items = zip(value, labels(value), strict=True)
        return [_with_files(item, folder, f"{key}[{label}]", missing) for item, label in items]
    return value


def _file_or(name: str, value: Any, folder: Path, key: str, missing: list[Mistake]) -> Any:
    named = name in FILE_KEYS or (name in MATERIAL_KEYS and str(value).endswith(".toml"))
    if not named or not isinstance(value, str):
        return _with_files(value, folder, key, missing)
    path = (folder / Path(value).expanduser()).resolve()
    if not path.is_file():
        cure = "give a path relative to the scenario's folder, or an absolute one"
        missing.append(Mistake(key, f"no such file; got {value!r}; looked at {path}; {cure}"))
    return str(path)
