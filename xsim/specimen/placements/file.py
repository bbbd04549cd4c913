"""Positions from a file: `placement = { kind = "file", file = "dots.csv" }`.

A comma-separated text file has a header that names its columns with their units, `x [nm],y [nm],z [nm]` and, if sizes
are given, `radius [nm]` (radius of the bounding sphere); a `.npy` file holds an array (n, 3) or (n, 4) in `unit`.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xsim.errors import FileError, RangeError
from xsim.model import Model
from xsim.specimen.placements._job import Job
from xsim.specimen.shape import Poses
from xsim.units import as_float

_FIELD = "placement.file"
_HEADER = "x [nm],y [nm],z [nm] and optionally radius [nm], any unit of length"


class File(Model):
    """One particle for each row of `file`. unit: of the numbers in a .npy file, e.g. "nm"."""

    kind: Literal["file"] = "file"
    file: str = ""
    unit: str | None = None

    def needs(self) -> tuple[str, ...]:
        """Nothing has to be there before."""
        return ()

    def place(self, job: Job) -> Poses:
        """The positions in the file, with its radii if it has them; raises FileError."""
        positions, radii = self.read()
        count = job.wanted(len(positions))
        scales = job.scales(count) if radii is None else radii / job.shape.radius
        return Poses(positions, job.rotations(count), scales)

    def read(self) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Positions (n, 3) [m] and radii (n,) [m] or None."""
        path = Path(self.file)
        if not path.is_file():
            raise FileError("no such file of positions", field=_FIELD, value=self.file, cure="check the path")
        table, columns = self._npy(path) if path.suffix == ".npy" else _csv(path)
        if not len(table):
            raise FileError("the file holds no positions", field=_FIELD, value=self.file, allowed=_HEADER)
        if not np.isfinite(table).all():
            raise FileError("a position is not a finite number", field=_FIELD, value=self.file)
        positions = np.stack([table[:, columns.index(axis)] for axis in "xyz"], axis=-1)
        if "radius" not in columns:
            return positions, None
        radii = table[:, columns.index("radius")]
        if not (radii > 0).all():
            raise RangeError("a radius in the file", field=_FIELD, value=f"{radii.min():.4g} m", allowed="> 0 m")
        return positions, radii

    def _npy(self, path: Path) -> tuple[NDArray[np.float64], list[str]]:
        if self.unit is None:
            raise FileError(
                "the unit of a .npy file is unknown", field="placement.unit", value=self.file, cure='write unit = "nm"'
            )
        try:
            table = np.load(path, allow_pickle=False).astype(np.float64)
        except (OSError, ValueError) as error:
            raise FileError(f"cannot read positions: {error}", field=_FIELD, value=self.file) from None
        if table.ndim != 2 or table.shape[1] not in (3, 4):
            raise FileError("shape of the array", field=_FIELD, value=table.shape, allowed="(n, 3) or (n, 4)")
        return table * as_float(f"1 {self.unit}", "m", field="placement.unit"), ["x", "y", "z", "radius"][
            : table.shape[1]
        ]


def _csv(path: Path) -> tuple[NDArray[np.float64], list[str]]:
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = [row for row in csv.reader(stream) if row and not row[0].lstrip().startswith("#")]
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"cannot read positions: {error}", field=_FIELD, value=str(path)) from None
    header = rows[0] if rows else []
    names, factors = [], []
    for cell in header:
        name, _, unit = cell.strip().partition("[")
        names.append(name.strip())
        if not unit.endswith("]"):
            raise FileError("a column without a unit", field=_FIELD, value=cell.strip(), allowed=_HEADER)
        factors.append(as_float(f"1 {unit[:-1]}", "m", field=_FIELD))
    missing = [axis for axis in "xyz" if axis not in names]
    unknown = [name for name in names if name not in ("x", "y", "z", "radius")]
    if missing or unknown:
        raise FileError("columns of the file", field=_FIELD, value=",".join(names), allowed=_HEADER)
    table = np.zeros((len(rows) - 1, len(names)))
    for number, row in enumerate(rows[1:]):
        try:
            table[number] = [float(cell) for cell in row]
        except ValueError:
            raise FileError(
                f"row {number + 1} of the file", field=_FIELD, value=",".join(row), allowed=f"{len(names)} numbers"
            ) from None
    return table * np.array(factors), names
