"""An integrating pixel detector of X-ray lasers: several modules, and a gain that adapts to the charge in each pixel.

Order: efficiency -> Poisson -> charge (Fano) -> gain stage -> read noise of that stage -> gain -> ADC. Charge Q [eV]
below a stage's `top` is read by it, more by the next; the last one saturates at its own.

    ADC value = round(pedestal + gain (Q + w noise z)),    w 3.65 eV per electron in silicon, z normal

read_out "photons": whole photons of the frame's nominal energy E, as programs for single particles take them:
floor(Q'/E + 1 - threshold), never below zero, Q' the calibrated charge. "raw": the ADC value, with the number of the
stage above its `adc_bits`, as the Jungfrau writes it. Pixels between modules read -1. Not modelled: charge shared
among pixels (every tenth photon or so at pixels of 75 um), noise of pedestals, dead time (there is none).

References: Allahgholi et al., J. Synchrotron Rad. 26, 74 (2019), doi 10.1107/S1600577518016077 (AGIPD); Mozzanica et
al., J. Instrum. 9, C05010 (2014), doi 10.1088/1748-0221/9/05/C05010 (Jungfrau).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator, model_validator

from xsim.detectors._gain_stages import Stage, check_stages, counted, false_counts, stage_of
from xsim.detectors._modules import FloatArray, Module, check_modules, numbers, placed
from xsim.detectors._sensor import Pixels, Sensor, efficiency
from xsim.errors import RangeError, ValidityWarning
from xsim.exposure import Axis, Exposure
from xsim.streams import StreamKey
from xsim.units import Energy, PositiveLength

#: three stages for 10^4 photons of 12 keV
_STAGES = (
    Stage(gain=40.0, noise=80.0, top="360 keV"),
    Stage(gain=1.4, noise=1500.0, top="9 MeV"),
    Stage(gain=0.1, noise=15e3, top="120 MeV"),
)


class Panels(Pixels):
    """Modules of pixels with adaptive gain. `shape` (ny, nx): the picture on which `modules` lie; `pixel` [m].

    No modules: one over all of the picture. stages: gain [ADC units/keV], noise [electrons], top [eV] of each, from
    the most sensitive. pair_energy [eV] per electron. threshold: share of a photon that counts as one.
    """

    kind: Literal["panels"] = "panels"
    shape: tuple[int, int] = (256, 256)
    pixel: PositiveLength = 75e-6
    efficiency: float | Sensor = 1.0
    modules: tuple[Module, ...] = ()
    stages: tuple[Stage, ...] = _STAGES
    read_out: Literal["photons", "raw"] = "photons"
    threshold: float = 0.5
    pedestal: float = 1000.0
    adc_bits: int = 14
    pair_energy: Energy = 3.65
    fano: float = 0.115

    @field_validator("threshold", "fano")
    @classmethod
    def _share(cls, value: float, info: Any) -> float:
        if not (0 < value < 1 or (value == 0 and info.field_name == "fano")):
            raise RangeError(info.field_name, value=value, allowed="> 0 and < 1")
        return value

    @field_validator("adc_bits")
    @classmethod
    def _bits(cls, value: int) -> int:
        if not 1 <= value <= 24:
            raise RangeError("bits of the ADC", value=value, allowed="1 .. 24")
        return value

    @model_validator(mode="after")
    def _fits(self) -> Panels:
        check_modules(self.modules, self.shape)
        check_stages(self.stages, self.pedestal, 2**self.adc_bits - 1)
        return self

    @property
    def counts_unit(self) -> str:
        """Unit of what `read` returns."""
        return "counts" if self.read_out == "photons" else "ADU"

    @cached_property
    def module_numbers(self) -> NDArray[np.int16]:
        """The module of each pixel (ny, nx), -1 in gaps."""
        return numbers(self.modules or (Module(tile=self.shape),), self.shape)

    @property
    def gaps(self) -> NDArray[np.bool_]:
        """Which pixels (ny, nx) lie between modules or chips."""
        return self.module_numbers < 0

    @property
    def displaced(self) -> bool:
        """Whether any module stands off its place in the picture."""
        return any(module.displaced for module in self.modules)

    def places(self) -> tuple[FloatArray, FloatArray]:
        """True places [m] from the middle of the picture and unit normals of all pixels, each (ny, nx, 3)."""
        return placed(self.modules, self.shape, self.pixel)

    def counts_axes(self, axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
        """The exposure's own axes."""
        return axes

    def calibration(self, energy: float, time: float = 0.0) -> tuple[float, float]:
        """(offset, counts per photon arriving at `energy` [eV]); raw: of the most sensitive stage."""
        qe = float(efficiency(self.efficiency, np.array([energy]))[0])
        return (0.0, qe) if self.read_out == "photons" else (self.pedestal, qe * self.stages[0].gain * energy / 1e3)

    def mean(self, exposure: Exposure) -> NDArray[np.float64]:
        """Expected values (frames, ...): read noise and rounding included, exact for photons of at most one energy
        beside the nominal one; of clipping and switching of gains, those of the mean charge.
        """
        parts = list(self._parts(exposure, None))
        charge = np.asarray(sum(photons * energy for photons, energy in parts))
        if self.read_out == "raw":
            stage = stage_of(self.stages, charge)
            return self._mark(np.clip(self._levels(charge, stage), 0, self._top) + stage * float(self._top + 1))
        nominal, first = self._nominal(exposure, charge.ndim), self.stages[0]
        width, step = first.noise * self.pair_energy / nominal, 1e3 / (first.gain * nominal)
        none, one = false_counts(width, step, self.threshold)
        dark = np.exp(-sum(photons for photons, _ in parts))
        found = sum(counted(photons, energy / nominal, self.threshold) for photons, energy in parts)
        return self._mark(np.minimum(found + dark * none + (1 - dark) * one, self.stages[-1].top / nominal))

    def read(self, exposure: Exposure, key: StreamKey) -> NDArray[np.int32]:
        """Photons or ADC values (frames, ...), int32, -1 in gaps. Raises RangeError for photons that are none."""
        from xsim.detectors._poisson import normal

        charge = np.asarray(sum(part for part, _ in self._parts(exposure, key)))
        stage = stage_of(self.stages, charge)
        noise = np.array([one.noise for one in self.stages])[stage] * self.pair_energy
        charge += noise * normal(charge.shape, key.child("read"), exposure.frames.index)
        levels = np.rint(self._levels(charge, stage))
        self._warn_of_clipping(levels, stage)
        levels = np.clip(levels, 0, self._top)
        if self.read_out == "raw":
            return self._mark((levels + stage * (self._top + 1)).astype(np.int32))
        gain = np.array([one.gain for one in self.stages])[stage] / 1e3
        found = (levels - self.pedestal) / gain / self._nominal(exposure, charge.ndim)
        return self._mark(np.maximum(np.floor(found + 1 - self.threshold + 1e-9), 0).astype(np.int32))

    @property
    def _top(self) -> int:
        return 2**self.adc_bits - 1

    def _parts(self, exposure: Exposure, key: StreamKey | None) -> Iterator[tuple[FloatArray, FloatArray]]:
        """Of each group the charge [eV] of the photons drawn, or without a key their mean number; and their energy."""
        from xsim.detectors._poisson import check, normal, poisson

        index, shape = exposure.frames.index, (len(exposure.frames), *exposure.expected.shape[2:])
        qe = efficiency(self.efficiency, exposure.group_energy)
        trailing = (-1, *(1,) * (len(shape) - 1))
        for group in range(exposure.expected.shape[1]):
            check(exposure.expected[:, group])
            photons = exposure.expected[:, group] * qe[:, group].reshape(trailing)
            energy = exposure.group_energy[:, group].reshape(trailing)
            if key is None:
                yield photons, energy
                continue
            charge = np.asarray(poisson(photons, key, index, lane=group) * energy, np.float64)
            if self.fano > 0:
                width = np.sqrt(self.fano * self.pair_energy * charge)
                charge = charge + width * normal(shape, key.child("fano"), index, lane=group)
            yield charge, energy

    def _levels(self, charge: FloatArray, stage: NDArray[Any]) -> FloatArray:
        """ADC values before rounding."""
        gain = np.array([one.gain for one in self.stages])[stage] / 1e3
        return np.asarray(self.pedestal + gain * np.minimum(charge, self.stages[-1].top))

    def _nominal(self, exposure: Exposure, ndim: int) -> FloatArray:
        return np.asarray(exposure.frames["energy"], np.float64).reshape(-1, *(1,) * (ndim - 1))

    def _mark(self, values: NDArray[Any]) -> NDArray[Any]:
        """-1 in gaps, of frames that are pictures."""
        if values.ndim >= 3 and self.modules:
            if values.shape[-2:] != tuple(self.shape):
                raise RangeError("pixels of the exposure", value=values.shape[-2:], allowed=str(tuple(self.shape)))
            values[..., self.gaps] = -1
        return values

    def _warn_of_clipping(self, levels: FloatArray, stage: NDArray[Any]) -> None:
        last = self.stages[-1]
        full = min(self._top, self.pedestal + last.gain * last.top / 1e3)
        over = int(np.count_nonzero((levels >= np.floor(full)) & (stage == len(self.stages) - 1)))
        if over:
            warnings.warn(
                f"{over} pixels reach the {full:.0f} ADC units ({last.top / 1e6:.3g} MeV) at which the last gain stage "
                "saturates, clipped; use less fluence, a beam stop, or a larger distance",
                ValidityWarning,
                stacklevel=3,
            )
