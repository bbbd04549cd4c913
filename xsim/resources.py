"""Finds the data shipped with xsim: `materials/` and `scenarios/`.

A wheel holds them in `xsim/_data/`; a checkout (or an editable install) holds them beside the package. The
first that exists wins, so an editable install never sees a stale copy.
"""

from __future__ import annotations

from pathlib import Path

from xsim.errors import FileError

_PACKAGE = Path(__file__).resolve().parent


def data_dir(kind: str) -> Path:
    """The folder "materials" or "scenarios". Raises FileError if the installation lacks it."""
    candidates = (_PACKAGE / "_data" / kind, _PACKAGE.parent / kind)
    for path in candidates:
        if path.is_dir():
            return path
    raise FileError(f"the {kind} folder of xsim is missing", value=str(candidates[0]), cure="reinstall xsim with pip")


def data_files(kind: str, pattern: str = "*.toml") -> list[Path]:
    """The shipped files of one kind, sorted by name."""
    return sorted(data_dir(kind).glob(pattern))
