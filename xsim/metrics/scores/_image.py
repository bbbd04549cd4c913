"""What every score of an image says: which image, which part of it, and under what name its number is kept."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from xsim.errors import RangeError
from xsim.exposure import Array, Axis
from xsim.model import Model
from xsim.units import Length, PositiveLength


class ImageScore(Model):
    """A number found in one image.

    name: of the number. of: the noise-free expectation, or what the detector counted (over its flat field). frame:
    number of the image in a scan. at: middle (x, y) [m] of the part that counts; size: its width and height [m], the
    whole image without it.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$")]
    of: Literal["expected", "counts"] = "expected"
    frame: Annotated[int, Field(ge=0)] = 0
    at: tuple[Length, Length] = (0.0, 0.0)
    size: tuple[PositiveLength, PositiveLength] | None = None

    def numbers(self, image: Array, pixel: float) -> dict[str, float]:
        """The scores of the part that counts, an image (ny, nx) of `pixel` [m]: {what it adds to `name`: number}."""
        raise NotImplementedError

    def __call__(self, image: Array, axes: tuple[Axis, Axis]) -> dict[str, float]:
        """The scores of an image with its axes (y, x) [m]. Raises RangeError if the part is not in it."""
        y, x = (np.asarray(axis.values, np.float64) for axis in axes)
        pixel = float(x[1] - x[0])
        part, centre = [], []
        for values, middle, width in zip((y, x), self.at[::-1], (self.size or (0, 0))[::-1], strict=True):
            half = width / 2 if width else np.inf
            inside = np.flatnonzero(np.abs(values - middle) <= half + 1e-6 * pixel)
            if len(inside) < 2 or not values[0] <= middle <= values[-1]:
                allowed = f"{values[0]:.4g} to {values[-1]:.4g} m, and at least two pixels wide"
                raise RangeError("part of an image", field="at", value=f"{middle:.4g} m", allowed=allowed)
            part.append(slice(int(inside[0]), int(inside[-1]) + 1))
            centre.append(int(np.argmin(np.abs(values - middle))))
        if self.size is None:  # as large as it can be about the middle
            reach = [min(c, len(v) - 1 - c) for c, v in zip(centre, (y, x), strict=True)]
            part = [slice(c - r, c + r + 1) for c, r in zip(centre, reach, strict=True)]
        values = np.asarray(image, np.float64)[part[0], part[1]]
        return {f"{self.name}{more}": number for more, number in self.numbers(values, pixel).items()}
