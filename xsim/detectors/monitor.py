"""A beam monitor: an ion chamber or a thin scatterer in the beam before the specimen that measures I0 as it counts.

    counts ~ Poisson( N sum_n w_n e(E_n) / t(E_n) )

N photons pass on to the specimen, w_n of them at energy E_n (harmonics); e is the share of photons that the monitor
absorbs and counts, t the share that it lets through. Each photon weighs one. An experimenter knows e at the wanted
energy only, so harmonics make I0 read slightly wrong, as they do at a beamline. Without harmonics the relative
variance of the measured I0 is one over the counts.

A share e given as a number loses just those photons; a gas is a table: efficiency = { material = "air", thickness =
"10 cm" }. Reference: Bunker, Introduction to XAFS, doi 10.1017/CBO9780511809194, ch. 3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator

from xsim.detectors._sensor import Efficiency, Sensor, efficiency
from xsim.errors import RangeError
from xsim.model import Model
from xsim.streams import StreamKey

FloatArray = NDArray[np.float64]


class Monitor(Model):
    """Measures the beam before the specimen; efficiency: the share of it that is absorbed and counted."""

    efficiency: float | Sensor = 0.05

    @field_validator("efficiency")
    @classmethod
    def _fraction(cls, value: Efficiency) -> Efficiency:
        if not isinstance(value, Sensor) and not 0 < value < 1:
            allowed = "above 0 and below 1, or a table {material, thickness}"
            raise RangeError("share of the beam that the monitor takes", value=value, allowed=allowed)
        return value

    def per_photon(self, energy: NDArray[np.float64]) -> FloatArray:
        """Counts per photon of `energy` [eV] that goes on to the specimen (same shape)."""
        taken = efficiency(self.efficiency, energy)
        if not isinstance(self.efficiency, Sensor):
            return np.asarray(taken / (1 - taken))
        return np.asarray(taken / self.efficiency.passed(energy))

    def read(self, photons: FloatArray, energies: FloatArray, index: NDArray[np.int64], key: StreamKey) -> FloatArray:
        """Counts (frames,) for photons (frames, lines) of `energies` (frames, lines) [eV] behind the monitor.

        index: numbers of the frames (frames,), which key the random numbers.
        """
        from xsim.detectors._poisson import poisson_of

        found = poisson_of(photons, self.per_photon(energies), key, index)
        return np.asarray(found, np.float64)
