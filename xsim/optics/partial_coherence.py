"""Images in partially coherent light by whichever way is faster: Abbe's sum, or Hopkins' modes of the same points.

Modes cost about a second to find and about as much as one of Abbe's sums to set up, and then a third of it or less an
image. They are kept, so they pay where many images share a setting, or where there are very many source points.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xsim.errors import RangeError, ValidityWarning
from xsim.optics._lattice import complex_of
from xsim.optics.hopkins import MOST_POINTS, Setting, hopkins_modes
from xsim.optics.imaging import abbe_image

#: what a scenario may ask for
Method = Literal["auto", "abbe", "hopkins"]

#: how far images by modes may be from Abbe's sum, relative to the incident light
TOLERANCE = 2e-3
#: samples of all source points' fields from which "auto" takes modes: some five seconds of Abbe's sum
_WORTH_MODES = 400 * 1024 * 1024


def partially_coherent_image(
    wave: NDArray[Any] | Callable[[tuple[float, float]], NDArray[Any]],
    setting: Setting,
    method: Method = "auto",
    tolerance: float = TOLERANCE,
) -> NDArray[np.float64]:
    """Image intensity (ny, nx), relative to the incident light.

    wave: as for `abbe_image`; a function of the tilt (a thick specimen) needs Abbe's sum. method: "hopkins" takes the
    modes that are within `tolerance` of Abbe's sum by their estimate, and warns, with the error, and falls back to
    Abbe's sum where there are none; "auto" takes them for thin specimens and very many source points. The choice
    depends on the setting alone. Raises RangeError for modes of a thick specimen, SamplingError as `abbe_image` does.
    """
    thick = callable(wave)
    if method == "hopkins" and thick:
        raise RangeError(
            "the light behind a thick specimen has no modes that serve all directions",
            field="imaging",
            value="hopkins",
            allowed="abbe, auto",
            cure='use imaging = "abbe"',
        )
    directions, weights = setting.condenser.directions()
    if not callable(wave) and (method == "hopkins" or (method == "auto" and _many(setting, len(weights)))):
        try:
            return hopkins_modes(setting, tolerance, complex_of(wave) == np.complex64).image(wave)
        except RangeError as error:
            if method == "hopkins":
                warnings.warn(f"Hopkins' modes: {error}; Abbe's sum is used", ValidityWarning, stacklevel=2)
    return abbe_image(
        wave, setting.grid, setting.energy, setting.objective, directions, weights, defocus=setting.defocus
    )


def _many(setting: Setting, points: int) -> bool:
    return points <= MOST_POINTS and points * math.prod(setting.lattice().shape) >= _WORTH_MODES
