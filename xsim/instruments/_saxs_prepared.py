"""A specimen in a small-angle camera: curves, frames, light, truth. See `xsim.instruments.saxs`."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavenumber
from xsim.errors import ValidityWarning
from xsim.exposure import Axis, Exposure, FrameTable, Illumination, Truth
from xsim.instruments import _saxs_smearing as smearing
from xsim.instruments._ladder import born_note
from xsim.instruments._saxs_frame import isotropic_frame
from xsim.instruments._saxs_solvent import fluctuations
from xsim.interaction.ensemble import Packing, concentric_groups, cross_section, sampled_q, volume_fraction
from xsim.interaction.hard_spheres import structure_factor
from xsim.matter.material import Material
from xsim.specimen.population import Population
from xsim.specimen.specimen import Specimen
from xsim.waves.far_field import polarisation, scattering_vectors
from xsim.waves.grid import Grid

if TYPE_CHECKING:
    from xsim.instruments.saxs import Saxs

FloatArray = NDArray[np.float64]
#: pixels per fringe of the form factor below which a warning is due
_PIXELS_PER_FRINGE = 2.0


@dataclass(frozen=True, eq=False)
class PreparedSaxs:
    """The chosen particles, the area [m^2] they stand for, and the thickness maps of the whole specimen."""

    instrument: Saxs
    specimen: Specimen
    chosen: tuple[Population, ...]
    area: float
    grid: Grid
    thickness: dict[Material, FloatArray]

    @property
    def frame_bytes(self) -> int:
        """Working memory of one frame: a few float64 maps and vectors of the detector."""
        return int(np.prod(self.instrument.detector.shape)) * 8 * 12

    def transmission(self, energy: float) -> float:
        """Mean transmission of the specimen over its extent at `energy` [eV]."""
        depth = np.zeros(self.grid.shape)
        for material, t in self.thickness.items():
            depth += float(material.optics(energy).mu_total) * t
        return 1.0 - self._mean(-np.expm1(-depth))

    def matrix_thickness(self) -> float:
        """Mean thickness of all matter [m]."""
        return float(sum(self._mean(t) for t in self.thickness.values()))

    def _mean(self, values: FloatArray) -> float:
        """Mean over the extent; without layers all that is on the (square) grid belongs to the extent's area."""
        share = 1.0 if self.specimen.layers.materials else self.grid.extent[0] * self.grid.extent[1] / self.area
        return share * float(np.mean(values))

    def measured(self) -> dict[str, Any]:
        """Thickness [m] and transmission of the specimen, which put the frame on an absolute scale; the model used."""
        thickness, model = self.matrix_thickness(), born_note(self.chosen, self.instrument.energy)
        if thickness <= 0:
            return dict(model)
        transmission = self.transmission(self.instrument.energy)
        return {"specimen_thickness [m]": thickness, "specimen_transmission": transmission, **model}

    @property
    def packing(self) -> Packing | None:
        """The hard spheres, if the particles are such."""
        one = self.instrument
        if one.interference == "decoupling" or one.interference == "local_monodisperse":
            volume = self.area * self.matrix_thickness()
            return Packing(one.interference, volume, one.volume_fraction, one.hard_radius)
        return None

    def check(self) -> None:
        """Warn of fringes finer than two pixels; raise RangeError for hard spheres packed too densely."""
        one = self.instrument
        packing = self.packing
        if packing is not None and self.chosen:
            groups = concentric_groups(self.specimen, self.chosen)
            structure_factor(0.0, 1.0, volume_fraction(groups, packing, one.sizes))
        radius = max((float(p.radii.max()) for p in self.chosen if len(p)), default=0.0)
        step = float(wavenumber(one.energy)) * one.detector.pixel / one.distance
        pixels = math.pi / max(radius * step, 1e-300)
        if pixels < _PIXELS_PER_FRINGE and not one.smear:
            warnings.warn(
                f"fringes of particles of {radius:.3g} m radius fall on {pixels:.2g} pixels each (limit "
                f"{_PIXELS_PER_FRINGE:g}), whose centres alone are computed; use a longer distance, smaller pixels, or "
                "smear = true, which averages over each pixel",
                ValidityWarning,
                stacklevel=3,
            )

    def curve(self, q: FloatArray, energy: float) -> FloatArray:
        """Scattered fraction per solid angle [1/sr] of the particles at q (n,) [rad/m]."""
        if not self.chosen:
            return np.zeros_like(q)
        return cross_section(self.specimen, self.chosen, q, energy, self.instrument.sizes, self.packing) / self.area

    def background(self, q: FloatArray, energy: float) -> FloatArray:
        """Scattered fraction per solid angle [1/sr] of all but the particles at q (n,) [rad/m]."""
        one = self.instrument
        flat = np.full(q.shape, one.background * self.matrix_thickness())
        if one.solvent:
            for material in self.specimen.layers.materials:
                flat += fluctuations(material, q, energy, one.temperature) * self._mean(self.thickness[material])
        return flat

    def seen(self, energy: float) -> tuple[FloatArray, FloatArray]:
        """q (n,) [rad/m] and the fraction per solid angle [1/sr] as smeared by the beam and the pixels."""
        one = self.instrument
        lines, weights = one.bandwidth.lines(energy)
        kernels = self._kernels(energy)
        reach = sum(float(np.hypot(dx, dy).max()) for dx, dy, _ in kernels)
        q = sampled_q(one.largest_q(energy) + float(wavenumber(energy)) * reach / one.distance, self.chosen)
        values = np.zeros_like(q)
        for line, weight in zip(lines.tolist(), weights.tolist(), strict=True):
            there = q * (line / energy)
            values += weight * (self.curve(there, line) + self.background(there, line))
        return q, smearing.smeared(q, values, energy, one.distance, kernels) if kernels else values

    def _kernels(self, energy: float) -> list[tuple[FloatArray, FloatArray, FloatArray]]:
        """What blurs the plane of the detector, with nodes enough for the fringes of the largest particle."""
        one = self.instrument
        if not one.smear:
            return []
        radius = max((float(p.radii.max()) for p in self.chosen if len(p)), default=0.0)
        per_metre = radius * float(wavenumber(energy)) / math.pi / one.distance  # fringes per metre on the detector
        widths = {smearing.disc: one.beam, smearing.gaussian: one.divergence * one.distance}
        widths[smearing.square] = one.detector.pixel
        return [kernel(width, width * per_metre) for kernel, width in widths.items() if width > 0]

    def expose(self, frames: FrameTable) -> Exposure:
        """Expected photons (frames, 1, y, x)."""
        images = {energy: self._image(energy) for energy in dict.fromkeys(frames["energy"].tolist())}
        incident = self.instrument.flux * frames["time"]
        expected = np.stack([images[e] * n for e, n in zip(frames["energy"].tolist(), incident.tolist(), strict=True)])
        group_energy = frames["energy"][:, None]
        return Exposure(expected[:, None], group_energy, self._axes(), frames, incident)

    def _image(self, energy: float) -> FloatArray:
        """Expected photons per incident photon (y, x)."""
        one = self.instrument
        shape = (int(one.detector.shape[0]), int(one.detector.shape[1]))
        if one.interference == "explicit":
            return self._speckle(shape, energy) * self.transmission(energy)
        q, values = self.seen(energy)
        return isotropic_frame(shape, one.place(), energy, (q, values * self.transmission(energy)))

    def _speckle(self, shape: tuple[int, int], energy: float) -> FloatArray:
        one, place = self.instrument, self.instrument.place()
        parts = Specimen(self.specimen.layers, self.chosen, self.specimen.extent)
        image = np.zeros(shape)
        for line, weight in zip(*(a.tolist() for a in one.bandwidth.lines(energy)), strict=True):
            q, solid_angle = scattering_vectors(shape, place["pixel"], one.distance, line, place["center"], one.tilt)
            amplitude = parts.amplitude(q, line)
            length = np.sqrt(np.sum(q * q, axis=-1))
            scattered = (amplitude.real**2 + amplitude.imag**2) / self.area + self._background_at(length, line)
            image += weight * scattered * solid_angle * polarisation(q, line, one.polarisation)
        if one.smear:
            from scipy.ndimage import gaussian_filter

            variance = (
                one.beam**2 / 16 + (one.divergence * one.distance) ** 2 / (8 * math.log(2)) + place["pixel"] ** 2 / 12
            )
            image = gaussian_filter(image, math.sqrt(variance) / place["pixel"], mode="nearest")
        row, column = place["center"]
        y = (np.arange(shape[0]) - row)[:, None] * place["pixel"]
        x = (np.arange(shape[1]) - column)[None, :] * place["pixel"]
        image[np.hypot(x, y) < one.beam_stop / 2] = 0.0
        return np.asarray(image)

    def _background_at(self, length: FloatArray, energy: float) -> FloatArray:
        q = np.linspace(0.0, float(length.max()) + 1.0, 400)
        return np.interp(length, q, self.background(q, energy))

    def _axes(self) -> tuple[Axis, Axis]:
        ny, nx = self.instrument.detector.shape
        row, column = self.instrument._center()
        pixel = self.instrument.detector.pixel
        return Axis("y", (np.arange(ny) - row) * pixel, "m"), Axis("x", (np.arange(nx) - column) * pixel, "m")

    def illuminate(self, frames: FrameTable) -> list[Illumination]:
        """The beam's fluence, taken as even over the extent."""
        area = np.pi * self.instrument.beam**2 / 4
        times: dict[float, float] = {}
        for energy, time in zip(frames["energy"].tolist(), frames["time"].tolist(), strict=True):
            times[energy] = times.get(energy, 0.0) + time
        return [
            Illumination(energy, self.grid, np.full(self.grid.shape, self.instrument.flux * time / area))
            for energy, time in times.items()
        ]

    @cached_property
    def _truth_axis(self) -> FloatArray:
        return sampled_q(self.instrument.largest_q(self.instrument.energy), self.chosen)

    def truth(self) -> dict[str, Truth]:
        """dSigma/dOmega(q) [1/m], noise-free and not smeared: "cross_section" of all, "particles" and "background"."""
        one, thickness = self.instrument, self.matrix_thickness()
        if one.interference == "explicit" or not self.chosen or thickness <= 0:
            return {}
        q = self._truth_axis
        axes = (Axis("q", q, "rad/m"),)
        particles = self.curve(q, one.energy) / thickness
        background = self.background(q, one.energy) / thickness
        found = {"cross_section": Truth(particles + background, axes, "1/m")}
        if background.any():
            found |= {"particles": Truth(particles, axes, "1/m"), "background": Truth(background, axes, "1/m")}
        return found | self._sizes()

    def _sizes(self) -> dict[str, Truth]:
        """Mean and standard deviation of the bounding radius [m] over all particles chosen."""
        number = first = second = 0.0
        for group in concentric_groups(self.specimen, self.chosen):
            scales, count = group.sizes(0.0, self.instrument.sizes)
            radii = group.radius * scales
            number += float(count.sum())
            first, second = first + float(count @ radii), second + float(count @ radii**2)
        mean = first / number
        deviation = np.sqrt(max(second / number - mean**2, 0.0))
        return {
            "mean_particle_radius": Truth(np.array(mean), (), "m"),
            "mean_particle_radius_deviation": Truth(np.array(deviation), (), "m"),
        }
