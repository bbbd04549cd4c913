"""Gathers what the report shows of a finished run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xsim.report.text import plain_number
from xsim.scenario.expect import told
from xsim.scenario.record import provenance
from xsim.scenario.result import Run
from xsim.waves.grid import Grid

if TYPE_CHECKING:
    from xsim.specimen.specimen import Specimen

#: pixels across the pictures of the specimen
PIXELS = 512


def write_page(path: Path, run: Run) -> None:
    """Write report.html of a run."""
    from xsim.report.html import ReportInput, write

    scenario, specimen = run.scenario, run.specimen
    grid = specimen_grid(specimen, scenario.specimen.extent)
    references = "".join(f"\n\n{reference}" for reference in scenario.references)
    page = ReportInput(
        title=scenario.title or scenario.name,
        measurements=[result.measurement for result in run.values()],
        description=scenario.notes + references,
        scenario=scenario.text or json.dumps(scenario.table(), indent=1),
        provenance=provenance(scenario, run.record["seed"]) | {"date": run.record["date"]},
        thickness={material.name: values for material, values in specimen.thickness(grid).items()},
        grid=grid,
        particles={population.name: len(population.poses) for population in specimen.populations},
        wall_time=run.record["wall_time"],
        warnings=run.record["warnings"],
        machine=run.record["machine"],
        notes={
            **_scores(run.record["instruments"]),
            **{f"expected: {one['quantity']}": _verdict(one) for one in run.record["expectations"]},
        },
    )
    write(path, page)


def _scores(instruments: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Each score with its error, if it has one."""
    found = {}
    for name, entry in instruments.items():
        numbers = entry.get("scores", {})
        for key, value in numbers.items():
            if not (key.endswith("_error") and key.removesuffix("_error") in numbers):
                text = "none" if value is None else plain_number(value)
                error = numbers.get(f"{key}_error")
                found[f"score: {name}.{key}"] = text if error is None else f"{text} ± {error:.1g}"
    return found


def _verdict(one: dict[str, Any]) -> str:
    found, bounds = told(one)
    return f"{found} ({'met' if one['met'] else 'NOT met'}: {bounds}; {one['source']})"


def specimen_grid(specimen: Specimen, extent: tuple[float, float] | None) -> Grid:
    """A grid for pictures of the whole specimen: its extent, or the square that holds all its parts."""
    width, height = extent or _reach(specimen)
    pixel = max(width, height) / PIXELS
    return Grid((max(1, round(height / pixel)), max(1, round(width / pixel))), pixel)


def _reach(specimen: Specimen) -> tuple[float, float]:
    reach = [(p.poses, p.shape.radius) for p in specimen.populations]
    parts = [np.abs(poses.positions[:, :2]) + (radius * poses.scales)[:, None] for poses, radius in reach]
    x, y = 2.1 * np.max(np.concatenate(parts), axis=0) if parts else (1e-6, 1e-6)
    return float(x), float(y)
