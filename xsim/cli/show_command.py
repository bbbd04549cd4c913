"""`xsim show SCENARIO`: pictures of the specimen and of where each instrument's light falls on it."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xsim.instruments._protocol import Instrument
    from xsim.report.figures import Panel
    from xsim.specimen.specimen import Specimen
    from xsim.waves.grid import Grid

SLICES = 192  # across its depth, from the side


def add(commands: Any) -> argparse.ArgumentParser:
    """The command's parser."""
    command: argparse.ArgumentParser = commands.add_parser(
        "show", help="draw the specimen and each instrument's light on it, as PNG files"
    )
    command.add_argument("scenario", metavar="SCENARIO", help="a .toml file, or the name of a shipped scenario")
    command.add_argument(
        "-o", "--out", metavar="DIR", type=Path, help="folder for the pictures (default: pictures/NAME)"
    )
    return command


def execute(arguments: argparse.Namespace) -> int:
    """Write specimen.png and a picture for each instrument; print their names."""
    from xsim.errors import XsimWarning
    from xsim.report.figures import draw, in_rows, save
    from xsim.scenario.build import build, located
    from xsim.scenario.loader import load

    scenario = load(arguments.scenario)
    out = arguments.out or Path("pictures") / scenario.name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XsimWarning)
        specimen, instruments = build(scenario, scenario.seed)
        pictures = {"specimen": _specimen(specimen, scenario.specimen.extent)}
        for name, instrument in instruments.items():
            with located(scenario, f"instrument[{name}]"):
                pictures[name] = _instrument(specimen, instrument)
    out.mkdir(parents=True, exist_ok=True)
    for name, panels in pictures.items():
        path = out / f"{name}.png"
        save(draw(in_rows(panels)), path)
        print(path)
    return 0


def _specimen(specimen: Specimen, extent: tuple[float, float] | None) -> list[Panel]:
    """From above: thickness of each material; from the side: the fullest place across the depth."""
    from itertools import pairwise

    import numpy as np

    from xsim.report.figures import Picture, thickness_pictures
    from xsim.scenario.page import specimen_grid

    grid = specimen_grid(specimen, extent)
    panels = list(thickness_pictures({m.name: t for m, t in specimen.thickness(grid).items()}, grid))
    low, high = specimen.z_range
    if high <= low:
        return panels
    edges = np.linspace(low, high, SLICES + 1)
    side = {m.name: np.zeros((SLICES, grid.shape[1])) for m in specimen.materials}
    for row, (z0, z1) in enumerate(pairwise(edges)):
        for material, thickness in specimen.thickness(grid, z0, z1).items():
            side[material.name][row] = thickness.max(axis=0) / (z1 - z0)
    step = (float(edges[1] - edges[0]), grid.pixel)
    for name, filled in side.items():
        title = f"{name.replace('_', ' ')}, from the side"
        panels.append(Picture(filled, title, "filled", step, limits=(0, 1)))
    return panels


def _instrument(specimen: Specimen, instrument: Instrument) -> list[Panel]:
    """The light on the specimen summed over all frames, and the specimen in the same field."""
    import numpy as np

    from xsim.report.figures import Picture, thickness_pictures

    prepared, frames = instrument.prepare(specimen), instrument.frames()
    light = prepared.illuminate(frames)
    grid, total = light[0].grid, np.zeros(light[0].grid.shape)
    for one in light:
        if one.grid == grid:
            total += one.fluence
    points = _points(frames.columns, grid)
    pixel = (grid.pixel, grid.pixel)
    picture = Picture(total * 1e-12, f"{instrument.kind}: light on the specimen", "photons/µm²", pixel, points=points)
    turned = specimen.rotated(light[0].rotation).shifted(*light[0].shift)
    return [picture, *thickness_pictures({m.name: t for m, t in turned.thickness(grid).items()}, grid)]


def _points(columns: dict[str, Any], grid: Grid) -> tuple[Any, Any] | None:
    """Scan positions in array indices, if there are few enough to be told apart."""
    if not {"x", "y"} <= set(columns) or not 1 < len(columns["x"]) <= 2000:
        return None
    x = (columns["x"] - grid.center[0]) / grid.pixel + grid.shape[1] // 2
    y = (columns["y"] - grid.center[1]) / grid.pixel + grid.shape[0] // 2
    return x, y
