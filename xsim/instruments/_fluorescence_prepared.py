"""A specimen in the fluorescence microscope: its voxels, the light of each line by point, fluence and truth."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.constants import N_A
from xsim.errors import ValidityWarning
from xsim.exposure import Axis, Exposure, FrameTable, Illumination, Truth
from xsim.instruments._beam_lines import beam_lines, with_harmonics
from xsim.instruments._fluorescence_slabs import SEEN
from xsim.instruments._fluorescence_voxels import LitVoxels, cone_of
from xsim.instruments._maps import by_energy, image_axes
from xsim.instruments._optic_flux import focused_photons
from xsim.instruments._points import raster_grid
from xsim.instruments._recent import Recent
from xsim.instruments._spot import value_at
from xsim.instruments._standards import as_geometry, mean_density, standards, survived
from xsim.interaction.emission import Cone, Group, groups
from xsim.interaction.enhancement import Enhancement, enhancement_of
from xsim.interaction.fluorescence import escapes, incoming
from xsim.matter import elements
from xsim.matter.material import Material
from xsim.specimen.specimen import Specimen
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]

#: share of third-order light above which a warning is due
THIRD = 0.01


@dataclass(frozen=True, eq=False)
class Emitted:
    """The light of one energy: groups, and for each part of the spot a grid with the map of every group on it."""

    groups: list[Group]
    maps: dict[Grid, list[FloatArray]]

    def at(self, y: FloatArray, x: FloatArray) -> FloatArray:
        """Photons (points, groups) per photon in the focus with the spot at y, x (points,) [m]."""
        found = np.zeros((len(y), len(self.groups)))
        for grid, maps in self.maps.items():
            for column, values in enumerate(maps):
                found[:, column] += value_at(grid, values, y, x)
        return found


@dataclass(frozen=True, eq=False)
class FluorescencePrepared:
    """Voxels with their ways in and out; all points of one energy are worked out at once and kept."""

    instrument: Any
    specimen: Specimen
    voxels: LitVoxels
    cone: Cone
    frame_bytes: int = 8192
    _recent: Recent = attribute(default_factory=lambda: Recent(2))
    _answers: Recent = attribute(default_factory=lambda: Recent(2))

    @staticmethod
    def of(instrument: Any, specimen: Specimen, cone: Cone | None = None) -> FluorescencePrepared:
        """The specimen in a microscope that tells energy, flux, field, step, focus, slabs, its detector and angle.

        cone: of the detector, where that is not the instrument's own.
        """
        cone = cone or cone_of(instrument)
        made = FluorescencePrepared(instrument, specimen, LitVoxels.of(instrument, specimen, cone.direction), cone)
        made._check_third()
        return made

    def check_energy(self, energy: float) -> None:
        """Raise an error or warn where the optic or the grid do not serve `energy` [eV]."""
        self.instrument.harmonics.lines(energy)
        self.voxels.check_energy(energy)

    def expose(self, frames: FrameTable) -> Exposure:
        """Expected photons (points, lines) that enter the detector's solid angle."""
        y, x = (np.asarray(frames[name], np.float64) for name in ("y", "x"))
        photons = self._photons(frames)
        lit = [(energy, chosen, self._emitted(energy)) for energy, chosen in by_energy(frames)]
        known = self._known(frames)
        column_of = {label: column for column, label in enumerate(known)}
        expected = np.zeros((len(frames), len(known)))
        group_energy = np.tile([group.energy for group in known.values()], (len(frames), 1))
        incident = photons.copy()
        for energy, chosen, found in lit:
            columns = np.array([column_of[group.label] for group in found.groups], np.int64)
            expected[np.ix_(chosen, columns)] = photons[chosen, None] * found.at(y[chosen], x[chosen])
            group_energy[np.ix_(chosen, columns)] = [group.energy for group in found.groups]
            incident[chosen] *= 1 + self.voxels.focus.unfocused_share(energy)
        return Exposure(expected, group_energy, (), frames, incident)

    def _known(self, frames: FrameTable) -> dict[str, Group]:
        return _ordered([group for energy, _ in by_energy(frames) for group in self._emitted(energy).groups])

    def labels(self, frames: FrameTable) -> list[str]:
        """Names of the groups of an exposure of these frames."""
        return list(self._known(frames))

    def measured(self) -> dict[str, Any]:
        """How light is followed, along straight rays; the spot on the plane z = 0; thin films measured beside."""
        lit, energy = self.voxels, self.instrument.energy
        spots = len(lit.heights())
        focus = "one spot" if spots == 1 else f"{spots} spots along the depth"
        voxels = lit.voxels(lit.layout.near)
        films = standards((s for m in self.specimen.materials for s in m.number_densities), energy,
                          self.instrument.detector)  # fmt: skip
        return {
            "interaction_model": f"straight rays through {lit.slabs} slabs, {focus}, no diffraction",
            **lit.spot_numbers(energy),
            "specimen_area_density [kg/m^2]": mean_density(voxels),
            **as_geometry(films),
            **survived(films, energy, voxels),
        }

    def illuminate(self, frames: FrameTable) -> list[Illumination]:
        """The spots of all points added up, one map per energy and part of the spot, as on the plane z = 0."""
        return with_harmonics(self.instrument, self.voxels.illuminate(frames, self._photons(frames)))

    def _photons(self, frames: FrameTable) -> FloatArray:
        return focused_photons(self.voxels.focus.optic, self.instrument, frames)

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
        known = list(_ordered(self._emitted(instrument.energy).groups).values())
        families: dict[str, FloatArray] = {}
        shape = tuple(len(axis) for axis in axes)
        for group, column in zip(known, exposure.expected.T, strict=True):
            name = f"line_{group.element}_{group.family}" if group.element else f"scatter_{group.label.split()[0]}"
            families[name] = families.get(name, np.zeros(shape)) + column.reshape(shape)
        found = {name: Truth(values, axes, "photon") for name, values in families.items()}
        axis = Axis("line", np.array([group.label for group in known]))
        found["line_energies"] = Truth(np.array([group.energy for group in known]), (axis,), "eV")
        maps = exposure.expected.T.reshape(len(known), *shape).astype(np.float32)
        found["line_maps"] = Truth(maps, (axis, *axes), "photon")
        found["line_photons"] = Truth(exposure.expected.sum(axis=0), (axis,), "photon")
        return found

    def _emitted(self, energy: float) -> Emitted:
        found: Emitted = self._recent.get(energy, lambda: self._mixed(energy))
        return found

    def _mixed(self, energy: float) -> Emitted:
        """What all lines of the beam make together; scatter of harmonics is a group of its own."""
        known: dict[str, Group] = {}
        maps: dict[Grid, dict[str, FloatArray]] = {}
        for line in beam_lines(self.instrument, energy):
            made = self._convolved(energy, line.energy)
            labels = [_of_order(group, line.order) for group in made.groups]
            for label, group in zip(labels, made.groups, strict=True):
                known.setdefault(label, replace(group, label=label))
            for grid, images in made.maps.items():
                here = maps.setdefault(grid, {})
                for label, image in zip(labels, images, strict=True):
                    here[label] = here[label] + line.share * image if label in here else line.share * image
        every = {grid: [here.get(name, np.zeros(grid.shape)) for name in known] for grid, here in maps.items()}
        return Emitted(list(known.values()), every)

    def _materials(self, energy: float) -> tuple[Material, ...]:
        return tuple(dict.fromkeys(m for _, voxels in self.voxels.lit(energy) for m in voxels.materials))

    def _answer(self, materials: tuple[Material, ...]) -> Enhancement | None:
        """The layers' answer to light started in these materials, where `secondary` light is asked for."""
        if not self.instrument.secondary or not set(self.specimen.layers.materials) <= set(materials):
            return None

        def make() -> Enhancement | None:
            energy = self.instrument.energy
            seen = [g.energy for g in groups(materials, energy, self.cone) if g.energy >= SEEN]
            return enhancement_of(self.specimen, materials, self.cone.direction, [*seen, energy])

        found: Enhancement | None = self._answers.get(materials, make)
        return found

    def _check_third(self) -> None:
        """Warn where light of third order matters."""
        materials, energy = self._materials(self.instrument.energy), self.instrument.energy
        answer = self._answer(materials)
        third = answer.third(groups(materials, energy, self.cone), energy) if answer else 0.0
        if third > THIRD:
            warnings.warn(
                f"light excited by light excited by light, left out, would add about {100 * third:.1f} % to the line "
                "most enhanced",
                ValidityWarning,
                stacklevel=5,
            )

    def _convolved(self, energy: float, light: float) -> Emitted:
        """Photons of every group into the solid angle, per photon of `light` [eV] in the focus, at each pixel.

        energy: that the optic is set for, which makes the spot.
        """
        # materials may lie under the tails alone
        materials = self._materials(energy)
        found = groups(materials, light, self.cone)
        answer = self._answer(materials)
        weights = answer.weights(found, light) if answer else None
        maps: dict[Grid, list[FloatArray]] = {}
        for part, voxels in self.voxels.lit(energy):
            mine = [materials.index(m) for m in voxels.materials]
            beam = incoming(voxels, light)
            left = list(escapes(voxels, beam, [g.energy for g in found], np.array([g.made[mine] for g in found])))
            if answer is not None and weights is not None:
                more = answer.added(weights, light, voxels, part.grid, beam)  # for the lines, which come first
                left = [values + more[j] if j < len(more) else values for j, values in enumerate(left)]
            here = [self.cone.solid_angle * values for values in part.gathered(left)]
            maps[part.grid] = [a + b for a, b in zip(maps[part.grid], here, strict=True)] if part.grid in maps else here
        return Emitted(found, maps)


def _of_order(group: Group, order: int) -> str:
    """Name of a group made by a harmonic: lines are the same, scatter has the harmonic's energy."""
    return group.label if order == 1 or group.element else f"{group.label} order {order}"


def _ordered(found: list[Group]) -> dict[str, Group]:
    """Groups by label: lines by energy, then Compton and elastic scatter."""
    last = {"Compton": 1, "elastic": 2}
    known = {group.label: group for group in found}
    return {
        k: known[k]
        for k in sorted(known, key=lambda label: (last.get(label.split()[0], 0), known[label].energy, label))
    }
