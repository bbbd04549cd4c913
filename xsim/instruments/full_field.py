"""Full-field transmission X-ray microscopy: a condenser lights the field, a zone plate images it onto a camera.

    N(pixel) = flux * time * (pixel / field)^2 * sum_i w_i eta_1(E_i) <I_i>_pixel
    I_i(r) = sum_s w_s | F^-1 { P(q + q_s) F{psi_s}(q) } |^2

Abbe's sum over the mutually incoherent points s of the condenser (a disk or annulus of radius sigma in units of the
objective's numerical aperture); psi_s is the wave behind the specimen lit by point s, P the zone plate's pupil with
its central stop, defocus, aberrations and phase ring, eta_1 the efficiency of its first order. An empty field gives
I = 1 where the condenser's whole cone enters the open pupil. The light is spread evenly over the square `field`, or,
with `critical` illumination, as the image of the source (`xsim.optics.condenser`); the zone plate loses light behind
the specimen, so the specimen's dose counts all of it. The image stands upright, on the specimen's scale. A hollow cone
is given by its radii, or by a condenser zone plate: condenser = { zone_plate = { outermost_zone = "50 nm",
central_stop = 0.8 } }.

Bandwidth. The lines E_i of the spectrum (`xsim.sources.bandwidth`) add as intensities, each with its own optical
constants, efficiency and focal length f = D dr/lambda, the microscope being focused for the nominal energy: a line dE
away is out of focus by f dE/E. A point on axis keeps Si(pi N dE/2E)/(pi N dE/2E) of its contrast in a rectangular
spectrum, 87 % at dE/E = 1/N (N zones), above which there is a warning. The camera takes all photons at the nominal
energy, as does the dose: their variance is too small by (rms dE/E)^2 at most.

Harmonics of the monochromator (`harmonics`) add images of their own at their own optical constants and efficiency: the
n-th order of the zone plate focuses the n-th one sharply, other orders m spread it over sigma D/2 |1 - m/n|, a haze
out of focus (`xsim.instruments._full_field_harmonics`). Shares are of the photons on the specimen; dose counts them.

Phase contrast. `phase_ring` advances and weakens the direct light in the objective's back focal plane
(`xsim.optics.phase_ring`): phase_ring = { advance = "90 deg", transmission = 0.3 }, or { material = "gold", thickness
= "136 nm" }; it takes the radii of a hollow-cone condenser such as { sigma = 0.5, inner = 0.45 } unless given its own.

Range of validity. Shift-invariant imaging (lateral colour, at most field/2 dE/E, is left out); other orders of the
zone plate are stopped. Specimens thicker than 4 d^2/lambda, d = lambda/[2 NA (1 + sigma)], need multislice:
`model = "auto"` chooses, and forcing "projection" then warns with the numbers; so does a thinner one that is wrong by
more than 25 %, or `slab_error`. Slabs are as thin as `slab_error` takes,
the share of the light at d that they may get wrong (5 %; with it, a projection is as good too), thinner where strong
bodies stand through many (`xsim.interaction.cutting`); a projection of such bodies is warned of. The thickness is
averaged over samples of 1/32 to 1/8 of the finest period that passes (coarser for larger fields and for multislice),
and the damping of that average is taken out again; `wave_pixel` sets the sample. Where phase or loss change abruptly
inside a sample, the transmission is averaged over 4 x 4 finer ones (`xsim.instruments._edges`): modulations of
opaque gratings are those of Hopkins' theory to 0.001 with samples of 1/16, to 0.003 with 1/8. The wave is periodic, its
border 8 outermost zones or more beyond the field, where bodies go over into those on the other side; it is made as wide
as fits a periodic specimen (`xsim.instruments._seam`). Of lines behind which no periodic ones follow, the field's edge
may be wrong by 1 to 2 % of the mean, 0.4 to 0.9 % 8 zones further in. By default the
objective is refocused at every energy; with `focus_energy` it stays where that energy is in focus, the focal length
being proportional to energy.
References: Attwood & Sakdinawat, X-Rays and Extreme Ultraviolet Radiation (doi 10.1017/CBO9781107477629), ch. 10;
Chao et al., Nature 435, 1210 (doi 10.1038/nature03719); Hopkins, doi 10.1098/rspa.1953.0071.
"""

from __future__ import annotations

import cmath
from typing import Annotated, Any, Literal

from pydantic import Field

from xsim.constants import wavelength
from xsim.detectors.camera import Camera
from xsim.exposure import FrameTable
from xsim.instruments._edges import Edges
from xsim.instruments._field_of_view import warn_of_cut
from xsim.instruments._full_field import FullFieldPrepared
from xsim.instruments._full_field_harmonics import Haze
from xsim.instruments._full_field_sampling import CLOSING, check, check_modes, wave_grid
from xsim.instruments._imaging import ImagingDetector
from xsim.instruments._ladder import Ladder, SlabError, room_for, slab_cut
from xsim.instruments._seam import Seam
from xsim.interaction import multislice
from xsim.model import Model
from xsim.optics.condenser import Condenser
from xsim.optics.imaging import Objective
from xsim.optics.partial_coherence import Method
from xsim.optics.phase_ring import PhaseRing, RingedLens
from xsim.optics.zone_order import ZoneOrder
from xsim.optics.zone_plate import ZonePlate
from xsim.sources.bandwidth import Bandwidth
from xsim.sources.harmonics import Harmonics
from xsim.specimen.specimen import Specimen
from xsim.units import Energy, Length, PositiveLength, Rate, Time
from xsim.waves.grid import Grid


