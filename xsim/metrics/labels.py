"""Labels found in a volume against the particles that are there.

A particle counts as a label if it is small: its radius at most `SMALL` voxels. Only those inside the volume could be
found. A label is found where one lies within `REACH` voxels (or the particle's radius, if larger) of it.
"""

from __future__ import annotations

import numpy as np

from xsim.exposure import Array, Axis
from xsim.metrics.against_truth import Comparison, spacing
from xsim.metrics.localisation import localise

SMALL, REACH = 3.0, 2.0


def compare_labels(found: Array, particles: dict[str, Array], axes: tuple[Axis, ...]) -> Comparison | None:
    """Precision, recall and distances of `found` (n, 3) [m] (x, y, z) in a volume of `axes` (z, y, x).

    particles: the specimen's table, with "position" (m, 3) [m] and "radius" (m,) [m]. None where none is a label.
    """
    voxel = spacing(axes[-1])
    position = np.asarray(particles.get("position", np.zeros((0, 3))), np.float64).reshape(-1, 3)
    radius = np.asarray(particles.get("radius", np.zeros(0)), np.float64)
    inside = np.all([_within(position[:, k], axes[2 - k]) for k in range(3)], axis=0)
    true = position[inside & (radius <= SMALL * voxel)]
    if not len(true):
        return None
    reach = max(REACH * voxel, float(radius[inside & (radius <= SMALL * voxel)].max()))
    score = localise(found, true, reach)
    numbers = {
        "found": float(len(found)), "true": float(len(true)), "hits": float(score.hits), "precision": score.precision,
        "recall": score.recall, "f1": score.f1, "reach [m]": reach,
    }  # fmt: skip
    if score.hits:
        numbers["distance [m]"] = score.rms
        numbers |= {f"distance_{name} [m]": value for name, value in zip("xyz", score.by_axis, strict=True)}
        numbers |= {f"offset_{name} [m]": value for name, value in zip("xyz", score.offset, strict=True)}
    return Comparison("labels", np.asarray(found), true, (), "m", numbers)


def _within(values: Array, axis: Axis) -> Array:
    ends = np.asarray(axis.values, np.float64)[[0, -1]]
    return np.asarray((values >= ends.min()) & (values <= ends.max()))
