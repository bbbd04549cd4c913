"""Pictures of a reconstructed volume: slices beside the truth's, labels found on true ones, shell correlation."""

from __future__ import annotations

import numpy as np

from xsim.exposure import Array, Axis
from xsim.metrics.against_truth import Comparison
from xsim.metrics.frc import ring_correlation
from xsim.reconstruct._protocol import Reconstruction
from xsim.report.figures import colour_limits
from xsim.report.panels import Curves, Line, Panel, Picture
from xsim.report.parts import Rows, axes_pixel


def is_volume(found: Reconstruction) -> bool:
    """Whether its axes are z, y, x."""
    return [axis.name for axis in found.axes] == ["z", "y", "x"]


def volume_rows(found: Reconstruction, compared: list[Comparison]) -> Rows:
    """Middle slices (across the beam and along it) with the truth's, labels, and correlation of half sets."""
    truth = next((one for one in compared if one.name == "attenuation"), None)
    labels = next((one for one in compared if one.name == "labels"), None)
    if truth is None:
        values = np.abs(found.values) if np.iscomplexobj(found.values) else np.asarray(found.values)
        rows = [_slices(values, found.axes, found.unit, "", None)]
    else:
        limits = _limits(truth.estimate, truth.truth)
        parts = (_slices(v, truth.axes, truth.unit, text, limits) for v, text in
                 ((truth.estimate, "Reconstruction · "), (truth.truth, "Truth · ")))  # fmt: skip
        rows = [[panel for pair in zip(*parts, strict=True) for panel in pair]]
    marks = found.extras.get("labels")
    if marks is not None and (len(marks.values) or labels is not None):
        rows.append(_label_views(found, np.asarray(marks.values), None if labels is None else labels.truth))
    curves = _correlations(found, truth)
    if curves is not None:
        rows[-1].append(curves)
    return rows


def _limits(*volumes: Array) -> tuple[float, float]:
    """One scale of colours for the middle slices of all volumes, from nothing up."""
    middles = [part for v in volumes for part in (v[v.shape[0] // 2], v[:, v.shape[1] // 2])]
    return 0.0, max(colour_limits(part)[1] for part in middles)


def _slices(
    values: Array, axes: tuple[Axis, ...], unit: str, text: str, limits: tuple[float, float] | None
) -> list[Panel]:
    z, y, x = axes
    k, j = values.shape[0] // 2, values.shape[1] // 2
    return [
        Picture(values[k], f"{text}z = 0, across the beam", unit, axes_pixel(y, x), limits=limits),
        Picture(values[:, j], f"{text}y = 0, beam upward", unit, axes_pixel(z, x), limits=limits),
    ]


def _label_views(found: Reconstruction, marks: Array, true: Array | None) -> list[Panel]:
    """The largest value along z and along y, with labels found (dots) and true (rings)."""
    z, y, x = found.axes
    values = np.asarray(found.values)
    views: list[Panel] = []
    told = "found (dots), true (rings)" if true is not None else "found"
    for axis, (slow, row), text in ((0, (y, 1), "seen along the beam"), (1, (z, 2), "beam upward")):
        dots = _indices(marks, x, 0), _indices(marks, slow, row)
        rings = None if true is None else (_indices(true, x, 0), _indices(true, slow, row))
        title = f"Labels {told}, {text}"
        pixel = axes_pixel(slow, x)
        views.append(Picture(values.max(axis=axis), title, found.unit, pixel, "m", points=dots, rings=rings))
    return views


def _indices(metres: Array, axis: Axis, component: int) -> Array:
    start, end = float(axis.values[0]), float(axis.values[-1])
    return np.asarray((metres[:, component] - start) / (end - start) * (len(axis) - 1))


def _correlations(found: Reconstruction, truth: Comparison | None) -> Curves | None:
    lines = []
    halves, limit = (found.extras.get(name) for name in ("shell_correlation", "half_bit"))
    if halves is not None and limit is not None:
        per_nm = np.asarray(halves.axes[0].values) * 1e-9
        lines += [Line("half sets", per_nm, halves.values), Line("half-bit threshold", per_nm, limit.values)]
    if truth is not None:
        pixel = axes_pixel(truth.axes[-2], truth.axes[-1])
        against = ring_correlation(truth.estimate, truth.truth, pixel[1] if pixel else 1.0)
        lines.append(Line("with the truth", against.frequency * 1e-9, against.correlation))
    if not lines:
        return None
    return Curves("Fourier shell correlation", "spatial frequency [nm⁻¹]", "correlation", tuple(lines))
