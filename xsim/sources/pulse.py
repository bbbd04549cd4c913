"""Pulses of an X-ray laser: how many photons of which energies meet the particle in each shot.

    photons = W t / E,    fluence = photons p(x, y)

W is the energy of the pulse, t the transmission of the beamline to the focus, E the photon energy, p the profile of the
focus (`xsim.sources.focus`) where the particle flies through. Pulse energy and spectrum fluctuate as in
`xsim.sources.sase`; the machine adds `energy_jitter` (relative, gamma-distributed, so that no pulse is negative).
Draws follow from `seed`, what they are for, and the number of the shot alone.

Background: photons that reach the detector without having met the particle,
    N(pixel) = photons dOmega [ sum_e n_e l dsigma_e/dOmega(q) + s ]
from gas along a path l around the interaction point (n_e atoms per volume; Rayleigh by f0 and f', and Compton by what
f0 leaves, Z - f0^2/Z) and from the beamline, s photons per incident photon and steradian, the same in all directions.
Valid for gas that absorbs little. References: as in `xsim.sources.sase`; Thompson et al., X-ray Data Booklet (2009).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.constants import Boltzmann

from xsim.constants import E_CHARGE, R_E
from xsim.errors import RangeError
from xsim.matter import elements
from xsim.matter.formula import parse
from xsim.model import Model
from xsim.sources.focus import Focus
from xsim.sources.sase import Profile, Sase, Seeded, Spectrum
from xsim.streams import StreamKey, generator
from xsim.units import NonNegativeLength, NonNegativePressure, PulseEnergy, Temperature, Time

FloatArray = NDArray[np.float64]

#: pulses for which damage and spectra are thought of [s]
SHORTEST, LONGEST = 1e-16, 1e-12


class Gas(Model):
    """Gas that the beam passes near the particle: carrier gas of a jet, or what the pumps leave."""

    formula: str = "He"
    pressure: NonNegativePressure = 0.0
    length: NonNegativeLength = 0.05
    temperature: Temperature = 293.0

    def densities(self) -> dict[str, float]:
        """Atoms of each element per volume [1/m^3]."""
        molecules = self.pressure / (Boltzmann * self.temperature)
        return {symbol: count * molecules for symbol, count in parse(self.formula)}

    def scattering(self, q: FloatArray, energy: float) -> FloatArray:
        """Photons scattered per incident photon and steradian, before the polarisation, at |q| [rad/m]."""
        from xsim.specimen.atoms import atomic_factor

        total = np.zeros(np.shape(q))
        for symbol, density in self.densities().items():
            z, factor = elements.element(symbol).z, atomic_factor(symbol, np.asarray(q) ** 2, energy)
            f1, _ = elements.element(symbol).factors(elements.checked(energy))
            f0 = factor.real - (float(f1) - z)
            total += density * R_E**2 * (np.abs(factor) ** 2 + np.clip(z - f0**2 / z, 0, None))
        return np.asarray(total * self.length)


@dataclass(frozen=True, eq=False)
class Shot:
    """One pulse: photons in the whole focus, spectrum, where the particle met it (x, y) [m] and the fluence there."""

    photons: float
    spectrum: Spectrum
    position: tuple[float, float]
    fluence: float


class Pulse(Model):
    """The pulses of an X-ray laser. duration: FWHM [s] of the `profile` in time. transmission: from `energy` [J], the
    mean pulse energy, to the focus. scattered: by the beamline, per incident photon and steradian. lines: photon
    energies that stand for the spectrum of a shot in its pattern (1: its mean)."""

    energy: PulseEnergy = 1e-3
    duration: Time = 20e-15
    profile: Profile = "gaussian"
    transmission: Annotated[float, Field(gt=0, le=1)] = 0.5
    energy_jitter: Annotated[float, Field(ge=0, le=1)] = 0.0
    spectrum: Annotated[Sase | Seeded, Field(discriminator="kind")] = Sase()
    focus: Focus = Focus()
    gas: Gas | None = None
    scattered: Annotated[float, Field(ge=0, le=1)] = 0.0
    lines: Annotated[int, Field(ge=1, le=101)] = 1
    seed: int = 1

    def model_post_init(self, context: Any) -> None:
        """Refuse durations that are none of an X-ray laser's."""
        if not SHORTEST <= self.duration <= LONGEST:
            raise RangeError(
                "pulse duration", field="duration", value=f"{self.duration:g} s",
                allowed=f"{SHORTEST * 1e15:g} fs to {LONGEST * 1e15:g} fs (FWHM)", cure="give the length of one pulse",
            )  # fmt: skip

    def with_values(self, duration: float, energy: float) -> Pulse:
        """The same source with pulses of another `duration` [s] and mean `energy` [J]. Raises RangeError."""
        other = self.model_copy(update={"duration": duration, "energy": energy})
        other.model_post_init(None)
        return other

    def photons(self, energy: float) -> float:
        """Mean photons of `energy` [eV] in the focus."""
        return self.energy * self.transmission / (energy * E_CHARGE)

    def peak_fluence(self, energy: float) -> float:
        """Mean photons per area [1/m^2] in the middle of the focus."""
        return self.photons(energy) * self.focus.peak

    def shot(self, energy: float, number: int) -> Shot:
        """Pulse `number` at nominal photon `energy` [eV]."""
        key = StreamKey(self.seed, "pulse")
        spectrum = self.spectrum.draw(energy, self.duration, self.profile, key.child("spectrum"), number)
        machine = 1.0
        if self.energy_jitter > 0:
            shape = 1 / self.energy_jitter**2
            machine = float(generator(key.child("machine"), number).gamma(shape, 1 / shape))
        photons = self.photons(spectrum.mean) * spectrum.relative_energy * machine
        x, y = generator(key.child("position"), number).standard_normal(2) * self.focus.jitter
        fluence = photons * float(self.focus.density(x, y))
        return Shot(photons, spectrum, (float(x), float(y)), fluence)

    def background(self, q: FloatArray, energy: float, polarised: FloatArray) -> FloatArray:
        """Photons per incident photon and steradian that come from elsewhere, at |q| [rad/m]; `polarised`: the
        polarisation factor there."""
        gas = 0.0 if self.gas is None else self.gas.scattering(q, energy) * polarised
        return np.asarray(gas + self.scattered + np.zeros(np.shape(q)))
