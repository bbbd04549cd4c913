"""The validator of the NeXus project, and the provenance that the tests write."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PROVENANCE = {"version": "1.2.3", "title": "A title", "scenario_hash": "abc123", "date": "2026-01-02T03:04:05+00:00"}


def errors_of(path: Path, plain: bool = False) -> int:
    """Errors that the validator reports; it exits 0 whatever it finds, so its words are parsed."""
    tool = Path(sys.executable).with_name("nxcheck" if plain else "nxvalidate")
    result = subprocess.run([str(tool), str(path)], capture_output=True, text=True, check=True, timeout=60)
    found = re.search(r"Total number of errors: (\d+)", result.stdout + result.stderr)
    assert found, result.stdout + result.stderr
    return int(found.group(1))
