"""Single-particle imaging: one diffraction pattern per shot, each of a fresh copy of the particle, randomly oriented.

    N(pixel) = F T |f(R^T q, E)|^2 P dOmega,        q = k (s - z)  on the Ewald sphere

F is the fluence in the focus [photons/m^2] for one shot, f the Born amplitude of the specimen [m] (shapes against their
host, or atoms in vacuum), R the orientation of the shot, uniform over all rotations, P the polarisation factor, dOmega
the pixel's solid angle, T what comes through the layers around it (a jet, ice), which stay as they are. Every shot
meets a new particle, so the dose is that of one shot; without `damage`, fluences at which an atom absorbs more than one
photon in ten are flagged. With `hits`, particles of one shot add up coherently where pixels resolve their fringes.
Valid in the Born limit: the phase shift across the particle must stay well below 1 (a warning names it).

The orientations (quaternions w, x, y, z) follow from `orientation_seed` alone and are kept with the truth.

References: Neutze et al., Nature 406, 752 (2000), doi 10.1038/35021099; Loh & Elser, Phys. Rev. E 80, 026705 (2009),
doi 10.1103/PhysRevE.80.026705.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xsim.dose.damage import Damage
from xsim.exposure import Axis, FrameTable
from xsim.instruments._imaging import PlacedDetector
from xsim.instruments._ladder import warn_beyond_born
from xsim.instruments._shot_checks import warn_beyond_linear, warn_beyond_tables, warn_if_undersampled, warn_of_light
from xsim.instruments._shot_hits import flights
from xsim.instruments._shot_light import check_light, light_geometry, warn_if_wide
from xsim.instruments._shot_picture import alone, check_damage
from xsim.instruments._shot_pixels import module_geometry, pixels
from xsim.instruments._shot_prepared import PreparedSingleParticle, body_at
from xsim.model import Model
from xsim.sources.pulse import Pulse
from xsim.specimen.sizes import Size
from xsim.specimen.specimen import Specimen
from xsim.specimen.turning import Way, reach
from xsim.streams import StreamKey, generator
from xsim.units import Energy, NonNegativeLength, PositiveLength, Rate, Time

FloatArray = NDArray[np.float64]


class SingleParticle(Model):
    """Diffraction of single particles, a fresh one in every shot, in random orientations; frames are the shots.

    flux x exposure_time = photons per shot within the focus of diameter `focus` [m] (exposure_time is one over the
    repetition rate). `shots`: number of frames. `beam_stop`: diameter [m] at the detector. `orientation` "random", or
    "fixed" for the specimen as it stands. `particle`: name of the population that flies into the beam, alone; all
    together without. `pulse`: X-ray laser pulses (xsim.sources.pulse) instead of flux and focus; `damage`: what they do
    to the particle (xsim.dose.damage), nothing if it is left out. `amplitude`: "exact" at every
    orientation, from a "lattice" in q, or "auto", the cheaper one that keeps the relative `tolerance` (see
    xsim.specimen.turning; the error found is told). `hits`: mean number of particles in the focus, Poisson-distributed
    (see xsim.instruments._shot_hits; one in every shot unless given). `size`: how sizes vary from particle to particle.
    `keep_expected`: keep the noise-free pictures with the truth, for which a long stream has no room.
    """

    kind: Literal["single_particle"] = "single_particle"
    energy: Energy = 8_000.0
    flux: Rate = 2e10
    exposure_time: Time = 1 / 120
    focus: PositiveLength = 200e-9
    shots: Annotated[int, Field(ge=1)] = 4
    particle: str | None = None
    orientation: Literal["random", "fixed"] = "random"
    orientation_seed: int = 1
    distance: PositiveLength = 0.4
    beam_stop: NonNegativeLength = 1e-3
    detector: PlacedDetector = None
    polarisation: float = 1.0
    pulse: Pulse | None = None
    damage: Damage | None = None
    amplitude: Way = "auto"
    tolerance: Annotated[float, Field(gt=1e-8, lt=1)] = 1e-3
    hits: Annotated[float, Field(gt=0, le=1000)] | None = None
    size: Size = Size()
    keep_expected: bool = True

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

    def orientations(self, count: int | None = None) -> FloatArray:
        """Orientations of particles, one a shot unless `count` is given, quaternions (count, 4) w, x, y, z."""
        count = self.shots if count is None else count
        if self.orientation == "fixed":
            return np.tile([1.0, 0.0, 0.0, 0.0], (count, 1))
        rng = generator(StreamKey(self.orientation_seed, "single_particle/orientations"))
        normal = rng.standard_normal((count, 4))
        return np.asarray(normal / np.linalg.norm(normal, axis=1, keepdims=True))

    def prepare(self, specimen: Specimen) -> PreparedSingleParticle:
        """Check the particle's size against the sampling of its speckles; warns with the numbers."""
        specimen = alone(specimen, self.particle)
        met = flights(self, specimen)
        seen = pixels(self.detector, self.distance, self.beam_stop, self.polarisation)
        body = body_at(self, specimen, seen, self.energy, float(met.scale.max(initial=1.0)))
        prepared = PreparedSingleParticle(self, specimen, met, seen, body)
        warn_if_undersampled(self, specimen)
        warn_beyond_linear(self, specimen)
        warn_beyond_tables(self, specimen, seen)
        warn_of_light(self, prepared)
        warn_if_wide(self, reach(specimen))
        check_damage(self, prepared.target)
        warn_beyond_born(specimen.populations, self.energy, "raise the energy or use smaller particles")
        return prepared

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
            **module_geometry(self.detector),
        }
