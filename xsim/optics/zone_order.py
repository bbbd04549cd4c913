"""A higher order of a zone plate as the lens that forms an image.

    NA_m = m lambda/2dr,    f_m = D dr/(m lambda),    W_m = m W_1

The m-th order focuses light of m times the energy where the first order focuses the light itself, through the same
cone. Wavefront errors of misplaced zones grow with the order. Valid as for `xsim.optics.zone_plate`. Reference:
Attwood, Soft X-Rays and Extreme Ultraviolet Radiation (doi 10.1017/CBO9781139164429), ch. 9.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.optics.pupil import Lens, annulus_at
from xsim.optics.zone_plate import ZonePlate


@dataclass(frozen=True)
class ZoneOrder:
    """The diffraction `order` (1, 3, 5 ...) of a zone plate."""

    plate: ZonePlate
    order: int

    def numerical_aperture(self, energy: Any) -> Any:
        """Sine of the steepest ray of this order: m lambda/2dr."""
        return self.order * self.plate.numerical_aperture(energy)

    def pupil_at(
        self, qx: Any, qy: Any, energy: float, defocus: float = 0.0, dtype: Any = np.complex128
    ) -> NDArray[Any]:
        """The pupil at transverse wave vectors qx, qy [rad/m], as `imaging.abbe_image` wants it."""
        return annulus_at(qx, qy, energy, self._lens(energy), defocus, dtype)

    def blur(self, energy: float, defocus: float = 0.0) -> float:
        """How far off the axis [m] rays land in the plane `defocus` [m] downstream."""
        return self._lens(energy).reach(energy, defocus)

    def _lens(self, energy: float) -> Lens:
        errors = self.plate.aberrations
        waves = {name: self.order * getattr(errors, name) for name in ("spherical", "astigmatism", "coma")}
        aperture = float(self.numerical_aperture(energy))
        return Lens(aperture, self.plate.central_stop, errors.model_copy(update=waves))
