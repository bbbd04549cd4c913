"""Filtered back projection of a full-field tilt series: the linear attenuation coefficient mu(z, y, x) [1/m].

    mu(s, z) = integral over theta of [ -ln(I/I0) * ramp ](s cos theta - z sin theta)

The logarithm of each flat-normalised projection is filtered with a ramp (times a window) and smeared back, slice by
slice, about the middle of the image; each projection counts for the range of angles that it stands for. Exact for
parallel straight rays over a half turn; a missing wedge is left missing (mu too low, elongation along the beam), and
matter that leaves the field at some tilt (a layer) adds a smooth error. See `_tomogram` for the sense of the angles.

References: Kak & Slaney, Principles of Computerized Tomographic Imaging (doi 10.1137/1.9780898719277), ch. 3;
scikit-image, doi 10.7717/peerj.453.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from xsim.exposure import Array, Measurement
from xsim.model import Model
from xsim.reconstruct._data import refuse
from xsim.reconstruct._protocol import Reconstruction
from xsim.reconstruct._tomogram import angle_weights, objection, projections, volume


class Fbp(Model):
    """Filtered back projection of a tilt series. window: apodises the ramp filter against noise."""

    kind: Literal["fbp"] = "fbp"
    techniques: ClassVar[tuple[str, ...]] = ("full_field",)
    window: Literal["ramp", "shepp-logan", "cosine", "hamming", "hann"] = "ramp"

    def accepts(self, measurement: Measurement) -> str:
        """Why it cannot reconstruct this measurement; empty if it can."""
        return objection(measurement)

    def __call__(self, measurement: Measurement) -> Reconstruction:
        """The volume. Raises FileError if this is not a tilt series at one energy."""
        from skimage.transform import iradon

        refuse(measurement, self.kind, self.accepts(measurement))
        data = projections(measurement)
        weights = angle_weights(data.theta)

        def slice_of(sinogram: Array) -> Array:
            padded, before = square(sinogram * weights)
            image = iradon(padded, theta=data.theta, filter_name=self.window, circle=True)
            return np.asarray(image[before : before + len(sinogram), before : before + len(sinogram)] / data.pixel)

        values, axes = volume(data, slice_of)
        return Reconstruction(values, axes, "1/m", "attenuation by filtered back projection", "optical_density")


def square(sinogram: Array) -> tuple[Array, int]:
    """A sinogram (n, tilts) widened so that the circle it describes holds the whole n x n slice; rows added before.

    The edge is continued, which for matter that reaches beyond the field is better than a step to nothing. The middle
    stays at pixel n//2 of either.
    """
    n = len(sinogram)
    wide = int(np.ceil(np.sqrt(2) * n)) + 2
    before = wide // 2 - n // 2
    return np.pad(sinogram, ((before, wide - n - before), (0, 0)), mode="edge"), before
