"""A silicon drift detector: a spectrum per frame, one photon at a time.

Photons of each group (a line's energy) pass the window and dead layer, stop in the silicon, and fall into channels by
the line's response (`_response`): counts of a channel ~ Poisson(sum_g efficiency_g N_g share_g,channel), exact since
split Poisson numbers are independent. With a dead time, the recorded total is drawn first from the counting law
(`_dead_time`) and its photons are then placed by the same shares. Photons outside the channels are
lost but cost dead time. Not modelled: pile-up of two photons into one count, 1 - exp(-rate x resolving time).
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator, model_validator

from xsim.detectors._response import Response, escape_fraction
from xsim.detectors._sensor import Absorber, Pixels, Sensor, efficiency
from xsim.errors import RangeError
from xsim.exposure import Axis, Exposure
from xsim.streams import StreamKey
from xsim.units import Area, Energy, EnergyShift, NonNegativeEnergy, NonNegativeTime, PositiveLength

_SENSOR = Sensor.model_construct(
    material="silicon",
    thickness=450e-6,
    density=None,
    windows=(
        Absorber.model_construct(material="Be", thickness=12.5e-6, density=1848.0),
        Absorber.model_construct(material="silicon", thickness=0.1e-6, density=None),
    ),
)


class SiliconDrift(Pixels):
    """Records spectra of `channels` channels of `width` [eV], the first starting at `zero` [eV].

    area [m^2] at `distance` [m] from the specimen gives `solid_angle` [sr]. efficiency: a number or a sensor with
    windows. noise: electronic FWHM [eV]; fano; tail, shelf: fractions of a line's counts; tail_length [eV]; escape:
    the Si escape peak, on or off.
    dead_time [s] per detected photon, dead_time_model "paralysable" or "non_paralysable".
    """

    kind: Literal["silicon_drift"] = "silicon_drift"
    area: Area = 50e-6
    distance: PositiveLength = 30e-3
    efficiency: float | Sensor = _SENSOR
    channels: int = 2048
    width: Energy = 10.0
    zero: EnergyShift = 0.0
    noise: NonNegativeEnergy = 60.0
    fano: float = 0.115
    tail: float = 0.01
    tail_length: Energy = 80.0
    shelf: float = 0.002
    escape: bool = True
    dead_time: NonNegativeTime = 0.0
    dead_time_model: Literal["paralysable", "non_paralysable"] = "paralysable"

    @field_validator("channels")
    @classmethod
    def _channels(cls, value: int) -> int:
        if not 1 <= value <= 65536:
            raise RangeError("channels", value=value, allowed="1 .. 65536")
        return value

    @field_validator("fano", "tail", "shelf")
    @classmethod
    def _share(cls, value: float, info: Any) -> float:
        if not 0 <= value <= 1:
            raise RangeError(info.field_name, value=value, allowed="0 .. 1")
        return value

    @model_validator(mode="after")
    def _shares_fit(self) -> SiliconDrift:
        if self.tail + self.shelf > 1:
            raise RangeError("tail + shelf", field="tail", value=self.tail + self.shelf, allowed="<= 1")
        return self

    @property
    def counts_unit(self) -> str:
        """Unit of what `read` returns."""
        return "counts"

    @property
    def solid_angle(self) -> float:
        """Solid angle [sr] of a disk of this area, facing the specimen at `distance`."""
        return 2 * math.pi * (1 - self.distance / math.hypot(self.distance, math.sqrt(self.area / math.pi)))

    @property
    def energies(self) -> NDArray[np.float64]:
        """Channel centres (channels,) [eV]."""
        return np.asarray(self.zero + (np.arange(self.channels) + 0.5) * self.width)

    def fwhm(self, energy: float) -> float:
        """Full width at half maximum [eV] of a line at `energy` [eV]."""
        return self._response().fwhm(energy)

    def counts_axes(self, axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
        """One axis of channel centres, "emission" [eV]; RangeError if the exposure has detector axes."""
        if axes:
            names = ", ".join(axis.name for axis in axes)
            raise RangeError("a silicon drift detector has one element", value=names, allowed="no detector axes")
        return (Axis("emission", self.energies, "eV"),)

    def shares(self, energies: NDArray[np.float64]) -> NDArray[np.float64]:
        """Chance (n, channels) that a photon of each of `energies` (n,) [eV] is detected in each channel."""
        edges = np.asarray(self.zero + np.arange(self.channels + 1) * self.width, np.float64)
        response = self._response()
        escape = [escape_fraction(float(e)) if self.escape else 0.0 for e in energies]
        rows = [response.spectrum(float(e), edges, lost) for e, lost in zip(energies, escape, strict=True)]
        return np.asarray(np.array(rows).reshape(-1, self.channels) * efficiency(self.efficiency, energies)[:, None])

    def mean(self, exposure: Exposure) -> NDArray[np.float64]:
        """Expected counts (frames, channels)."""
        from xsim.detectors._dead_time import counted_mean

        spectra, detected = self._spectra(exposure)
        if self.dead_time > 0:
            law = self.dead_time_model == "paralysable"
            recorded = counted_mean(detected, exposure.frames["time"], self.dead_time, law)
            spectra *= np.divide(recorded, detected, out=np.ones_like(detected), where=detected > 0)[:, None]
        return spectra

    def read(self, exposure: Exposure, key: StreamKey) -> NDArray[np.int32]:
        """Counts (frames, channels) int32. Raises RangeError for photons that are negative or not finite."""
        from xsim.detectors import _dead_time, _placing, _poisson

        spectra, detected = self._spectra(exposure)
        _poisson.check(detected)
        index = exposure.frames.index
        if self.dead_time == 0:
            return _poisson.poisson(spectra, key, index).astype(np.int32)
        law = (self.dead_time, self.dead_time_model == "paralysable")
        gates = np.asarray(exposure.frames["time"], np.float64)
        totals = _dead_time.counted(detected, gates, law, key.child("total"), index)
        return _placing.place(totals, spectra, detected, key, index)

    def _response(self) -> Response:
        return Response(self.noise, self.fano, self.tail, self.tail_length, self.shelf)

    def _spectra(self, exposure: Exposure) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Expected counts before dead time: (frames, channels), and of all detected photons (frames,)."""
        from xsim.detectors._placing import mix
        from xsim.detectors._poisson import check

        self.counts_axes(exposure.axes)
        check(exposure.expected)
        energies, which = np.unique(exposure.group_energy, return_inverse=True)
        qe = efficiency(self.efficiency, energies)
        photons = np.ascontiguousarray(exposure.expected, np.float64)
        where = which.reshape(exposure.group_energy.shape)
        return mix(photons, where, self.shares(energies)), mix(photons, where, qe[:, None])[:, 0]
