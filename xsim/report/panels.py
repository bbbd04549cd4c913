"""What a figure is made of: pictures and curves, plain data that `figures.draw` lays out."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from xsim.exposure import Array
from xsim.waves.grid import Grid


@dataclass(frozen=True, eq=False)
class Picture:
    """An image [y, x]. pixel: (y, x) size in `length_unit` ("m", "rad/m") for the scale bar, or None.

    scale: "linear", "log" (not positive values take the lowest colour) or "symmetric" (zero in the middle).
    limits: (low, high) of the colours, found from the values if None. points: (x, y) marks in array indices; rings: the
    same as open circles.
    """

    values: Array
    title: str
    unit: str = ""
    pixel: tuple[float, float] | None = None
    length_unit: str = "m"
    scale: str = "linear"
    colours: str = "viridis"
    limits: tuple[float, float] | None = None
    points: tuple[Array, Array] | None = None
    rings: tuple[Array, Array] | None = None


@dataclass(frozen=True, eq=False)
class Line:
    """One curve: `error` gives standard errors; points or a line."""

    label: str
    x: Array
    y: Array
    error: Array | None = None
    points: bool = False


@dataclass(frozen=True, eq=False)
class Curves:
    """Lines over one pair of axes. marks: x -> label of thin vertical lines."""

    title: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    log_x: bool = False
    log_y: bool = False
    marks: dict[str, float] = field(default_factory=dict)


Panel = Picture | Curves


def thickness_pictures(maps: dict[str, Array], grid: Grid) -> list[Panel]:
    """One picture of the projected thickness [m] per material, heaviest range of colours of its own."""
    pixel = (grid.pixel, grid.pixel)
    return [Picture(values, name.replace("_", " "), "m", pixel) for name, values in maps.items()]


def in_rows(panels: list[Panel], columns: int = 3) -> list[list[Panel]]:
    """The panels in rows of at most `columns`, as even as possible."""
    count = math.ceil(len(panels) / columns)
    size = math.ceil(len(panels) / max(count, 1))
    return [panels[start : start + size] for start in range(0, len(panels), max(size, 1))]
