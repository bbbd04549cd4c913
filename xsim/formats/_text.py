"""Text files, written beside their place and moved there when complete."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def write_lines(path: Path | str, lines: Iterable[str]) -> None:
    """Write `lines` to `path`, one after another as they come."""
    path = Path(path)
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            for line in lines:
                file.write(line + "\n")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
