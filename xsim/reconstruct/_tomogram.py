"""What the reconstructions of a tilt series share: projections of the attenuation, angles, and the volume's axes.

A tilt a turns the specimen about y, (x, z) -> (x cos a + z sin a, ...), or about x, (y, z) -> (y cos a - z sin a, ...)
(right-handed). A slice is reconstructed as an image [z, s], s the coordinate across the axis; scikit-image projects at
t = s cos(theta) - z sin(theta), so theta = -a for an axis along y and +a for one along x. Its rotation axis lies at
pixel n//2, as that of xsim does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from xsim.exposure import Array, Axis, Measurement
from xsim.reconstruct._data import merged_repeats, single_energy
from xsim.reconstruct._flat_field import optical_density


@dataclass(frozen=True, eq=False)
class Projections:
    """-ln(I/I0) (tilts, along, across) about the rotation axis, theta (tilts,) [deg] of scikit-image, pixel [m]."""

    values: Array
    theta: Array
    pixel: float
    about: str  #: "y" or "x"
    axes: tuple[Axis, Axis]  #: y, x of the projections


def objection(measurement: Measurement) -> str:
    """Why this is not a tilt series of images; empty if it is."""
    tilts = [axis for axis in measurement.frames.axes if axis.unit == "rad"]
    others = [a.name for a in measurement.frames.axes if a.unit != "rad" and not a.name.startswith("repeat")]
    if len(tilts) != 1:
        return f"it has {len(tilts)} scan axes that are angles, a tilt series has one"
    if len(tilts[0]) < 2:
        return "it has one tilt only"
    if len(measurement.axes) != 2:
        return "its frames are not images [y, x]"
    return f"it scans {', '.join(others)} as well" if others else single_energy(measurement)


def projections(measurement: Measurement) -> Projections:
    """The projections of a tilt series; call after `objection`."""
    values, (tilt,) = merged_repeats(measurement, optical_density(measurement))
    scans = measurement.settings.get("scan") or []
    about = next((str(s.get("axis", "y")) for s in scans if isinstance(s, dict) and s.get("kind") == "tilts"), "y")
    angle = np.degrees(np.asarray(tilt.values, np.float64))
    y, x = measurement.axes
    pixel = float(np.mean(np.diff(np.asarray(x.values, np.float64))))
    if about == "x":
        return Projections(values.transpose(0, 2, 1), angle, pixel, about, (y, x))
    return Projections(values, -angle, pixel, about, (y, x))


def volume(data: Projections, slice_of: Callable[[Array], Array]) -> tuple[Array, tuple[Axis, Axis, Axis]]:
    """The volume [z, y, x] of slices [z, across] made from sinograms (across, tilts), and its axes [m]."""
    slices = np.stack([slice_of(np.ascontiguousarray(data.values[:, i].T)) for i in range(data.values.shape[1])])
    n = slices.shape[1]
    z = Axis("z", (np.arange(n) - n // 2) * data.pixel, "m")
    # slices: (along, z, across); along is y for an axis along y, x for one along x
    found = slices.transpose(1, 0, 2) if data.about == "y" else slices.transpose(1, 2, 0)
    return found.astype(np.float32), (z, *data.axes)


def angle_weights(theta: Array) -> Array:
    """Share of the half turn that each projection stands for (tilts,), times their number: 1 each when even over 180.

    A series that does not reach round keeps the weight of what is there: nothing is made up for the missing wedge.
    """
    order = np.argsort(theta)
    width = np.empty(len(theta))
    width[order] = np.abs(np.gradient(np.radians(np.asarray(theta, np.float64)[order])))
    return np.asarray(width / max(float(width.sum()), np.pi) * len(theta))
