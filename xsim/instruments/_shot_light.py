"""The light of one shot at a single particle: steady flux in a uniform focus, or a pulse of an X-ray laser."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xsim.errors import ScenarioError, ValidityWarning
from xsim.exposure import Axis, FrameTable, Truth
from xsim.sources.pulse import Pulse

if TYPE_CHECKING:
    from xsim.instruments.single_particle import SingleParticle

FloatArray = NDArray[np.float64]

#: spectra of single shots that are kept with the truth, and the energies in each
_SPECTRA, _BINS = 64, 128
#: largest radius of a particle over the size of the focus for which the fluence is one number: it varies by 4 % then
_SMALL = 0.1


@dataclass(frozen=True, eq=False)
class ShotLight:
    """photons: in the whole beam; fluence: at the particle [1/m^2]; energies [eV] and weights of the lines."""

    photons: float
    fluence: float
    energies: FloatArray
    weights: FloatArray


def check_light(one: SingleParticle) -> None:
    """Refuse a steady beam and a pulse at once, and pulses that cannot be drawn. Raises ScenarioError, RangeError."""
    steady = [name for name in ("flux", "focus") if name in one.model_fields_set]
    if one.pulse is not None and steady:
        raise ScenarioError(
            "light given twice, as a steady beam and as pulses", field=steady[0],
            value=" and ".join(steady), allowed="either flux and focus, or pulse",
            cure=f"leave out {' and '.join(steady)}: pulse.energy and pulse.focus say it",
        )  # fmt: skip
    if one.hits is not None and one.damage is not None:
        raise ScenarioError(
            "damage of several particles at several fluences", field="hits", value=one.hits,
            allowed="hits or damage", cure="leave hits out: then one particle meets every shot",
        )  # fmt: skip
    if one.pulse is not None:
        one.pulse.shot(one.energy, 0)
    elif one.damage is not None:
        raise ScenarioError(
            "damage without pulses", field="damage", value=one.damage.law, allowed="with a pulse",
            cure="give pulse (energy, duration, focus): the damage follows from how fast the light comes",
        )  # fmt: skip


def pulse_of(one: SingleParticle, frames: FrameTable, row: int) -> Pulse | None:
    """The pulse of one row: that of the instrument, with the duration and energy of a scan over pulses."""
    if one.pulse is None:
        return None
    change = {"duration": "pulse_duration", "energy": "pulse_energy"}
    values = {name: float(frames[column][row]) for name, column in change.items() if column in frames.columns}
    return one.pulse.model_copy(update=values) if values else one.pulse


def light_of(one: SingleParticle, frames: FrameTable, row: int) -> ShotLight:
    """The light of one row of the frame table."""
    energy, time = float(frames["energy"][row]), float(frames["time"][row])
    pulse = pulse_of(one, frames, row)
    if pulse is None:
        fluence = one.fluence / one.exposure_time * time
        return ShotLight(one.flux * time, fluence, np.array([energy]), np.ones(1))
    shot = pulse.shot(energy, int(frames["shot"][row]))
    energies, weights = shot.spectrum.lines(pulse.lines)
    # particles anywhere in the focus weigh the fluence of its middle
    fluence = shot.fluence if one.hits is None else shot.photons * pulse.focus.peak
    return ShotLight(shot.photons, fluence, energies, weights)


def brightest(one: SingleParticle, frames: FrameTable) -> float:
    """Fluence [1/m^2] of the (mean) shot in the middle of the focus, of the strongest pulse of the table."""
    if one.pulse is None or "pulse_energy" not in frames.columns:
        return one.fluence
    return one.fluence * float(np.max(frames["pulse_energy"])) / one.pulse.energy


def shot_truth(one: SingleParticle) -> dict[str, Truth]:
    """Fluence, photons, mean photon energy and position of every shot, and the spectra of the first ones."""
    if one.pulse is None:
        return {}
    shots = [one.pulse.shot(one.energy, number) for number in range(one.shots)]
    axis = Axis("shot", np.arange(one.shots))
    first = shots[:_SPECTRA]
    low = min(s.spectrum.mean - 4 * s.spectrum.rms for s in first)
    high = max(s.spectrum.mean + 4 * s.spectrum.rms for s in first)
    edges = np.linspace(low, high, _BINS + 1)
    spectra = [np.histogram(s.spectrum.energies, edges, weights=s.spectrum.weights * s.photons)[0] for s in first]
    middle = Axis("photon_energy", (edges[1:] + edges[:-1]) / 2, "eV")
    return {
        "fluence": Truth(np.array([s.fluence for s in shots]), (axis,), "1/m^2"),
        "pulse_photons": Truth(np.array([s.photons for s in shots]), (axis,), "photons"),
        "photon_energy": Truth(np.array([s.spectrum.mean for s in shots]), (axis,), "eV"),
        "position": Truth(np.array([s.position for s in shots]), (axis, Axis("direction", np.array(["x", "y"]))), "m"),
        "spectrum": Truth(np.array(spectra), (Axis("shot", np.arange(len(first))), middle), "photons"),
    }


def light_geometry(one: SingleParticle) -> dict[str, Any]:
    """What files are told of the light: of a pulse what the machine knows of it."""
    pulse = one.pulse
    if pulse is None:
        return {"focus_diameter [m]": one.focus}
    return {
        "focus_diameter [m]": pulse.focus.size,
        "pulse_energy [J]": pulse.energy,
        "pulse_duration [s]": pulse.duration,
        "photons_per_pulse": pulse.photons(one.energy),
    }


def warn_if_wide(one: SingleParticle, radius: float) -> None:
    """Warn with the numbers where the particle is so wide that the fluence varies across it."""
    if one.pulse is None or radius <= _SMALL * one.pulse.focus.size:
        return
    warnings.warn(
        f"single_particle: a particle of radius {radius:.3g} m in a focus of {one.pulse.focus.size:.3g} m, limit "
        f"{_SMALL:g} of it for a fluence that is the same across the particle; widen pulse.focus.size to "
        f"{radius / _SMALL:.3g} m",
        ValidityWarning,
        stacklevel=4,
    )
