"""Compares a run's numbers with the published ones that its scenario expects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from xsim.report.text import plain_number
from xsim.scenario.schema import Expectation


def judge(expectations: Iterable[Expectation], instruments: dict[str, Any]) -> list[dict[str, Any]]:
    """Each expectation with the value found and whether it is met; a quantity that is not there is not met.

    instruments: the table "instruments" of `run.json`.
    """
    return [_judged(one, value_at(instruments, one.quantity)) for one in expectations]


def _judged(one: Expectation, value: float | None) -> dict[str, Any]:
    met = (
        value is not None
        and (one.at_least is None or value >= one.at_least)
        and (one.at_most is None or value <= one.at_most)
    )
    return {**one.model_dump(exclude_none=True), "value": value, "met": met}


def value_at(table: Any, path: str) -> float | None:
    """The number at a dotted key path of nested tables, None if there is none."""
    for key in path.split("."):
        if not isinstance(table, dict) or key not in table:
            return None
        table = table[key]
    return float(table) if isinstance(table, int | float) and not isinstance(table, bool) else None


def told(one: dict[str, Any]) -> tuple[str, str]:
    """The value found and its bounds, as people read them: "0.8932", "0.87 .. 0.91"."""
    low, high = one.get("at_least"), one.get("at_most")
    bounds = f"{'' if low is None else f'{low:.6g}'} .. {'' if high is None else f'{high:.6g}'}".strip()
    return "none" if one["value"] is None else plain_number(one["value"]), bounds
