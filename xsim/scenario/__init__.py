"""Scenarios: what users write, checked whole, and run."""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "load": "loader",
    "run": "runner",
    "Scenario": "schema",
    "Run": "result",
    "Result": "result",
    "ScenarioMistakes": "mistakes",
}

__all__ = ["Result", "Run", "Scenario", "ScenarioMistakes", "load", "run"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
