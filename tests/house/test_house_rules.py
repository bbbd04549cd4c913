"""The house rules that a machine can check: size, where random numbers and transforms may be, no traces."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "xsim").rglob("*.py"))

#: honest exceptions to the sizes below, each with its reason
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}
MANY_PARAMETERS: dict[str, str] = {}

RANDOM_ROOMS = ("xsim/detectors/", "xsim/streams.py", "xsim/specimen/")


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> list[tuple[str, ast.FunctionDef]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [(f"{relative(path)}:{n.name}", n) for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_file_holds_one_concept_in_at_most_300_lines(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= 300 or relative(path) in LONG_FILES, f"{lines} lines"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_function_has_at_most_60_lines_and_8_parameters(path: Path) -> None:
    for name, node in functions(path):
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        assert length <= 60 or name in LONG_FUNCTIONS, f"{name}: {length} lines"
        parameters = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        count = len([p for p in parameters if p not in ("self", "cls")])
        assert count <= 8 or name in MANY_PARAMETERS, f"{name}: {count} parameters"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_random_numbers_are_drawn_in_detectors_and_generators_only(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if not relative(path).startswith(RANDOM_ROOMS):
        assert not re.search(r"np\.random|numpy\.random|import random|default_rng", text)
    assert not re.search(r"np\.random\.(seed|rand|randn|poisson|normal|uniform)\b", text), "global random state"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_every_transform_goes_through_the_one_fft_door(path: Path) -> None:
    if relative(path) in ("xsim/waves/fft.py", "xsim/waves/grid.py"):
        return
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"(np|numpy|scipy)\.fft\b|from scipy import fft|from numpy import fft", text)


def test_exceptions_to_the_sizes_are_still_needed() -> None:
    sizes = {relative(p): len(p.read_text(encoding="utf-8").splitlines()) for p in SOURCES}
    for name in LONG_FILES:
        assert sizes[name] > 300, f"{name} is no longer long"
    known = {name for path in SOURCES for name, _ in functions(path)}
    assert set(LONG_FUNCTIONS) | set(MANY_PARAMETERS) <= known
