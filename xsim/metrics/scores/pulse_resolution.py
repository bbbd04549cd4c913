"""The resolution that survives each pulse of a scan over pulses, from the recorded patterns and from the model.

In every ring of |q| the pattern I of a damaging pulse is a I_1 + b, I_1 that of the first pulse of the scan (make it
gentle) scaled to the same light: the slope a is what is left of the pattern and in its place, b the background. The
resolution is 2 pi/q where a falls below `level`, or the finest that is recorded; none (infinite) if it always is. The
model's own number takes the particle for a ball of atoms and counts from q = 0.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xsim.constants import wavenumber
from xsim.errors import RangeError
from xsim.exposure import Measurement, lookup
from xsim.model import Model

FloatArray = NDArray[np.float64]


class PulseResolutionScore(Model):
    """NAME_i [m] of pulse i (in the order of the scan) by its patterns, NAME_model_i by the damage model.

    of: the noise-free expectation, or what was counted. rings: into which |q| is divided. level: share of the
    intact pattern; 0.25 is half the amplitude.
    """

    kind: Literal["pulse_resolution"] = "pulse_resolution"
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$")]
    of: Literal["expected", "counts"] = "expected"
    rings: Annotated[int, Field(ge=4, le=1000)] = 12
    level: Annotated[float, Field(gt=0, lt=1)] = 0.25

    def of_measurement(self, measurement: Measurement) -> dict[str, float]:
        """The numbers. Raises RangeError for anything but a scan over pulses."""
        names = [axis.name for axis in measurement.frames.axes]
        values = measurement.counts if self.of == "counts" else measurement.expected
        if names[:1] not in (["pulse_duration"], ["pulse_energy"]) or values is None or not measurement.axes:
            raise RangeError(
                "not a scan over pulses", field="kind", value=", ".join(names) or "one frame",
                allowed="an instrument whose slowest scan is over pulses, with its expectation kept",
            )  # fmt: skip
        many = np.prod([len(a) for a in measurement.frames.axes if a.name.startswith("pulse_")], dtype=int)
        patterns = np.asarray(values, np.float64).reshape(int(many), -1, *measurement.counts.shape[1:])
        light = np.asarray(measurement.incident, np.float64).reshape(int(many), -1, 1, 1)
        q = _q(measurement)
        slopes = ring_slopes(patterns / light, q, self.rings)
        edges = np.linspace(0, q.max(), self.rings + 1)
        middles = (edges[1:] + edges[:-1]) / 2
        found = {f"{self.name}_{i}": kept_to(middles, slope, self.level) for i, slope in enumerate(slopes)}
        model = measurement.truth.get("resolution_kept")
        if model is not None:
            found |= {f"{self.name}_model_{i}": float(d) for i, d in enumerate(np.ravel(model.values))}
        return found


def ring_slopes(patterns: FloatArray, q: FloatArray, rings: int) -> FloatArray:
    """Slopes (pulses, rings) of patterns (pulses, shots, y, x) against those of the first pulse; NaN in empty rings."""
    ring = np.minimum((q / q.max() * rings).astype(int), rings - 1)
    first = patterns[0]
    seen = np.isfinite(patterns).all(axis=(0, 1)) & (first > 0).any(axis=0)
    slopes = np.full((len(patterns), rings), np.nan)
    for r in range(rings):
        here = seen & (ring == r)
        if here.sum() < 8:
            continue
        reference = first[:, here] - first[:, here].mean(axis=1, keepdims=True)
        slopes[:, r] = np.sum(patterns[:, :, here] * reference, axis=(1, 2)) / np.sum(reference**2)
    return slopes


def kept_to(q: FloatArray, slope: FloatArray, level: float) -> float:
    """2 pi/q [m] where `slope` (n,) first falls below `level`; of the last q if it never does, infinite if it begins
    so."""
    known = np.flatnonzero(np.isfinite(slope))
    below = np.flatnonzero(slope[known] < level)
    if not len(below):
        return float(2 * np.pi / q[known[-1]])
    if below[0] == 0:
        return float("inf")
    a, b = known[below[0] - 1], known[below[0]]
    at = np.interp(-level, [-slope[a], -slope[b]], [q[a], q[b]])
    return float(2 * np.pi / at)


def _q(measurement: Measurement) -> FloatArray:
    """|q| [rad/m] of every pixel."""
    distance = float(lookup(measurement, "detector_distance"))
    y, x = (np.asarray(axis.values, np.float64) for axis in measurement.axes[-2:])
    half = np.arctan(np.hypot(y[:, None], x[None, :]) / distance) / 2
    return np.asarray(2 * wavenumber(float(measurement.frames["energy"][0])) * np.sin(half))
