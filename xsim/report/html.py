"""report.html: one self-contained page of a run, with pictures, doses, settings and provenance.

Nothing is loaded from elsewhere: pictures are inline, the style is inline, no script. Readable in light and dark.
"""

from __future__ import annotations

import base64
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from xsim.exposure import Array, Measurement
from xsim.report.detection import detection_table
from xsim.report.figures import CELL, Panel, draw, in_rows, png, thickness_pictures
from xsim.report.style import CSS
from xsim.report.text import count_text, duration_text, escape, quantity_text
from xsim.report.views import rows_of
from xsim.spill import total
from xsim.waves.grid import Grid


@dataclass(frozen=True, eq=False)
class ReportInput:
    """What a report shows.

    scenario: the scenario's text as run. provenance: version, seed, scenario_hash, date ... thickness: projected metres
    of each material [y, x] on `grid`. wall_time: of the run [s]. warnings: those of no single instrument.
    machine: what it ran on. notes: label -> text, listed under the description (results of expectations, say).
    """

    title: str
    measurements: Sequence[Measurement]
    description: str = ""
    scenario: str = ""
    provenance: dict[str, Any] = field(default_factory=dict)
    thickness: dict[str, Array] = field(default_factory=dict)
    grid: Grid | None = None
    particles: dict[str, int] = field(default_factory=dict)
    wall_time: float = math.nan
    warnings: Sequence[str] = ()
    machine: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


def write(path: Path | str, run: ReportInput) -> None:
    """Write the page of `run` to `path`, in place of what was there."""
    path = Path(path)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(render(run), encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def render(run: ReportInput) -> str:
    """The page as text."""
    body = [
        _header(run),
        _summary(run.measurements),
        _specimen(run),
        *(_instrument(measurement) for measurement in run.measurements),
        _details(run),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(run.title)}</title><style>{CSS}</style></head><body><main>"
        + "\n".join(part for part in body if part)
        + "</main></body></html>\n"
    )


def _header(run: ReportInput) -> str:
    facts = {
        "xsim": run.provenance.get("version"),
        "seed": run.provenance.get("seed"),
        "scenario hash": str(run.provenance.get("scenario_hash", ""))[:12],
        "date": run.provenance.get("date"),
        "computed in": duration_text(run.wall_time) if math.isfinite(run.wall_time) else None,
    }
    items = " · ".join(
        f"{escape(name)} <b>{escape(value)}</b>" for name, value in facts.items() if value not in (None, "")
    )
    text = "".join(f"<p>{escape(part)}</p>" for part in run.description.strip().split("\n\n") if part.strip())
    notes = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in run.notes.items())
    return (
        f"<header><h1>{escape(run.title)}</h1>{text}<p class=facts>{items}</p></header>"
        + (f"<dl>{notes}</dl>" if notes else "")
        + _warnings(run.warnings)
    )


_HEAD = (
    "Instrument",
    "Energy",
    "Frames",
    "Photons on specimen",
    "Expected at detector",
    "Recorded",
    "Time at stated flux",
)


def _summary(measurements: Sequence[Measurement]) -> str:
    """The one table: photons, counts, dose by material, time at the stated flux."""
    materials = list(dict.fromkeys(name for m in measurements for name in m.dose))
    top = "".join(f'<th rowspan="2">{name}</th>' for name in _HEAD)
    if materials:
        top += f'<th colspan="{len(materials)}">Absorbed dose: mean (largest)</th>'
    below = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in materials)
    rows = "".join(_summary_row(m, materials) for m in measurements)
    return (
        '<section id="summary"><h2>At a glance</h2><div class=wide><table>'
        f"<thead><tr>{top}</tr><tr>{below}</tr></thead><tbody>{rows}</tbody></table></div>"
        "<p class=small>Dose of each instrument alone, over the mass that it illuminates; the largest local value in "
        "brackets. Inside particles smaller than the range of photoelectrons it is kerma: part of that energy leaves."
        "</p></section>"
    )


