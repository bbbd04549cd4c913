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
from xsim.interaction.bodies import Beside, beside_of
from xsim.interaction.emission import Cone, Group, groups
from xsim.interaction.enhancement import Enhancement, enhancement_of
from xsim.matter import elements
from xsim.matter.material import Material
from xsim.specimen.specimen import Specimen
from xsim.threads import spans

FloatArray = NDArray[np.float64]

#: columns times groups whose light is worked out at a time
LIGHT = 2**24
#: share of third-order light above which a warning is due
THIRD = 0.01


@dataclass(frozen=True, eq=False)
class Emitted:
    """The light of one energy: photons (points, groups) of every group per photon in the focus."""

    groups: list[Group]
    photons: FloatArray


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
    _beside: Recent = attribute(default_factory=lambda: Recent(4))

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
        lit = [(energy, chosen, self._seen(energy, y[chosen], x[chosen])) for energy, chosen in by_energy(frames)]
        known = _ordered([group for _, _, found in lit for group in found.groups])
        column_of = {label: column for column, label in enumerate(known)}
        expected = np.zeros((len(frames), len(known)))
        group_energy = np.tile([group.energy for group in known.values()], (len(frames), 1))
        incident = photons.copy()
        for energy, chosen, found in lit:
            columns = np.array([column_of[group.label] for group in found.groups], np.int64)
            expected[np.ix_(chosen, columns)] = photons[chosen, None] * found.photons
            group_energy[np.ix_(chosen, columns)] = [group.energy for group in found.groups]
            incident[chosen] *= 1 + self.voxels.focus.unfocused_share(energy)
        return Exposure(expected, group_energy, (), frames, incident)

    def labels(self, frames: FrameTable) -> list[str]:
        """Names of the groups of an exposure of these frames."""
        return list(_ordered([group for energy, _ in by_energy(frames) for group in self._groups(energy)]))

    def measured(self) -> dict[str, Any]:
        """How light is followed, along straight rays; the spot on the plane z = 0; thin films measured beside."""
        lit, energy = self.voxels, self.instrument.energy
        spots = len(lit.heights())
        focus = "one spot" if spots == 1 else f"{spots} spots along the depth"
        columns = lit.voxels(lit.layout.near)
        films = standards((s for m in self.specimen.materials for s in m.number_densities), energy,
                          self.instrument.detector)  # fmt: skip
        return {
            "interaction_model": f"straight rays through {lit.slabs} slabs, {focus}, no diffraction",
            **lit.spot_numbers(energy),
            "specimen_area_density [kg/m^2]": mean_density(columns),
            **as_geometry(films),
            **survived(films, energy, columns, lit.layout.near),
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
        """At all points of the raster, row by row."""

        def make() -> Emitted:
            points = raster_grid(self.instrument.field, self.instrument.step)
            y, x = np.meshgrid(points.y, points.x, indexing="ij")
            return self._mixed(energy, np.asarray(y.ravel(), np.float64), np.asarray(x.ravel(), np.float64))

        found: Emitted = self._recent.get(energy, make)
        return found

    def _seen(self, energy: float, y: FloatArray, x: FloatArray) -> Emitted:
        """With the spot at y, x (points,) [m]: points of the raster are looked up, others worked out."""
        points = raster_grid(self.instrument.field, self.instrument.step)
        rows, columns = (y - points.y[0]) / points.pixel, (x - points.x[0]) / points.pixel
        row, column = np.rint(rows).astype(np.int64), np.rint(columns).astype(np.int64)
        inside = (row >= 0) & (row < points.shape[0]) & (column >= 0) & (column < points.shape[1])
        if not np.all(inside & (np.abs(rows - row) < 1e-6) & (np.abs(columns - column) < 1e-6)):
            return self._mixed(energy, y, x)
        whole = self._emitted(energy)
        return Emitted(whole.groups, whole.photons[row * points.shape[1] + column])

    def _groups(self, energy: float) -> list[Group]:
        """Of all lines of the beam; scatter of harmonics is a group of its own."""
        materials, known = self._materials(energy), dict[str, Group]()
        for line in beam_lines(self.instrument, energy):
            for group in groups(materials, line.energy, self.cone):
                known.setdefault(_of_order(group, line.order), replace(group, label=_of_order(group, line.order)))
        return list(known.values())

    def _mixed(self, energy: float, y: FloatArray, x: FloatArray) -> Emitted:
        """What all lines of the beam make together with the spot at y, x (points,) [m]."""
        known = self._groups(energy)
        column_of = {group.label: column for column, group in enumerate(known)}
        photons = np.zeros((len(y), len(known)))
        for line in beam_lines(self.instrument, energy):
            made = self._convolved(energy, line.energy, y, x)
            photons[:, [column_of[_of_order(group, line.order)] for group in made.groups]] += line.share * made.photons
        return Emitted(known, photons)

    def _materials(self, energy: float) -> tuple[Material, ...]:
        return tuple(dict.fromkeys(m for _, columns in self.voxels.lit(energy) for m in columns.voxels.materials))

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

    def _convolved(self, energy: float, light: float, y: FloatArray, x: FloatArray) -> Emitted:
        """Photons of every group into the solid angle, per photon of `light` [eV] in the focus, at y, x (points,) [m].

        energy: that the optic is set for, which makes the spot.
        """
        # materials may lie under the tails alone
        materials = self._materials(energy)
        found = groups(materials, light, self.cone)
        answer = self._answer(materials)
        weights = answer.weights(found, light) if answer else None
        photons = np.zeros((len(y), len(found)))
        for part, columns in self.voxels.lit(energy):
            size = columns.voxels.inside.shape[2] * columns.voxels.inside.shape[3]
            for first, stop in spans(len(found), max(2, LIGHT // size // 2 * 2)):
                some, mine = found[first:stop], [materials.index(m) for m in columns.voxels.materials]
                made = np.array([group.made[mine] for group in some])
                # lines come first
                second = (answer, weights[first:stop]) if answer is not None and weights is not None else None
                left = columns.light(part.grid, light, [group.energy for group in some], made, second)
                # one transform serves two maps
                for pair, end in spans(stop - first, 2):
                    maps = part.gathered([columns.spread(values) for values in left[pair:end]])
                    for j, values in enumerate(maps, start=first + pair):
                        photons[:, j] += self.cone.solid_angle * value_at(part.grid, values, y, x)
        photons += self._from_bodies([group.label for group in found], (energy, light), y, x)
        return Emitted(found, photons)

    def _from_bodies(
        self, labels: list[str], energies: tuple[float, float], y: FloatArray, x: FloatArray
    ) -> FloatArray:
        """Photons (points, groups) of secondary light from bodies per photon, by the spot on the middle plane."""
        lit, (energy, light), photons = self.voxels, energies, np.zeros((len(y), len(labels)))
        if not self.instrument.secondary:
            return photons
        seen = lit.layout.near.edges
        made: Beside | None = self._beside.get(
            light, lambda: beside_of(self.specimen, lit.cuts, light, self.cone, seen)
        )
        if made is None:
            return photons
        numbers = lit.heights()
        for part in lit.spot(energy, numbers[len(numbers) // 2]):
            for label in (name for name in made.maps if name in labels):
                (values,) = part.gathered([made.on(part.grid, label)])
                photons[:, labels.index(label)] += self.cone.solid_angle * value_at(part.grid, values, y, x)
        return photons


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
