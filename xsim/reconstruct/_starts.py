"""Phase retrieval from many random starts, with shrink-wrap: which starts agree, their average and transfer function.

Every start draws random phases from its own stream. A start is kept if its error is within `KEEP` of the best one's;
those kept are brought onto the best (shift, constant phase, twin) and averaged:
what they do not agree on fades, as the phase retrieval transfer function (PRTF) says. A low error alone proves nothing
where the centre is missing; the PRTF and a second run with another seed do more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from xsim.exposure import Array
from xsim.metrics.complex_match import Freedom, match
from xsim.metrics.volume_match import volume_match
from xsim.reconstruct._pattern import Pattern, centre_of, first_support, shrunk
from xsim.reconstruct._phasing import Constraint, Phaser, Rule
from xsim.waves.fft import fftshift, ifftn

#: a start is kept while its error is below that of the best times this
KEEP = 1.25


@dataclass(frozen=True)
class Recipe:
    """How one start goes on: `iterations` of `rule`, then `refine` of error reduction.

    The support is renewed every `shrink_every` iterations from the image blurred by blur[0] pixels at first, a tenth
    less each time, down to blur[1]: what exceeds `threshold` of the largest modulus.
    """

    rule: Rule
    iterations: int
    refine: int
    beta: float
    threshold: float
    blur: tuple[float, float]
    shrink_every: int
    constraint: Constraint


@dataclass(frozen=True, eq=False)
class Start:
    """Where one start ended: image and support in FFT order, its modulus error; distances: between the two sets of
    images, those that fit the data and those in the support, in each iteration."""

    image: Array
    support: Array
    error: float
    distances: Array


def run(pattern: Pattern, recipe: Recipe, rng: Any) -> Start:
    """One start, the support's centre in the middle at the end."""
    shape = pattern.modulus.shape
    modulus = np.maximum(pattern.modulus, 0)
    image = ifftn((modulus * np.exp(2j * np.pi * rng.random(shape))).astype(np.complex64))
    blur, distances = recipe.blur[0], []
    with Phaser(image, pattern.modulus, first_support(pattern), recipe.constraint) as state:
        for number in range(recipe.iterations):
            distances.append(state.iterate(recipe.rule, recipe.beta))
            if number % recipe.shrink_every == recipe.shrink_every - 1:
                state.support[...] = shrunk(state.kept(), blur, recipe.threshold)
                blur = max(recipe.blur[1], 0.9 * blur)
        distances += [state.iterate("er") for _ in range(recipe.refine)]
    shift = tuple(-round(c) for c in centre_of(state.support))
    image, support = (np.roll(part, shift, axis=tuple(range(len(shift)))) for part in (state.wave, state.support))
    return Start(image, support.astype(bool), pattern.error(image), np.array(distances))


def chosen(found: list[Start]) -> list[Start]:
    """The starts whose error is near that of the best, the best first."""
    ordered = sorted(found, key=lambda one: one.error)
    return [one for one in ordered if one.error <= KEEP * ordered[0].error]


def aligned(kept: list[Start]) -> Array:
    """Images (starts, ...), middle pixel in the middle, of all `kept` brought onto the first of them."""
    first = fftshift_all(kept[0].image)
    others = [fftshift_all(one.image) for one in kept[1:]]
    return np.stack([first, *(_onto(one, first) for one in others)])


def fftshift_all(image: Array) -> Array:
    """Zero from the first to the middle pixel, along all axes."""
    return fftshift(image) if image.ndim == 2 else np.roll(image, [n // 2 for n in image.shape], range(image.ndim))


def _onto(image: Array, reference: Array) -> Array:
    if image.ndim == 2:
        found = match(image, reference, Freedom(twin=True, contrast=False))
        return found.aligned / max(abs(found.factor), 1e-30)  # every start is on the scale of the data
    return volume_match(image, reference).aligned
