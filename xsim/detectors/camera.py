"""An integrating camera (CCD, sCMOS): charge in, ADC units out.

Order: efficiency -> Poisson -> charge and its spread -> dark charge -> read noise -> full well -> gain -> ADC. Each
energy is drawn apart, because a photon of energy E gives E / pair_energy electrons: brighter photons are noisier.

direct:       electrons of n photons have mean n E/w and variance F n E/w (w pair_energy, F Fano factor; normal noise,
              good from some ten electrons per photon on); then the charge cloud is shared among pixels by `spread`.
scintillator: n absorbed photons give light of mean n E/w electrons, spread over pixels by `spread`, then detected as
              Poisson numbers (exact: light quanta are independent); w is the X-ray energy per detected electron.
`blur` moves whole photons before detection (parallax, lens-like blur of the arriving intensity).

Photon transfer, no spread: mean (QE N g + d)/K + offset, variance [QE N (g^2 + F g) + d + r^2]/K^2 + 1/12 with g = E/w,
K electrons per ADU; with full charge sharing the variance per mean falls by sum(k^2) of the spread kernel. Read
noise has zero mean, so the offset must keep dark frames above zero. References: Janesick, Photon Transfer (SPIE,
2007), doi 10.1117/3.725073; Fano factor and pair energy of silicon: Alig, Bloom & Struck, Phys. Rev. B 22, 5565 (1980).
"""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator, model_validator
from scipy.ndimage import convolve1d
from scipy.special import ndtr

from xsim.detectors._sensor import Pixels, Sensor, efficiency
from xsim.errors import RangeError, ValidityWarning
from xsim.exposure import Axis, Exposure
from xsim.streams import StreamKey
from xsim.units import Energy, NonNegativeLength, NonNegativeRate, PositiveLength


