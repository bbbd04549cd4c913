"""The pattern that a particle gives while a pulse destroys it: what is left of it, and what becomes background.

    I(q) = < |A(s q)|^2 |rho(q)|^2 > + N r_e^2 < D(q) >,    averages over the light of the pulse

A is the Born amplitude of the intact particle, s its expansion, rho the mean atomic factor now over that at first,
    rho = sum_e x_e (f_e + f1_e - Z_e - i f2_e)_now exp(-q^2 sigma_e^2/2) / sum_e x_e (...)_before
(dispersion in proportion to the electrons left), and D what atoms scatter without a pattern,
    D = sum_e x_e [<|f_e|^2> - |<f_e>|^2 exp(-q^2 sigma_e^2)] + free electrons
so that for atoms in disorder pattern and background together are <|f|^2> of every atom: no photon is lost. Bound
electrons' Compton scattering is left out before and after alike. Elements share one rho: exact for one element,
within a few percent for the light ones of proteins. The state of the particle comes from `xsim.dose.pulse_history`
(law "rate"), or from a linear rule ("linear"): every photon absorbed costs its atom 2 - yield electrons, evenly from
all, no atom moves.

References: as in `xsim.dose.pulse_damage`; Quiney & Nugent, Nature Phys. 7, 142 (2011), doi 10.1038/nphys1859.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xsim.dose.pulse_damage import Exposed, Target, coefficients
from xsim.dose.pulse_history import History, check_range, history
from xsim.errors import ValidityWarning
from xsim.matter import elements
from xsim.model import Model

FloatArray = NDArray[np.float64]

#: photons absorbed per atom up to which a linear rule holds: it overstates by 15 % there
LINEAR = 0.3
#: share of the intact pattern down to which it counts as kept: half the amplitude
KEPT = 0.25
#: histories are worked out at fluences that grow by this factor (in natural logarithms) and interpolated between them
_STEP = 0.2
#: below this share of photons absorbed per atom nothing happens to the pattern
_NOTHING = 1e-6
#: points of a curve over |q|
_POINTS = 160


class Damage(Model):
    """What pulses do to the particle. law: "rate" equations or the "linear" rule; moments: of the pulse, of equal
    light, that stand for it; expansion: whether the particle grows."""

    law: Literal["rate", "linear"] = "rate"
    moments: Annotated[int, Field(ge=2, le=64)] = 8
    expansion: bool = True

    def check(self, target: Target, light: Exposed) -> None:
        """Raise RangeError outside the range of the model; warn where a linear rule is none."""
        check_range(target, light)
        worst, symbol = max((linear_absorptions(symbol, light), symbol) for symbol, _ in target.atoms)
        if self.law == "linear" and worst > LINEAR:
            warnings.warn(
                f"damage: {worst:.3g} photons absorbed per atom of {symbol} by the linear rule (in truth at most "
                f'{absorbed_once(worst):.2g} of the atoms absorb), limit {LINEAR:g}; use damage.law = "rate"',
                ValidityWarning,
                stacklevel=3,
            )

    def effect(self, target: Target, light: Exposed, q_max: float) -> Effect:
        """What is left of patterns up to |q| = `q_max` [rad/m]; interpolated in the fluence of `light`."""
        worst = max(linear_absorptions(symbol, light) for symbol, _ in target.atoms)
        if worst < _NOTHING:
            return _intact(q_max, self.moments)
        place = np.log(light.fluence) / _STEP
        low = int(np.floor(place))
        share = float(place - low)
        lower, upper = (
            _effect(
                self, target, Exposed(light.energy, float(np.exp(step * _STEP)), light.duration, light.profile), q_max
            )
            for step in (low, low + 1)
        )
        mixed = ((1 - share) * getattr(lower, name) + share * getattr(upper, name) for name in _MIXED)
        return Effect(lower.q, *mixed)


_MIXED = ("ratio", "diffuse", "expansion", "absorbed", "charge")


@dataclass(frozen=True, eq=False)
class Effect:
    """Curves over q (n,) [rad/m] at k moments: rho (k, n), complex; D (n,), averaged over them [electrons^2 per
    atom]; expansion (k,); photons absorbed and charge of the ions per atom at the end."""

    q: FloatArray
    ratio: NDArray[np.complex128]
    diffuse: FloatArray
    expansion: FloatArray
    absorbed: FloatArray
    charge: FloatArray

    def left(self, q: FloatArray, moments: NDArray[np.int64]) -> FloatArray:
        """|rho|^2 at |q|, averaged over some moments."""
        return np.interp(q, self.q, (np.abs(self.ratio[moments]) ** 2).mean(axis=0))

    def background(self, q: FloatArray) -> FloatArray:
        """D at |q| [electrons^2 per atom]."""
        return np.interp(q, self.q, self.diffuse)

    def kept(self, radius: float) -> FloatArray:
        """Share of the pattern (n,) that is left and in its place, for a sphere of `radius` [m]: its growth moves the
        atoms at r by (s - 1) r, which leaves [3 (sin x - x cos x)/x^3]^2, x = q (s - 1) radius."""
        x = np.maximum(self.q * (self.expansion[:, None] - 1) * radius, 1e-3)
        stays = 3 * (np.sin(x) - x * np.cos(x)) / x**3
        return np.asarray((np.abs(self.ratio) ** 2 * stays**2).mean(axis=0))

    def resolution(self, radius: float, level: float = KEPT) -> float:
        """2 pi/q [m] where `kept` falls below `level`; of the last q if it never does, infinite if it begins so."""
        kept = self.kept(radius)
        below = np.flatnonzero(kept < level)
        if not len(below):
            return float(2 * np.pi / self.q[-1])
        if below[0] == 0:
            return float("inf")
        a, b = below[0] - 1, below[0]
        at = np.interp(-level, [-kept[a], -kept[b]], [self.q[a], self.q[b]])
        return float(2 * np.pi / at)

    def groups(self, reach: float) -> list[tuple[float, NDArray[np.int64]]]:
        """Expansions that differ by less than `reach`, and the moments that share each."""
        out: list[tuple[float, NDArray[np.int64]]] = []
        start = 0
        for k in range(1, len(self.expansion) + 1):
            if k == len(self.expansion) or self.expansion[k] - self.expansion[start] > reach:
                rows = np.arange(start, k)
                mean = float(self.expansion[rows].mean())
                out.append((1.0 if abs(mean - 1) < reach / 2 else mean, rows))
                start = k
        return out


def linear_absorptions(symbol: str, light: Exposed) -> float:
    """p = sigma F: photons absorbed per atom as if it never ran out of electrons."""
    _, f2 = elements.element(symbol).factors(elements.checked(light.energy))
    return float(elements.photo_cross_section(f2, np.asarray(light.energy))) * light.fluence


def absorbed_once(linear: float) -> float:
    """Share of the atoms that absorb at least one photon, 1 - exp(-p)."""
    return float(-np.expm1(-linear))


def _intact(q_max: float, moments: int) -> Effect:
    ones = np.ones((moments, 2), np.complex128)
    nothing = np.zeros(())
    return Effect(np.array([0.0, q_max]), ones, np.zeros(2), np.ones(moments), nothing, nothing)


@lru_cache(maxsize=512)
def _effect(damage: Damage, target: Target, light: Exposed, q_max: float) -> Effect:
    q = np.linspace(0, q_max, _POINTS)
    if damage.law == "linear":
        return _linear(damage, target, light, q)
    h = history(target, light, damage.moments)
    shares = np.array([n for _, n in target.atoms]) / target.count
    expansion = h.expansion[:-1] if damage.expansion else np.ones(damage.moments)
    return Effect(
        q, *_curves(h, q, shares), expansion, h.numbers["absorbed"][-1], np.asarray((h.charge[-1] * shares).sum())
    )


def _curves(h: History, q: FloatArray, shares: FloatArray) -> tuple[NDArray[np.complex128], FloatArray]:
    moments = len(h.time) - 1  # the last one is the end of the pulse
    now, diffuse = np.zeros((moments, len(q)), np.complex128), np.zeros((moments, len(q)))
    before = np.zeros(len(q), np.complex128)
    for i, (part, where) in enumerate(zip(h.rates.parts, h.rates.slices, strict=True)):
        f1, f2 = elements.element(part.symbol).factors(elements.checked(h.rates.light.energy))
        dispersion = float(f1) - part.z - 1j * float(f2)
        neutral, _ = part.factor(q, part.electrons)
        before += shares[i] * (neutral + dispersion)
        for k in range(moments):
            electrons = h.electrons[k, where]
            mean, variance = part.factor(q, electrons)
            factor = mean + dispersion * electrons.sum() / part.z
            shaken = np.exp(-(q**2) * h.sigma2[k, i])
            now[k] += shares[i] * factor * np.sqrt(shaken)
            diffuse[k] += shares[i] * (variance + np.abs(factor) ** 2 * (1 - shaken))
    lost = (h.numbers["escaped"] + h.numbers["free"])[:-1]
    return now / before, (diffuse + lost[:, None]).mean(axis=0)


def _linear(damage: Damage, target: Target, light: Exposed, q: FloatArray) -> Effect:
    """Every absorption takes 2 - yield electrons off its atom, evenly from all; nothing moves."""
    c = coefficients(target, light)
    passed = np.append((np.arange(damage.moments) + 0.5) / damage.moments, 1.0)
    lost, absorbed = np.zeros(damage.moments + 1), 0.0
    electrons = sum(n * p.z for (_, n), p in zip(target.atoms, c.parts, strict=True)) / target.count
    for (_, n), where in zip(target.atoms, c.slices, strict=True):
        per_atom = c.sigma[where] * 1e-18 * light.fluence
        lost += n / target.count * passed * float(np.sum(per_atom * (2 - c.yields[where])))
        absorbed += n / target.count * float(per_atom.sum())
    left = np.clip(1 - lost / electrons, 0, 1)
    free = (1 - left) * electrons
    ratio = np.repeat(left[:-1, None], len(q), axis=1).astype(np.complex128)
    background, end = np.full(len(q), free[:-1].mean()), np.asarray(free[-1])
    return Effect(q, ratio, background, np.ones(damage.moments), np.asarray(absorbed), end)
