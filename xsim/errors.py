"""Errors and warnings that name the field, the offending value, what is allowed and how to mend it.

Every error of xsim inherits `XsimError` (a ValueError) and any other built-in that a caller would expect. The
command line prints one line for each and exits with 2; nothing else in xsim formats mistakes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class XsimError(ValueError):
    """A mistake that the user can mend: some value somewhere is wrong (hence ValueError, which pydantic collects).

    message: what is wrong; field: dotted key path within the object at fault ("" if none); value: the offending
    value; allowed: the allowed range or choices, in words; cure: how to mend it.
    """

    def __init__(self, message: str, *, field: str = "", value: Any = None, allowed: str = "", cure: str = ""):
        self.message, self.field, self.value, self.allowed, self.cure = message, field, value, allowed, cure
        super().__init__(message)

    def __str__(self) -> str:
        parts = [self.message]
        if self.value is not None:
            parts.append(f"got {self.value!r}" if isinstance(self.value, str) else f"got {self.value}")
        if self.allowed:
            parts.append(f"allowed: {self.allowed}")
        if self.cure:
            parts.append(self.cure)
        return "; ".join(parts)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.field, self.value, self.allowed, self.cure)


def _rebuild(kind: type[XsimError], message: str, field: str, value: Any, allowed: str, cure: str) -> XsimError:
    return kind(message, field=field, value=value, allowed=allowed, cure=cure)


@contextmanager
def told_as(cures: Mapping[str, tuple[str, str]]) -> Iterator[None]:
    """Errors raised inside at a field that the user never wrote are told at the one that mends them.

    cures: for each such field, the user's field and what to do there ("" for what the error says).
    """
    try:
        yield
    except XsimError as error:
        if error.field not in cures:
            raise
        field, cure = cures[error.field]
        cure = cure or error.cure
        raise type(error)(error.message, field=field, value=error.value, allowed=error.allowed, cure=cure) from error


class UnitError(XsimError):
    """A quantity without a unit, or with a unit of the wrong dimension."""


class RangeError(XsimError):
    """A value outside the range in which it has a meaning or the model holds."""


class SamplingError(XsimError):
    """A grid, pixel or step too coarse (or a field too small) for what it has to carry."""


class OverlapError(XsimError):
    """Two parts of a specimen occupy the same place without one containing the other."""


class PlacementError(XsimError):
    """A population does not fit where it was to be placed."""


class UnknownNameError(XsimError, LookupError):
    """A name (material, preset, kind, scenario, element) that is not known."""


class FileError(XsimError, OSError):
    """A file that is missing, unreadable or of the wrong format."""


class ScenarioError(XsimError):
    """A mistake in a scenario that no other class describes."""


class XsimWarning(UserWarning):
    """Something the user should know; carries the value, the limit and the cure in its text."""


class SamplingWarning(XsimWarning):
    """Sampling that is coarse but usable."""


class ValidityWarning(XsimWarning):
    """A model used near or beyond the edge of its validity."""


class DataWarning(XsimWarning):
    """Tabulated data that is uncertain at the requested energy."""
