"""Scanning X-ray fluorescence: a focused spot steps over the specimen, an energy-dispersive detector counts its light.

    N_line(r) = flux * time * Omega * sum_r' |p(r' - r)|^2 J_line(r')

p is the focus of the mirror pair (or zone plate) on the specimen, its squares summing to 1, Omega the detector's
solid angle, and J_line(r') the photons of the line per incident photon and steradian that leave the column r' towards
the detector: excitation by the beam as it weakens with depth, all lines of all elements with cascades, absorption on
the way out through the specimen in three dimensions (`xsim.interaction.fluorescence`), and elastic and Compton
scatter (`xsim.interaction.emission`). The detector lies in the horizontal plane, which is that of the polarisation, at
`detector_angle` from the direction of the beam: 90 degrees sees least scatter, more than 90 looks at the lit side.

Range of validity. The specimen lies within the depth of focus; beyond, the spot widens inside it and a
ValidityWarning says so. Primary excitation only: enhancement by fluorescence of other elements is left out (some
percent of Fe K under Zn, up to half of S K under Ca K in thick matter). A layer cannot be left along itself: with flat
layers the detector must stay 10 degrees away from their plane. Lines below 200 eV are left out.

References: Sherman, Spectrochim. Acta 7, 283 (1955), doi 10.1016/0371-1951(55)80041-0; xraylib,
doi 10.1016/j.sab.2011.09.011; Vincze et al., Spectrochim. Acta B 48, 553 (1993), doi 10.1016/0584-8547(93)80060-8.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from dataclasses import field as attribute
from itertools import zip_longest
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from xsim.constants import N_A, wavelength
from xsim.detectors.silicon_drift import SiliconDrift
from xsim.errors import RangeError, SamplingError, SamplingWarning, ValidityWarning
from xsim.exposure import Axis, Exposure, FrameTable, Illumination, Truth
from xsim.instruments._maps import by_energy, image_axes
from xsim.instruments._points import indices_on, raster_frames, raster_grid
from xsim.instruments._recent import Recent
from xsim.interaction.emission import Cone, Group, groups
from xsim.interaction.fluorescence import Voxels, escape, incoming, sample
from xsim.matter import elements
from xsim.matter.lines import emission
from xsim.model import Model, Plugin
from xsim.optics.kirkpatrick_baez import KirkpatrickBaez
from xsim.optics.zone_plate import ZonePlate
from xsim.specimen.specimen import Specimen
from xsim.units import Angle, Energy, PositiveLength, Rate, Time
from xsim.waves.fft import fft2, good_size, ifft2, ifftshift
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]

#: pixels per half period of the finest fringe of the spot, and half periods of margin round the field for its tails
SAMPLES, MARGIN = 2, 20
#: the largest number of voxels
MOST = 2**27
#: optical depth per voxel that the number of slabs aims at, where a warning is due, and the limits of that number
DEPTH, TOO_DEEP, FEWEST_SLABS, MOST_SLABS = 0.2, 0.5, 4, 64
#: lines below this energy [eV] do not decide the number of slabs: no window lets them pass
SEEN = 1e3


class Fluorescence(Model):
    """A scanning fluorescence microscope; frames are the scan points, axes y (slow) and x.

    field: scanned width and height (x, y) [m]; step [m]; exposure_time: per point [s]; flux: in the spot [photons/s].
    zone_plate: used instead of the mirrors where given. detector: energy-dispersive, its own area and distance give the
    solid angle; detector_angle: from the direction of the beam [rad]. polarised: horizontally (False: not at all).
    slabs: of the specimen along the beam (None: so many that the absorption is followed).
    """

    kind: Literal["fluorescence"] = "fluorescence"
    energy: Energy = 12e3
    flux: Rate = 1e10
    exposure_time: Time = 20e-3
    field: tuple[PositiveLength, PositiveLength] = (1e-6, 1e-6)
    step: PositiveLength = 50e-9
    mirrors: KirkpatrickBaez = KirkpatrickBaez()
    zone_plate: ZonePlate | None = None
    detector: Annotated[Any, Plugin("detectors")] = Field(default_factory=SiliconDrift)
    detector_angle: Angle = math.radians(120)
    polarised: bool = True
    slabs: int | None = None

    @field_validator("detector")
    @classmethod
    def _dispersive(cls, value: Any) -> Any:
        if not hasattr(value, "solid_angle"):
            raise RangeError(
                "fluorescence needs an energy-dispersive detector",
                value=getattr(value, "kind", value),
                allowed="silicon_drift",
                cure='use detector = "sdd_50mm2"',
            )
        return value

    @field_validator("detector_angle")
    @classmethod
    def _sideways(cls, value: float) -> float:
        if not math.radians(10) <= value <= math.radians(170):
            raise RangeError("detector_angle", value=f"{math.degrees(value):.4g} deg", allowed="10 .. 170 deg")
        return value

    @field_validator("slabs")
    @classmethod
    def _some(cls, value: int | None) -> int | None:
        if value is not None and not 1 <= value <= 1024:
            raise RangeError("slabs", value=value, allowed="1 .. 1024")
        return value

    def frames(self) -> FrameTable:
        """One row per scan point with its position on the specimen: columns x, y [m]."""
        return raster_frames(self.energy, self.exposure_time, raster_grid(self.field, self.step))

    def prepare(self, specimen: Specimen) -> FluorescencePrepared:
        """Cut the specimen into voxels and follow the ways in and out once. Raises SamplingError; may warn."""
        points = raster_grid(self.field, self.step)
        half_period = float(wavelength(self.energy)) / (4 * self._na(self.energy))
        factor = max(1, math.ceil(self.step * SAMPLES / half_period - 1e-9))
        widest = self.step * math.ceil(MARGIN * half_period / self.step) if self.zone_plate else self._tails()
        shape = [factor * good_size(n + 2 * math.ceil(widest / self.step)) for n in points.shape]
        grid = Grid((shape[0], shape[1]), self.step / factor)
        self._check_focus(specimen, half_period)
        slabs = self.slabs or self._slabs(specimen, grid)
        count = slabs * grid.shape[0] * grid.shape[1] * max(1, len(specimen.materials))
        if count > MOST:
            raise SamplingError(
                "the map needs too many voxels",
                field="field",
                value=f"{slabs} slabs x {grid.shape[0]} x {grid.shape[1]} x {len(specimen.materials)} materials",
                allowed=f"<= {MOST}",
                cure="scan a smaller field, or set fewer slabs",
            )
        cone = Cone(self.detector_angle, float(self.detector.solid_angle), self.polarised)
        voxels = sample(specimen, grid, slabs, cone.direction)
        return FluorescencePrepared(self, specimen, voxels, grid, cone)

    def geometry(self) -> dict[str, Any]:
        """Step, detector angle and solid angle."""
        return {
            "step [m]": self.step,
            "detector_angle [rad]": self.detector_angle,
            "detector_distance [m]": float(self.detector.distance),
            "solid_angle [sr]": float(self.detector.solid_angle),
        }

    def probe(self, grid: Grid, energy: float) -> FloatArray:
        """Share of the light (ny, nx) in each pixel, centred, summing to 1."""
        if self.zone_plate is not None:
            return np.asarray(np.abs(self.zone_plate.probe(grid, energy)) ** 2, np.float64)
        return np.asarray(self.mirrors.probe_intensity(grid, energy), np.float64)

    def _na(self, energy: float) -> float:
        if self.zone_plate is not None:
            return float(self.zone_plate.numerical_aperture(energy))
        return max(self.mirrors.horizontal.numerical_aperture, self.mirrors.vertical.numerical_aperture)

    def _tails(self) -> float:
        return 8 * float(max(self.mirrors.fwhm(self.energy)))

    def _check_focus(self, specimen: Specimen, half_period: float) -> None:
        reach = max(abs(z) for z in specimen.z_range)
        limit = 2 * (2 * half_period) ** 2 / float(wavelength(self.energy))
        if reach > limit:
            warnings.warn(
                f"the specimen reaches {reach:.3g} m from the focal plane z = 0, the depth of focus only {limit:.3g} m "
                "to either side: the spot widens there, which this model leaves out; move it to z = 0, or use a "
                "smaller numerical aperture",
                ValidityWarning,
                stacklevel=3,
            )

    def _slabs(self, specimen: Specimen, grid: Grid) -> int:
        """Slabs so thin that no voxel is optically thick on the way in or out."""
        whole = {material: float(t.max()) for material, t in specimen.thickness(grid).items() if t.any()}
        seen = {line.energy for m in whole for line, _ in emission(m, self.energy) if line.energy >= SEEN}
        slant = max(abs(math.cos(self.detector_angle)), math.cos(math.radians(80)))

        def depth(energy: float) -> float:
            return sum(float(m.optics(energy).mu_total) * t for m, t in whole.items())

        deepest = depth(self.energy) + max((depth(energy) for energy in seen), default=0.0) / slant
        slabs = int(np.clip(math.ceil(deepest / DEPTH), FEWEST_SLABS, MOST_SLABS))
        if deepest / slabs > TOO_DEEP:
            warnings.warn(
                f"voxels are {deepest / slabs:.2g} absorption lengths deep, should be <= {TOO_DEEP}: absorption of the "
                f"softest lines is followed coarsely; set slabs = {math.ceil(deepest / DEPTH)}",
                SamplingWarning,
                stacklevel=3,
            )
        return slabs


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
        return self.instrument.probe(self.grid, energy)

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
