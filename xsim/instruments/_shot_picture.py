"""The expected picture of one shot: the particle's pattern in the light of that shot, what the pulse leaves of it,
and what is scattered elsewhere.

Damage: see `xsim.dose.damage`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xsim.constants import R_E
from xsim.dose.damage import Effect
from xsim.dose.pulse_damage import Exposed, Target
from xsim.exposure import Axis, FrameTable, Truth
from xsim.instruments._shot_light import light_of, pulse_of
from xsim.instruments._shot_pixels import Pixels
from xsim.registry import unknown
from xsim.sources.pulse import Pulse
from xsim.specimen.specimen import Specimen
from xsim.waves.grid import Grid

if TYPE_CHECKING:
    from xsim.instruments.single_particle import SingleParticle

FloatArray = NDArray[np.float64]
#: scattered intensity per fluence and solid angle [m^2] at q (..., 3) [rad/m], photon energy [eV] and growth R/R0
Body = Callable[[FloatArray, float, float], FloatArray]

#: growth of the particle that moves speckles at the edge of the pattern by less than this phase [rad] is left out
_PHASE = 0.1
#: room left in q for the bandwidth of pulses
BAND = 1.05


@dataclass(frozen=True, eq=False)
class Shown:
    """Expected photons (y, x), those of the whole beam, and the mean photon energy [eV]."""

    expected: FloatArray
    photons: float
    energy: float


def shot_picture(
    one: SingleParticle, seen: Pixels, atoms: tuple[Target | None, float], frames: FrameTable, row: int, body: Body
) -> Shown:
    """One row of the frame table; body: the particle as it is turned in this shot; atoms: the particle that is damaged,
    or None, and how many of it are in the light."""
    target, present = atoms
    light, pulse = light_of(one, frames, row), pulse_of(one, frames, row)
    picture = np.zeros(tuple(one.detector.shape))
    last, effect = BAND * seen.q_end(float(frames["energy"][row])), None
    if one.damage is not None and pulse is not None and target is not None:
        exposed = Exposed(float(frames["energy"][row]), light.fluence, pulse.duration, pulse.profile)
        effect = one.damage.effect(target, exposed, last)
    for energy, share in zip(light.energies.tolist(), light.weights.tolist(), strict=True):
        q, solid_angle, polarised = seen.q(energy), seen.solid_angle, seen.polarised
        size = np.sqrt((q**2).sum(axis=-1))
        if effect is None or target is None:
            scattered = body(q, energy, 1.0)
        else:
            scattered = _damaged(effect, target, last, size, partial(body, q, energy), present)
        picture += scattered * (share * light.fluence) * solid_angle * polarised
        if pulse is not None:
            picture += share * light.photons * solid_angle * pulse.background(size, energy, polarised)
    return Shown(picture * seen.open, light.photons, float(np.sum(light.energies * light.weights)))


def _damaged(
    effect: Effect, target: Target, last: float, size: FloatArray, body: Callable[[float], FloatArray], present: float
) -> FloatArray:
    """Scattered photons per fluence and solid angle [m^2]: pattern and background. body: of the particle grown by some
    factor; last: the largest |q| [rad/m]; present: particles in the light."""
    total = present * target.count * R_E**2 * effect.background(size)
    moments = len(effect.expansion)
    for grown, rows in effect.groups(_PHASE / (last * target.radius)):
        total += len(rows) / moments * body(grown) * effect.left(size, rows)
    return np.asarray(total)


def check_damage(one: SingleParticle, target: Target | None) -> None:
    """Raise RangeError, or warn, for pulses outside the range of the damage model."""
    if one.damage is not None and one.pulse is not None and target is not None:
        one.damage.check(target, _middle(one, one.pulse))


def _middle(one: SingleParticle, pulse: Pulse) -> Exposed:
    """The mean pulse in the middle of the focus."""
    return Exposed(one.energy, pulse.peak_fluence(one.energy), pulse.duration, pulse.profile)


def alone(specimen: Specimen, name: str | None) -> Specimen:
    """The specimen with the population `name` only, moved to the middle of the beam; as it is without a name. Raises
    UnknownNameError."""
    if name is None:
        return specimen
    known = list(dict.fromkeys(p.name for p in specimen.populations))
    chosen = [p for p in specimen.populations if p.name == name]
    if not chosen:
        raise unknown("no such population", name, known, field="particle")
    places = np.concatenate([p.poses.positions for p in chosen])
    middle = (places.min(axis=0) + places.max(axis=0)) / 2
    return replace(specimen, populations=tuple(p.moved(np.eye(3), -middle) for p in chosen))


def passed(specimen: Specimen, energy: float) -> float:
    """Share of the light that comes through the layers around the particle, which do not turn with it."""
    layers = specimen.layers
    pairs = zip(layers.materials, layers.thickness(Grid((1, 1), 1e-9), -np.inf, np.inf), strict=True)
    return float(np.exp(-sum(float(m.optics(energy).mu_total) * float(t[0, 0]) for m, t in pairs)))


def target_of(specimen: Specimen) -> Target | None:
    """The specimen's particles as one sphere of their atoms and volume; None without particles."""
    atoms: dict[str, float] = {}
    volume = 0.0
    for population in specimen.populations:
        filled = float(population.volumes.sum())
        structure = getattr(population.shape, "structure", None)
        if structure is not None:
            found = {symbol: n * len(population) for symbol, n in structure.composition.items()}
        else:
            found = {symbol: n * filled for symbol, n in population.material.number_densities.items()}
        for symbol, count in found.items():
            atoms[symbol] = atoms.get(symbol, 0.0) + count
        volume += filled
    if volume <= 0 or not atoms:
        return None
    return Target(tuple(sorted(atoms.items())), volume)


def kept_truth(one: SingleParticle, seen: Pixels, target: Target | None, pulses: list[Pulse]) -> dict[str, Truth]:
    """What each of some pulses, in the middle of the focus, leaves of the pattern: `kept` (pulses, q), the resolution
    (pulses,) at which half of that at q = 0 is kept, and the photons absorbed and charge per atom."""
    if one.damage is None or target is None:
        return {}
    rows = []
    for pulse in pulses:
        rows.append(one.damage.effect(target, _middle(one, pulse), BAND * seen.q_end(one.energy)))
    axis = Axis("pulse", np.arange(len(pulses)))
    q = np.linspace(0, rows[0].q[-1], 160)
    kept = np.array([np.interp(q, r.q, r.kept(target.radius)) for r in rows])
    return {
        "kept": Truth(kept, (axis, Axis("q", q, "rad/m"))),
        "resolution_kept": Truth(np.array([r.resolution(target.radius) for r in rows]), (axis,), "m"),
        "absorbed_per_atom": Truth(np.array([float(r.absorbed) for r in rows]), (axis,), "photons"),
        "charge_per_atom": Truth(np.array([float(r.charge) for r in rows]), (axis,), "e"),
    }
