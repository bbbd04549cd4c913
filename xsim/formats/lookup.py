"""Which format a measurement is written in, and which others it can be exported to."""

from __future__ import annotations

from typing import Any

from xsim.errors import FileError
from xsim.exposure import Measurement
from xsim.registry import discover
from xsim.registry import lookup as find

#: what the format of a technique that no other lists says in its `techniques`
ANY = "*"


def default_format(measurement: Measurement) -> Any:
    """The technique's own format if it can hold this measurement, else the plain NeXus format (see its docstring)."""
    formats = [cls() for cls in discover("formats").values()]
    own = [f for f in formats if measurement.kind in f.techniques and not f.accepts(measurement)]
    return (own or [f for f in formats if ANY in f.techniques])[0]


def available(measurement: Measurement) -> dict[str, str]:
    """Every format by its kind: empty if it can hold this measurement, else why not."""
    return {kind: cls().accepts(measurement) for kind, cls in discover("formats").items()}


def export_format(measurement: Measurement, kind: str) -> Any:
    """The format named `kind`; raises UnknownNameError, or FileError if it cannot hold this measurement."""
    chosen = find("formats", kind)()
    reason = chosen.accepts(measurement)
    if reason:
        fitting = [name for name, why in available(measurement).items() if not why]
        raise FileError(
            f"instrument {measurement.name} ({measurement.kind}) cannot be written as {kind}: {reason}",
            allowed=", ".join(fitting),
            cure="choose one of these with --to",
        )
    return chosen
