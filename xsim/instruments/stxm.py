"""Scanning transmission X-ray microscopy: a focused spot steps over the specimen, the light behind it is counted.

All transmitted light on one detector (the default): no interference survives, so the image is the incoherent
convolution, exact in the projection approximation, and one convolution per energy gives every point of a map at once:

    N(r) = flux time sum_r' |p(r' - r)|^2 exp(-sum_m mu_m(E) t_m(r'))

Segments (rings and sectors of the far field: bright field, dark field, quadrants for differential phase contrast), or a
specimen thicker than the depth of focus: the wave picture, point by point,

    N_s(r) = flux time sum_q D_s(q) |F[p(r' - r) t(r')](q)|^2,      t carried from slab to slab if it is thick

p is the focal amplitude on the specimen, its squares summing to 1, t_m the thickness of material m and mu_m its total
attenuation. `geometry` tells the route ("convolution" or "far field"); `model` forces it: "projection" or
"multislice", else "auto" follows the validity ladder (one slab up to 4 d^2/lambda, d = lambda/2NA). `slab_error` is the
share of the light at d that slabs may get wrong (5 %).

The light. `flux` is that of the focal spot at `energy`; at the other energies of a scan it follows what the optic
passes (the reflectivity of the mirrors, the efficiency of the zones). A zone plate (with `aberrations` and a central
stop) is lit coherently over its whole aperture; `source_image` blurs its focus, as the coherent modes of that source
in the wave picture. A `bandwidth` adds its lines, the zone plate's focus moving with the energy. By default the optic
is refocused at every energy; with `focus_energy` it stays where that energy is in focus. `mirrors` are used instead of
the zone plate where given, with their figure errors and source; their focus does not move. `order_sorting` follows the
unfocused orders that an aperture lets through as a halo, in counts and dose; left out, all orders but the first are
taken to be stopped. `harmonics` of the monochromator share the spot with the wanted light (a mirror's focus is the same
for all energies, and the n-th order of a zone plate focuses the n-th harmonic there); only the convolution follows
them. `monitor` counts the beam before the specimen: I0 with its noise.
`motion`: jitter, drift, and flying along x during the exposure; files carry the commanded positions.

Thickness is averaged over samples of 1/32 to 1/8 of the finest period of the spot (the finest for which 1024 a side
suffice; 1/6 of lambda/NA in the wave picture), so an opaque edge moves out by about half a sample. A thin specimen off
the plane z = 0 is met by the spot as wide as it is there.

Combine with the scan `energies` for a spectroscopic stack: the geometry is sampled once for all energies.
References: Jacobsen, X-ray Microscopy (doi 10.1017/9781139924542), ch. 4; Kirz, Jacobsen & Howells, Q. Rev. Biophys.
28, 33 (doi 10.1017/S0033583500003139); reciprocity with full field: Zeitler & Thomson, Optik 31, 258 (1970); phase
contrast: Hornberger et al., doi 10.1107/S0909049508008509.
"""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from xsim.constants import wavelength
from xsim.detectors.monitor import Monitor
from xsim.detectors.photon_counter import PhotonCounter
from xsim.errors import RangeError, SamplingWarning, ValidityWarning
from xsim.exposure import FrameTable
from xsim.instruments._field_of_view import warn_of_cut
from xsim.instruments._imaging import CountingDetector
from xsim.instruments._ladder import Ladder, SlabError, slab_cut
from xsim.instruments._motion import Motion
from xsim.instruments._optic_flux import check_passes
from xsim.instruments._segments import Segments
from xsim.instruments._stxm_convolved import StxmPrepared
from xsim.instruments._stxm_light import Light, instrument_frames
from xsim.instruments._stxm_wave import StxmWavePrepared
from xsim.instruments._stxm_window import fitting
from xsim.interaction.validity import structured_middle
from xsim.model import Model
from xsim.optics.kirkpatrick_baez import KirkpatrickBaez
from xsim.optics.order_sorting import OrderSortingAperture
from xsim.optics.zone_plate import ZonePlate
from xsim.sources.bandwidth import Bandwidth
from xsim.sources.harmonics import Harmonics
from xsim.specimen.specimen import Specimen
from xsim.units import Energy, Length, NonNegativeLength, PositiveLength, Rate, Time


