"""Finest half-period that a Siemens star shows with a given contrast (`xsim.metrics.modulation.star_contrast`)."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from xsim.exposure import Array
from xsim.metrics.modulation import resolved, star_contrast
from xsim.metrics.scores._image import ImageScore
from xsim.units import PositiveLength


class StarScore(ImageScore):
    """Finest half-period [m] of a star of `spokes` whose contrast is `threshold` or more; none if there is none.

    coarsest: half-period [m] to begin with. The star's middle is that of the part (`at`).
    """

    kind: Literal["siemens_star"] = "siemens_star"
    spokes: Annotated[int, Field(ge=3)]
    coarsest: PositiveLength
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.1

    def numbers(self, image: Array, pixel: float) -> dict[str, float]:
        """The half-period."""
        half = np.arange(pixel, self.coarsest, pixel / 4)
        found = resolved(*star_contrast(image, pixel, self.spokes, half * self.spokes / np.pi), self.threshold)
        return {"": np.nan if found is None else found}
