"""A silicon drift detector: a spectrum per frame, one photon at a time.

Photons of each group (a line's energy) pass the window and dead layer, stop in the silicon, and fall into channels by
the line's response (`xsim.matter.silicon_response`). The number of recorded events is drawn first: a Poisson number, or
with a dead time by its counting law (`_dead_time`). Each event is then put into a channel (`_placing`): without a dead
time the channels hold independent Poisson numbers of mean sum_g efficiency_g N_g share_g,channel, exactly, and no dense
expectation is made. With a resolving time, photons that follow within it pile up into one event (`_pile_up`): sum
peaks. Events outside the channels are lost but cost dead time. One detector, or several of a kind along an axis
"detector".
"""

from __future__ import annotations

import math
import warnings
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator, model_validator

from xsim.constants import FWHM
from xsim.detectors._sensor import Absorber, Pixels, Sensor, efficiency
from xsim.errors import RangeError, ValidityWarning
from xsim.exposure import Axis, Exposure
from xsim.matter.silicon_response import Response, spectra
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

#: photons per dead time from which a paralysable counter counts less the more there are
PARALYSED = 1.0


class SiliconDrift(Pixels):
    """Records spectra of `channels` channels of `width` [eV], the first starting at `zero` [eV].

    area [m^2] at `distance` [m] from the specimen gives `solid_angle` [sr]. efficiency: a number or a sensor with
    windows. noise: electronic FWHM [eV]; fano; tail, shelf: fractions of a line's counts, that of the tail at 5.895
    keV, from where by tail_law "depth" it grows to low energies ("constant": the same for all); tail_length [eV];
    escape: the Si escape peak, on or off. dead_time [s] per recorded event, dead_time_model "paralysable" or
    "non_paralysable"; resolving_time [s], at most the dead time: photons nearer to each other are counted as one.
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
    tail_law: Literal["depth", "constant"] = "depth"
    shelf: float = 0.002
    escape: bool = True
    dead_time: NonNegativeTime = 0.0
    dead_time_model: Literal["paralysable", "non_paralysable"] = "paralysable"
    resolving_time: NonNegativeTime = 0.0

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

    @model_validator(mode="after")
    def _times_fit(self) -> SiliconDrift:
        if self.resolving_time > self.dead_time:
            raise RangeError(
                "resolving time longer than the dead time",
                field="resolving_time",
                value=f"{self.resolving_time:.4g} s",
                allowed=f"<= {self.dead_time:.4g} s",
                cure='set dead_time, which no event can cut short, or resolving_time = "0 s" for no pile-up',
            )
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
        """Channel centres "emission" [eV], after the axis "detector" if there is one; RangeError for other axes."""
        if axes and [axis.name for axis in axes] != ["detector"]:
            names = ", ".join(axis.name for axis in axes)
            raise RangeError("axes of a silicon drift detector", value=names, allowed='none, or one named "detector"')
        return (*axes, Axis("emission", self.energies, "eV"))

    def shares(self, energies: NDArray[np.float64]) -> NDArray[np.float64]:
        """Chance (n, channels) that a photon of each of `energies` (n,) [eV] is recorded in each channel."""
        return self._spectra(energies) * efficiency(self.efficiency, energies)[:, None]

    def mean(self, exposure: Exposure) -> NDArray[np.float64]:
        """Expected counts (frames, [detectors,] channels)."""
        from xsim.detectors._dead_time import counted_mean
        from xsim.detectors._pile_up import one_more, piled
        from xsim.detectors._placing import mix

        energies, where, rates = self._detected(exposure)
        spectra, detected = mix(rates, where, self._spectra(energies)), rates.sum(axis=2)
        if self.dead_time > 0:
            gates = exposure.frames["time"][:, None]
            recorded = counted_mean(detected, gates, *self._law)
            if self.resolving_time > 0:
                more = one_more(detected / gates, self.resolving_time)
                clean = mix(rates, where, self._clean(energies))
                zero, noise = self._sums
                for at in zip(*np.nonzero(detected), strict=True):
                    alone, bare = spectra[at] / detected[at], clean[at] / detected[at]
                    spectra[at] = detected[at] * piled(alone, bare, float(more[at]), zero, noise)
            spectra *= np.divide(recorded, detected, out=np.ones_like(detected), where=detected > 0)[..., None]
        return spectra.reshape(len(spectra), *exposure.expected.shape[2:], self.channels)

    def read(self, exposure: Exposure, key: StreamKey) -> NDArray[np.int32]:
        """Counts (frames, [detectors,] channels). Raises RangeError for photons that are negative or not finite."""
        from xsim.detectors._pile_up import one_more
        from xsim.detectors._placing import Crowd, place, tables_of

        energies, where, rates = self._detected(exposure)
        detected = rates.sum(axis=2)
        gates = np.asarray(exposure.frames["time"], np.float64)[:, None]
        crowd = None
        if self.resolving_time > 0:
            more = one_more(detected / gates, self.resolving_time)
            crowd = Crowd(more, tables_of(self._clean(energies)), *self._sums)
        index = exposure.frames.index
        events = self._events(detected, gates[:, 0], key, index)
        counts = place(events, rates, where, self._spectra(energies), (key, index), crowd)
        return counts.reshape(len(counts), *exposure.expected.shape[2:], self.channels)

    def live_time(self, exposure: Exposure, key: StreamKey) -> NDArray[np.float64]:
        """Live time [s] (frames, [detectors]) that the counter states beside the counts that `read` gives under `key`.

        By which recorded counts, those outside the channels too, are to be divided for the true rate.
        """
        from xsim.detectors._dead_time import live_times

        gates = np.asarray(exposure.frames["time"], np.float64)
        detected = self._detected(exposure)[2].sum(axis=2)
        live = np.broadcast_to(gates[:, None], detected.shape)
        if self.dead_time > 0:
            events = self._events(detected, gates, key, exposure.frames.index)
            live = live_times(events, gates[:, None], *self._law)
        return live.reshape(len(live), *exposure.expected.shape[2:])

    def spectrometer(self) -> dict[str, Any]:
        """What an experimenter knows of the detector by calibration, plain numbers for `xsim.matter.silicon_response`.

        "channel_efficiency": at the channel centres, by number.
        """
        response = self._response()
        return {
            "channel_zero [eV]": self.zero,
            "channel_width [eV]": self.width,
            "electronic_noise [eV]": response.noise,
            "fano_factor": response.fano,
            "tail": response.tail,
            "tail_length [eV]": response.tail_length,
            "tail_law": self.tail_law,
            "shelf": response.shelf,
            "escape": int(self.escape),
            "dead_time [s]": self.dead_time,
            "resolving_time [s]": self.resolving_time,
            "channel_efficiency": efficiency(self.efficiency, np.maximum(self.energies, 200.0)),
        }

    @property
    def _law(self) -> tuple[float, bool]:
        return self.dead_time, self.dead_time_model == "paralysable"

    @property
    def _sums(self) -> tuple[float, float]:
        """Where the first channel begins and the deviation of the electronic noise, in channels."""
        return self.zero / self.width, self.noise / FWHM / self.width

    def _events(
        self, detected: NDArray[np.float64], gates: NDArray[np.float64], key: StreamKey, index: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Recorded events (frames, detectors), those outside the channels too."""
        from xsim.detectors import _dead_time, _poisson

        _poisson.check(detected)
        total = key.child("total")
        if self.dead_time == 0:
            return _poisson.poisson(detected, total, index)
        busiest = float(np.max(detected / gates[:, None], initial=0)) * self.dead_time
        if busiest > PARALYSED and self.dead_time_model == "paralysable":
            warnings.warn(
                f"the drift detector is paralysed: {busiest:.3g} photons per dead time, of which it counts less the "
                f"more there are beyond {PARALYSED:g}; lower the flux, or put it farther away",
                ValidityWarning,
                stacklevel=3,
            )
        return _dead_time.counted(detected, gates, self._law, total, index)

    def _response(self, noise: float | None = None) -> Response:
        by_depth = self.tail_law == "depth"
        noise = self.noise if noise is None else noise
        return Response(noise, self.fano, self.tail, self.tail_length, self.shelf, by_depth)

    def _spectra(self, energies: NDArray[np.float64]) -> NDArray[np.float64]:
        """Response (n, channels) to one detected photon of each energy."""
        edges = np.asarray(self.zero + np.arange(self.channels + 1) * self.width, np.float64)
        return self._rows(self._response(), energies, edges)

    def _clean(self, energies: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same without electronic noise, on channels from 0 eV to the end of the last one."""
        last = max(1, math.ceil(self.channels + self.zero / self.width))
        return self._rows(self._response(0.0), energies, np.arange(last + 1, dtype=np.float64) * self.width)

    def _rows(
        self, response: Response, energies: NDArray[np.float64], edges: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        return spectra(response, self.escape, energies.tobytes(), edges.tobytes())

    def _detected(self, exposure: Exposure) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
        """Distinct energies (n,), which of them each group has (frames, groups), photons that stop in the silicon.

        These are (frames, detectors, groups), one detector where the exposure has no axis.
        """
        from xsim.detectors._poisson import check

        self.counts_axes(exposure.axes)
        check(exposure.expected)
        energies, where = np.unique(exposure.group_energy, return_inverse=True)
        where = where.reshape(exposure.group_energy.shape).astype(np.int64)
        photons = exposure.expected.reshape(*exposure.group_energy.shape, -1)
        seen = efficiency(self.efficiency, energies)[where]
        return energies, where, np.ascontiguousarray(np.moveaxis(photons * seen[..., None], 1, 2), np.float64)
