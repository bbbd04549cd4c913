"""Which particles meet each shot: how many, where in the focus, how turned and how large.

Without `hits` one particle meets every shot, in the middle of the focus or where the pulse's jitter puts it. With it,
the number is Poisson-distributed (many shots are empty, some hit several): particles fly through evenly, `hits` of them
on average in the focus's effective area 1/p(0), p its profile, and are counted to 1.5 times its size from the middle
(to its rim where it is flat). They lie as deep along the beam as that disc is wide, and no two overlap. Draws follow
from the seed alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xsim.errors import RangeError
from xsim.exposure import Axis, Truth
from xsim.sources.focus import Focus
from xsim.specimen.amplitude import scatters_by_itself
from xsim.specimen.specimen import Specimen
from xsim.specimen.turning import reach
from xsim.streams import StreamKey, generator

if TYPE_CHECKING:
    from xsim.instruments.single_particle import SingleParticle

FloatArray = NDArray[np.float64]

#: how far from the middle particles are counted, over the size of a focus with tails
_FAR = 1.5
#: draws of a shot's places before its particles are found too crowded
_TRIES = 200


@dataclass(frozen=True, eq=False)
class Flights:
    """Particles of all shots: shot i has rows first[i] .. first[i + 1] of orientation (n, 4), position (n, 3) [m] from
    the middle of the focus, and scale (n,). placed: whether positions were drawn here."""

    first: NDArray[np.int64]
    orientation: FloatArray
    position: FloatArray
    scale: FloatArray
    placed: bool

    def of(self, shot: int) -> range:
        """Rows of one shot."""
        return range(int(self.first[shot]), int(self.first[shot + 1]))


def flights(one: SingleParticle, specimen: Specimen) -> Flights:
    """Draw the particles of all shots. Raises RangeError for atoms of several sizes and for a crowd."""
    key = StreamKey(one.orientation_seed, "single_particle")
    if one.hits is None:
        counts = np.ones(one.shots, np.int64)
        turned = one.orientations()
    else:
        focus = focus_of(one)
        counts = generator(key.child("hits")).poisson(one.hits * focus.peak * np.pi * _window(focus) ** 2, one.shots)
        turned = one.orientations(int(counts.sum()))
    first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    scale = _scales(one, specimen, len(turned), key)
    position = np.zeros((len(turned), 3))
    if one.hits is not None:
        position = _places(one, first, reach(specimen) * scale, key)
    return Flights(first, turned, position, scale, one.hits is not None)


def focus_of(one: SingleParticle) -> Focus:
    """The focus: the pulse's, or a flat one."""
    return one.pulse.focus if one.pulse is not None else Focus.model_construct(shape="flat", size=one.focus, jitter=0.0)


def _window(focus: Focus) -> float:
    return focus.size / 2 if focus.shape == "flat" else _FAR * focus.size


def _scales(one: SingleParticle, specimen: Specimen, count: int, key: StreamKey) -> FloatArray:
    if one.size.distribution != "none" and any(scatters_by_itself(p.shape) for p in specimen.populations):
        raise RangeError(
            "atoms cannot be scaled", field="size.distribution", value=one.size.distribution, allowed="none",
            cure="leave size out, or describe the particle by a shape",
        )  # fmt: skip
    return one.size.draw(count, generator(key.child("sizes")))


def _places(one: SingleParticle, first: NDArray[np.int64], radii: FloatArray, key: StreamKey) -> FloatArray:
    """Places (n, 3) [m] evenly over the disc and as deep, shot by shot without overlaps."""
    width = _window(focus_of(one))
    rng = generator(key.child("places"))
    places = _evenly(len(radii), width, rng)
    for shot in np.flatnonzero(np.diff(first) > 1):
        rows = slice(int(first[shot]), int(first[shot + 1]))
        for attempt in range(_TRIES + 1):
            apart = np.linalg.norm(places[rows][:, None] - places[rows][None], axis=2)
            least = radii[rows][:, None] + radii[rows][None]
            np.fill_diagonal(apart, np.inf)
            if (apart >= least).all():
                break
            if attempt == _TRIES:
                raise RangeError(
                    "overlapping particles: they find no room in the focus", field="hits",
                    value=f"{rows.stop - rows.start} particles of radius {radii[rows].max():.3g} m in one shot",
                    allowed=f"as many as fit in a disc of radius {width:.3g} m",
                    cure="ask for fewer hits, or for a wider focus",
                )  # fmt: skip
            places[rows] = _evenly(rows.stop - rows.start, width, rng)
    return places


def _evenly(count: int, width: float, rng: Any) -> FloatArray:
    radius, angle = width * np.sqrt(rng.uniform(size=count)), 2 * np.pi * rng.uniform(size=count)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), width * rng.uniform(-1, 1, count)], axis=1)


def hits_truth(one: SingleParticle, found: Flights) -> dict[str, Truth]:
    """Particles of all shots: the orientation of the brightest in each (NaN: none), how many, and a row for each."""
    shots, quaternion = Axis("shot", np.arange(one.shots)), Axis("quaternion", np.array(["w", "x", "y", "z"]))
    if not found.placed:
        told = {"orientation": Truth(found.orientation, (shots, quaternion))}
        return told if one.size.distribution == "none" else {**told, "scale": Truth(found.scale, (shots,))}
    rows, counts = Axis("hit", np.arange(len(found.scale))), np.diff(found.first)
    share = focus_of(one).density(found.position[:, 0], found.position[:, 1])
    photons = [one.flux * one.exposure_time] * one.shots
    if one.pulse is not None:
        photons = [one.pulse.shot(one.energy, number).photons for number in range(one.shots)]
    fluence = share * np.repeat(photons, counts)
    brightest, total = np.full((one.shots, 4), np.nan), np.zeros(one.shots)
    for shot in np.flatnonzero(counts):
        own = found.of(int(shot))
        brightest[shot] = found.orientation[own.start + int(np.argmax(fluence[own.start : own.stop]))]
        total[shot] = fluence[own.start : own.stop].sum()
    return {
        "orientation": Truth(brightest, (shots, quaternion)),
        "hits": Truth(counts, (shots,)),
        "fluence": Truth(total, (shots,), "1/m^2"),
        "hit_shot": Truth(np.repeat(np.arange(one.shots), counts), (rows,)),
        "hit_orientation": Truth(found.orientation, (rows, quaternion)),
        "hit_position": Truth(found.position, (rows, Axis("direction", np.array(["x", "y", "z"]))), "m"),
        "hit_scale": Truth(found.scale, (rows,)),
        "hit_fluence": Truth(fluence, (rows,), "1/m^2"),
    }
