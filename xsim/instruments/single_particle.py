"""Single-particle imaging: one diffraction pattern per shot, each of a fresh copy of the particle, randomly oriented.

    N(pixel) = F T |f(R^T q, E)|^2 P dOmega,        q = k (s - z)  on the Ewald sphere

F is the fluence in the focus [photons/m^2] for one shot, f the Born amplitude of the specimen [m] (shapes against their
host, or atoms in vacuum), R the orientation of the shot, uniform over all rotations, P the polarisation factor, dOmega
the pixel's solid angle, T what comes through the layers around it (a jet, ice), which stay as they are. Every shot
meets a new particle, so the dose is that of one shot; damage during the pulse is not modelled here: fluences at which
an atom absorbs more than one photon in ten are flagged.
Valid in the Born limit: the phase shift across the particle must stay well below 1 (a warning names it).

The orientations (quaternions w, x, y, z) follow from `orientation_seed` alone and are kept with the truth.

References: Neutze et al., Nature 406, 752 (2000), doi 10.1038/35021099; Loh & Elser, Phys. Rev. E 80, 026705 (2009),
doi 10.1103/PhysRevE.80.026705.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xsim.constants import wavelength
from xsim.dose.damage import Damage
from xsim.dose.pulse_damage import Target
from xsim.errors import SamplingWarning, ValidityWarning
from xsim.exposure import Axis, Exposure, FrameTable, Illumination, Truth
from xsim.instruments._imaging import ImagingDetector
from xsim.instruments._ladder import born_note, warn_beyond_born
from xsim.instruments._recent import Recent
from xsim.instruments._shot_light import check_light, light_geometry, shot_truth, warn_if_wide
from xsim.instruments._shot_picture import Body, check_damage, kept_truth, shot_picture, target_of
from xsim.model import Model
from xsim.sources.pulse import Pulse
from xsim.specimen import rotations
from xsim.specimen.specimen import Specimen
from xsim.specimen.turning import Turning, Way, reach, turning
from xsim.streams import StreamKey, generator
from xsim.units import Energy, NonNegativeLength, PositiveLength, Rate, Time
from xsim.waves.far_field import scattering_vectors
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]

#: photons absorbed per atom beyond which the undamaged particle is no longer a fair model
MAX_ABSORBED_PER_ATOM = 0.1
#: relative width in photon energy within which one lattice of amplitudes serves all (f' and f'' of its middle)
BAND = 5e-3


class SingleParticle(Model):
    """Diffraction of single particles, a fresh one in every shot, in random orientations; frames are the shots.

    flux x exposure_time = photons per shot within the focus of diameter `focus` [m] (exposure_time is one over the
    repetition rate). `shots`: number of frames. `beam_stop`: diameter [m] at the detector. `orientation` "random", or
    "fixed" for the specimen as it stands. `pulse`: X-ray laser pulses (xsim.sources.pulse) instead of flux and focus;
    `damage`: what they do to the particle (xsim.dose.damage), nothing if it is left out. `amplitude`: "exact" at every
    orientation, from a "lattice" in q, or "auto", the cheaper one that keeps the relative `tolerance` (see
    xsim.specimen.turning; the error found is told).
    """

    kind: Literal["single_particle"] = "single_particle"
    energy: Energy = 8_000.0
    flux: Rate = 2e10
    exposure_time: Time = 1 / 120
    focus: PositiveLength = 200e-9
    shots: Annotated[int, Field(ge=1)] = 4
    orientation: Literal["random", "fixed"] = "random"
    orientation_seed: int = 1
    distance: PositiveLength = 0.4
    beam_stop: NonNegativeLength = 1e-3
    detector: ImagingDetector = None
    polarisation: float = 1.0
    pulse: Pulse | None = None
    damage: Damage | None = None
    amplitude: Way = "auto"
    tolerance: Annotated[float, Field(gt=1e-8, lt=1)] = 1e-3

    def model_post_init(self, context: Any) -> None:
        """Give the default detector, a coarse photon counter."""
        if self.detector is None:
            from xsim.registry import lookup

            counter = lookup("detectors", "photon_counter").model_validate({"shape": (64, 64), "pixel": "600 um"})
            object.__setattr__(self, "detector", counter)
        check_light(self)

    def frames(self) -> FrameTable:
        """One frame per shot."""
        shots = np.arange(self.shots)
        return FrameTable.single(self.energy, self.exposure_time).outer(Axis("shot", shots), {"shot": shots}, {})

    def orientations(self) -> FloatArray:
        """Orientation of the particle in each shot, quaternions (shots, 4) w, x, y, z."""
        if self.orientation == "fixed":
            return np.tile([1.0, 0.0, 0.0, 0.0], (self.shots, 1))
        rng = generator(StreamKey(self.orientation_seed, "single_particle/orientations"))
        normal = rng.standard_normal((self.shots, 4))
        return np.asarray(normal / np.linalg.norm(normal, axis=1, keepdims=True))

    def prepare(self, specimen: Specimen) -> PreparedSingleParticle:
        """Check the particle's size against the sampling of its speckles; warns with the numbers."""
        prepared = PreparedSingleParticle(self, specimen, self.orientations(), self._turning(specimen, self.energy))
        prepared.warn_if_undersampled()
        prepared.warn_beyond_linear()
        warn_if_wide(self, reach(specimen))
        check_damage(self, prepared.target)
        warn_beyond_born(specimen.populations, self.energy, "raise the energy or use smaller particles")
        return prepared

    def _turning(self, specimen: Specimen, energy: float) -> Turning:
        """The particle's amplitude at `energy` [eV], for every pixel and shot."""
        q, _ = scattering_vectors(tuple(self.detector.shape), self.detector.pixel, self.distance, energy)
        q_max = float(np.sqrt((q**2).sum(axis=-1).max())) * (1 + BAND)
        vectors = float(q[..., 0].size) * self.shots * (1 if self.pulse is None else self.pulse.lines)
        return turning(specimen, energy, q_max, vectors=vectors, tolerance=self.tolerance, way=self.amplitude)

    @property
    def fluence(self) -> float:
        """Photons per area in (the middle of) the focus for one (mean) shot [1/m^2]."""
        if self.pulse is not None:
            return self.pulse.peak_fluence(self.energy)
        return float(self.flux * self.exposure_time / (np.pi * self.focus**2 / 4))

    def geometry(self) -> dict[str, Any]:
        """Distances and pixel sizes [m], beam centre [pixels], fluence [1/m^2]."""
        ny, nx = self.detector.shape
        return {
            "detector_distance [m]": self.distance,
            "pixel [m]": self.detector.pixel,
            "beam_center_x [pixel]": float(nx // 2),
            "beam_center_y [pixel]": float(ny // 2),
            "beam_stop_diameter [m]": self.beam_stop,
            **light_geometry(self),
            "fluence [1/m^2]": self.fluence,
            "energy [eV]": self.energy,
            "polarisation": self.polarisation,
        }


@dataclass(frozen=True, eq=False)
class PreparedSingleParticle:
    """The instrument, the particle, its orientations (shots, 4) and its amplitude at the instrument's energy."""

    instrument: SingleParticle
    specimen: Specimen
    orientations: FloatArray
    body: Turning
    others: Recent = field(default_factory=lambda: Recent(4))  #: lattices at other energies

    @cached_property
    def target(self) -> Target | None:
        """The particle that pulses damage."""
        return target_of(self.specimen)

    @property
    def frame_bytes(self) -> int:
        """Working memory of one frame: a few vectors and amplitudes of the detector."""
        return int(np.prod(self.instrument.detector.shape)) * 8 * 16

    def expose(self, frames: FrameTable) -> Exposure:
        """Expected photons (shots, 1, y, x)."""
        one = self.instrument
        expected = np.empty((len(frames), 1, *one.detector.shape))
        turns = rotations.from_quaternion(self.orientations[frames["shot"]])
        open_area, incident, energies = self._open(), np.empty(len(frames)), np.empty(len(frames))
        for i in range(len(frames)):
            shown = shot_picture(one, self.target, frames, i, self._body_in(turns[i]))
            expected[i, 0] = shown.expected * open_area
            incident[i], energies[i] = shown.photons, shown.energy
        return Exposure(expected, energies[:, None], self._axes(), frames, incident)

    def _body_in(self, turn: FloatArray) -> Body:
        """Scattered intensity per fluence and solid angle [m^2] of the particle turned by `turn` (3, 3), at q."""

        def intensity(q: FloatArray, energy: float, grown: float) -> FloatArray:
            # a particle that grows is asked for beyond the lattice
            body = self._body(energy) if grown == 1 else replace(self._body(energy), lattice=None)
            amplitude = body.amplitude(q * grown, turn)
            return np.asarray((amplitude.real**2 + amplitude.imag**2) * self._passed(energy))

        return intensity

    def _body(self, energy: float) -> Turning:
        """The amplitude at `energy` [eV]; one lattice serves photon energies within `BAND` of each other."""
        if energy == self.body.energy:
            return self.body
        if self.body.lattice is None:
            return replace(self.body, energy=energy)
        number = round(float(np.log(energy / self.body.energy)) / BAND)
        if number == 0:
            return self.body
        middle = self.body.energy * float(np.exp(number * BAND))
        found: Turning = self.others.get(number, lambda: self.instrument._turning(self.specimen, middle))
        return found

    def _passed(self, energy: float) -> float:
        """Share of the light that comes through the layers around the particle, which do not turn with it."""
        layers = self.specimen.layers
        pairs = zip(layers.materials, layers.thickness(Grid((1, 1), 1e-9), -np.inf, np.inf), strict=True)
        return float(np.exp(-sum(float(m.optics(energy).mu_total) * float(t[0, 0]) for m, t in pairs)))

    def _open(self) -> FloatArray:
        y, x = (axis.values for axis in self._axes())
        return np.asarray(np.hypot(y[:, None], x[None, :]) >= self.instrument.beam_stop / 2, np.float64)

    def _axes(self) -> tuple[Axis, Axis]:
        ny, nx = self.instrument.detector.shape
        pixel = self.instrument.detector.pixel
        return Axis("y", (np.arange(ny) - ny // 2) * pixel, "m"), Axis("x", (np.arange(nx) - nx // 2) * pixel, "m")

    def illuminate(self, frames: FrameTable) -> list[Illumination]:
        """The fluence of one shot, for every shot meets a fresh particle."""
        radius = max(reach(self.specimen), 1e-9)
        grid = Grid((64, 64), 2.2 * radius / 64)
        energies = list(dict.fromkeys(frames["energy"].tolist()))
        fluence = np.full(grid.shape, self.instrument.fluence)
        return [Illumination(energy, grid, fluence, pose=f"fresh particle at {energy:.6g} eV") for energy in energies]

    def truth(self) -> dict[str, Truth]:
        """The orientation of the particle in each shot."""
        shots = Axis("shot", np.arange(len(self.orientations)))
        quaternion = Axis("quaternion", np.array(["w", "x", "y", "z"]))
        one = self.instrument
        kept = kept_truth(one, self.target, [one.pulse]) if one.pulse is not None else {}
        return {"orientation": Truth(self.orientations, (shots, quaternion)), **shot_truth(one), **kept}

    def measured(self) -> dict[str, str]:
        """Single scattering and how near its limit; how amplitudes are found and how far from exact."""
        return {**born_note(self.specimen.populations, self.instrument.energy), **self.body.note()}

    def warn_if_undersampled(self) -> None:
        """Warn with the number where speckles are narrower than two pixels."""
        one = self.instrument
        diameter = 2 * reach(self.specimen)
        if diameter <= 0:
            return
        ratio = wavelength(one.energy) * one.distance / (one.detector.pixel * diameter)
        if ratio < 2:
            warnings.warn(
                f"single_particle: sampling ratio lambda z / (pixel x diameter) = {ratio:.3g}, limit 2; move the "
                f"detector to {one.distance * 2 / ratio:.3g} m or use pixels of {one.detector.pixel * ratio / 2:.3g} m",
                SamplingWarning,
                stacklevel=3,
            )

    def warn_beyond_linear(self) -> None:
        """Warn with the number where an atom absorbs so often that the particle does not stay undamaged."""
        one = self.instrument
        if one.damage is not None:
            return
        worst = 0.0
        for material in self.specimen.materials:
            atoms = sum(material.number_densities.values())
            worst = max(worst, float(material.optics(one.energy).mu_photo) / atoms * one.fluence)
        if worst > MAX_ABSORBED_PER_ATOM:
            warnings.warn(
                f"single_particle: {worst:.3g} photons absorbed per atom in one shot, limit {MAX_ABSORBED_PER_ATOM:g} "
                "for an undamaged particle; lower the flux, widen the focus or raise the energy",
                ValidityWarning,
                stacklevel=3,
            )
