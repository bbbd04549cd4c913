"""Pictures of a reconstruction beside its truth, on the same colours."""

from __future__ import annotations

import numpy as np

from xsim.exposure import Array, Axis
from xsim.metrics.against_truth import Comparison
from xsim.metrics.prtf import floor
from xsim.reconstruct._protocol import Reconstruction
from xsim.report.figures import colour_limits
from xsim.report.panels import Curves, Line, Panel, Picture
from xsim.report.parts import Rows, axes_pixel
from xsim.report.volume import is_volume, volume_rows


def rows(found: Reconstruction, compared: list[Comparison]) -> Rows:
    """A row for each comparison (reconstruction, truth), or the reconstruction alone; and its history."""
    shown: Rows = [_pair(one) for one in compared[:4] if one.estimate.ndim < 3 and one.name != "labels"]
    if is_volume(found):
        shown += volume_rows(found, compared)
    if not shown:
        shown.append(_alone(found))
    if "cluster_spectra" in found.extras:
        shown[-1].append(_clusters(found))
    if "fit" in found.extras:
        shown.insert(0, [_fitted(found)])
    if "curve_fit" in found.extras:
        shown.insert(0, [_scattering_fit(found)])
    shown = [row for row in shown if row]
    if found.history:
        curves = [Line(name, np.arange(1, len(c) + 1), np.asarray(c)) for name, c in found.history.items()]
        label = next(iter(found.history))
        shown[-1].append(Curves("Convergence", "iteration", label, tuple(curves), log_y=True))
    if "prtf" in found.extras:
        shown.append([_transfer(found)])
    return shown


def _fitted(found: Reconstruction) -> Curves:
    """A spectrum with its fit and the parts that references make of it."""
    names = ["spectrum", "fit", *(name for name in found.extras if name.startswith("part_"))]
    curves = [(name, found.extras[name]) for name in names]
    x = np.asarray(curves[0][1].axes[0].values, np.float64)
    lines = [
        Line(name.removeprefix("part_").replace("_", " "), x, np.asarray(curve.values), points=name == "spectrum")
        for name, curve in curves
    ]
    return Curves("Mean spectrum, its fit and the parts of it", "photon energy [eV]", "signal", tuple(lines))


def _scattering_fit(found: Reconstruction) -> Curves:
    """A scattering curve and what was fitted to it."""
    curve, fit = found.extras["curve"], found.extras["curve_fit"]
    q = np.asarray(curve.axes[0].values, np.float64) * 1e-9
    lines = (Line("measured", q, np.asarray(curve.values), points=True), Line("fit", q, np.asarray(fit.values)))
    return Curves("Scattering curve and its fit", "q [1/nm]", f"intensity [{curve.unit}]", lines, log_y=True)


def _clusters(found: Reconstruction) -> Curves:
    """The mean spectrum of each class."""
    spectra = found.extras["cluster_spectra"]
    x = np.asarray(spectra.axes[1].values, np.float64)
    named = zip(spectra.axes[0].values, spectra.values, strict=True)
    lines = [Line(f"class {k}" if k else "nothing", x, np.asarray(one)) for k, one in named]
    return Curves("Mean spectrum of each class", "photon energy [eV]", "optical density", tuple(lines))


def _transfer(found: Reconstruction) -> Curves:
    """The phase retrieval transfer function, with that of random phases."""
    curve = found.extras["prtf"]
    f = np.asarray(curve.axes[0].values, np.float64) * 1e-6
    lines = [Line("PRTF", f, np.asarray(curve.values))]
    kept = int(found.numbers.get("starts_kept", 0))
    if kept > 1:
        lines.append(Line(f"random phases, {kept} starts", f[[0, -1]], np.full(2, floor(kept))))
    return Curves("Agreement of the starts", "spatial frequency [1/µm]", "transfer of phases", tuple(lines))


def _pair(one: Comparison) -> list[Panel]:
    """An image (phase and modulus of a complex one) or a curve, and its truth."""
    if len(one.axes) < 2:
        return [_curves(one)] if len(one.axes) == 1 else []
    pixel = axes_pixel(one.axes[-2], one.axes[-1])
    name = one.name.replace("_", " ")
    if np.iscomplexobj(one.truth):
        if one.name == "object":
            label, unit, parts = f"phase of the {name}", "rad", (np.angle(one.estimate), np.angle(one.truth))
        else:
            box = _occupied(np.abs(one.truth))
            label, unit, parts = f"|{name}|", "", (np.abs(one.estimate[box]), np.abs(one.truth[box]))
    else:
        label, unit, parts = name, one.unit, (one.estimate, one.truth)
    low, high = colour_limits(np.asarray(parts[1], np.float64))
    a, b = colour_limits(np.asarray(parts[0], np.float64))
    # counts and photons have their own scale; what should be equal shares one
    limits = None if unit == "counts" else (min(low, a), max(high, b))
    colours = "viridis_r" if unit == "rad" else "viridis"
    truth_unit = "photons" if unit == "counts" else unit
    titles = (f"Reconstruction · {label}", f"Truth · {label}")
    return [
        Picture(parts[0], titles[0], unit, pixel, colours=colours, limits=limits),
        Picture(parts[1], titles[1], truth_unit, pixel, colours=colours, limits=limits),
    ]


def _occupied(image: Array) -> tuple[slice, ...]:
    """The part of an image that is not nearly empty, with a quarter of its size around."""
    box = []
    for axis, n in enumerate(image.shape):
        inside = np.flatnonzero((image > 0.1 * image.max()).any(axis=1 - axis))
        low, high = (int(inside[0]), int(inside[-1]) + 1) if len(inside) else (0, n)
        room = (high - low) // 4 + 2
        box.append(slice(max(0, low - room), min(n, high + room)))
    return tuple(box)


def _curves(one: Comparison) -> Curves:
    axis = one.axes[0]
    x, log = np.asarray(axis.values, np.float64), axis.name == "q"
    factor, label = (1e-9, "q [nm⁻¹]") if axis.unit == "rad/m" else (1.0, f"{axis.name} [{axis.unit}]")
    lines = (
        Line("reconstruction", x * factor, one.estimate, one.error, points=True),
        Line("truth", x * factor, one.truth),
    )
    text = f"{one.name.replace('_', ' ')} [{one.unit}]" if one.unit else one.name.replace("_", " ")
    return Curves("Reconstruction and truth", label, text, lines, log_x=log, log_y=log)


def _alone(found: Reconstruction) -> list[Panel]:
    values, axes = found.values, found.axes
    if len(axes) == 1:
        x = np.asarray(axes[0].values, np.float64)
        line = Line(found.title, x, values, found.error, points=True)
        label = f"{axes[0].name} [{axes[0].unit}]"
        return [Curves(found.title, label, found.unit, (line,))]
    while values.ndim > 2:
        values = values[0]
    values = np.angle(values) if np.iscomplexobj(values) else values
    return [_picture(values, found.title, found.unit, *axes[-2:])] if values.ndim == 2 else []


def _picture(values: Array, title: str, unit: str, slow: Axis, fast: Axis) -> Picture:
    return Picture(values, title, unit, axes_pixel(slow, fast))
