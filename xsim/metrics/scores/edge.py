"""10-90 % distance of an edge through the middle of the part (`xsim.metrics.edge`)."""

from __future__ import annotations

from typing import Literal

from xsim.exposure import Array
from xsim.metrics.edge import edge_profile, edge_response
from xsim.metrics.scores._image import ImageScore
from xsim.units import Angle


class EdgeScore(ImageScore):
    """10-90 % distance of an edge [m], as NAME, with the nearest Gaussian's standard deviation as NAME_sigma.

    angle: of the direction across the edge, from x towards y [rad].
    """

    kind: Literal["edge"] = "edge"
    angle: Angle = 0.0

    def numbers(self, image: Array, pixel: float) -> dict[str, float]:
        """The distance and the standard deviation."""
        found = edge_response(*edge_profile(image, pixel, self.angle))
        return {"": found.width, "_sigma": found.sigma}
