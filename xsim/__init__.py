"""xsim: one specimen through every X-ray imaging technique, to noisy detector data with dose.

The public names are loaded on first use, so that importing xsim costs nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# The C library learns from the largest block freed how much memory to keep instead of handing it back to the system.
# Fresh pages cost more than what is computed in them: maps of 2 MB made and dropped take 15 times as long without this.
del [bytearray(31 << 20)][0]

_PUBLIC = {
    "load": "xsim.scenario",
    "run": "xsim.scenario",
    "simulate": "xsim.simulate",
    "Material": "xsim.matter.material",
    "Specimen": "xsim.specimen.specimen",
}

__all__ = ["Material", "Specimen", "load", "run", "simulate"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'xsim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
