"""Reads a voxel volume from a file and derives, once, what its raster and form factor need."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.errors import FileError, RangeError, XsimError
from xsim.resources import data_dir
from xsim.specimen.shape import FloatArray


def find_file(name: str) -> Path:
    """`name` as given, else among the shipped scenarios; raises FileError."""
    path = Path(name).expanduser()
    if path.is_file():
        return path.resolve()
    if not path.is_absolute():
        try:
            shipped = data_dir("scenarios") / path
        except FileError:
            shipped = path
        if shipped.is_file():
            return shipped
    raise FileError("no such file", field="file", value=name, cure="give a path that exists from the working folder")


def load_volume(name: str, dataset: str | None) -> Volume:
    """The volume in a .npy or .h5 file, kept for next time; raises FileError or RangeError."""
    path = find_file(name)
    return _load(path, dataset, path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _load(path: Path, dataset: str | None, stamp: int) -> Volume:
    try:
        if path.suffix == ".npy":
            raw: Any = np.load(path, allow_pickle=False)
        elif path.suffix in (".h5", ".hdf5"):
            raw = _from_hdf5(path, dataset)
        else:
            raise FileError("unknown kind of volume file", field="file", value=str(path), allowed=".npy, .h5, .hdf5")
    except XsimError:
        raise
    except Exception as error:
        raise FileError("cannot read this volume", field="file", value=str(path), cure=str(error)) from None
    if raw.ndim != 3 or raw.dtype.kind not in "buif":
        what = f"{raw.ndim} axes of {raw.dtype}"
        raise FileError("not a volume", field="file", value=what, allowed="three axes [z, y, x] of real numbers")
    values = np.asarray(raw, np.float64)
    if not (np.all(values >= 0) and np.all(values <= 1)):
        found = f"{values.min():g} to {values.max():g}"
        raise RangeError("occupancy", field="file", value=found, allowed="0 to 1", cure="divide by the largest value")
    if not values.any():
        raise RangeError("an empty volume", field="file", value=str(path), allowed="some occupied voxel")
    return Volume(np.ascontiguousarray(values.transpose(2, 1, 0)))


def _from_hdf5(path: Path, dataset: str | None) -> Any:
    import h5py

    with h5py.File(path, "r") as file:
        found: list[str] = []
        file.visititems(lambda key, item: found.append(key) if getattr(item, "ndim", 0) == 3 else None)
        if dataset is None and len(found) == 1:
            dataset = found[0]
        if dataset is None or not isinstance(file.get(dataset), h5py.Dataset):
            raise FileError(
                "which dataset?", field="dataset", value=dataset, allowed=", ".join(found) or "none has three axes"
            )
        return file[dataset][()]


@dataclass(frozen=True, eq=False)
class Volume:
    """Occupancy [x, y, z] in 0..1; positions are in voxels about the centre of the array."""

    occupancy: FloatArray

    @cached_property
    def half(self) -> FloatArray:
        """Half the shape (3,)."""
        return np.array(self.occupancy.shape) / 2

    @cached_property
    def faces(self) -> tuple[NDArray[np.int32], FloatArray]:
        """Weighted faces for the raster."""
        from xsim.specimen.kernels.voxel_faces import voxel_faces

        return voxel_faces(self.occupancy)

    @cached_property
    def grey(self) -> bool:
        """Whether most neighbours differ, so that faces are not few."""
        return len(self.faces[1]) > self.occupancy.size / 4

    def between(self, axis: FloatArray, low: float, high: float) -> tuple[FloatArray, FloatArray]:
        """The voxels that reach between the planes axis.r = low and high, others emptied, and where the box begins.

        axis: unit vector (3,); low, high [voxels from the centre]; returns occupancy in a box (which may be empty) and
        the box's first voxel (3,).
        """
        reach = np.abs(axis).sum() / 2
        steps = [
            (np.arange(n) + 0.5 - half) * a for n, half, a in zip(self.occupancy.shape, self.half, axis, strict=True)
        ]
        height = steps[0][:, None, None] + steps[1][:, None] + steps[2]
        met = (height > low - reach) & (height < high + reach) & (self.occupancy > 0)
        if not met.any():
            return np.zeros((0, 0, 0)), np.zeros(3)
        box = [np.flatnonzero(met.any(axis=tuple({0, 1, 2} - {k}))) for k in range(3)]
        cut = tuple(slice(int(b[0]), int(b[-1]) + 1) for b in box)
        return np.where(met[cut], self.occupancy[cut], 0.0), np.array([float(b[0]) for b in box])

    @cached_property
    def hull(self) -> FloatArray:
        """Corners (n, 3) of the convex hull of the occupied voxels."""
        from scipy.spatial import ConvexHull

        filled = self.occupancy > 0
        lines = filled.any(axis=2)
        x, y = np.nonzero(lines)
        first, last = filled[x, y].argmax(axis=1), filled.shape[2] - filled[x, y, ::-1].argmax(axis=1)
        ends = np.concatenate([np.column_stack([x, y, first]), np.column_stack([x, y, last])])
        corners = np.concatenate([ends + np.array([a, b, 0]) for a in (0, 1) for b in (0, 1)]) - self.half
        return np.asarray(corners[ConvexHull(corners).vertices], np.float64)

    @cached_property
    def radius(self) -> float:
        """Distance of the farthest occupied corner."""
        return float(np.sqrt((self.hull**2).sum(axis=1).max()))

    @cached_property
    def solid_faces(self) -> tuple[FloatArray, FloatArray]:
        """Centres and outward normals (n, 3) of the faces between voxels at least half full and the others."""
        solid = np.pad(self.occupancy >= 0.5, 1)
        centres, normals = [], []
        for axis in range(3):
            step = np.diff(solid.astype(np.int8), axis=axis)
            where = np.argwhere(step)
            normal = np.zeros((len(where), 3))
            normal[:, axis] = -step[tuple(where.T)]
            centre = where - 0.5
            centre[:, axis] += 0.5
            centres.append(centre - self.half)
            normals.append(normal)
        return np.concatenate(centres), np.concatenate(normals)
