"""What the reconstructions of a tilt series share: projections of the attenuation, angles, the volume and its labels.

A tilt a turns the specimen about y, (x, z) -> (x cos a + z sin a, ...), or about x, (y, z) -> (y cos a - z sin a, ...)
(right-handed). A slice is reconstructed as an image [z, s], s the coordinate across the axis; scikit-image projects at
t = s cos(theta) - z sin(theta), so theta = -a for an axis along y and +a for one along x. Its rotation axis lies at
pixel n//2, as that of xsim does.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from xsim.exposure import Array, Axis, Measurement, Truth
from xsim.metrics.frc import ring_correlation
from xsim.model import Model
from xsim.reconstruct._data import merged_repeats, refuse, single_energy
from xsim.reconstruct._element_projections import element_projections, spectral, survived
from xsim.reconstruct._element_projections import objection as element_objection
from xsim.reconstruct._flat_field import optical_density
from xsim.reconstruct._labels import find_labels
from xsim.reconstruct._protocol import Reconstruction
from xsim.units import PositiveLength


@dataclass(frozen=True, eq=False)
class Projections:
    """-ln(I/I0) or area densities (tilts, along, across) about the rotation axis.

    theta: (tilts,) [deg] of scikit-image; pixel [m].
    """

    values: Array
    theta: Array
    pixel: float
    about: str  #: "y" or "x"
    axes: tuple[Axis, Axis]  #: y, x of the projections
    element: str = ""  #: whose area density [kg/m^2] they are, in place of attenuation
    numbers: dict[str, float] = attribute(default_factory=dict)

    def half(self, number: int) -> Projections:
        """Every other tilt by angle, beginning with the first (0) or the second (1)."""
        rows = np.sort(np.argsort(self.theta, kind="stable")[number::2])
        return replace(self, values=self.values[rows], theta=self.theta[rows])


#: a method's slices (along, z, across) [1/m] and its curves over the iterations
Slices = tuple[Array, dict[str, Array]]


class Tomography(Model):
    """The knobs that all methods share.

    element: whose density [kg/m^3] is reconstructed from fluorescence maps (that with most counts if empty).
    alignment: "reprojection" finds where each projection really lies and puts it right. halves: reconstruct from every
    other tilt too, twice, for the Fourier shell correlation. labels: look for small strong particles of about
    label_radius [m] (None: as small as can be told), above label_threshold standard deviations of the volume's noise.
    """

    techniques: ClassVar[tuple[str, ...]] = ("full_field", "fluorescence", "microprobe")
    element: Annotated[str, Field(pattern=r"^([A-Z][a-z]?)?$")] = ""
    alignment: Literal["none", "reprojection"] = "none"
    halves: bool = True
    labels: bool = True
    label_radius: PositiveLength | None = None
    label_threshold: Annotated[float, Field(gt=0)] = 6.0

    def accepts(self, measurement: Measurement) -> str:
        """Why it cannot reconstruct this measurement; empty if it can."""
        return objection(measurement, self.element)

    @abstractmethod
    def slices(self, data: Projections) -> Slices:
        """Slices (along, z, across) [1/m] of the projections, and curves over the iterations."""

    def __call__(self, measurement: Measurement) -> Reconstruction:
        """The volume with its labels. Raises FileError if this is not a tilt series at one energy."""
        kind = str(getattr(self, "kind", "tomography"))
        refuse(measurement, kind, self.accepts(measurement))
        data, extras = projections(measurement, self.element), {}
        if self.alignment == "reprojection":
            from xsim.reconstruct._alignment import aligned

            data, shifts = aligned(data)
            tilt = Axis("tilt", np.radians(data.theta if data.about == "x" else -data.theta), "rad")
            extras["alignment"] = Truth(shifts, (tilt, Axis("component", np.array(["along", "across"]))), "m")
        found, history = self.slices(data)
        values, axes = volume(data, found)
        extras |= self._halves(data) | self._labels(values, axes, data.pixel)
        if data.element:
            title, what, unit = f"density of {data.element} by {kind}", f"density_{data.element}", "kg/m^3"
        else:
            title, what, unit = f"attenuation by {kind}", "attenuation", "1/m"
        return Reconstruction(values, axes, unit, title, what, history=history, extras=extras, numbers=data.numbers)

    def _halves(self, data: Projections) -> dict[str, Truth]:
        """Shell correlation of two volumes from every other tilt each, and the half period that they share."""
        if not self.halves or len(data.theta) < 8:
            return {}
        first, second = (self.slices(data.half(number))[0] for number in (0, 1))
        found = ring_correlation(first, second, data.pixel)
        frequency = Axis("frequency", found.frequency, "1/m")
        extras = {
            "shell_correlation": Truth(found.correlation, (frequency,)),
            "half_bit": Truth(found.half_bit, (frequency,)),
        }
        resolution = found.resolution()
        if resolution is not None:
            extras["half_set_resolution"] = Truth(np.array(resolution), (), "m")
        return extras

    def _labels(self, values: Array, axes: tuple[Axis, ...], pixel: float) -> dict[str, Truth]:
        if not self.labels:
            return {}
        places, strength = find_labels(values, (self.label_radius or 0.0) / pixel, self.label_threshold)
        start = np.array([float(axis.values[0]) for axis in axes])
        metres = (start + places * pixel)[:, ::-1]  # x, y, z
        number, component = Axis("label", np.arange(len(places))), Axis("component", np.array(["x", "y", "z"]))
        return {
            "labels": Truth(metres, (number, component), "m"),
            "label_strength": Truth(strength, (number,)),
        }


def objection(measurement: Measurement, element: str = "") -> str:
    """Why this is not a tilt series of images; empty if it is."""
    tilts = [axis for axis in measurement.frames.axes if axis.unit == "rad"]
    if spectral(measurement) and len(tilts) == 1:
        return element_objection(measurement, element) or single_energy(measurement)
    if element:
        return "its frames tell no elements"
    others = [a.name for a in measurement.frames.axes if a.unit != "rad" and not a.name.startswith("repeat")]
    if len(tilts) != 1:
        return f"it has {len(tilts)} scan axes that are angles, a tilt series has one"
    if len(tilts[0]) < 2:
        return "it has one tilt only"
    if len(measurement.axes) != 2:
        return "its frames are not images [y, x]"
    return f"it scans {', '.join(others)} as well" if others else single_energy(measurement)


def projections(measurement: Measurement, element: str = "") -> Projections:
    """The projections of a tilt series; call after `objection`."""
    if spectral(measurement):
        one, values, (tilt, y, x) = element_projections(measurement, element)
        kept = survived(measurement, one)
        data = _about(measurement, values, tilt, (y, x))
        return replace(data, element=one.line.split("_")[0], numbers={} if kept is None else {"survived": kept})
    values, (tilt,) = merged_repeats(measurement, optical_density(measurement))
    y, x = measurement.axes
    return _about(measurement, values, tilt, (y, x))


def _about(measurement: Measurement, values: Array, tilt: Axis, axes: tuple[Axis, Axis]) -> Projections:
    scans = measurement.settings.get("scan") or []
    about = next((str(s.get("axis", "y")) for s in scans if isinstance(s, dict) and s.get("kind") == "tilts"), "y")
    angle = np.degrees(np.asarray(tilt.values, np.float64))
    y, x = axes
    pixel = float(np.mean(np.diff(np.asarray(x.values, np.float64))))
    if about == "x":
        return Projections(values.transpose(0, 2, 1), angle, pixel, about, (y, x))
    return Projections(values, -angle, pixel, about, (y, x))


def volume(data: Projections, slices: Array) -> tuple[Array, tuple[Axis, Axis, Axis]]:
    """The volume [z, y, x] of slices (along, z, across), and its axes [m]."""
    n = slices.shape[1]
    z = Axis("z", (np.arange(n) - n // 2) * data.pixel, "m")
    # along is y for an axis along y, x for one along x
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
