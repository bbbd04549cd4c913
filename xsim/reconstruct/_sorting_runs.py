"""Iterations of orientation sorting: random starts on a coarse rotation grid, the best one on a fine grid."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from xsim.exposure import Array
from xsim.reconstruct._emc import Sorted, Sorter, maximise, merged, model_of, radial_model
from xsim.reconstruct._rotation_grid import STEP, rotation_grid
from xsim.streams import StreamKey, generator

#: by what beta grows, and after how many iterations
GROWTH, EVERY = 2**0.5, 3
#: steps within which chances are of one orientation: the neighbours, not theirs
NEAR = 1.5
#: iterations before any frame is left out
PATIENCE = 8


@dataclass(frozen=True)
class Course:
    """At most `iterations`, beta from its first value to 1, until the model changes by less than `tolerance`."""

    iterations: int
    beta: float
    tolerance: float
    scale: bool
    outliers: float


@dataclass(frozen=True, eq=False)
class Sorting:
    """Where one run ended: the last chances, the frames that are used, photons and exposure of every voxel.

    history: "change" (relative, of the model), "information", "likelihood" in each iteration.
    """

    job: Sorter
    last: Sorted
    used: Array
    photons: Array
    exposure: Array
    model: Array
    history: dict[str, Array]

    @property
    def orientations(self) -> Array:
        """Quaternions (frames, 4), w >= 0: the mean over the chances near the most likely rotation."""
        grid = rotation_grid(self.job.level)[0]
        near = np.cos(NEAR * STEP / self.job.level / 2)
        found = np.empty((len(self.used), 4))
        for d, chance in enumerate(self.last.chances):
            some = np.flatnonzero(chance)
            top = grid[some[np.argmax(chance[some])]]
            along = grid[some] @ top
            weight = np.where(np.abs(along) >= near, chance[some], 0) * np.sign(along)
            found[d] = weight @ grid[some]
        found *= np.where(found[:, :1] < 0, -1.0, 1.0)
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))

    @property
    def sharpness(self) -> Array:
        """The share of the chances (frames,) within a step of the most likely rotation."""
        grid = rotation_grid(self.job.level)[0]
        near = np.cos(NEAR * STEP / self.job.level / 2)
        tops = grid[np.argmax(self.last.chances, axis=1)]
        return np.array(
            [float(c[np.abs(grid @ top) >= near].sum()) for c, top in zip(self.last.chances, tops, strict=True)]
        )


def best_start(job: Sorter, course: Course, key: StreamKey, starts: int) -> Sorting:
    """The random start of the largest likelihood."""
    prior = radial_model(job)
    runs: list[Sorting] = []
    for number in range(starts):
        noise: Array = generator(key, number).random(prior.shape, np.float32)
        noise = (noise + np.pad(noise[:0:-1, :0:-1, :0:-1], ((1, 0),) * 3, mode="edge")) / 2
        runs.append(_run(job, course, np.asarray(prior * (np.float32(0.5) + noise)), np.ones(len(job.frames))))
    return max(runs, key=lambda run: float(run.history["likelihood"][-1]))


def refined(job: Sorter, course: Course, start: Sorting) -> Sorting:
    """The same model, and the mean at each |q| beyond its edge, on a finer grid; its history continues the start's."""
    model = radial_model(job)
    border = (job.n - start.job.n) // 2
    inner = slice(border + 1, job.n - border)  # the first planes hold no data
    if border >= 0:
        model[inner, inner, inner] = _blended(start, model[inner, inner, inner])
    calm = replace(course, beta=1.0)
    found = _run(job, calm, model, start.last.fluence, start.used)
    history = {name: np.concatenate([start.history[name], found.history[name]]) for name in found.history}
    return replace(found, history=history)


def _blended(start: Sorting, around: Array) -> Array:
    """The model of `start` without its first planes where it was measured, `around` elsewhere."""
    return np.where(start.exposure[1:, 1:, 1:] > 0, start.model[1:, 1:, 1:], around)


def _run(job: Sorter, course: Course, model: Array, fluence: Array, used: Array | None = None) -> Sorting:
    prior = radial_model(job)
    used = np.ones(len(job.frames), bool) if used is None else used
    beta, history = course.beta, []
    for number in range(course.iterations):
        last = maximise(job, model, fluence, beta)
        fluence = np.asarray(last.fluence if course.scale else fluence)
        if number >= PATIENCE and beta >= 1:
            used = fitting(last.misfit, course.outliers)
        photons, exposure = merged(job, last, fluence, used)
        new = model_of(photons, exposure, prior)
        change = float(np.linalg.norm(new - model) / np.linalg.norm(model))
        history.append((change, last.information, last.likelihood))
        model = new
        if beta >= 1 and change < course.tolerance:
            break
        if number % EVERY == EVERY - 1:
            beta = min(1.0, beta * GROWTH)
    names = ("change", "information", "likelihood")
    curves = dict(zip(names, np.array(history).T, strict=True))
    return Sorting(job, last, used, photons, exposure, model, curves)


def fitting(misfit: Array, limit: float) -> Array:
    """Which frames (frames,) fit: at most `limit` robust standard deviations (of 1 at least) beyond the median."""
    middle = float(np.median(misfit))
    spread = 1.4826 * float(np.median(np.abs(misfit - middle)))
    return np.asarray(misfit <= middle + limit * max(1.0, spread))
