"""A voxel volume: a body given by its occupancy 0..1 on a regular lattice, such as a segmented tomogram.

Each voxel is a cube of `pitch` filled uniformly to its occupancy. Thickness: exact projection of those cubes under any
rotation and scale (`xsim.specimen.kernels.voxel_faces`), about 0.5 us per face between unlike voxels and copy: a
128^3 segmented body takes 15 ms, a 128^3 map of grey values 4 s. A slab of grey values takes only the voxels that it
meets: 64 slabs cost about ten times what the whole does (with all faces in every slab, 350 times). Form factor:
F(q) = p^3 sinc(q_x p/2) sinc(q_y p/2) sinc(q_z p/2) sum_v o_v exp(-i q.r_v), the sum by a non-uniform FFT (Barnett et
al. 2019, doi 10.1137/18M120885X) to 1e-9. The staircase of the lattice scatters beyond q ~ pi/p like any real one.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator, model_validator

from xsim.model import Model
from xsim.specimen.population import take
from xsim.specimen.shape import FloatArray, Poses
from xsim.specimen.shapes._sampling import sinc
from xsim.specimen.shapes._volume import Volume, find_file, load_volume
from xsim.threads import thread_count
from xsim.units import PositiveLength
from xsim.waves.grid import Grid

#: relative accuracy asked of the non-uniform FFT
_EPS = 1e-9
#: most rows that one task rasters: bounds its memory
_ROWS = 256


class Voxels(Model):
    """A volume from `file` (.npy, or .h5 with `dataset`), axes [z, y, x], with cubic voxels of `pitch` [m].

    The origin is the centre of the array. Values are the part of each voxel that the material fills, 0 to 1.
    """

    kind: Literal["voxels"] = "voxels"
    file: str
    pitch: PositiveLength
    dataset: str | None = None

    @field_validator("file")
    @classmethod
    def _exists(cls, value: str) -> str:
        find_file(value)
        return value

    @model_validator(mode="after")
    def _readable(self) -> Voxels:
        load_volume(self.file, self.dataset)
        return self

    @property
    def data(self) -> Volume:
        """The volume, read once."""
        return load_volume(self.file, self.dataset)

    @property
    def volume(self) -> float:
        """Filled volume [m^3]."""
        return float(self.data.occupancy.sum()) * self.pitch**3

    @property
    def radius(self) -> float:
        """Distance of the farthest occupied corner from the centre of the array [m]."""
        return self.data.radius * self.pitch

    def add_thickness(self, out: FloatArray, poses: Poses, grid: Grid, z0: float, z1: float) -> None:
        """Add the exact pixel-averaged length [m] within z0..z1 [m] of every copy to `out` (ny, nx)."""
        if np.isfinite([z0, z1]).any() and self.data.grey:
            for n in range(len(poses)):
                self._add_cut(out, take(poses, np.array([n])), grid, z0, z1)
            return
        self._add(out, poses, grid, z0, z1, (*self.data.faces, self.data.half, self.data.radius))

    def _add_cut(self, out: FloatArray, pose: Poses, grid: Grid, z0: float, z1: float) -> None:
        """One copy within a slab: only the voxels that the slab meets have faces that count."""
        pitch = self.pitch * float(pose.scales[0])
        levels = (np.array([z0, z1]) - pose.positions[0, 2]) / pitch
        part, start = self.data.between(pose.rotations[0, 2], float(levels[0]), float(levels[1]))
        if part.size:
            from xsim.specimen.kernels.voxel_faces import voxel_faces

            self._add(out, pose, grid, z0, z1, (*voxel_faces(part), self.data.half - start, self.data.radius))

    def _add(self, out: FloatArray, poses: Poses, grid: Grid, z0: float, z1: float, body: Any) -> None:
        """Raster the faces of `body`: (places, weights, centre [voxels], radius [voxels])."""
        from xsim.specimen.kernels.bands import for_bands, in_pixels
        from xsim.specimen.kernels.voxel_faces import add_voxels

        p = in_pixels(poses, grid, z0, z1)
        turns = p.rotations * (p.size * self.pitch)[:, None, None]

        def band(first: int, last: int, items: NDArray[np.int64]) -> None:
            add_voxels(out, (first, last), items, (p.x, p.y, p.z), turns, body, (p.z0, p.z1), grid.pixel)

        rows = -(-grid.shape[0] // (2 * thread_count()))  # every band walks through all faces, so few bands
        for_bands(grid.shape[0], p.y, p.size * self.radius, band, band=int(np.clip(rows, 16, _ROWS)))

    def form_factor(self, q: FloatArray) -> NDArray[np.complex128]:
        """Integral of exp(-i q.r) [m^3] for q (..., 3) [rad/m], relative to the volume to 1e-9."""
        import finufft

        q = np.asarray(q, np.float64)
        turn = q.reshape(-1, 3) * self.pitch
        folded = np.remainder(turn + np.pi, 2 * np.pi) - np.pi  # the lattice sum is periodic
        modes = np.asarray(self.data.occupancy, np.complex128)
        columns = [np.ascontiguousarray(folded[:, k]) for k in range(3)]
        total = finufft.nufft3d2(*columns, modes, eps=_EPS, isign=-1, nthreads=thread_count())
        # mode k sits at voxel index n = k + N//2, whose centre is at n - (N - 1)/2
        offset = np.array([n // 2 - (n - 1) / 2 for n in modes.shape])
        total = total * np.exp(-1j * (turn * offset).sum(axis=1)) * sinc(turn / 2).prod(axis=1) * self.pitch**3
        return np.asarray(total, np.complex128).reshape(q.shape[:-1])

    def contains(self, points: FloatArray) -> NDArray[np.bool_]:
        """Whether points (n, 3) [m] lie in voxels at least half full."""
        index = np.floor(np.asarray(points) / self.pitch + self.data.half).astype(np.int64)
        shape = np.array(self.data.occupancy.shape)
        within = ((index >= 0) & (index < shape)).all(axis=-1)
        x, y, z = np.moveaxis(np.clip(index, 0, shape - 1), -1, 0)
        return np.asarray(within & (self.data.occupancy[x, y, z] >= 0.5))

    def support(self, directions: FloatArray) -> FloatArray:
        """Farthest occupied corners (n, 3) [m] along unit directions (n, 3)."""
        hull = self.data.hull
        return np.asarray(hull[np.argmax(np.asarray(directions) @ hull.T, axis=-1)] * self.pitch)

    def surface_points(self, count: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Points (n, 3) [m] uniform on the staircase surface (cavities included) and their outward unit normals."""
        centres, normals = self.data.solid_faces
        pick = rng.integers(len(centres), size=count)
        jitter = rng.uniform(-0.5, 0.5, (count, 3)) * (normals[pick] == 0)
        return (centres[pick] + jitter) * self.pitch, normals[pick]

    @classmethod
    def example(cls) -> Any:
        """Three merged lobes on a lattice of 5 nm."""
        return cls(file="structures/three-lobes.npy", pitch="5 nm")
