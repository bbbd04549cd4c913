"""Reads measured absorption spectra in the XDI format (XAS Data Interchange, doi 10.1088/1742-6596/712/1/012148)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xsim.errors import FileError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Spectrum:
    """A measured absorption spectrum: energy (n,) [eV] ascending, mu (n,) on an arbitrary scale; element and edge."""

    element: str
    edge: str
    sample: str
    energy: FloatArray
    mu: FloatArray


def read(path: Path) -> Spectrum:
    """Read columns "energy" and "xmu" (or "mutrans") of an XDI file; raises FileError naming file and line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        raise FileError("cannot read the spectrum", value=str(path), cure="check the path") from None
    except UnicodeDecodeError:
        raise FileError("not an XDI text file", value=str(path), allowed="text in UTF-8") from None
    if not lines or not lines[0].startswith("# XDI/"):
        raise FileError('not an XDI file: its first line is not "# XDI/1.0"', value=str(path))
    fields = _fields(lines)
    for key in ("element.symbol", "element.edge"):
        if key not in fields:
            raise FileError(f'the field "{key}" is missing', value=str(path))
    columns = {fields[key].split()[0].lower(): key for key in fields if key.startswith("column.")}
    energy_column = _column(columns, ("energy",), path)
    mu_column = _column(columns, ("xmu", "mutrans", "mu", "mufluor"), path)
    unit = fields[columns["energy"]].split()[1:]
    if unit and unit[0].lower() not in ("ev", "kev"):
        raise FileError("unit of the energy column", value=f"{path}: {unit[0]}", allowed="eV, keV")
    table = _numbers(lines, path, max(energy_column, mu_column))
    energy = table[:, energy_column] * (1e3 if unit and unit[0].lower() == "kev" else 1.0)
    order = np.argsort(energy, kind="stable")
    return Spectrum(
        fields["element.symbol"],
        fields["element.edge"].upper(),
        fields.get("sample.name", path.stem),
        energy[order],
        table[order, mu_column],
    )


def _fields(lines: list[str]) -> dict[str, str]:
    pairs = (line[1:].split(":", 1) for line in lines[1:] if line.startswith("#") and ":" in line)
    return {key.strip().lower(): value.strip() for key, value in pairs if value.strip()}


def _column(columns: dict[str, str], names: tuple[str, ...], path: Path) -> int:
    for name in names:
        if name in columns:
            number = columns[name].split(".")[1]
            if number.isdigit() and int(number) > 0:
                return int(number) - 1
    raise FileError(f"no column {' or '.join(names)}", value=str(path), allowed=", ".join(columns) or "none named")


def _numbers(lines: list[str], path: Path, last: int) -> FloatArray:
    rows = []
    for number, line in enumerate(lines, start=1):
        if line.startswith("#") or not line.strip():
            continue
        try:
            row = [float(word) for word in line.split()]
        except ValueError:
            raise FileError("not a row of numbers", value=f"{path}:{number}: {line.strip()[:60]}") from None
        if len(row) <= last or not np.isfinite(row).all():
            raise FileError("a row with missing or infinite numbers", value=f"{path}:{number}: {line.strip()[:60]}")
        rows.append(row)
    if len(rows) < 20 or len({len(row) for row in rows}) != 1:
        raise FileError("too few rows, or rows of different lengths", value=str(path), allowed="20 rows or more")
    return np.array(rows)
