"""Absorption spectroscopy with a specimen in the beam: thickness under it once, every spectrum from that."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xsim.exposure import Axis, Exposure, FrameTable, Illumination, Truth
from xsim.instruments._maps import binned_grid, by_energy
from xsim.instruments._yield import Yield
from xsim.matter import elements
from xsim.matter.material import Material
from xsim.waves.grid import Grid

if TYPE_CHECKING:
    from xsim.instruments.absorption import Absorption

FloatArray = NDArray[np.float64]

#: pixels along each axis that are put together in the fluence map, on which dose is counted
BINS = 4


@dataclass(frozen=True, eq=False)
class PreparedAbsorption:
    """The beam's profile and the thickness [m] of each material under it, on `grid`; light: the fluorescence."""

    instrument: Absorption
    grid: Grid
    weights: FloatArray
    thickness: dict[Material, FloatArray]
    light: Yield | None = None

    @property
    def frame_bytes(self) -> int:
        """Working memory of one energy: a few maps."""
        return 32 * self.weights.size

    def measured(self) -> dict[str, str]:
        """How light is followed: along straight rays."""
        return {"interaction_model": "straight rays, no diffraction"}

    def check_energy(self, energy: float) -> None:
        """As `Absorption.check_energy`."""
        self.instrument.check_energy(energy)

    def transmission(self, energy: float) -> float:
        """Share of a beam of exactly `energy` [eV] that comes through."""
        depth = np.zeros(self.grid.shape)
        for material, metres in self.thickness.items():
            depth += float(material.optics(energy).mu_total) * metres
        return 1.0 - float(np.sum(self.weights * -np.expm1(-depth)))

    def expose(self, frames: FrameTable) -> Exposure:
        """Expected photons (frames, groups), or (frames, groups, 2) with fluorescence; harmonics are groups."""
        photons = self.instrument.flux * np.asarray(frames["time"], np.float64)
        families = [] if self.light is None else self.light.families
        orders = [1, *self.instrument.harmonics.orders]
        expected = np.zeros((len(frames), len(orders) + len(families), 1 if self.light is None else 2))
        group_energy = np.zeros(expected.shape[:2])
        for energy, rows in by_energy(frames):
            passed, (yielded, at) = self._passed(energy), self._yielded(energy)
            expected[rows, : len(orders), 0] = photons[rows, None] * passed
            expected[rows, len(orders) :, -1] += photons[rows, None] * yielded
            group_energy[rows] = np.concatenate([energy * np.array(orders, np.float64), at])
        axes = () if self.light is None else (Axis("channel", np.array(["transmission", "fluorescence"])),)
        values = expected[..., 0] if self.light is None else expected
        return Exposure(values, group_energy, axes, frames, photons)

    def _passed(self, energy: float) -> FloatArray:
        """Photons behind the specimen per photon of the beam, of the wanted energy and of each harmonic."""
        energies, shares = self.instrument.harmonics.lines(energy)
        lines, weights = self.instrument.bandwidth.lines(energy)
        wanted = sum(w * self.transmission(float(line)) for line, w in zip(lines, weights, strict=True))
        return np.array([wanted, *(self.transmission(float(one)) for one in energies[1:])]) * shares

    def _yielded(self, energy: float) -> tuple[FloatArray, FloatArray]:
        """Photons of each family into the fluorescence detector per photon of the beam, and their energies [eV]."""
        if self.light is None:
            return np.zeros(0), np.zeros(0)
        harmonics, shares = self.instrument.harmonics.lines(energy)
        lines, weights = self.instrument.bandwidth.lines(energy)
        made = [self.light.photons(float(one)) for one in (*lines, *harmonics[1:])]
        share = np.array([*(shares[0] * weights), *shares[1:]])
        total = np.stack([photons for photons, _ in made]) * share[:, None]
        power = (total * np.stack([at for _, at in made])).sum(axis=0)
        found = total.sum(axis=0)
        return found, np.where(found > 0, power / np.where(found > 0, found, 1), energy)

    def illuminate(self, frames: FrameTable) -> list[Illumination]:
        """The beam's profile once per energy, with the photons of all its frames; harmonics at their own energy."""
        photons = self.instrument.flux * np.asarray(frames["time"], np.float64)
        grid = binned_grid(self.grid, BINS)
        ny, nx = grid.shape
        per_area = self.weights.reshape(ny, BINS, nx, BINS).sum(axis=(1, 3)) / grid.pixel**2
        return [
            Illumination(float(one), grid, per_area * float(share * photons[rows].sum()))
            for energy, rows in by_energy(frames)
            for one, share in zip(*self.instrument.harmonics.lines(energy), strict=True)
        ]

    def truth(self) -> dict[str, Truth]:
        """The noise-free spectrum and each material's own coefficient on a fine energy axis, and mean thicknesses."""
        energies = self._fine_energies()
        axes = (Axis("energy", energies, "eV"),)
        depth = np.array([-math.log(max(self.transmission(float(e)), 1e-300)) for e in energies])
        found = {"optical_density": Truth(depth, axes)}
        for material, metres in self.thickness.items():
            found[f"mu_{material.name}"] = Truth(np.asarray(material.optics(energies).mu_total), axes, "1/m")
            found[f"mean_thickness_{material.name}"] = Truth(np.array(np.sum(self.weights * metres)), (), "m")
        return found

    def _fine_energies(self) -> FloatArray:
        """Energies 10 % around the instrument's own, half an eV apart near every edge of a material in the beam."""
        centre = self.instrument.energy
        low, high = max(0.9 * centre, elements.LOWEST), min(1.1 * centre, elements.HIGHEST)
        symbols = {symbol for material in self.thickness for symbol, _ in material.composition}
        edges = sorted({e for symbol in symbols for e in elements.element(symbol).edges.values() if low < e < high})
        parts = [np.linspace(low, high, 201), *(np.arange(e - 20, e + 60, 0.5) for e in edges[:20])]
        energies = np.unique(np.concatenate(parts))
        return energies[(energies >= low) & (energies <= high)]
