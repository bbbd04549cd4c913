"""A photon counter: every detected photon is one count, whatever its energy.

counts ~ Poisson(sum_g efficiency(E_g) N_g), then losses by dead time, then the counter's largest number. Sums of
Poisson numbers are Poisson numbers and each photon weighs one, so energies need no draws of their own here. Without
detector axes it is a point counter (a photodiode with a counter, an avalanche photodiode). Not modelled: charge
sharing between pixels and the energy threshold (counts per photon differ from 1 by some percent at pixels of 75 um).
Dead time: see `_dead_time`.
"""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator

from xsim.detectors._sensor import Pixels, Sensor, efficiency, summed
from xsim.errors import RangeError, ValidityWarning
from xsim.exposure import Axis, Exposure
from xsim.streams import StreamKey
from xsim.units import NonNegativeTime, PositiveLength

#: photons expected in an element above which counts are 64-bit numbers: 3e4 standard deviations below 2^31
WIDE = 2.0**30


class PhotonCounter(Pixels):
    """Counts photons. `shape` (ny, nx) pixels of `pixel` [m]; `efficiency` a number or a sensor {material, thickness}.

    dead_time [s] with dead_time_model "paralysable" or "non_paralysable"; counter_bits limits the counts of a pixel to
    2^bits - 1 (clipped with a warning); module and gap (ny, nx) [pixels] tile the detector, pixels in gaps read -1.
    """

    kind: Literal["photon_counter"] = "photon_counter"
    shape: tuple[int, int] = (256, 256)
    pixel: PositiveLength = 75e-6
    efficiency: float | Sensor = 1.0
    dead_time: NonNegativeTime = 0.0
    dead_time_model: Literal["paralysable", "non_paralysable"] = "paralysable"
    counter_bits: int | None = None

    @field_validator("counter_bits")
    @classmethod
    def _bits(cls, value: int | None) -> int | None:
        if value is not None and not 1 <= value <= 48:
            raise RangeError("bits of the counter", value=value, allowed="1 .. 48")
        return value

    @property
    def counts_unit(self) -> str:
        """Unit of what `read` returns."""
        return "counts"

    def calibration(self, energy: float, time: float = 0.0) -> tuple[float, float]:
        """(0, counts per photon arriving at `energy` [eV]) where dead time and the counter's limit do not matter."""
        return 0.0, float(efficiency(self.efficiency, np.array([energy]))[0])

    def counts_axes(self, axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
        """The exposure's own axes."""
        return axes

    def mean(self, exposure: Exposure) -> NDArray[np.float64]:
        """Expected counts (frames, ...): exact but for clipping, where the mean is clipped in place of the counts."""
        from xsim.detectors._dead_time import counted_mean

        photons = self._detected(exposure)
        if self.dead_time > 0:
            gates = exposure.frames["time"].reshape(-1, *(1,) * (photons.ndim - 1))
            photons = counted_mean(photons, gates, self.dead_time, self.dead_time_model == "paralysable")
        if self.counter_bits is not None:
            photons = np.minimum(photons, 2.0**self.counter_bits - 1)
        return np.asarray(self._mark_gaps(photons))

    def read(self, exposure: Exposure, key: StreamKey) -> NDArray[np.signedinteger[Any]]:
        """Counts (frames, ...), -1 in gaps. Raises RangeError for negative or non-finite photons.

        int32, but int64 where an element of any of these frames expects more than `WIDE` photons.
        """
        from xsim.detectors import _dead_time, _poisson

        index = exposure.frames.index
        kind = np.int64 if _brightest(exposure) > WIDE else np.int32
        if self.dead_time > 0:
            photons = self._detected(exposure)
            law = (self.dead_time, self.dead_time_model == "paralysable")
            gates = np.asarray(exposure.frames["time"], np.float64)
            counts = _dead_time.counted(photons, gates, law, key, index).astype(kind, copy=False)
        else:
            weights = efficiency(self.efficiency, exposure.group_energy)
            counts = _poisson.poisson_of(exposure.expected, weights, key, index, kind)
        return np.asarray(self._mark_gaps(self._clip(counts)))

    def _detected(self, exposure: Exposure) -> NDArray[np.float64]:
        if exposure.expected.size and not float(np.min(exposure.expected)) >= 0:
            raise RangeError(
                "expected photons",
                value=float(np.min(exposure.expected)),
                allowed="finite, >= 0",
                cure="check the flux",
            )
        return summed(exposure.expected, efficiency(self.efficiency, exposure.group_energy))

    def _clip(self, counts: NDArray[Any]) -> NDArray[Any]:
        if self.counter_bits is None:
            return counts
        top = 2**self.counter_bits - 1
        over = int(np.count_nonzero(counts > top))
        if over:
            warnings.warn(
                f"{over} pixels exceed the counter's {top} counts and are clipped there; "
                "use more, shorter exposures (repeats) or less flux",
                ValidityWarning,
                stacklevel=3,
            )
        return np.minimum(counts, min(top, np.iinfo(counts.dtype).max)).astype(counts.dtype, copy=False)


def _brightest(exposure: Exposure) -> float:
    """No element of these frames expects more photons than this; the largest of what each frame tells by itself."""
    expected = exposure.expected
    if not expected.size:
        return 0.0
    groups = expected.reshape(*expected.shape[:2], -1).max(axis=2)
    return float(groups.sum(axis=1, dtype=np.float64).max())
