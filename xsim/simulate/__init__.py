"""The one pipeline: a specimen in an instrument, in chunks and processes, to counts with dose."""

from __future__ import annotations

import sys
from inspect import signature
from types import ModuleType
from typing import Any

from xsim.simulate.pipeline import simulate
from xsim.simulate.pool import Workers

__all__ = ["Workers", "simulate"]


class _CallableModule(ModuleType):
    """`xsim.simulate` is both this room and the function a user calls, whichever was imported first."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return simulate(*args, **kwargs)


_this = sys.modules[__name__]
_this.__class__ = _CallableModule
_this.__signature__ = signature(simulate)  # type: ignore[attr-defined]
