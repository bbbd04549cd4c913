"""Integrates the rate equations of `xsim.dose.pulse_damage` over a pulse."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.constants import atomic_mass, e
from scipy.integrate import solve_ivp

from xsim.dose.electron_escape import COULOMB, over_barrier, slowing, stopping_power, within_reach
from xsim.dose.pulse_damage import FS, NM, Coefficients, Exposed, Sources, Target, coefficients, sources
from xsim.errors import RangeError

FloatArray = NDArray[np.float64]

#: eV/(u nm) as an acceleration [nm/fs^2]
_PUSH = e / (atomic_mass * NM**2) * FS**2
_COULOMB_NM = COULOMB / NM
#: an electron set free by another costs twice what bound it: the rest is heat
_COST = 2.0
#: names of the numbers kept beside the groups, per atom of the particle: escaped and free electrons, energies [eV] in
#: fast photo- and Auger electrons, heat of free electrons and of ions, fluorescence, energy taken along by escaped
#: electrons, photons absorbed; then the radius [nm] and its speed [nm/fs]
_SINGLE = (
    "escaped",
    "free",
    "fast_photo",
    "fast_auger",
    "heat",
    "ions",
    "light",
    "carried",
    "absorbed",
    "radius",
    "speed",
)

#: what the model holds for: name -> (least, most, unit, cure)
LIMITS = {
    "energy": (300.0, 30e3, "eV", "choose another photon energy"),
    "duration": (1e-16, 2e-13, "s", "shorten the pulse, or treat it as a steady exposure with a dose"),
    "radius": (0.3e-9, 500e-9, "m", "use a smaller particle: large ones burn from their surface"),
    "intensity": (0.0, 1e26, "W/m^2", "widen the focus or stretch the pulse: beyond, atoms absorb two photons at once"),
}


@dataclass(frozen=True, eq=False)
class History:
    """The particle at some moments: time (k,) [s], share of the pulse that has passed (k,), electrons left in each
    group (k, g), expansion R/R0 (k,), squared rms displacement along an axis sigma^2 (k, elements) [m^2], and per
    atom of the particle, each (k,): `escaped` and `free` electrons, photons `absorbed`, energies [eV]."""

    rates: Coefficients
    time: FloatArray
    passed: FloatArray
    electrons: FloatArray
    expansion: FloatArray
    sigma2: FloatArray
    numbers: dict[str, FloatArray]

    @property
    def bound(self) -> FloatArray:
        """Bound electrons (k, elements) per atom of each element."""
        return np.stack([self.electrons[:, s].sum(axis=1) for s in self.rates.slices], axis=1)

    @property
    def charge(self) -> FloatArray:
        """Mean charge of the ions (k, elements)."""
        return np.array([p.z for p in self.rates.parts]) - self.bound


def check_range(target: Target, light: Exposed) -> None:
    """Raise RangeError with value, limit and cure for a pulse or particle outside the range of the model."""
    intensity = light.fluence * light.energy * e / light.duration
    values = {"energy": light.energy, "duration": light.duration, "radius": target.radius, "intensity": intensity}
    for name, value in values.items():
        least, most, unit, cure = LIMITS[name]
        if not least <= value <= most:
            raise RangeError(
                f"{name} outside the range of the damage model", field="damage", value=f"{value:.4g} {unit}",
                allowed=f"{least:g} to {most:g} {unit}", cure=cure,
            )  # fmt: skip


@lru_cache(maxsize=256)
def history(target: Target, light: Exposed, moments: int = 8) -> History:
    """The particle at the middles of `moments` parts of the pulse that hold equal light, and at its end."""
    passed = (np.arange(moments) + 0.5) / moments
    return follow(target, light, np.append(light.time(passed), light.ends[1]))


def follow(target: Target, light: Exposed, times: FloatArray) -> History:
    """The particle at `times` [s], ascending, about the middle of the pulse."""
    c = coefficients(target, light)
    model = _Model(c)
    begin = light.ends[0] / FS
    wanted = np.maximum(np.asarray(times, np.float64) / FS, begin)
    end = max(float(wanted[-1]), begin + 1e-9)
    solved = solve_ivp(
        model.slope, (begin, end), model.start(), "RK23", wanted, rtol=1e-3, atol=1e-6,
        first_step=1e-4 * light.duration / FS, max_step=0.1 * light.duration / FS,
    )  # fmt: skip
    if not solved.success:
        raise RangeError(
            "rate equations of the damage model", field="damage", value=f"{light.fluence:.3g} 1/m^2",
            allowed="a solution", cure=f"lower the fluence ({solved.message})",
        )  # fmt: skip
    y, g, kinds = solved.y.T, len(c.start), len(c.parts)
    numbers = dict(zip(_SINGLE, y[:, g : g + len(_SINGLE)].T, strict=True))
    tail = y[:, g + len(_SINGLE) :]
    return History(
        c, wanted * FS, light.passed(wanted * FS), np.clip(y[:, :g], 0, None),
        numbers["radius"] * NM / target.radius, np.clip(tail[:, kinds:], 0, None) * NM**2, numbers,
    )  # fmt: skip


class _Model:
    """The right-hand side; state: groups, `_SINGLE`, then per element d(sigma^2)/dt / 2 and sigma^2 [nm^2]."""

    def __init__(self, c: Coefficients):
        self.c = c
        self.count = c.target.count
        self.mass = c.target.mass
        self.groups, self.kinds = len(c.start), len(c.parts)
        composition = dict(c.target.atoms)
        self._energies = np.geomspace(30.0, 40e3, 120)
        reach, slow = slowing(self._energies, composition, c.target.density)
        loss = stopping_power(self._energies, composition, c.target.density)
        self._tables = np.stack([reach / NM, loss * NM])
        self._slopes = np.diff(self._tables, axis=1)
        self._step = float(np.log(self._energies[1] / self._energies[0]))
        depth = c.depth(c.start)
        weight = c.share * c.sigma
        mean = float(np.sum(weight * depth) / max(weight.sum(), 1e-300))
        log = np.log(self._energies)
        tau = np.interp(np.log([max(c.light.energy - mean, 30.0), max(0.9 * mean, 30.0)]), log, slow / FS)
        self.tau = np.maximum(tau, 0.05)

    def start(self) -> FloatArray:
        """The neutral particle at rest."""
        single = np.zeros(len(_SINGLE))
        single[_SINGLE.index("radius")] = self.c.target.radius / NM
        return np.concatenate([self.c.start, single, np.zeros(2 * self.kinds)])

    def slope(self, time: float, y: FloatArray) -> FloatArray:
        """dy/dt."""
        c, g = self.c, self.groups
        n = np.clip(y[:g], 0.0, c.start)
        s = dict(zip(_SINGLE, y[g : g + len(_SINGLE)].tolist(), strict=True))
        depth = c.depth(n)
        made = sources(c, n, depth, time)
        d = dict.fromkeys(_SINGLE, 0.0)
        dn = made.change.copy()
        kept, deposited = self._leave(made, s, d)
        d["fast_photo"] = kept[0] - s["fast_photo"] / self.tau[0]
        d["fast_auger"] = kept[1] - s["fast_auger"] / self.tau[1]
        deposited += max(s["fast_photo"] / self.tau[0] + s["fast_auger"] / self.tau[1], 0.0)
        dn -= self._collide(n, depth, deposited, d)
        d["light"], d["absorbed"] = made.light, float(np.sum(c.share * made.absorbed))
        self._move(s, d)
        spread = y[g + len(_SINGLE) :]
        speed2 = max(s["ions"], 0.0) * (2 / 3) / c.masses * _PUSH  # k T/m along one axis [nm^2/fs^2]
        return np.concatenate([dn, [d[name] for name in _SINGLE], speed2, 2 * spread[: self.kinds]])

    def _leave(self, made: Sources, s: dict[str, float], d: dict[str, float]) -> tuple[list[float], float]:
        """Let electrons go; the energy rates of those that stay (photo, Auger), and what leaving ones deposit."""
        radius = max(s["radius"], 1e-3)
        height = _COULOMB_NM * max(s["escaped"], 0.0) * self.count / radius
        groups = len(made.absorbed)
        energy = np.concatenate([made.photo_energy, made.auger_energy])
        rate = np.concatenate([self.c.share * made.absorbed, self.c.share * made.emitted])
        at = np.minimum(np.maximum(energy, self._energies[0]), self._energies[-1])
        place = np.log(at / self._energies[0]) / self._step
        low = np.minimum(place.astype(np.intp), len(self._energies) - 2)
        tables = self._tables[:, low] + (place - low) * self._slopes[:, low]
        loss = np.minimum(0.75 * radius * tables[1], 0.5 * energy)
        out = rate * over_barrier(energy, height) * within_reach(tables[0], radius)
        left = float(out.sum())
        d["escaped"] += left
        d["free"] += float(rate.sum()) - left
        # 6/5 of the barrier is the mean depth of the potential in a uniform sphere
        d["carried"] += float(out @ (energy - loss)) - 1.2 * height * left
        stays = (rate - out) * energy
        return [float(stays[:groups].sum()), float(stays[groups:].sum())], float(out @ loss)

    def _collide(self, n: FloatArray, depth: FloatArray, deposited: float, d: dict[str, float]) -> FloatArray:
        """Electrons set free by others, of each group and per atom of its element; the rest of the energy is heat."""
        weight = self.c.share * n / np.maximum(depth, 1.0) ** 2
        total = weight.sum()
        if total <= 1e-15 or deposited <= 0:
            d["heat"] += deposited
            return np.zeros(len(n))
        mean = float(np.sum(weight * depth) / total)
        rate = deposited / (_COST * mean)
        d["free"] += rate
        d["heat"] += deposited - rate * mean
        return np.asarray(rate * weight / total / self.c.share)

    def _move(self, s: dict[str, float], d: dict[str, float]) -> None:
        """Expansion, cooling by it, and the heating of ions."""
        radius, heat, free = max(s["radius"], 1e-3), max(s["heat"], 0.0), max(s["free"], 0.0)
        charge = max(s["escaped"], 0.0) * self.count
        push = 10 / 3 * heat * self.count / (self.mass * radius) + _COULOMB_NM * charge**2 / (self.mass * radius**2)
        d["radius"], d["speed"] = s["speed"], push * _PUSH
        d["heat"] -= 2 * heat * s["speed"] / radius
        if free > 1e-6:
            flow = self._exchange(free, heat, max(s["ions"], 0.0), radius)
            d["heat"] -= flow
            d["ions"] += flow

    def _exchange(self, free: float, heat: float, ions: float, radius: float) -> float:
        """Heat from electrons to ions [eV per atom and fs], Spitzer's rate with a Coulomb logarithm of at least 1."""
        electrons, ion = 2 / 3 * heat / free, 2 / 3 * ions  # temperatures [eV]
        density = free * self.count / (4 / 3 * np.pi * radius**3) * 1e21  # [1/cm^3]
        mass = self.mass / self.count * atomic_mass * 1e3  # [g]
        light = 9.1093837e-28
        charge = free
        log = max(1.0, 23.0 - np.log(max(density, 1.0) ** 0.5 * max(charge, 1e-3) * max(electrons, 0.1) ** -1.5))
        rate = 1.8e-19 * np.sqrt(mass * light) * charge**2 * (density / max(charge, 1e-6)) * log
        rate /= (mass * max(electrons, 0.1) + light * ion) ** 1.5
        return float(1.5 * rate * FS * (electrons - ion))
