"""Chemical formulas: "SiO2", "Ca10(PO4)6(OH)2", "Fe0.95O", "CaSO4·2H2O" to atoms per formula unit."""

from __future__ import annotations

import re

from xsim.errors import RangeError, UnknownNameError
from xsim.matter.elements import SYMBOLS

_TOKEN = re.compile(r"([A-Z][a-z]?)|(\d+\.?\d*|\.\d+)|([(\[{])|([)\]}])|(·)")
_CLOSES = {")": "(", "]": "[", "}": "{"}
_ALLOWED = 'element symbols, numbers and brackets, such as "SiO2", "Ca10(PO4)6(OH)2", "Fe0.95O"'


def parse(formula: str) -> tuple[tuple[str, float], ...]:
    """(symbol, atoms per formula unit) in the order of first mention; raises UnknownNameError or RangeError."""
    parts = formula.replace(" ", "").replace("*", "·").split("·")
    counts: dict[str, float] = {}
    for part in parts:
        head = re.match(r"\d+\.?\d*|\.\d+", part)
        factor = float(head.group()) if head else 1.0
        body = part[head.end() :] if head else part
        if (head and len(parts) == 1) or not body:
            raise _bad(formula)
        for symbol, count in _group(body, formula).items():
            counts[symbol] = counts.get(symbol, 0.0) + factor * count
    if not all(0 < count < float("inf") for count in counts.values()):
        raise RangeError("atoms in a formula", field="formula", value=formula, allowed="> 0")
    return tuple(counts.items())


def _group(text: str, formula: str) -> dict[str, float]:
    stack: list[dict[str, float]] = [{}]
    brackets: list[str] = []
    last: dict[str, float] = {}
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise _bad(formula)
        symbol, number, opening, closing, _ = match.groups()
        place = match.end()
        if number:
            if not last:
                raise _bad(formula)
            _add(stack[-1], last, float(number) - 1.0)  # the one atom already counted makes up the number
            last = {}
        elif symbol:
            last = {_known(symbol, formula): 1.0}
            _add(stack[-1], last, 1.0)
        elif opening:
            stack.append({})
            brackets.append(opening)
            last = {}
        elif closing:
            if not brackets or brackets.pop() != _CLOSES[closing] or not stack[-1]:
                raise _bad(formula)
            last = stack.pop()
            _add(stack[-1], last, 1.0)
    if brackets:
        raise _bad(formula)
    return {symbol: round(count, 12) for symbol, count in stack[0].items()}


def _add(into: dict[str, float], counts: dict[str, float], factor: float) -> None:
    for symbol, count in counts.items():
        into[symbol] = into.get(symbol, 0.0) + factor * count


def _known(symbol: str, formula: str) -> str:
    if symbol not in SYMBOLS:
        raise UnknownNameError(
            f"unknown element {symbol!r} in a formula", field="formula", value=formula, allowed=_ALLOWED
        )
    return symbol


def _bad(formula: str) -> UnknownNameError:
    return UnknownNameError("not a chemical formula", field="formula", value=formula, allowed=_ALLOWED)