class Stxm(Model):
    """A scanning transmission microscope; frames are the scan points, axes y (slow) and x.

    field: scanned width and height (x, y) [m]; step [m]; exposure_time: per point [s]; flux: in the spot [photons/s].
    mirrors: used instead of the zone plate where given. defocus: of the plane z = 0 downstream of the focus [m].
    source_image: FWHM (x, y) [m] of the source's image in a zone plate's focus. segments: of the detector; left out, it
    takes all transmitted light.
    """

    kind: Literal["stxm"] = "stxm"
    energy: Energy = 520.0
    flux: Rate = 1e8
    exposure_time: Time = 1e-3
    field: tuple[PositiveLength, PositiveLength] = (1e-6, 1e-6)
    step: PositiveLength = 25e-9
    zone_plate: ZonePlate = ZonePlate()
    order_sorting: OrderSortingAperture | None = None
    mirrors: KirkpatrickBaez | None = None
    source_image: tuple[NonNegativeLength, NonNegativeLength] = (0.0, 0.0)
    bandwidth: Bandwidth = Bandwidth()
    harmonics: Harmonics = Harmonics()
    monitor: Monitor | None = None
    defocus: Length = 0.0
    focus_energy: Energy | None = None
    motion: Motion = Motion()
    segments: Segments | None = None
    model: Ladder = "auto"
    slab_error: SlabError = None
    detector: CountingDetector = Field(default_factory=PhotonCounter)

    @model_validator(mode="after")
    def _one_optic(self) -> Stxm:
        for name, given in (("order_sorting", self.order_sorting), ("source_image", max(self.source_image))):
            if self.mirrors is not None and given:
                cure = "leave it out; mirrors have no other orders, and tell their own source_size and source_distance"
                raise RangeError(f"{name} belongs to a zone plate, and there are mirrors", field=name, cure=cure)
        return self

    def frames(self) -> FrameTable:
        """One row per scan point with its commanded position on the specimen: columns x, y [m]."""
        return instrument_frames(self)

    def prepare(self, specimen: Specimen) -> StxmPrepared | StxmWavePrepared:
        """Sample the thickness of every material once. Raises SamplingError, RangeError; may warn."""
        if self.mirrors is None:
            self.zone_plate.check(self.energy)
        warn_of_cut(specimen, *self.field)
        light = Light(self, structured_middle(specimen))
        check_passes(light.optic, self.energy, "zone_plate" if self.mirrors is None else "mirrors")
        room = partial(fitting, light, specimen)
        slabs = slab_cut(self.model, specimen, self.energy, self._resolved(light), self.slab_error, room)
        if self.segments is None and slabs.count == 1:
            return StxmPrepared.of(light, specimen)
        if self.harmonics.orders:
            raise RangeError(
                "harmonics in the wave picture",
                field="harmonics",
                value=", ".join(f"order {n}" for n in self.harmonics.orders),
                allowed="none",
                cure='leave them out, or take all light of a thin specimen: no segments, model = "projection"',
            )
        return StxmWavePrepared.of(light, specimen, slabs)

    def geometry(self) -> dict[str, Any]:
        """Step, focal length and spot; the cone of light, and the segments of the detector in it."""
        light, plate, mirrors = Light(self), self.zone_plate, self.mirrors
        found: dict[str, Any] = {
            "step [m]": self.step,
            "focal_half_period [m]": light.half_period(self.energy),
            "stxm_scan_type": "sample image",
            "defocus [m]": self.defocus,
        }
        if mirrors is not None:
            found["mirror_reflectivity"] = float(mirrors.reflectivity(self.energy))
            apertures = [mirrors.horizontal.numerical_aperture, mirrors.vertical.numerical_aperture]
        else:
            found["focal_length [m]"] = float(plate.focal_length(self.energy))
            apertures = [light.numerical_aperture(self.energy)] * 2
        found["cone [rad]"] = np.array(apertures)
        found["cone_shape"] = "round" if mirrors is None else "rectangular"
        found["cone_stop"] = plate.central_stop if mirrors is None else 0.0
        if self.segments is not None:
            found |= self.segments.geometry(max(apertures))
        return found | self.bandwidth.geometry(self.energy) | self.harmonics.geometry()

    def check_optic(self, energy: float, light: Light) -> None:
        """Raise RangeError or warn where aperture, harmonics, bandwidth or step do not fit `energy` [eV]."""
        plate = self.zone_plate
        self.harmonics.lines(energy)
        if self.order_sorting is not None:
            away = light.defocus(energy, energy)
            self.order_sorting.check(plate, energy, away)
            told = self.order_sorting.warning(plate, energy, away)
            if told:
                warnings.warn(told, ValidityWarning, stacklevel=3)
        limit = plate.largest_bandwidth()
        if self.mirrors is None and self.bandwidth.relative_width > limit:
            warnings.warn(
                f"the bandwidth of {self.bandwidth.relative_width:.3g} blurs the focus of a zone plate of "
                f"{plate.zone_count:.4g} zones (limit 1/N = {limit:.3g}) at {energy:.6g} eV; "
                "the blur is simulated; narrow the bandwidth, or use fewer zones",
                ValidityWarning,
                stacklevel=3,
            )
        wide = 2 * light.numerical_aperture(energy) * self.step / wavelength(energy)
        if wide > 4:
            warnings.warn(
                f"the step of {self.step:.3g} m leaves gaps between spots of {self.step / wide:.3g} m; use a step of "
                f"at most {4 * self.step / wide:.3g} m, or defocus the optic",
                SamplingWarning,
                stacklevel=3,
            )

    def _resolved(self, light: Light) -> float:
        """Half period [m] that the validity ladder must serve: of the light at the rim of the cone or detector."""
        ring = 1.0 if self.segments is None else max(1.0, self.segments.rings[-1])
        return float(wavelength(self.energy)) / (2 * light.numerical_aperture(self.energy) * ring)
