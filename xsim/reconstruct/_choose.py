"""Which method reconstructs a measurement: the one asked for, or the first that can.

A method with a negative `preference` comes after the others, which are taken by name.
"""

from __future__ import annotations

import difflib
from typing import Any

from pydantic import ValidationError

from xsim.errors import FileError, ScenarioError, XsimError
from xsim.exposure import Measurement
from xsim.reconstruct._protocol import Method
from xsim.registry import discover, lookup


def choose(measurement: Measurement, kind: str | None = None, knobs: dict[str, Any] | None = None) -> Method:
    """The method named `kind` (or the technique's default) with its knobs set, ready to be called.

    Raises UnknownNameError for a name that is not known, FileError naming the methods that serve this measurement if
    this one does not, ScenarioError for a knob that is wrong.
    """
    if kind is None:
        fitting = methods_for(measurement)
        if not fitting:
            raise FileError(
                f"no method reconstructs instrument {measurement.name} ({measurement.kind}): {_reasons(measurement)}",
                cure="export it for another program with xsim export",
            )
        kind = fitting[0]
    chosen = lookup("reconstructions", kind, field="--method")
    if measurement.kind not in chosen.techniques:
        raise FileError(
            f"{kind} serves {', '.join(chosen.techniques)}, and instrument {measurement.name} is {measurement.kind}",
            value=kind,
            allowed=", ".join(methods_for(measurement)) or "none for this instrument",
            cure="choose one of these with --method",
        )
    made: Method = build(chosen, knobs or {})
    reason = made.accepts(measurement)
    if reason:
        raise FileError(
            f"{kind} cannot reconstruct instrument {measurement.name} ({measurement.kind}): {reason}",
            allowed=", ".join(methods_for(measurement)) or "none for this instrument",
        )
    return made


def methods_for(measurement: Measurement) -> list[str]:
    """Names of the methods that can reconstruct this measurement, the one to prefer first."""
    known = discover("reconstructions")
    found = [n for n, cls in known.items() if measurement.kind in cls.techniques and not cls().accepts(measurement)]
    return sorted(found, key=lambda name: -int(getattr(known[name], "preference", 0)))


def _reasons(measurement: Measurement) -> str:
    known = discover("reconstructions")
    told = [f"{n}: {cls().accepts(measurement)}" for n, cls in known.items() if measurement.kind in cls.techniques]
    return "; ".join(told) or "no method is made for this technique"


def build(cls: type[Any], knobs: dict[str, Any]) -> Any:
    """The method with `knobs`; raises ScenarioError naming the first knob that is wrong and what is allowed."""
    try:
        return cls.model_validate(knobs)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        cause = first.get("ctx", {}).get("error")
        if isinstance(cause, XsimError):
            raise ScenarioError(str(cause), field=f"--set {name}") from None
        if first["type"] == "extra_forbidden":
            fields = [f for f in cls.model_fields if f != "kind"]
            near = difflib.get_close_matches(name, fields, n=1, cutoff=0.5)
            cure = f'did you mean "{near[0]}"?' if near else ""
            text = f"{cls.model_fields['kind'].default} has no such knob"
            raise ScenarioError(text, field="--set", value=name, allowed=", ".join(fields), cure=cure) from None
        text = str(first["msg"])
        raise ScenarioError(text[:1].lower() + text[1:], field=f"--set {name}", value=first["input"]) from None
