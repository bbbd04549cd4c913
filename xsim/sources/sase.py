"""The spectrum of one X-ray laser pulse: spikes of self-amplified noise (SASE), or a seeded line.

SASE light is Gaussian random light cut out by the pulse:
    E(t) = sqrt(P(t)) g(t),   <g(t) g*(t')> has the spectrum S(omega), a Gaussian of rms width s
The temporal spikes last the coherence time sqrt(pi)/s, the spectral ones about 1/T; the pulse energy W is
gamma-distributed with mean 1 and relative variance 1/M, M the number of modes:
    1/M = double integral of P(t) P(t') exp(-s^2 (t - t')^2)
    M = sqrt(1 + 4 s^2 s_t^2)              for a Gaussian pulse of rms length s_t
    1/M = [sqrt(pi) x erf(x) + e^(-x^2) - 1]/x^2,   x = s T,   for a flat pulse of length T
so M -> T over the coherence time for long pulses. The average spectrum is S convolved with the power spectrum of the
pulse's envelope. A self-seeded pulse is one narrow line whose energy fluctuates as gamma with the few modes of the SASE
light that fell into the monochromator, over a pedestal of SASE.

Valid in the linear regime; in saturation the energy fluctuates less. References: Saldin, Schneidmiller & Yurkov, New J.
Phys. 12, 035010 (2010), doi 10.1088/1367-2630/12/3/035010; Pfeifer et al., Opt. Lett. 35, 3441 (2010), doi
10.1364/OL.35.003441 (this construction); Amann et al., Nature Photon. 6, 693 (2012), doi 10.1038/nphoton.2012.180.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.constants import hbar
from scipy.special import erf

from xsim.constants import E_CHARGE, FWHM
from xsim.errors import RangeError
from xsim.model import Model
from xsim.streams import StreamKey, generator
from xsim.waves.fft import fft1, ifft1

FloatArray = NDArray[np.float64]
Profile = Literal["flat", "gaussian"]

#: hbar [eV s]
HBAR_EV = hbar / E_CHARGE
#: the spectrum is drawn over this many rms widths to either side, the pulse in a window this many times as long
_REACH, _WINDOW = 6.0, 2.5
_MOST_SAMPLES = 1 << 18


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The light of one pulse: photon energies (n,) [eV], ascending, weights (n,) summing to 1, and its energy over the
    mean pulse energy."""

    energies: FloatArray
    weights: FloatArray
    relative_energy: float

    @property
    def mean(self) -> float:
        """Mean photon energy [eV]."""
        return float(np.sum(self.energies * self.weights))

    @property
    def rms(self) -> float:
        """Standard deviation of the photon energies [eV]."""
        return float(np.sqrt(np.sum((self.energies - self.mean) ** 2 * self.weights)))

    def lines(self, count: int) -> tuple[FloatArray, FloatArray]:
        """`count` lines (energies, weights) that stand for it: means of parts that hold equal shares of the light."""
        share = np.minimum((np.cumsum(self.weights) - self.weights / 2) * count, count - 0.5).astype(int)
        weights = np.bincount(share, self.weights, count)
        means = np.bincount(share, self.weights * self.energies, count)
        kept = weights > 0
        return means[kept] / weights[kept], weights[kept] / weights.sum()


class Sase(Model):
    """Spiky light of self-amplified noise. bandwidth: FWHM of the average spectrum over the photon energy."""

    kind: Literal["sase"] = "sase"
    bandwidth: Annotated[float, Field(gt=0, le=0.05)] = 2e-3
    #: rms of the central photon energy from shot to shot, over the photon energy
    energy_jitter: Annotated[float, Field(ge=0, le=0.05)] = 0.0

    def modes(self, energy: float, duration: float, profile: Profile) -> float:
        """Number of modes M of pulses of `duration` [s] (FWHM) at photon `energy` [eV]."""
        return mode_number(self.bandwidth * energy / FWHM, duration, profile)

    def draw(self, energy: float, duration: float, profile: Profile, key: StreamKey, shot: int) -> Spectrum:
        """The spectrum of pulse number `shot`."""
        rng = generator(key, shot)
        centre = energy * (1 + self.energy_jitter * rng.standard_normal())
        offsets, density = _spiky(self.bandwidth * energy / FWHM, duration, profile, rng)
        return Spectrum(centre + offsets, density / density.sum(), float(density.sum()))


