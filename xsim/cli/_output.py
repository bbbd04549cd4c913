"""How commands print: tables, numbers with units, JSON, progress."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))

#: processes that may be asked for: more than any machine has cores
MOST_WORKERS = 1024


def add_json(command: argparse.ArgumentParser) -> None:
    """The option --json."""
    command.add_argument("--json", action="store_true", help="print as JSON")


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, indent=2, default=_plain, ensure_ascii=False))


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def prefixed(value: float | None, unit: str) -> str:
    """A number with an SI prefix: ``prefixed(1.6e4, "Gy") == "16.0 kGy"``."""
    if value is None:
        return f"? {unit}"
    for factor, prefix in _PREFIXES:
        if abs(value) >= factor * 0.9995:
            return f"{value / factor:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}"


def bytes_text(value: float) -> str:
    """A number of bytes for a person."""
    return prefixed(float(value), "B")


def columns(rows: Iterable[Sequence[str]]) -> str:
    """Rows in aligned columns, two spaces apart; the last is not padded."""
    table = [list(row) for row in rows]
    widths = [max((len(row[i]) for row in table if len(row) > i), default=0) for i in range(max(map(len, table)))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in table)
    return "\n".join(lines)


def dose_text(dose: dict[str, dict[str, float | None]]) -> str:
    """Doses by material: mean, and in brackets the largest."""
    return ", ".join(f"{m} {prefixed(d['mean'], 'Gy')} (max {prefixed(d['max'], 'Gy')})" for m, d in dose.items())


def geometry_text(geometry: dict[str, float | str | None]) -> str:
    """A geometry whose keys end in their unit, "pixel [m]", in one line."""
    return ", ".join(f"{name.split(' [')[0].replace('_', ' ')} {_value(name, v)}" for name, v in geometry.items())


def _value(name: str, value: float | str | None) -> str:
    unit = name.partition(" [")[2].rstrip("]")
    if value is None or isinstance(value, str):
        return str(value)
    return prefixed(value, unit) if unit.isalpha() and unit != "rad" else f"{value:.4g} {unit}".rstrip()


class Report(Protocol):
    """Called with (what is done, steps done, steps in all)."""

    def __call__(self, what: str, done: int, total: int) -> None:
        """Tell how far it is."""
        ...


@contextmanager
def progress(quiet: bool) -> Iterator[Report | None]:
    """A progress bar on a terminal; elsewhere a line as each instrument begins; nothing if `quiet`."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        yield from _bars()
    else:
        begun: set[str] = set()

        def tell(what: str, done: int, total: int) -> None:
            if what not in begun:
                begun.add(what)
                print(f"{what} ...", file=sys.stderr, flush=True)

        yield tell


def _bars() -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    style = (TextColumn("{task.description:<24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(*style, console=Console(stderr=True)) as bar:

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)
            if done == total:
                bar.stop_task(tasks[what])

        yield tell
