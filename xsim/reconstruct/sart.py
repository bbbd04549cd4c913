"""Simultaneous algebraic reconstruction (SART) of a full-field tilt series: mu(z, y, x) [1/m].

Each projection in turn corrects the slice by its misfit smeared back along the rays, scaled by `relaxation`;
attenuation below zero is cut after each. It makes better use of few or unevenly spread tilts than filtered back
projection, at many times the cost. One or two iterations are usual: more fit the noise. See `_tomogram` for angles.

References: Andersen & Kak, Ultrasonic Imaging 6, 81 (1984), doi 10.1016/0161-7346(84)90008-7; scikit-image, doi
10.7717/peerj.453.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from xsim.exposure import Array, Measurement
from xsim.model import Model
from xsim.reconstruct._data import refuse
from xsim.reconstruct._protocol import Reconstruction
from xsim.reconstruct._tomogram import objection, projections, volume


class Sart(Model):
    """Algebraic reconstruction of a tilt series. positive: no attenuation below zero."""

    kind: Literal["sart"] = "sart"
    techniques: ClassVar[tuple[str, ...]] = ("full_field",)
    iterations: Annotated[int, Field(ge=1, le=1000)] = 2
    relaxation: Annotated[float, Field(gt=0, lt=2)] = 0.15
    positive: bool = True

    def accepts(self, measurement: Measurement) -> str:
        """Why it cannot reconstruct this measurement; empty if it can."""
        return objection(measurement)

    def __call__(self, measurement: Measurement) -> Reconstruction:
        """The volume, with the root mean square change of each iteration. Raises FileError as `fbp` does."""
        from skimage.transform import iradon_sart

        refuse(measurement, self.kind, self.accepts(measurement))
        data = projections(measurement)
        changes = np.zeros(self.iterations)

        def slice_of(sinogram: Array) -> Array:
            clip = (0.0, np.inf) if self.positive else None
            image: Any = None
            for number in range(self.iterations):
                new = iradon_sart(sinogram, theta=data.theta, image=image, relaxation=self.relaxation, clip=clip)
                changes[number] += float(np.mean((new - (0 if image is None else image)) ** 2))
                image = new
            return np.asarray(image / data.pixel)

        values, axes = volume(data, slice_of)
        change = np.sqrt(changes / data.values.shape[1]) / data.pixel
        return Reconstruction(
            values, axes, "1/m", "attenuation by SART", "optical_density", history={"rms change [1/m]": change}
        )
