"""Spectra and stacks of images over the photon energy as what was counted: photons, I0 and how well both are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xsim.errors import FileError
from xsim.exposure import Array, Axis, Measurement, one_channel
from xsim.reconstruct._data import counted_share, merged_repeats, photons
from xsim.reconstruct._flat_field import flat_variance, transmission

#: rounds of power iteration for the strongest component
_ROUNDS = 60


@dataclass(frozen=True, eq=False)
class Stack:
    """Photons counted and what I0 would have given, (energies, points) each, points in the order of `axes`.

    variance: of ln I0 (energies, points). energies: (energies,) [eV], ascending.
    """

    energies: Array
    counted: Array
    blank: Array
    variance: Array
    axes: tuple[Axis, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return tuple(len(axis) for axis in self.axes)

    def summed(self, mean: bool = False) -> Stack:
        """All points together as one (mean: the only point of a yield, as it is)."""
        if mean:
            return self
        weight = self.blank / self.blank.sum(axis=1, keepdims=True)
        variance = (weight**2 * self.variance).sum(axis=1)
        counted, blank = self.counted.sum(axis=1), self.blank.sum(axis=1)
        return Stack(self.energies, counted[:, None], blank[:, None], variance[:, None], ())

    @property
    def density(self) -> Array:
        """-ln(I / I0), (energies, points)."""
        return np.asarray(-np.log(self.counted / self.blank))

    @property
    def error(self) -> Array:
        """Standard error of the density, (energies, points)."""
        return np.asarray(np.sqrt(1 / self.counted + self.variance))


def why_no_stack(measurement: Measurement) -> str:
    """Why its frames are no spectra; empty if they are."""
    if any(axis.name == "segment" for axis in measurement.axes):
        return "its detector is segmented: a part of the light is no measure of the density"
    if any(axis.name == "emission" for axis in measurement.axes):
        return "its frames are fluorescence spectra"
    if any(axis.unit == "rad" for axis in measurement.frames.axes):
        return "it is a tilt series"
    if "energy" not in [axis.name for axis in measurement.frames.axes]:
        return "it has no scan over energies"
    return ""


def stack(measurement: Measurement) -> Stack:
    """The transmission of a measurement over the energies, repeats added up. Raises FileError without energies."""
    reason = why_no_stack(measurement)
    if reason:
        raise FileError(f"instrument {measurement.name} holds no spectra: {reason}")
    one = one_channel(measurement)
    arrived = np.maximum(photons(one), 0.5)
    extra = (1,) * (arrived.ndim - 1)
    share = np.asarray(counted_share(one), np.float64)
    detected = arrived * share.reshape(-1, *extra)
    counted, scan = merged_repeats(one, detected)
    repeats = one.counts[..., None].size / max(1, counted.size)
    blank, _ = merged_repeats(one, detected / transmission(one))
    spread = np.broadcast_to(flat_variance(one).reshape(-1, *extra), arrived.shape)
    variance, _ = merged_repeats(one, np.ascontiguousarray(spread))
    # repeats share their flats, but each has a monitor of its own
    variance = variance if one.flats is not None else variance / repeats
    axes = (*scan, *one.axes)
    number = [axis.name for axis in axes].index("energy")
    energies = np.asarray(axes[number].values, np.float64)
    order = np.argsort(energies, kind="stable")

    def flat(values: Array) -> Array:
        return np.ascontiguousarray(np.moveaxis(values, number, 0)[order].reshape(len(order), -1))

    rest = tuple(axis for k, axis in enumerate(axes) if k != number)
    return Stack(energies[order], flat(counted) * repeats, flat(blank) * repeats, flat(variance), rest)


def contrast(found: Stack) -> Array:
    """How strongly the spectrum of each point changes along the strongest component of all changes (points,).

    Least-squares amplitude of the first principal component of the densities, each less its own mean over energies.
    """
    density = found.density
    changes = density - density.mean(axis=0)
    matrix = changes @ changes.T
    vector = np.abs(changes).sum(axis=1)
    for _ in range(_ROUNDS):
        vector = matrix @ vector
        vector /= np.linalg.norm(vector)
    amplitude = vector @ changes
    return np.asarray(amplitude if np.sum(amplitude**3) >= 0 else -amplitude)