class Seeded(Model):
    """One narrow line over a pedestal of SASE light.

    bandwidth: FWHM of the line over the photon energy, at least what the duration allows; modes_seeded: of the light
    that passed the monochromator, which fix how the energy fluctuates; pedestal: mean share of the SASE light, of FWHM
    `pedestal_bandwidth`.
    """

    kind: Literal["seeded"] = "seeded"
    bandwidth: Annotated[float, Field(gt=0, le=0.05)] = 5e-5
    modes_seeded: Annotated[float, Field(ge=1)] = 3.0
    pedestal: Annotated[float, Field(ge=0, lt=1)] = 0.1
    pedestal_bandwidth: Annotated[float, Field(gt=0, le=0.05)] = 2e-3
    energy_jitter: Annotated[float, Field(ge=0, le=0.05)] = 0.0

    def modes(self, energy: float, duration: float, profile: Profile) -> float:
        """1 over the relative variance of the pulse energy: line and pedestal fluctuate apart."""
        pedestal = mode_number(self.pedestal_bandwidth * energy / FWHM, duration, profile)
        return 1 / ((1 - self.pedestal) ** 2 / self.modes_seeded + self.pedestal**2 / pedestal)

    def draw(self, energy: float, duration: float, profile: Profile, key: StreamKey, shot: int) -> Spectrum:
        """The spectrum of pulse number `shot`."""
        rng = generator(key, shot)
        centre = energy * (1 + self.energy_jitter * rng.standard_normal())
        line = (1 - self.pedestal) * rng.gamma(self.modes_seeded, 1 / self.modes_seeded)
        offsets, density = np.empty(0), np.empty(0)
        if self.pedestal > 0:
            offsets, density = _spiky(self.pedestal_bandwidth * energy / FWHM, duration, profile, rng)
        # the bandwidth that the duration allows: FWHM x FWHM of a Gaussian pulse is 4 ln 2 hbar
        width = max(self.bandwidth * energy, 4 * np.log(2) * HBAR_EV / duration) / FWHM
        nodes = width * np.linspace(-4, 4, 65)
        seeded = np.exp(-((nodes / width) ** 2) / 2)
        where = np.concatenate([offsets, nodes])
        parts = np.concatenate([self.pedestal * density, line * seeded / seeded.sum()])
        order = np.argsort(where, kind="stable")
        return Spectrum(centre + where[order], parts[order] / parts.sum(), float(parts.sum()))


def mode_number(rms: float, duration: float, profile: Profile) -> float:
    """M for a spectrum of standard deviation `rms` [eV] and a pulse of `duration` [s], FWHM."""
    x = rms / HBAR_EV * duration
    if profile == "gaussian":
        return float(np.sqrt(1 + 4 * (x / FWHM) ** 2))
    inverse = 1 - x**2 / 6 if x < 1e-3 else (np.sqrt(np.pi) * x * erf(x) + np.expm1(-(x**2))) / x**2
    return float(1 / inverse)


def _spiky(rms: float, duration: float, profile: Profile, rng: Any) -> tuple[FloatArray, FloatArray]:
    """Photon energies about the centre [eV] and the energy in each over the mean pulse energy."""
    length = _WINDOW * duration * (1.0 if profile == "flat" else 2.0)
    # a pulse shorter than the coherence time broadens the spectrum
    step, reach = 2 * np.pi * HBAR_EV / length, _REACH * np.hypot(rms, HBAR_EV * 2 * np.pi / duration)
    count = 1 << int(np.ceil(np.log2(2 * reach / step)))
    if count > _MOST_SAMPLES:
        raise RangeError(
            "duration x bandwidth of a pulse", field="duration", value=f"{duration * 1e15:g} fs",
            allowed=f"<= {duration * 1e15 * _MOST_SAMPLES / count:.3g} fs at this bandwidth",
            cure="shorten the pulse or narrow its bandwidth",
        )  # fmt: skip
    offsets = (np.arange(count) - count // 2) * step
    mean = np.exp(-(offsets**2) / (2 * rms**2))
    mean /= mean.sum()
    noise = np.sqrt(mean / 2) * (rng.standard_normal(count) + 1j * rng.standard_normal(count))
    time = (np.arange(count) - count // 2) * (length / count)
    if profile == "flat":
        power = (np.abs(time) <= duration / 2).astype(np.float64)
    else:
        power = np.exp(-(time**2) * FWHM**2 / (2 * duration**2))
    power *= count / power.sum()
    field = ifft1(noise, 0, workers=1) * np.sqrt(power)
    spectrum = fft1(field, 0, workers=1)
    return offsets, spectrum.real**2 + spectrum.imag**2
