"""One expand-maximise-compress iteration, and the model that it improves. See `emc` for the equations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xsim.exposure import Array
from xsim.reconstruct import _sorting_kernels as kernels
from xsim.reconstruct._photon_frames import PhotonFrames
from xsim.reconstruct._rotation_grid import matrices, rotation_grid
from xsim.threads import share as over_threads

#: sums that are kept apart while models are compressed; as many threads may work at once
PARTS = 4
#: chances below this are none
FAINT = 1e-6
#: the prior: the mean intensity at that |q| with this share of the mean exposure of a voxel
PRIOR = 0.02


@dataclass(frozen=True, eq=False)
class Sorter:
    """What does not change from one iteration to the next: photons, pixels, rotations.

    q: of the pixels, in voxels of the model (n, n, n); level: of the rotation grid.
    """

    frames: PhotonFrames
    q: Array
    n: int
    level: int

    @property
    def turns(self) -> Array:
        """Rotation matrices (rotations, 3, 3) float32."""
        return matrices(rotation_grid(self.level)[0]).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Sorted:
    """What one iteration found with the model that it was given.

    chances (frames, rotations) float32, rows of sum 1; fluence (frames,), mean 1; information: mean over the frames of
    sum P log(P/w) [nat]; likelihood: mean log-likelihood of a frame [nat] but for a constant of the data; misfit
    (frames,): by how many standard deviations a frame's photons fit its best orientation worse than those of the model
    itself would.
    """

    chances: Array
    fluence: Array
    information: float
    likelihood: float
    misfit: Array


def sorter(frames: PhotonFrames, edge: float, voxel: float, level: int) -> Sorter:
    """A sorter of the pixels within |q| <= edge [rad/m] and a model of voxels of `voxel` [rad/m]."""
    inner = frames.within(edge)
    n = 2 * int(np.ceil(edge / voxel) + 2)  # the last pixel has neighbours on both sides
    return Sorter(inner, (inner.q / voxel).astype(np.float32), n, level)


def radial_model(job: Sorter) -> Array:
    """The mean intensity (n, n, n) at each |q| that all frames together show; of the nearest shell where none does."""
    radius = np.linalg.norm(job.q.astype(np.float64), axis=1)
    shells = np.arange(job.n)
    seen = np.bincount(np.rint(radius).astype(int), job.frames.pattern, job.n)
    light = np.bincount(np.rint(radius).astype(int), job.frames.share, job.n)
    known = (light > 0) & (seen > 0)
    mean = np.interp(shells, shells[known], seen[known] / light[known])
    axis = np.arange(job.n) - job.n // 2
    distance = np.sqrt(axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis[None, None, :] ** 2)
    return np.asarray(np.interp(distance, shells, mean), np.float32)


def maximise(job: Sorter, model: Array, fluence: Array, beta: float) -> Sorted:
    """The chances of every rotation for every frame under `model` (n, n, n) float32, and each frame's fluence."""
    chances, moments = _weighed(job, model)  # log-likelihoods at first, and in their place the chances
    weight, totals = rotation_grid(job.level)[1], job.frames.totals
    sums, mean = moments[0], moments[1] / moments[0]
    spread = np.sqrt(np.maximum(moments[2] / moments[0] - mean**2, 1e-30))
    like, information = 0.0, 0.0
    seen, misfit = np.empty_like(fluence), np.empty_like(fluence)
    for d, row in enumerate(chances):
        score = row - fluence[d] * sums
        top = float(score.max())
        like += top + float(np.log(np.sum(weight * np.exp(score - top)))) + totals[d] * np.log(fluence[d])
        chance = weight * np.exp(beta * (score - top))
        chance[chance < FAINT * chance.max()] = 0.0
        chance /= chance.sum()
        held = chance > 0
        information += float(np.sum(chance[held] * np.log(chance[held] / weight[held])))
        seen[d] = float(chance @ sums)
        best = int(np.argmax(chance))
        misfit[d] = (mean[best] - row[best] / totals[d]) / spread[best] * np.sqrt(totals[d])
        chances[d] = chance
    phi, count = totals / seen, len(fluence)
    return Sorted(chances, phi / phi.mean(), information / count, like / count, misfit)


def merged(job: Sorter, found: Sorted, fluence: Array, used: Array | None = None) -> tuple[Array, Array]:
    """Photons and exposure [mean frames] of every voxel (n, n, n), the two Friedel mates together.

    used (frames,): which frames count, all by default.
    """
    chances = found.chances if used is None else np.where(used[:, None], found.chances, np.float32(0))
    light = (fluence.astype(np.float32) @ chances).astype(np.float32)
    turns, frames = job.turns, job.frames
    grids = np.zeros((PARTS, job.n**3, 2), np.float32)

    def work(part: int) -> None:
        gathered = np.empty((len(job.q), kernels.LANES), np.float32)
        share = frames.share.astype(np.float32)
        for start, stop in _lanes(len(turns), part):
            lanes = np.zeros((len(frames), kernels.LANES), np.float32)
            lanes[:, : stop - start] = chances[:, start:stop]
            if lanes.any():
                kernels.gather(lanes, frames.starts, frames.places, frames.counts, gathered)
                kernels.compress(gathered, light[start:stop], share, job.q, turns[start:stop], grids[part], job.n)

    over_threads(work, [(part,) for part in range(PARTS)])
    total = grids.sum(axis=0, dtype=np.float64).reshape(job.n, job.n, job.n, 2)
    total[1:, 1:, 1:] += total[:0:-1, :0:-1, :0:-1].copy()  # n is even: the first plane has no mate and no data
    return total[..., 0], total[..., 1]


def model_of(photons: Array, exposure: Array, prior: Array) -> Array:
    """The intensity (n, n, n) float32 in photons per mean pixel and frame; `prior` where little was measured."""
    some = exposure[exposure > 0]
    weight = PRIOR * float(some.mean()) if some.size else 1.0
    floor = 1e-6 * float(prior.max())
    return np.asarray(np.maximum((photons + weight * prior) / (exposure + weight), floor), np.float32)


def _weighed(job: Sorter, model: Array) -> tuple[Array, Array]:
    """sum K log W (frames, rotations) float32, and the sums of c W, c W log W, c W log^2 W (3, rotations)."""
    turns, frames = job.turns, job.frames
    scores, moments = np.empty((len(frames), len(turns)), np.float32), np.empty((3, len(turns)))

    def work(part: int) -> None:
        slices = np.ones((len(job.q), kernels.LANES), np.float32)
        share = frames.share.astype(np.float32)
        row, sums = np.empty((len(frames), kernels.LANES), np.float32), np.empty((3, kernels.LANES))
        for start, stop in _lanes(len(turns), part):
            kernels.expand(model, job.q, turns[start:stop], slices)
            kernels.logarithms(slices, share, sums)
            kernels.weigh(slices, frames.starts, frames.places, frames.counts, row)
            scores[:, start:stop], moments[:, start:stop] = row[:, : stop - start], sums[:, : stop - start]

    over_threads(work, [(part,) for part in range(PARTS)])
    return scores, moments


def _lanes(count: int, part: int) -> list[tuple[int, int]]:
    """The blocks of rotations that one part works on."""
    step = kernels.LANES
    return [(start, min(start + step, count)) for start in range(part * step, count, PARTS * step)]
