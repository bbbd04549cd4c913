"""Scores a reconstruction against the noise-free truth of its run: the only place where both meet.

Complex images are compared apart from what their experiment cannot tell (`complex_match`); real maps by correlation,
slope of the least-squares line through the points (1 is right) and relative error; curves by chi^2 and the median
ratio. Resolution: half period where the ring correlation with the truth falls below 1/2.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from xsim.errors import FileError
from xsim.exposure import Array, Axis, Truth
from xsim.metrics.complex_match import Freedom, match
from xsim.metrics.frc import ring_correlation
from xsim.metrics.volume_match import volume_match


@dataclass(frozen=True, eq=False)
class Estimate:
    """What is scored: values with axes and unit, what they estimate, standard errors if known.

    weight: light that each pixel got, where only a part of the field was lit; energy: of the truth's maps [eV];
    spread: standard deviation of the axis within each bin of a curve.
    """

    values: Array
    axes: tuple[Axis, ...]
    unit: str
    estimates: str
    error: Array | None = None
    weight: Array | None = None
    energy: float = 0.0
    spread: Array | None = None


@dataclass(frozen=True, eq=False)
class Comparison:
    """One map or curve beside its truth on the same axes, brought onto it; numbers: the scores by name."""

    name: str
    estimate: Array = field(repr=False)
    truth: Array = field(repr=False)
    axes: tuple[Axis, ...] = field(repr=False)
    unit: str
    numbers: dict[str, float]
    error: Array | None = field(default=None, repr=False)


def compare(estimate: Estimate, truths: dict[str, Truth]) -> list[Comparison]:
    """Every comparison that the truth allows. Raises FileError if it holds nothing of what is estimated."""
    what = estimate.estimates
    special = {
        "object": _object,
        "phase": _phase,
        "exit_wave-1": _exit_wave,
        "cross_section": _curve,
        "optical_density": _density,
        "attenuation": _volume,
        "potential": _potential,
    }
    by_element = _element_volume if what.startswith("density_") else _named
    found = special.get(what, by_element)(estimate, truths)
    if not found:
        have = ", ".join(truths) or "nothing"
        raise FileError(f"the truth holds no {what} to score with", value=have, cure="run the scenario again")
    return found


def _object(estimate: Estimate, truths: dict[str, Truth]) -> list[Comparison]:
    if "object" not in truths:
        return []
    truth = truths["object"]
    mine, its, axes = common(estimate.axes, truth.axes)
    a, b = estimate.values[mine], np.asarray(truth.values)[its]
    if estimate.weight is not None:
        light = estimate.weight[mine]
        lit = light > 0.1 * light.max()
        box = tuple(_extent(lit.any(axis=1 - k)) for k in (0, 1))
        a, b = a[box], b[box]
        axes = tuple(Axis(x.name, x.values[part], x.unit) for x, part in zip(axes, box, strict=True))
    return [_complex("object", a, b, axes, Freedom(ramp=True))]


def _exit_wave(estimate: Estimate, truths: dict[str, Truth]) -> list[Comparison]:
    if "exit_wave" not in truths:
        return []
    truth = truths["exit_wave"]
    mine, its, axes = common(estimate.axes, truth.axes)
    a, b = estimate.values[mine], np.asarray(truth.values)[its] - 1
    return [_complex("exit_wave-1", a, b, axes, Freedom(twin=True, contrast=False))]


def _complex(name: str, a: Array, b: Array, axes: tuple[Axis, ...], freedom: Freedom) -> Comparison:
    found = match(a, b, freedom)
    pixel = spacing(axes[-1])
    numbers = {"correlation": found.correlation, "error": found.error, "scale": 1 / max(abs(found.factor), 1e-300)}
    numbers |= {"shift_y [m]": found.shift[0] * pixel, "shift_x [m]": found.shift[1] * pixel}
    numbers |= _resolution(found.aligned, b, pixel)
    return Comparison(name, found.aligned, b, axes, "", numbers)


def _resolution(a: Array, b: Array, pixel: float) -> dict[str, float]:
    found = ring_correlation(a, b, pixel).resolution(0.5)
    return {} if found is None else {"resolution [m]": found}


def _density(estimate: Estimate, truths: dict[str, Truth]) -> list[Comparison]:
    if "optical_density" not in truths:
        return []
    truth, values, axes = truths["optical_density"], estimate.values, estimate.axes
    name, error = "optical_density", estimate.error
    if [axis.name for axis in axes] == ["z", "y", "x"]:  # a volume of attenuation: what it makes of the projection
        values, axes, name = values.sum(axis=0) * spacing(axes[0]), axes[1:], "optical_density along z"
    if axes and axes[0].name == "energy" and truth.axes and truth.axes[0].name == "energy":
        true = np.interp(axes[0].values, np.asarray(truth.axes[0].values), np.asarray(truth.values))
        return [Comparison(name, values, true, axes, "", _line(values, true) | _chi2(values, true, error), error)]
    if axes and axes[0].name == "energy":  # the truth's map is of one energy
        k = int(np.argmin(np.abs(np.asarray(axes[0].values, np.float64) - estimate.energy)))
        values, axes, error = values[k], axes[1:], None if error is None else error[k]
    return [] if len(axes) != 2 else [_map(name, values, axes, truth, error)]


def _volume(estimate: Estimate, truths: dict[str, Truth]) -> list[Comparison]:
    """A volume of attenuation against the true one, and what it makes of the projection along the beam."""
    found = _density(estimate, truths)
    if "attenuation" in truths:
        truth = truths["attenuation"]
        mine, its, shared = common(estimate.axes, truth.axes)
        a, b = np.asarray(estimate.values, np.float64)[mine], np.asarray(truth.values, np.float64)[its]
        numbers = _line(a, b) | _resolution(a, b, spacing(shared[-1]))
        found.append(Comparison("attenuation", a, b, shared, truth.unit, numbers))
    return found


def _element_volume(estimate: Estimate, truths: dict[str, Truth]) -> list[Comparison]:
    """A volume of an element's density against the true one, and its projection against the area density."""
    name = estimate.estimates
    found = []
    if f"area_{name}" in truths:
        along = estimate.values.sum(axis=0) * spacing(estimate.axes[0])
        found.append(_map(f"area_{name}", along, estimate.axes[1:], truths[f"area_{name}"], None, "kg/m^2"))
    if name in truths:
        mine, its, shared = common(estimate.axes, truths[name].axes)
        a, b = (np.asarray(v, np.float64)[part] for v, part in ((estimate.values, mine), (truths[name].values, its)))
        numbers = _line(a, b) | _resolution(a, b, spacing(shared[-1]))
        found.append(Comparison(name, a, b, shared, truths[name].unit, numbers))
    return found