class Camera(Pixels):
    """Integrates charge. `shape` (ny, nx) pixels of `pixel` [m]; `efficiency` a number or a sensor.

    pair_energy [eV] per electron; fano; spread, blur: standard deviations [m]; dark [electrons/s per pixel];
    read_noise [electrons rms]; full_well [electrons]; gain [electrons per ADU]; adc_bits; offset [ADU]; module and gap
    (ny, nx) [pixels] tile the detector, pixels in gaps read -1.
    """

    kind: Literal["camera"] = "camera"
    shape: tuple[int, int] = (256, 256)
    pixel: PositiveLength = 13.5e-6
    efficiency: float | Sensor = 1.0
    conversion: Literal["direct", "scintillator"] = "direct"
    pair_energy: Energy = 3.65
    fano: float = 0.115
    spread: NonNegativeLength = 0.0
    blur: NonNegativeLength = 0.0
    dark: NonNegativeRate = 0.0
    read_noise: float = 3.0
    full_well: float = 100e3
    gain: float = 2.0
    adc_bits: int = 16
    offset: float = 100.0

    @field_validator("read_noise", "offset", "fano")
    @classmethod
    def _not_negative(cls, value: float, info: Any) -> float:
        if not 0 <= value < np.inf or (info.field_name == "fano" and value > 1):
            raise RangeError(info.field_name, value=value, allowed="0 .. 1" if info.field_name == "fano" else ">= 0")
        return value

    @field_validator("full_well", "gain")
    @classmethod
    def _positive(cls, value: float, info: Any) -> float:
        if not 0 < value < np.inf:
            raise RangeError(info.field_name, value=value, allowed="> 0 electrons")
        return value

    @field_validator("adc_bits")
    @classmethod
    def _bits(cls, value: int) -> int:
        if not 1 <= value <= 32:
            raise RangeError("bits of the ADC", value=value, allowed="1 .. 32")
        return value

    @model_validator(mode="after")
    def _offset_fits(self) -> Camera:
        if not self.offset < 2**self.adc_bits - 1:
            raise RangeError("offset", field="offset", value=self.offset, allowed=f"< {2**self.adc_bits - 1} ADU")
        return self

    @property
    def counts_unit(self) -> str:
        """Unit of what `read` returns."""
        return "ADU"

    def counts_axes(self, axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
        """The exposure's own axes."""
        return axes

    def electrons_per_photon(self, energy: Any) -> Any:
        """Mean electrons of one detected photon of `energy` [eV]."""
        return np.asarray(energy) / self.pair_energy

    def calibration(self, energy: float, time: float = 0.0) -> tuple[float, float]:
        """(offset [ADU], ADU per photon arriving at `energy` [eV]): photons = (counts - offset) / scale.

        The offset holds the mean dark charge of an exposure of `time` [s].
        """
        qe = float(efficiency(self.efficiency, np.array([energy]))[0])
        return self.offset + self.dark * time / self.gain, qe * float(self.electrons_per_photon(energy)) / self.gain

    def mean(self, exposure: Exposure) -> NDArray[np.float64]:
        """Expected ADU (frames, ...): exact but for clipping, where the mean is clipped in place of the counts."""
        qe, pairs = self._per_group(exposure)
        electrons = np.zeros(_pixels(exposure))
        for group in range(exposure.expected.shape[1]):
            photons = self._detected(exposure.expected[:, group] * qe[group])
            electrons += self._spread(photons * pairs[group])
        electrons += self._dark(exposure, electrons.ndim)
        levels = np.minimum(electrons, self.full_well) / self.gain + self.offset
        return self._mark_gaps(np.asarray(np.clip(levels, 0, 2**self.adc_bits - 1)))

    def read(self, exposure: Exposure, key: StreamKey) -> NDArray[Any]:
        """ADU (frames, ...), uint16 (uint32 beyond 16 bits; with gaps int32). Raises RangeError for negative or
        non-finite photons.
        """
        from xsim.detectors._poisson import check, normal, poisson

        index = exposure.frames.index
        qe, pairs = self._per_group(exposure)
        electrons = np.zeros(_pixels(exposure))
        for group in range(exposure.expected.shape[1]):
            check(exposure.expected[:, group])
            photons = self._detected(exposure.expected[:, group] * qe[group])
            absorbed = poisson(photons, key, index, lane=group)
            charge = absorbed * pairs[group]
            if self.conversion == "scintillator":
                electrons += poisson(self._spread(charge), key.child("light"), index, lane=group)
                continue
            if self.fano > 0:
                charge += np.sqrt(self.fano * charge) * normal(charge.shape, key.child("fano"), index, lane=group)
            electrons += self._spread(charge)
        if self.dark > 0:
            dark = np.broadcast_to(self._dark(exposure, electrons.ndim), electrons.shape)
            electrons += poisson(dark, key.child("dark"), index)
        if self.read_noise > 0:
            electrons += self.read_noise * normal(electrons.shape, key.child("read"), index)
        return self._digitise(electrons)

    def _digitise(self, electrons: NDArray[np.float64]) -> NDArray[Any]:
        top = 2**self.adc_bits - 1
        levels = np.rint(np.minimum(electrons, self.full_well) / self.gain + self.offset)
        high = int(np.count_nonzero((electrons >= self.full_well) | (levels > top)))
        low = int(np.count_nonzero(levels < 0))
        if high:
            warnings.warn(
                f"{high} pixels reach the full well of {self.full_well:g} electrons or the ADC's {top}, clipped; "
                "use more, shorter exposures (repeats), less flux or a beam stop",
                ValidityWarning,
                stacklevel=3,
            )
        if low:
            warnings.warn(
                f"read noise takes {low} pixels below zero at an offset of {self.offset:g} ADU, where they are clipped "
                f"and dark frames gain a mean; use an offset of at least {6 * self.read_noise / self.gain:.0f}",
                ValidityWarning,
                stacklevel=3,
            )
        levels = np.clip(levels, 0, top)
        if self.module is not None:  # -1 wants a sign
            return self._mark_gaps(levels.astype(np.int32 if self.adc_bits < 32 else np.int64))
        return levels.astype(np.uint16 if self.adc_bits <= 16 else np.uint32)

    def _per_group(self, exposure: Exposure) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Efficiency and electrons per photon, each (groups, frames, 1...)."""
        shape = (exposure.group_energy.shape[1], len(exposure.frames), *(1,) * len(exposure.axes))
        qe = efficiency(self.efficiency, exposure.group_energy).T.reshape(shape)
        return qe, np.asarray(self.electrons_per_photon(exposure.group_energy)).T.reshape(shape)

    def _dark(self, exposure: Exposure, ndim: int) -> NDArray[np.float64]:
        return np.asarray(self.dark * exposure.frames["time"].reshape(-1, *(1,) * (ndim - 1)))

    def _detected(self, photons: NDArray[np.float64]) -> NDArray[np.float64]:
        """Blurred, and without those that land in gaps, so that no charge spreads out of these."""
        moved = _convolved(photons, self.blur / self.pixel)
        return moved if self.module is None or moved.ndim < 3 else np.where(self.gaps, 0.0, moved)

    def _spread(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return _convolved(values, self.spread / self.pixel)


def _pixels(exposure: Exposure) -> tuple[int, ...]:
    return (exposure.expected.shape[0], *exposure.expected.shape[2:])


def spread_kernel(sigma: float) -> NDArray[np.float64]:
    """Share of a Gaussian cloud of `sigma` [pixels] in pixels -n..n, averaged over where in its pixel it starts."""
    n = int(np.ceil(6 * sigma)) + 1
    u = np.arange(-n - 1, n + 2) / sigma
    twice_integrated = sigma * (u * ndtr(u) + np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi))
    kernel = np.clip(np.diff(twice_integrated, 2), 0, None)
    return np.asarray(kernel / kernel.sum())


def _convolved(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Frames convolved along their pixel axes; reflected at the edges, so that no charge is lost."""
    if sigma <= 0 or values.ndim < 3:
        return values
    kernel = spread_kernel(sigma)
    return np.asarray(convolve1d(convolve1d(values, kernel, axis=-1, mode="reflect"), kernel, axis=-2, mode="reflect"))
