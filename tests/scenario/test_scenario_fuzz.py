"""Whatever stands where in a scenario, reading it gives a scenario or lines about mistakes, never another error."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_scenario_mistakes import GOOD

import xsim
from xsim.registry import discover
from xsim.scenario import ScenarioMistakes

TABLE = tomllib.loads(GOOD)


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every key path of nested tables and lists."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


PLACES = list(places(TABLE))
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["1 nm", "-1 nm", "8 keV", "1e400 m", "nan m", "gold", "sphere", "", " ", "1 nm 2", "1//0 m", "m"]),
)
junk = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["kind", "preset", "name", "x"]), inner)
    ),
    max_leaves=6,
)


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    table = copy.deepcopy(TABLE)
    node: Any = table
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return table


def said_of(table: dict[str, Any]) -> list[str]:
    """The lines about the mistakes of a table, none if it is a scenario; any other error is let through."""
    try:
        xsim.load(table)
    except ScenarioMistakes as mistakes:
        return mistakes.lines or ["no line about a mistake"]
    return []


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(path=st.sampled_from(PLACES), value=junk)
def test_junk_anywhere_is_a_scenario_or_lines_about_mistakes(path: tuple[Any, ...], value: Any) -> None:
    assert all(line.startswith("scenario: ") and "\n" not in line for line in said_of(changed(path, value)))


@pytest.mark.parametrize("room", ["instruments", "scans", "detectors", "shapes", "placements"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_junk_in_any_key_of_any_plugin_is_told(room: str, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(discover(room))))
    key = data.draw(st.sampled_from(sorted(set(discover(room)[kind].model_fields) - {"kind"}) or ["x"]))
    plugin = {"kind": kind, key: data.draw(junk)}
    table = copy.deepcopy(TABLE)
    if room == "instruments":
        table["instrument"][0] = {"name": "txm", **plugin}
    elif room == "shapes":
        table["specimen"]["population"][1]["shape"] = plugin
    elif room == "placements":
        table["specimen"]["population"][1]["placement"] = plugin
    else:
        table["instrument"][1][room[:-1]] = [plugin] if room == "scans" else plugin
    assert all(line.startswith("scenario: ") and "\n" not in line for line in said_of(table))