def _phase(estimate: Estimate, truths: dict[str, Truth]) -> list[Comparison]:
    """A phase is known but for a constant: both are compared about their means over the field."""
    if "phase" not in truths or len(estimate.axes) != 2:
        return []
    found = _map("phase", estimate.values, estimate.axes, truths["phase"], estimate.error, estimate.unit)
    a, b = found.estimate - found.estimate.mean(), found.truth - found.truth.mean()
    return [replace(found, estimate=a, truth=b, numbers=_line(a, b) | _resolution(a, b, spacing(found.axes[-1])))]


def _potential(estimate: Estimate, truths: dict[str, Truth]) -> list[Comparison]:
    """A complex volume against the true one, which is zero outside its box; shown as projections along the beam."""
    if "potential" not in truths:
        return []
    truth = truths["potential"]
    mine, its, _ = common(estimate.axes, truth.axes)
    whole = np.zeros(estimate.values.shape, complex)
    whole[mine] = np.asarray(truth.values)[its]
    found, voxel = volume_match(estimate.values, whole), spacing(estimate.axes[0])
    norm = float(np.linalg.norm(whole))
    numbers = {"correlation": found.correlation, "scale": float(np.linalg.norm(found.aligned)) / norm}
    numbers |= _resolution(found.aligned, whole, voxel)
    a, b = (volume.sum(axis=0) * voxel for volume in (found.aligned, whole))
    return [Comparison("potential", a, b, estimate.axes[1:], "", numbers)]


def _curve(estimate: Estimate, truths: dict[str, Truth]) -> list[Comparison]:
    if "cross_section" not in truths:
        return []
    truth, q = truths["cross_section"], np.asarray(estimate.axes[0].values)
    # a bin's mean over pixels at q +- spread is that of two points, to second order in the spread
    spread = np.zeros_like(q) if estimate.spread is None else estimate.spread
    fine, curve = np.asarray(truth.axes[0].values), np.asarray(truth.values)
    true = (np.interp(q - spread, fine, curve) + np.interp(q + spread, fine, curve)) / 2
    ratio = estimate.values[true > 0] / true[true > 0]
    if estimate.unit == truth.unit:
        numbers = {"median_ratio": float(np.median(ratio)), **_chi2(estimate.values, true, estimate.error)}
    else:  # not on an absolute scale: only the shape can be right
        numbers = {"relative_scatter": float(np.std(ratio) / np.mean(ratio))}
    return [Comparison("cross_section", estimate.values, true, estimate.axes, estimate.unit, numbers, estimate.error)]


