"""Condensers: the light as mutually incoherent source points in the pupil.

A condenser fills a disk of radius sigma (in units of the objective's numerical aperture), less its inner part for a
hollow cone. Each point lights the specimen with one plane wave, and the images add as intensities (Abbe).

Koehler illumination lights the field evenly. Critical illumination images the source onto the specimen: the coherence
is the same wherever the source's image is broader than the condenser's resolution lambda/(2 sigma NA) (Hopkins), but
the light varies over the field as that image, blurred by the condenser:

    J(r1, r2) = sqrt(S(r1) S(r2)) sum_s w_s exp[i k NA s.(r1 - r2)],    S = source image * |F^-1 condenser pupil|^2

so the waves are multiplied by sqrt(S). For a Gaussian image 3, 5, 8 times as wide as that resolution, images are within
0.015, 0.008, 0.004 of the sum over the points of the source. The mean of S over the field is 1.

A condenser zone plate with a central stop gives a hollow cone: sigma = dr_objective/dr_condenser, inner = sigma times
its stop, whatever the energy, because both apertures are lambda/2dr (order 1); sigma = 1 is a matched pair.

The points are a golden-angle spiral of cells of equal area. The share of the source that passes a shifted pupil, which
is what sets the contrast of gratings, is then wrong by about n^-3/4 at worst (0.03 for 100 points) and a fifth of that
in the root mean square; no set of points does better than that power for areas with round edges (Beck, doi
10.1007/BF02392553). References: Born & Wolf, Principles of Optics, ch. 10.6; Hopkins, doi 10.1098/rspa.1953.0071.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from xsim.constants import wavelength
from xsim.errors import RangeError, SamplingWarning, ValidityWarning
from xsim.model import Model
from xsim.optics.source_image import SourceImage, lit_field
from xsim.optics.zone_plate import ZonePlate
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]

#: the widest cone over the objective's numerical aperture
_WIDEST = 4.0
#: widths of the source's image over the condenser's resolution from which the light is locally that of an even source
_BROAD = 3.0


class Condenser(Model):
    """A disk or annulus of source points of equal area; sigma = 0 is coherent illumination along the axis."""

    #: outer radius over the objective's numerical aperture
    sigma: float = Field(default=0.5, ge=0, le=_WIDEST)
    #: inner radius of a hollow cone in the same unit
    inner: float = Field(default=0.0, ge=0)
    #: how many source points; each costs one transform of the image
    points: int = Field(default=100, ge=1, le=100000)
    #: a condenser zone plate, which gives sigma and inner by its outermost zone and central stop
    zone_plate: ZonePlate | None = None
    #: the source's image on the specimen (critical illumination); even light without it (Koehler)
    critical: SourceImage | None = None
    #: how wrong the contrast of a grating may be before too few points are warned of
    tolerance: float = Field(default=0.1, gt=0, le=1)

    @model_validator(mode="after")
    def _hollow(self) -> Condenser:
        if self.inner > self.sigma or (self.inner == self.sigma > 0 and self.points < 2):
            raise RangeError("inner radius of the condenser", field="inner", value=self.inner, allowed="<= sigma")
        if self.critical is not None and self.sigma == 0:
            cure = "give it an aperture, or leave out critical"
            raise RangeError("a condenser that images the source", field="sigma", value=0, allowed="> 0", cure=cure)
        fields = type(self).model_fields
        if self.zone_plate is not None:
            for name in ("sigma", "inner"):
                value = getattr(self, name)
                if value != fields[name].default:
                    cure = f"leave out {name}, or zone_plate"
                    raise RangeError("given twice: the zone plate says it", field=name, value=value, cure=cure)
        return self

    @property
    def error(self) -> float:
        """About the largest error of the share of the source that any shifted pupil sees, 0 for a single direction."""
        return 0.0 if self.sigma == 0 and self.zone_plate is None else self.points**-0.75

    def before(self, objective: ZonePlate) -> Condenser:
        """This condenser with its sigma and inner for `objective`. Raises RangeError for too wide a cone."""
        if self.zone_plate is None:
            return self
        sigma = objective.outermost_zone / self.zone_plate.outermost_zone
        if sigma > _WIDEST:
            raise RangeError(
                "the condenser's aperture over the objective's",
                field="condenser.zone_plate.outermost_zone",
                value=f"{sigma:.3g}",
                allowed=f"<= {_WIDEST:g}",
                cure=f"use zones of {objective.outermost_zone / _WIDEST:.3g} m or more",
            )
        cone = {"sigma": sigma, "inner": sigma * self.zone_plate.central_stop, "zone_plate": None}
        return self.model_copy(update=cone)

    def check(self, energy: float, numerical_aperture: Any) -> None:
        """Warn where there are too few points for `tolerance`, or the source's image is too small to treat as even.

        numerical_aperture: of the objective; ask a condenser with a zone plate `before` it.
        """
        if self.error > self.tolerance:
            wanted = math.ceil(self.tolerance ** (-4 / 3))
            warnings.warn(
                f"condenser.points {self.points}: the share of the light that passes with an order of a grating is "
                f"wrong by up to {self.error:.2g}, condenser.tolerance is {self.tolerance:.2g}; use {wanted} points",
                SamplingWarning,
                stacklevel=4,
            )
        if self.critical is not None:
            resolution = float(wavelength(energy) / (2 * self.sigma * numerical_aperture))
            if min(self.critical.width) < _BROAD * resolution:
                warnings.warn(
                    f"condenser.critical.width {min(self.critical.width):.3g} m is not broad against the condenser's "
                    f"resolution of {resolution:.3g} m: the coherence changes within it; use {_BROAD * resolution:.3g} "
                    "m or more",
                    ValidityWarning,
                    stacklevel=4,
                )

    def directions(self) -> tuple[FloatArray, FloatArray]:
        """Directions (n, 2) x, y in units of the objective's numerical aperture, and weights (n,) summing to 1.

        No two points line up, so gratings of any direction see them all. Ask a condenser with a zone plate `before`.
        """
        if self.zone_plate is not None:
            raise RangeError("a condenser zone plate needs its objective", field="zone_plate", cure="use before()")
        if self.sigma == 0 or self.points == 1:
            return np.zeros((1, 2)), np.ones(1)
        cell = np.arange(self.points) + 0.5
        radius = np.sqrt(self.inner**2 + (self.sigma**2 - self.inner**2) * cell / self.points)
        angle = np.pi * (3 - np.sqrt(5)) * cell
        directions = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
        return directions, np.full(self.points, 1 / self.points)

    def light(self, grid: Grid, width: float, energy: float, numerical_aperture: Any) -> FloatArray | None:
        """Intensity (ny, nx) on the specimen over its mean in the central square of `width` [m]; None where it is even.

        numerical_aperture: of the objective. Raises RangeError if the source's image leaves the field dark.
        """
        if self.critical is None:
            return None
        cone = (self.inner * float(numerical_aperture), self.sigma * float(numerical_aperture))
        return lit_field(self.critical, grid, width, energy, cone)
