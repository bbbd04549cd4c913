"""Transmission images and spectra: optical density at each energy, or the thickness of each of some materials.

    OD(E) = -ln(I/I0),    fit: OD(E) = sum_m mu_m(E) t_m (+ constant), least squares weighted by photon noise

I0 are the photons that each element would get without a specimen, which the measurement tells: by its flats, its
monitor, or the beam. Without `materials`
the values are the optical density over the energies and positions measured. With `materials` (names in the library, or
references measured elsewhere that were added to it) each pixel or spot is fitted with their total attenuation
coefficients, near edges included, and the values are thicknesses [m]: energies must outnumber the materials, whose
spectra must differ. OD is averaged in the exponent where a beam is wider than the structure: strong lines look weaker.

Variance of OD: 1/N for N photons detected (those that arrive, for cameras): the weights of the fit and the standard
errors that are given.
References: Koprinarov et al., J. Phys. Chem. B 106, 5358 (2002), doi 10.1021/jp013281l.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from xsim.errors import FileError, RangeError
from xsim.exposure import Array, Axis, Measurement, one_channel
from xsim.model import Model
from xsim.reconstruct._data import counted_share, merged_repeats, photons, refuse
from xsim.reconstruct._flat_field import flat_variance, optical_density
from xsim.reconstruct._protocol import Reconstruction


class EnergyFit(Model):
    """Optical density of a transmission image, stack or spectrum, or a fit of material spectra to it.

    materials: fit their thicknesses. constant: fit a background that does not depend on energy as well.
    """

    kind: Literal["energy_fit"] = "energy_fit"
    techniques: ClassVar[tuple[str, ...]] = ("absorption", "stxm", "full_field", "microprobe")
    materials: tuple[str, ...] = ()
    constant: bool = False

    def accepts(self, measurement: Measurement) -> str:
        """Why it cannot reconstruct this measurement; empty if it can."""
        if any(axis.name == "segment" for axis in measurement.axes):
            return "its detector is segmented: a part of the light is no measure of the density; use dpc"
        if any(axis.name == "emission" for axis in measurement.axes):
            return "its frames are fluorescence spectra; use line_sum"
        if any(axis.unit == "rad" for axis in measurement.frames.axes):
            return "it is a tilt series"
        energies = len(np.unique(np.asarray(measurement.frames["energy"])))
        wanted = len(self.materials) + self.constant
        if self.materials and energies < wanted:
            return f"{energies} photon energies do not tell {wanted} unknowns apart"
        return ""

    def __call__(self, measurement: Measurement) -> Reconstruction:
        """Optical density, or thickness [m] of each material. Raises FileError, RangeError, UnknownNameError."""
        refuse(measurement, self.kind, self.accepts(measurement))
        measurement = one_channel(measurement)
        density, scan = merged_repeats(measurement, optical_density(measurement))
        arrived = np.maximum(photons(measurement), 0.5)
        share = np.asarray(counted_share(measurement)).reshape(-1, *(1,) * (arrived.ndim - 1))
        detected, _ = merged_repeats(measurement, arrived * share)
        repeats = measurement.counts[..., None].size / max(1, density.size)
        # repeats share their flats
        own = flat_variance(measurement).reshape(-1, *(1,) * (arrived.ndim - 1))
        variance = 1 / (detected * repeats) + merged_repeats(measurement, own)[0]
        axes = (*scan, *measurement.axes)
        if not self.materials:
            error = np.sqrt(variance)
            return Reconstruction(density, axes, "", "optical density", "optical_density", error=error)
        return self._fit(density, variance, axes)

    def _fit(self, density: Array, variance: Array, axes: tuple[Axis, ...]) -> Reconstruction:
        number = next((k for k, axis in enumerate(axes) if axis.name == "energy"), None)
        if number is None:
            raise FileError("a fit of spectra needs a scan over energies", cure="leave out materials")
        energies = np.asarray(axes[number].values, np.float64)
        columns = coefficients(self.materials, energies)
        if self.constant:
            columns = np.column_stack([columns, np.ones(len(energies))])
        check_apart(columns, self.materials)
        values, error = weighted_fit(columns, np.moveaxis(density, number, 0), np.moveaxis(variance, number, 0))
        named = Axis("material", np.array(self.materials))
        kept = (named, *(axis for k, axis in enumerate(axes) if k != number))
        count = len(self.materials)
        return Reconstruction(
            values[:count], kept, "m", "thickness by a fit of spectra", "thickness", error=error[:count]
        )


def coefficients(materials: tuple[str, ...], energies: Array) -> Array:
    """Total attenuation coefficients [1/m], (energies, materials)."""
    from xsim.matter import library

    return np.column_stack([np.asarray(library.find(name).optics(energies).mu_total) for name in materials])


def check_apart(columns: Array, names: tuple[str, ...]) -> None:
    """Raise RangeError where spectra are so alike that a fit would share the matter among them at will."""
    scaled = columns / np.linalg.norm(columns, axis=0)
    condition = float(np.linalg.cond(scaled))
    if condition > 1e4:
        raise RangeError(
            f"the spectra of {', '.join(names)} cannot be told apart over these energies: condition number",
            value=f"{condition:.3g}",
            allowed="<= 1e4",
            cure="scan across an edge of one of them, or fit fewer materials",
        )


def weighted_fit(columns: Array, values: Array, variance: Array) -> tuple[Array, Array]:
    """Weighted least squares at every pixel: columns (e, m), values and variance (e, ...) -> fit and error (m, ...)."""
    shape = values.shape[1:]
    y, w = values.reshape(len(values), -1), 1 / variance.reshape(len(values), -1)
    scale = np.linalg.norm(columns, axis=0)
    unit = columns / scale
    normal = np.einsum("ei,ep,ej->pij", unit, w, unit, optimize=True)
    right = np.einsum("ei,ep->pi", unit, w * y, optimize=True)
    inverse = np.linalg.inv(normal)
    fit = np.einsum("pij,pj->ip", inverse, right) / scale[:, None]
    error = np.sqrt(np.einsum("pii->ip", inverse)) / scale[:, None]
    return fit.reshape(-1, *shape), error.reshape(-1, *shape)