def _summary_row(measurement: Measurement, materials: list[str]) -> str:
    cells = [
        f'<a href="#{escape(measurement.name)}">{escape(measurement.name)}</a>',
        energy_text(measurement),
        f"{len(measurement.frames):,}".replace(",", " "),
        count_text(total(measurement.incident)),
        "not kept" if measurement.expected is None else count_text(total(measurement.expected)),
        f"{count_text(total(measurement.counts, gaps=True))} {escape(measurement.counts_unit)}",
        duration_text(float(np.sum(measurement.frames["time"]))),
    ]
    for name in materials:
        dose = measurement.dose.get(name)
        cells.append("–" if dose is None else f"{quantity_text(dose.mean, 'Gy')}<br>({quantity_text(dose.max, 'Gy')})")
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _specimen(run: ReportInput) -> str:
    if not run.thickness or run.grid is None:
        return ""
    panels = thickness_pictures(run.thickness, run.grid)
    x0, x1, y0, y1 = run.grid.edges
    size = f"{quantity_text(x1 - x0, 'm')} × {quantity_text(y1 - y0, 'm')}"
    parts = "; ".join(f"{escape(name)}: {count_text(n)}" for name, n in run.particles.items())
    return (
        '<section id="specimen"><h2>Specimen</h2>'
        f"<p>Projected thickness of each material along the beam, {size}.{f' Particles: {parts}.' if parts else ''}</p>"
        f"{figure_tag(in_rows(panels, 4), 'projected thickness of each material')}</section>"
    )


def _instrument(measurement: Measurement) -> str:
    line = [
        f"{count_text(total(measurement.incident))} photons on the specimen",
        f"{count_text(total(measurement.counts, gaps=True))} {escape(measurement.counts_unit)} recorded",
        f"{len(measurement.frames):,} frame{'s' if len(measurement.frames) != 1 else ''}".replace(",", " "),
        f"{duration_text(float(np.sum(measurement.frames['time'])))} at the stated flux",
        energy_text(measurement),
    ]
    return (
        f'<section id="{escape(measurement.name)}"><h2>{escape(measurement.name)} '
        f"<span class=kind>{escape(measurement.kind.replace('_', ' '))}</span></h2><p>{' · '.join(line)}</p>"
        f"{figure_tag(rows_of(measurement), f'{measurement.name}: measured and noise-free')}"
        f"{detection_table(measurement)}"
        f"{_warnings(measurement.warnings)}"
        f"<details><summary>Settings and geometry</summary>{settings_table(measurement.settings)}"
        f"{settings_table(measurement.geometry)}</details></section>"
    )


def figure_tag(rows: list[list[Panel]], alternative: str) -> str:
    """An inline picture of the rows of panels."""
    data = base64.b64encode(png(draw(rows))).decode("ascii")
    width = round(100 * CELL * max(len(row) for row in rows))
    return f'<img src="data:image/png;base64,{data}" alt="{escape(alternative)}" style="width:{width}px">'


def settings_table(values: dict[str, Any]) -> str:
    """Nested settings as a two-column table; long arrays by their shape."""
    rows = "".join(f"<tr><th>{escape(key)}</th><td>{escape(text)}</td></tr>" for key, text in flattened(values))
    return f"<table class=settings>{rows}</table>" if rows else ""


def flattened(values: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Dotted keys and short texts of nested settings, without those that are not set."""
    found: list[tuple[str, str]] = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            found += flattened(value, f"{name}.")
        elif value is not None and not (isinstance(value, (str, list, tuple)) and not value):
            found.append((name, _short(value)))
    return found


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.size > 6:
        return f"array of {' × '.join(map(str, value.shape))}"
    if isinstance(value, (list, tuple)) and len(value) > 12:
        return f"{value[0]} … {value[-1]} ({len(value)} values)"
    if isinstance(value, (list, tuple)):
        return ", ".join(_short(part) for part in value)
    return f"{float(value):.6g}" if isinstance(value, (float, np.floating)) else str(value)


def _warnings(texts: Sequence[str]) -> str:
    if not texts:
        return ""
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f"<div class=warning><b>{'Warning' if len(texts) == 1 else 'Warnings'}</b><ul>{items}</ul></div>"


def _details(run: ReportInput) -> str:
    parts = []
    if run.scenario:
        parts.append(f"<details><summary>Scenario as run</summary><pre>{escape(run.scenario)}</pre></details>")
    facts = {**run.provenance, **{f"machine.{key}": value for key, value in run.machine.items()}}
    parts.append(f"<details open><summary>Where this comes from</summary>{settings_table(facts)}</details>")
    convention = (
        "exp(+ikz − iωt), n = 1 − δ + iβ; images have y upward, photons are those of the noise-free expectation."
    )
    return f"<section><h2>Provenance</h2>{''.join(parts)}<p class=small>Convention: {convention}</p></section>"


def energy_text(measurement: Measurement) -> str:
    """The photon energy, or its range."""
    energy = np.asarray(measurement.frames["energy"], np.float64)
    low, high = float(energy.min()), float(energy.max())
    if low == high:
        return quantity_text(low, "eV", 5)
    if high < 1.3 * low:
        return f"{low:.7g} to {high:.7g} eV"
    return f"{quantity_text(low, 'eV', 5)} to {quantity_text(high, 'eV', 5)}"
