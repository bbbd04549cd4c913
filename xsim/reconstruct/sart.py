"""Simultaneous algebraic reconstruction (SART) of a full-field tilt series: mu(z, y, x) [1/m].

Each projection in turn corrects the slice by its misfit smeared back along the rays, scaled by `relaxation`;
attenuation below zero is cut after each. It makes better use of few or unevenly spread tilts than filtered back
projection, at many times the cost. One or two iterations are usual: more fit the noise. See `_tomogram` for angles.

References: Andersen & Kak, Ultrasonic Imaging 6, 81 (1984), doi 10.1016/0161-7346(84)90008-7; scikit-image, doi
10.7717/peerj.453.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from xsim.reconstruct._tomogram import Projections, Slices, Tomography


class Sart(Tomography):
    """Algebraic reconstruction of a tilt series. positive: no attenuation below zero."""

    kind: Literal["sart"] = "sart"
    iterations: Annotated[int, Field(ge=1, le=1000)] = 2
    relaxation: Annotated[float, Field(gt=0, lt=2)] = 0.15
    positive: bool = True

    def slices(self, data: Projections) -> Slices:
        """One slice after another, with the root mean square change of each iteration."""
        from skimage.transform import iradon_sart

        changes, found = np.zeros(self.iterations), []
        clip = (0.0, np.inf) if self.positive else None
        for along in range(data.values.shape[1]):
            sinogram = np.ascontiguousarray(data.values[:, along].T)
            image: Any = None
            for number in range(self.iterations):
                new = iradon_sart(sinogram, theta=data.theta, image=image, relaxation=self.relaxation, clip=clip)
                changes[number] += float(np.mean((new - (0 if image is None else image)) ** 2))
                image = new
            found.append(image / data.pixel)
        change = np.sqrt(changes / data.values.shape[1]) / data.pixel
        return np.stack(found), {"rms change [1/m]": change}