class FullField(Model):
    """A full-field microscope; one frame per exposure (combine with tilts, energies, raster, repeats).

    flux: photons/s on the square `field` (width [m]) at the specimen. pixel: of the camera divided by the magnification
    [m]. defocus: the image shows the plane this far downstream of the specimen's middle (z = 0) [m]. phase_ring: in the
    objective's back focal plane, its radii those of the condenser unless given; none without it. imaging: "abbe", or
    by the modes of "hopkins", which serve thin specimens imaged often; "auto" takes these for very many source points.
    flats, darks: frames taken besides, without the specimen at each photon energy and without light.
    """

    kind: Literal["full_field"] = "full_field"
    energy: Energy = 520.0
    flux: Rate = 1e8
    exposure_time: Time = 0.2
    field: PositiveLength = 1e-6
    pixel: PositiveLength = 10e-9
    objective: ZonePlate = ZonePlate()
    condenser: Condenser = Condenser()
    imaging: Method = "auto"
    phase_ring: PhaseRing | None = None
    bandwidth: Bandwidth = Bandwidth()
    harmonics: Harmonics = Harmonics()
    defocus: Length = 0.0
    focus_energy: Energy | None = None
    model: Ladder = "auto"
    slab_error: SlabError = None
    wave_pixel: PositiveLength | None = None
    detector: ImagingDetector = Field(default_factory=Camera)
    flats: Annotated[int, Field(ge=0, le=10_000)] = 10
    darks: Annotated[int, Field(ge=0, le=10_000)] = 10

    def frames(self) -> FrameTable:
        """One image."""
        return FrameTable.single(self.energy, self.exposure_time)

    def prepare(self, specimen: Specimen) -> FullFieldPrepared:
        """Cut the specimen into as many slabs as it needs. Raises SamplingError; may warn."""
        check(self)
        warn_of_cut(specimen, self.field, self.field)
        half_period = self.finest_period(self.energy) / 2
        fits = lambda: room_for(wave_grid(self, 2, specimen)[0], specimen)  # noqa: E731
        slabs = slab_cut(self.model, specimen, self.energy, half_period, self.slab_error, fits)
        grid, bins = wave_grid(self, slabs.count, specimen, slabs.critical)
        check_modes(self, slabs.count, specimen, grid)
        seam = Seam.across(specimen, grid, CLOSING * self.objective.outermost_zone)
        cut = multislice.sample(specimen, seam.sampled(grid), slabs, energy=self.energy)
        edges = Edges.sample(specimen, cut, self.energy)
        return FullFieldPrepared(self, specimen, cut, bins, edges, seam, Haze.of(self, specimen))

    def geometry(self) -> dict[str, Any]:
        """Pixel at the specimen, magnification and focal length."""
        focal = float(self.objective.focal_length(self.energy))
        magnification = float(self.detector.pixel) / self.pixel
        found = {
            "pixel [m]": self.pixel,
            "magnification": magnification,
            "camera_pixel [m]": float(self.detector.pixel),
            "focal_length [m]": focal,
            "objective_to_camera [m]": focal * (1 + magnification),
            "fluence_per_second [1/m^2/s]": self.flux / self.field**2,
            "objective_efficiency": float(self.objective.efficiency(self.energy)),
            "finest_half_period [m]": self.finest_period(self.energy) / 2,
        }
        found |= self.bandwidth.geometry(self.energy) | self.harmonics.geometry()
        if self.phase_ring is not None:
            factor = self.phase_ring.factor(self.energy)
            found |= {
                "phase_ring_advance [rad]": -cmath.phase(factor) % (2 * cmath.pi),
                "phase_ring_transmission": abs(factor) ** 2,
            }
        return found

    def image_grid(self) -> Grid:
        """The camera's pixels at the specimen, round(field / pixel) a side."""
        n = max(1, round(self.field / self.pixel))
        return Grid((n, n), self.pixel)

    def focus_shift(self, energy: float, nominal: float | None = None) -> float:
        """How far downstream of z = 0 the plane lies that is in focus at `energy` [m].

        nominal: the energy that a frame is taken at, of which `energy` is a line of the spectrum [eV].
        """
        focused = self.focus_energy or nominal or energy
        lens = self.objective
        return self.defocus + float(lens.focal_length(focused) - lens.focal_length(energy))

    def finest_period(self, energy: float) -> float:
        """lambda / [NA (1 + sigma)]: nothing finer passes [m]."""
        return float(wavelength(energy) / (self.objective.numerical_aperture(energy) * (1 + self.cone().sigma)))

    def ring(self) -> PhaseRing | None:
        """The phase ring with its radii."""
        cone = self.cone()
        return None if self.phase_ring is None else self.phase_ring.fitted(cone.inner, cone.sigma)

    def cone(self) -> Condenser:
        """The condenser before this objective: its sigma and inner are known."""
        return self.condenser.before(self.objective)

    def lens(self, order: int = 1) -> Objective:
        """The objective, or a higher `order` of it, with what stands in its back focal plane."""
        ring, plate = self.ring(), self.objective if order == 1 else ZoneOrder(self.objective, order)
        return plate if ring is None else RingedLens(plate, ring)
