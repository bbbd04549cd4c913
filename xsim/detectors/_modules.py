"""Detectors of several modules: which pixels of the picture are sensitive, and where each truly is.

A picture is a regular lattice of pixels (rows along y, columns along x) on which modules are laid; pixels between them
are gaps. A module may stand off its place in the picture, by `shift` and by turning about its own middle; the true
place of each pixel is then what q, solid angles and files go by, and the picture is only how the numbers are arranged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator

from xsim.errors import OverlapError, RangeError
from xsim.model import Model
from xsim.units import Angle, Length

if TYPE_CHECKING:
    from collections.abc import Sequence

FloatArray = NDArray[np.float64]


class Module(Model):
    """One module: `tiles` (ny, nx) chips of `tile` (ny, nx) pixels, `gap` (ny, nx) pixels apart, from pixel `start`.

    shift: (x, y, z) [m] of the whole module from its place in the picture, z away from the specimen. tilt: turns
    [rad] about its middle, about x, then y, then z.
    """

    start: tuple[int, int] = (0, 0)
    tile: tuple[int, int] = (256, 256)
    tiles: tuple[int, int] = (1, 1)
    gap: tuple[int, int] = (0, 0)
    shift: tuple[Length, Length, Length] = (0.0, 0.0, 0.0)
    tilt: tuple[Angle, Angle, Angle] = (0.0, 0.0, 0.0)

    @field_validator("tile", "tiles", "start", "gap")
    @classmethod
    def _whole(cls, value: tuple[int, int], info: Any) -> tuple[int, int]:
        least = 1 if info.field_name in ("tile", "tiles") else 0
        if min(value) < least:
            raise RangeError(f"{info.field_name} (ny, nx) of a module", value=value, allowed=f">= {least}")
        return value

    @property
    def size(self) -> tuple[int, int]:
        """Pixels (ny, nx) that it takes in the picture, gaps between its chips included."""
        rows, columns = (n * tile + (n - 1) * gap for n, tile, gap in zip(self.tiles, self.tile, self.gap, strict=True))
        return rows, columns

    @property
    def place(self) -> tuple[slice, slice]:
        """Its rows and columns of the picture."""
        rows, columns = (slice(first, first + n) for first, n in zip(self.start, self.size, strict=True))
        return rows, columns

    @property
    def sensitive(self) -> NDArray[np.bool_]:
        """Which of its pixels (ny, nx) belong to chips."""
        rows, columns = (
            np.arange(n) % (tile + gap) < tile for n, tile, gap in zip(self.size, self.tile, self.gap, strict=True)
        )
        return np.asarray(rows[:, None] & columns[None, :])

    @property
    def rotation(self) -> FloatArray:
        """Its turn (3, 3)."""
        turns = []
        for axis, angle in enumerate(self.tilt):
            c, s = np.cos(angle), np.sin(angle)
            turn = np.eye(3)
            i, j = [(1, 2), (2, 0), (0, 1)][axis]
            turn[i, i] = turn[j, j] = c
            turn[i, j], turn[j, i] = -s, s
            turns.append(turn)
        return np.asarray(turns[2] @ turns[1] @ turns[0])

    @property
    def displaced(self) -> bool:
        """Whether it stands off its place in the picture."""
        return any((*self.shift, *self.tilt))


def check_modules(modules: Sequence[Module], shape: tuple[int, int]) -> None:
    """Refuse modules off the picture (RangeError) or over each other (OverlapError)."""
    taken = np.full(shape, -1, np.int32)
    for number, module in enumerate(modules):
        end = tuple(first + n for first, n in zip(module.start, module.size, strict=True))
        if end[0] > shape[0] or end[1] > shape[1]:
            raise RangeError(
                "a module beyond the picture",
                field=f"modules[{number}].start",
                value=f"pixels to {end}",
                allowed=f"<= {tuple(shape)}",
                cure="make shape larger or start earlier",
            )
        held = taken[module.place]
        under = held[module.sensitive & (held >= 0)]
        if under.size:
            raise OverlapError(
                "two modules share pixels",
                field=f"modules[{number}].start",
                value=f"{under.size} pixels of modules {int(under[0])} and {number}",
                allowed="none",
                cure="move one of them",
            )
        held[module.sensitive] = number


def numbers(modules: Sequence[Module], shape: tuple[int, int]) -> NDArray[np.int16]:
    """The module of each pixel of the picture (ny, nx), -1 in gaps."""
    found = np.full(shape, -1, np.int16)
    for number, module in enumerate(modules):
        found[module.place][module.sensitive] = number
    return found


def lattice(shape: tuple[int, int], pixel: float) -> FloatArray:
    """Places (ny, nx, 3) [m] of the pixels of a regular picture; (ny//2, nx//2) is the origin."""
    places = np.zeros((*shape, 3))
    places[..., 0] = (np.arange(shape[1]) - shape[1] // 2) * pixel
    places[..., 1] = ((np.arange(shape[0]) - shape[0] // 2) * pixel)[:, None]
    return places


def placed(modules: Sequence[Module], shape: tuple[int, int], pixel: float) -> tuple[FloatArray, FloatArray]:
    """True places [m] and unit normals of all pixels, each (ny, nx, 3), from where the undeflected beam should hit."""
    places = lattice(shape, pixel)
    normals = np.zeros_like(places)
    normals[..., 2] = 1.0
    for module in modules:
        if module.displaced:
            held = places[module.place]
            middle = (held[0, 0] + held[-1, -1]) / 2
            turn = module.rotation
            places[module.place] = (held - middle) @ turn.T + middle + np.array(module.shift)
            normals[module.place] = turn[:, 2]
    return places, normals
