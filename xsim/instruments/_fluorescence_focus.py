"""The spot of a fluorescence microscope: its share in each pixel, the grid that holds its tails, its depth of focus."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavelength
from xsim.errors import ValidityWarning
from xsim.optics.kirkpatrick_baez import KirkpatrickBaez
from xsim.optics.zone_plate import ZonePlate
from xsim.specimen.specimen import Specimen
from xsim.waves.fft import good_size
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]

#: pixels per half period of the finest fringe of the spot, and half periods of margin round the field for its tails
SAMPLES, MARGIN = 2, 20


@dataclass(frozen=True)
class Focus:
    """The spot of a mirror pair, or of a zone plate where there is one."""

    mirrors: KirkpatrickBaez
    zone_plate: ZonePlate | None = None

    def probe(self, grid: Grid, energy: float) -> FloatArray:
        """Share of the light (ny, nx) of `energy` [eV] in each pixel, centred, summing to 1."""
        if self.zone_plate is not None:
            return np.asarray(np.abs(self.zone_plate.probe(grid, energy)) ** 2, np.float64)
        return np.asarray(self.mirrors.probe_intensity(grid, energy), np.float64)

    def half_period(self, energy: float) -> float:
        """Half the finest period [m] that the spot can show at `energy` [eV]."""
        return float(wavelength(energy)) / (4 * self._na(energy))

    def grid(self, points: Grid, energy: float) -> Grid:
        """`points` (the scan) with pixels fine enough for the spot and a margin that holds its tails."""
        step, half_period = points.pixel, self.half_period(energy)
        factor = max(1, math.ceil(step * SAMPLES / half_period - 1e-9))
        widest = step * math.ceil(MARGIN * half_period / step) if self.zone_plate else self._tails(energy)
        shape = [factor * good_size(n + 2 * math.ceil(widest / step)) for n in points.shape]
        return Grid((shape[0], shape[1]), step / factor)

    def check_depth(self, specimen: Specimen, energy: float) -> None:
        """Warn of a specimen that reaches out of the depth of focus at `energy` [eV]."""
        reach = max(abs(z) for z in specimen.z_range)
        limit = 2 * (2 * self.half_period(energy)) ** 2 / float(wavelength(energy))
        if reach > limit:
            warnings.warn(
                f"the specimen reaches {reach:.3g} m from the focal plane z = 0, the depth of focus only {limit:.3g} m "
                "to either side: the spot widens there, which this model leaves out; move it to z = 0, or use a "
                "smaller numerical aperture",
                ValidityWarning,
                stacklevel=4,
            )

    def _na(self, energy: float) -> float:
        if self.zone_plate is not None:
            return float(self.zone_plate.numerical_aperture(energy))
        return max(self.mirrors.horizontal.numerical_aperture, self.mirrors.vertical.numerical_aperture)

    def _tails(self, energy: float) -> float:
        return 8 * float(max(self.mirrors.fwhm(energy)))