def _named(estimate: Estimate, truths: dict[str, Truth]) -> list[Comparison]:
    """One truth for each name along the first axis: "thickness_gold", "line_Fe_K"."""
    found = []
    for k, label in enumerate(estimate.axes[0].values):
        name = f"{estimate.estimates}_{label}"
        values, axes = estimate.values[k], estimate.axes[1:]
        error = None if estimate.error is None else estimate.error[k]
        if name in truths and len(axes) == 2:
            one = _map(name, values, axes, truths[name], error, estimate.unit)
            same = estimate.unit == truths[name].unit
            found.append(
                replace(one, numbers=one.numbers | _chi2(one.estimate, one.truth, one.error if same else None))
            )
        elif f"mean_{name}" in truths and values.size == 1:
            true = float(np.asarray(truths[f"mean_{name}"].values))
            numbers = {"value": float(values), "truth": true, "slope": float(values) / true if true else np.nan}
            found.append(Comparison(name, values.reshape(1), np.array([true]), (), estimate.unit, numbers))
    return found


def _map(
    name: str, values: Array, axes: tuple[Axis, ...], truth: Truth, error: Array | None, unit: str = ""
) -> Comparison:
    mine, its, shared = common(axes, truth.axes)
    a, b = np.asarray(values, np.float64)[mine], np.asarray(truth.values, np.float64)[its]
    a_filled = np.where(np.isfinite(a), a, b)
    numbers = _line(a_filled, b) | _resolution(a_filled, b, spacing(shared[-1]))
    return Comparison(name, a, b, shared, unit or truth.unit, numbers, None if error is None else error[mine])


def _line(a: Array, b: Array) -> dict[str, float]:
    """Correlation, slope and offset of a against b, and the relative error."""
    u, v = a.ravel() - a.mean(), b.ravel() - b.mean()
    norm = float(np.linalg.norm(u) * np.linalg.norm(v))
    slope = float(u @ v / (v @ v)) if v @ v > 0 else float("nan")
    size = float(np.linalg.norm(b))
    return {
        "correlation": float(u @ v) / norm if norm > 0 else 0.0,
        "slope": slope,
        "error": float(np.linalg.norm(a - b)) / size if size > 0 else float("nan"),
    }


def _chi2(a: Array, b: Array, error: Array | None) -> dict[str, float]:
    return {} if error is None else {"chi2_per_point": float(np.mean(((a - b) / error) ** 2))}


def common(
    first: tuple[Axis, ...], second: tuple[Axis, ...]
) -> tuple[tuple[slice, ...], tuple[slice, ...], tuple[Axis, ...]]:
    """Where two sets of evenly spaced axes overlap: slices into the one, into the other, and the shared axes.

    Raises FileError if their spacings differ or nothing overlaps: then they are not of one run.
    """
    mine, its, shared = [], [], []
    for a, b in zip(first, second, strict=True):
        x, y, step = np.asarray(a.values, np.float64), np.asarray(b.values, np.float64), spacing(a)
        if abs(spacing(b) / step - 1) > 1e-3:
            raise FileError(f"axis {a.name} has another spacing than the truth", value=step, allowed=f"{spacing(b):g}")
        offset = round((y[0] - x[0]) / step)
        start, stop = max(0, offset), min(len(x), offset + len(y))
        if stop <= start:
            raise FileError(f"axis {a.name} does not overlap that of the truth", value=f"{x[0]:g} .. {x[-1]:g}")
        mine.append(slice(start, stop))
        its.append(slice(start - offset, stop - offset))
        shared.append(Axis(a.name, x[start:stop], a.unit))
    return tuple(mine), tuple(its), tuple(shared)


def spacing(axis: Axis) -> float:
    """Mean step of an axis."""
    values = np.asarray(axis.values, np.float64)
    return float(values[-1] - values[0]) / max(1, len(values) - 1) if len(values) > 1 else 1.0


def _extent(mask: Array) -> slice:
    inside = np.flatnonzero(mask)
    return slice(int(inside[0]), int(inside[-1]) + 1)
