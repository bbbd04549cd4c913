"""Condensers: the illuminated pupil as mutually incoherent source points (critical or Koehler illumination).

A condenser fills a disk of radius sigma (in units of the objective's numerical aperture), less its inner part for a
hollow cone. Each point lights the specimen with one plane wave, and the images add as intensities (Abbe). Reference:
Born & Wolf, Principles of Optics, ch. 10.6; Hopkins, doi 10.1098/rspa.1953.0071.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from xsim.errors import RangeError
from xsim.model import Model

FloatArray = NDArray[np.float64]


class Condenser(Model):
    """A disk or annulus of source points of equal area; sigma = 0 is coherent illumination along the axis."""

    #: outer radius over the objective's numerical aperture
    sigma: float = Field(default=0.5, ge=0, le=4)
    #: inner radius of a hollow cone in the same unit
    inner: float = Field(default=0.0, ge=0)
    #: how many source points; each costs one transform of the image
    points: int = Field(default=100, ge=1, le=100000)

    @model_validator(mode="after")
    def _hollow(self) -> Condenser:
        if self.inner > self.sigma or (self.inner == self.sigma > 0 and self.points < 2):
            raise RangeError("inner radius of the condenser", field="inner", value=self.inner, allowed="<= sigma")
        return self

    def directions(self) -> tuple[FloatArray, FloatArray]:
        """Directions (n, 2) x, y in units of the objective's numerical aperture, and weights (n,) summing to 1.

        A golden-angle spiral of cells of equal area: no two points line up, so gratings of any direction see them
        all (modulations at sigma 0.38 within 0.02 with 100 points, 0.005 with 200).
        """
        if self.sigma == 0 or self.points == 1:
            return np.zeros((1, 2)), np.ones(1)
        cell = np.arange(self.points) + 0.5
        radius = np.sqrt(self.inner**2 + (self.sigma**2 - self.inner**2) * cell / self.points)
        angle = np.pi * (3 - np.sqrt(5)) * cell
        directions = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
        return directions, np.full(self.points, 1 / self.points)
