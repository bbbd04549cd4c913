"""Ptychography: a coherent spot steps over the specimen with overlap; a far-field pattern is recorded at every point.

    N_j(u) = flux * time * sum_n |F[psi_n(r - r_j) t(r)](u)|^2,    sum over all u: the photons transmitted

psi_n are the modes of the focal (or pinhole) amplitude, their squares summing to 1 (one mode for a point source; the
coherent modes of a finite source image otherwise), t the specimen's transmission and r_j the point of the specimen
that the beam axis meets in frame j (columns x, y: the commanded points; `motion` tells where the stage really goes).
The detector's pixel L and distance D fix the pixel of the reconstruction, dx = lambda D/(n L), n pixels across;
frames show the detector's pixels, zero angle at pixel (ny//2, nx//2). Waves are sampled finer than dx by as much as the
probe's band asks, so that light scattered beyond the detector is lost and does not fold back; the thickness of the
specimen is averaged over dx/`samples`, and the damping by that average undone (`_scan_wave`, `_object`).

A bandwidth adds the patterns of its lines as intensities. Each line falls on the same detector pixels, so it has a
pixel dx proportional to its wavelength, its own object and its own probe: a zone plate focuses the line E + dE further
on by f dE/E. The specimen's index follows the line; the efficiency of the zone plate does not.

Range of validity. Fraunhofer diffraction and small angles; intensity at the centre of a pixel times its solid angle,
so the window lambda D/L must hold the probe twice (a SamplingWarning names the ratio). Specimens thicker than 4
d^2/lambda, d the half period at the edge of the detector, need several slabs: `model = "auto"` chooses, and forcing
"projection" then warns. Each slab acts at its middle and the wave travels between them by the angular spectrum.
References: Rodenburg & Maiden, Springer Handbook of Microscopy (doi 10.1007/978-3-030-00069-1_17); Pfeiffer, Nature
Photonics 12, 9 (doi 10.1038/s41566-017-0072-5); overlap: Bunk et al., Ultramicroscopy 108, 481 (doi
10.1016/j.ultramic.2007.08.003); modes: Thibault & Menzel, Nature 494, 68 (doi 10.1038/nature11806).
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xsim.detectors.photon_counter import PhotonCounter
from xsim.errors import RangeError, told_as
from xsim.exposure import Axis, FrameTable
from xsim.instruments import _ptychography_checks as checks
from xsim.instruments._far_field import far_field_geometry, object_pixel
from xsim.instruments._imaging import ImagingDetector
from xsim.instruments._ladder import Ladder, SlabError
from xsim.instruments._motion import Motion
from xsim.instruments._points import fermat_points, raster_points
from xsim.instruments._ptychography_prepared import PtychographyPrepared
from xsim.model import Model
from xsim.optics.pinhole import Pinhole
from xsim.optics.pupil import check_aperture
from xsim.optics.zone_plate import ZonePlate
from xsim.sources.bandwidth import Bandwidth
from xsim.specimen.specimen import Specimen
from xsim.units import Energy, Length, NonNegativeLength, PositiveLength, Rate, Time
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]

#: frames that are worked out to find the brightest pixel before a run
_TRIED = 5


def _counter() -> PhotonCounter:
    return PhotonCounter.model_validate({"shape": (128, 128)})


class Ptychography(Model):
    """A scanning diffraction microscope; frames are the scan points (columns x, y [m]), one axis `point`.

    field: scanned width and height (x, y) [m]; step: mean distance of neighbours [m]; pattern: "fermat" spiral or
    "raster". defocus: of the specimen's middle (z = 0) downstream of the zone plate's focus [m]. pinhole: used
    instead of the zone plate where given. source_image: FWHM (x, y) of the source's image on the specimen [m], 0 for
    full coherence; mode_loss: share of the light in the weak modes that are left out. distance: specimen to detector
    [m]. samples: of the specimen along a pixel of the reconstruction. flux: on the specimen [photons/s]. slab_error:
    share of the light at the detector's edge that slabs of a thick specimen may get wrong, 5 % unless given.
    """

    kind: Literal["ptychography"] = "ptychography"
    energy: Energy = 6200.0
    flux: Rate = 1e8
    exposure_time: Time = 0.1
    field: tuple[PositiveLength, PositiveLength] = (1e-6, 1e-6)
    step: PositiveLength = 300e-9
    pattern: Literal["fermat", "raster"] = "fermat"
    motion: Motion = Motion()
    zone_plate: ZonePlate = ZonePlate(outermost_zone="50 nm", diameter="100 um", thickness="700 nm")
    defocus: Length = 250e-6
    pinhole: Pinhole | None = None
    source_image: tuple[NonNegativeLength, NonNegativeLength] = (0.0, 0.0)
    mode_loss: Annotated[float, Field(gt=0, le=0.1)] = 1e-3
    bandwidth: Bandwidth = Bandwidth()
    distance: PositiveLength = 1.0
    samples: Annotated[int, Field(ge=1, le=8)] = 4
    model: Ladder = "auto"
    slab_error: SlabError = None
    detector: ImagingDetector = Field(default_factory=_counter)

    def frames(self) -> FrameTable:
        """One row per scan point with its commanded position on the specimen: columns x, y [m]."""
        y, x = self._points()
        table = FrameTable.single(self.energy, self.exposure_time)
        return table.outer(Axis("point", np.arange(len(x))), {"x": x, "y": y}, {"x": "m", "y": "m"})

    def prepare(self, specimen: Specimen) -> PtychographyPrepared:
        """Sample the object on the grid that `energy` and the detector fix. Raises SamplingError; may warn."""
        prepared = PtychographyPrepared(self, specimen, 8 * math.prod(self.detector.shape))
        spot = np.sum(np.abs(prepared.probes(self.energy)) ** 2, axis=0)
        grid = Grid(spot.shape, self.pixel(self.energy))
        checks.check_probe(self, spot, grid)
        checks.check_fly(self, spot, grid)
        checks.check_field(self, specimen)
        frames = self.frames()
        some = np.unique(np.linspace(0, len(frames) - 1, _TRIED).astype(int))
        checks.check_brightness(self, prepared.expose(frames.take(some)).expected)
        return prepared

    def geometry(self) -> dict[str, Any]:
        """Distance, pixels and beam centre of the detector, pixel of the reconstruction, spread of the energy."""
        return far_field_geometry(self.detector, self.distance, self.energy) | self.bandwidth.geometry(self.energy)

    def pixel(self, energy: float) -> float:
        """Pixel [m] of the reconstruction, lambda D / (n L)."""
        return object_pixel(self.detector, self.distance, energy)

    def check_energy(self, energy: float) -> None:
        """Raise SamplingError where the detector at `energy` [eV] cannot hold the probe."""
        n = max(self.detector.shape)
        self.probe(energy, Grid((2 * n, 2 * n), self.pixel(energy) / 2), energy)

    def probe(self, energy: float, window: Grid, nominal: float) -> NDArray[np.complex128]:
        """Amplitude (ny, nx) of a point source at z = 0 on `window`, centred, its squares summing to 1 less what the
        rim of a pinhole scatters beyond the window's band.

        energy: of a line [eV]; nominal: the energy [eV] for which the zone plate stands `defocus` off.
        """
        wider = "move the detector away, or use smaller pixels of it: the window is lambda distance / pixel"
        if self.pinhole is not None:
            finer = "use a larger pinhole.distance, or a wider detector: a sample is lambda distance / its width"
            with told_as({"grid": ("pinhole.diameter", wider), "pixel": ("pinhole.distance", finer)}):
                self.pinhole.probe(window, energy)  # refuses and warns
            return self.pinhole.banded(window, energy)
        self.zone_plate.check(energy)
        n = max(self.detector.shape)
        aperture = float(self.zone_plate.numerical_aperture(energy))
        further = self.zone_plate.focal_length(energy) - self.zone_plate.focal_length(nominal)
        closer = "move the detector closer, or use a wider one: a sample is lambda distance / its width"
        with told_as({"grid": ("distance", wider), "pixel": ("distance", closer)}):
            check_aperture(Grid((n, n), self.pixel(energy)), energy, aperture)
            return np.asarray(self.zone_plate.probe(window, energy, float(self.defocus - further)))

    def _points(self) -> tuple[FloatArray, FloatArray]:
        if self.pattern == "fermat":
            if self.step > min(self.field):
                limit = f"<= the field, {min(self.field):g} m"
                raise RangeError("scan step", field="step", value=f"{self.step:g} m", allowed=limit, cure="scan finer")
            return fermat_points(self.field, self.step)
        y, x = raster_points(self.field, self.step)
        yy, xx = np.meshgrid(y, x, indexing="ij")
        return yy.ravel(), xx.ravel()
