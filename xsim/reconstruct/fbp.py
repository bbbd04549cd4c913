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

from typing import Literal

import numpy as np

from xsim.exposure import Array
from xsim.reconstruct._tomogram import Projections, Slices, Tomography, angle_weights


class Fbp(Tomography):
    """Filtered back projection of a tilt series. window: apodises the ramp filter against noise."""

    kind: Literal["fbp"] = "fbp"
    window: Literal["ramp", "shepp-logan", "cosine", "hamming", "hann"] = "ramp"

    def slices(self, data: Projections) -> Slices:
        """One slice after another."""
        from skimage.transform import iradon

        weights = angle_weights(data.theta)
        found = []
        for along in range(data.values.shape[1]):
            sinogram = np.ascontiguousarray(data.values[:, along].T)
            padded, before = square(sinogram * weights)
            image = iradon(padded, theta=data.theta, filter_name=self.window, circle=True)
            n = len(sinogram)
            found.append(image[before : before + n, before : before + n] / data.pixel)
        return np.stack(found), {}


def square(sinogram: Array) -> tuple[Array, int]:
    """A sinogram (n, tilts) widened so that the circle it describes holds the whole n x n slice; rows added before.

    The edge is continued, which for matter that reaches beyond the field is better than a step to nothing. The middle
    stays at pixel n//2 of either.
    """
    n = len(sinogram)
    wide = int(np.ceil(np.sqrt(2) * n)) + 2
    before = wide // 2 - n // 2
    return np.pad(sinogram, ((before, wide - n - before), (0, 0)), mode="edge"), before
