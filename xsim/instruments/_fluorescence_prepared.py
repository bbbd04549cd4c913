"""A specimen in the fluorescence microscope: its voxels, the light of each line by point, fluence and truth."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as attribute
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xsim.constants import N_A
from xsim.exposure import Axis, Exposure, FrameTable, Illumination, Truth
from xsim.instruments._maps import by_energy, image_axes
from xsim.instruments._points import indices_on, raster_grid
from xsim.instruments._recent import Recent
from xsim.interaction.emission import Cone, Group, groups
from xsim.interaction.fluorescence import Voxels, escape, incoming
from xsim.matter import elements
from xsim.specimen.specimen import Specimen
from xsim.waves.fft import fft2, ifft2, ifftshift
from xsim.waves.grid import Grid

if TYPE_CHECKING:
    from xsim.instruments.fluorescence import Fluorescence

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FluorescencePrepared:
    """Voxels with their ways in and out; all points of one energy are worked out at once and kept."""

    instrument: Fluorescence
    specimen: Specimen
    voxels: Voxels
    grid: Grid
    cone: Cone
    frame_bytes: int = 8192
    _recent: Recent = attribute(default_factory=lambda: Recent(2))

    def expose(self, frames: FrameTable) -> Exposure:
        """Expected photons (points, lines) that enter the detector's solid angle."""
        rows, columns = indices_on(self.grid, frames)
        photons = self.instrument.flux * np.asarray(frames["time"], np.float64)
        lit = [(energy, chosen, self._maps(energy)) for energy, chosen in by_energy(frames)]
        known = _ordered([group for _, _, (found, _) in lit for group in found])
        column_of = {label: column for column, label in enumerate(known)}
        expected = np.zeros((len(frames), len(known)))
        group_energy = np.tile([group.energy for group in known.values()], (len(frames), 1))
        for _, chosen, (found, maps) in lit:
            for group, picture in zip(found, maps, strict=True):
                column = column_of[group.label]
                expected[chosen, column] = photons[chosen] * picture[rows[chosen], columns[chosen]]
                group_energy[chosen, column] = group.energy
        return Exposure(expected, group_energy, (), frames, photons)

    def measured(self) -> dict[str, str]:
        """How light is followed: along straight rays, voxel by voxel."""
        return {"interaction_model": f"straight rays through {self.voxels.inside.shape[1]} slabs, no diffraction"}

    def illuminate(self, frames: FrameTable) -> list[Illumination]:
        """The spots of all points added up, one map per energy."""
        rows, columns = indices_on(self.grid, frames)
        photons = self.instrument.flux * np.asarray(frames["time"], np.float64)
        found = []
        for energy, chosen in by_energy(frames):
            landed = np.zeros(self.grid.shape)
            np.add.at(landed, (rows[chosen], columns[chosen]), photons[chosen])
            spread = ifft2(fft2(landed.astype(np.complex128)) * fft2(ifftshift(self._probe(energy)))).real
            found.append(Illumination(energy, self.grid, np.maximum(spread, 0) / self.grid.pixel**2))
        return found

    def truth(self) -> dict[str, Truth]:
        """On the scan grid: area density of every element [kg/m^2], photons of every family that reach the detector."""
        points = raster_grid(self.instrument.field, self.instrument.step)
        axes = image_axes(points)
        density: dict[str, FloatArray] = {}
        for material, metres in self.specimen.thickness(points).items():
            for symbol, number in material.number_densities.items():
                mass = number * elements.element(symbol).weight * 1e-3 / N_A * metres
                density[symbol] = density[symbol] + mass if symbol in density else mass
        found = {f"area_density_{symbol}": Truth(values, axes, "kg/m^2") for symbol, values in density.items()}
        return {**found, **self._family_truth(axes)}

    def _family_truth(self, axes: tuple[Axis, Axis]) -> dict[str, Truth]:
        """Noise-free maps of every family ("line_Fe_K"), and all lines with the photons that they give in one map."""
        instrument = self.instrument
        exposure = self.expose(instrument.frames())
        known = list(_ordered(self._maps(instrument.energy)[0]).values())
        families: dict[str, FloatArray] = {}
        shape = tuple(len(axis) for axis in axes)
        for group, column in zip(known, exposure.expected.T, strict=True):
            name = f"line_{group.element}_{group.family}" if group.element else f"scatter_{group.label}"
            families[name] = families.get(name, np.zeros(shape)) + column.reshape(shape)
        found = {name: Truth(values, axes, "photon") for name, values in families.items()}
        axis = Axis("line", np.array([group.label for group in known]))
        found["line_energies"] = Truth(np.array([group.energy for group in known]), (axis,), "eV")
        found["line_photons"] = Truth(exposure.expected.sum(axis=0), (axis,), "photon")
        return found

    def _probe(self, energy: float) -> FloatArray:
        return self.instrument.focus.probe(self.grid, energy)

    def _maps(self, energy: float) -> tuple[list[Group], list[FloatArray]]:
        result: tuple[list[Group], list[FloatArray]] = self._recent.get(energy, lambda: self._convolved(energy))
        return result

    def _convolved(self, energy: float) -> tuple[list[Group], list[FloatArray]]:
        """Photons of every group into the solid angle, per incident photon, with the spot at each pixel of the grid."""
        found = groups(self.voxels.materials, energy, self.cone)
        transfer = np.conj(fft2(ifftshift(self._probe(energy)).astype(np.complex128)))
        beam = incoming(self.voxels, energy)
        light = [escape(self.voxels, beam, group.energy, group.made) for group in found]
        base = [float(values.min()) for values in light]  # what is uniform stays exact
        spread: list[FloatArray] = []
        for first, second in zip_longest(light[::2], light[1::2], fillvalue=np.zeros(self.grid.shape)):
            # the spot is real, so one transform serves two maps
            both = ifft2(fft2(first - first.min() + 1j * (second - second.min())) * transfer)
            spread += [both.real, both.imag]
        return found, [
            self.cone.solid_angle * np.maximum(level + values, 0) for level, values in zip(base, spread, strict=False)
        ]


def _ordered(found: list[Group]) -> dict[str, Group]:
    """Groups by label: lines by energy, then Compton and elastic scatter."""
    last = {"Compton": 1, "elastic": 2}
    known = {group.label: group for group in found}
    return {k: known[k] for k in sorted(known, key=lambda label: (last.get(label, 0), known[label].energy, label))}
