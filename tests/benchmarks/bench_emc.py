"""One iteration of EMC, 500 frames x 3240 rotations x 128^2, against the bare sparse products (the floor). Run this.

The floor is what any EMC on sparse photons does: photons times logarithms and photons times chances, by SciPy's CSR
products in float32, with neither expanding nor compressing.
"""

import time

import numpy as np
from scipy.sparse import csr_matrix
from taking_turns import shortest

from xsim.reconstruct import _emc
from xsim.reconstruct._photon_frames import PhotonFrames
from xsim.reconstruct._rotation_grid import rotation_grid

SIZE, FRAMES, PHOTONS, LEVEL = 128, 500, 300, 4


def stream():
    """Frames of about `PHOTONS` photons each, falling off from the middle, all pixels within the detector's edge."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE // 2
    inside = np.hypot(y, x) <= SIZE // 2 - 1
    q = np.stack([x[inside], y[inside], -(x[inside] ** 2 + y[inside] ** 2) / 1000.0], axis=-1).astype(float)
    mean = np.exp(-np.hypot(q[:, 0], q[:, 1]) / 25)
    counts = rng.poisson(mean / mean.sum() * PHOTONS, (FRAMES, len(q)))
    frame, place = np.nonzero(counts)
    starts = np.concatenate([[0], np.cumsum(np.bincount(frame, minlength=FRAMES))])
    kept = counts[frame, place].astype(np.float32)
    return PhotonFrames(starts, place.astype(np.int32), kept, q, np.ones(len(q)), 1e-6, np.arange(FRAMES))


def main(rounds=3):
    """Print seconds and ratios; the works take turns, and the best of each counts, so that other load cancels."""
    frames = stream()
    job = _emc.sorter(frames, float(np.linalg.norm(frames.q, axis=1).max()), 1.0, LEVEL)
    prior = _emc.radial_model(job)
    noise = np.random.default_rng(1).random(prior.shape, np.float32)
    model, fluence = prior * (np.float32(0.5) + noise), np.ones(FRAMES)
    rotations = len(rotation_grid(LEVEL)[0])
    sparse = csr_matrix((frames.counts, frames.places, frames.starts), (FRAMES, len(frames.q)))
    logs = np.log(np.random.default_rng(2).random((len(frames.q), rotations), np.float32) + 0.1)
    chances = np.full((FRAMES, rotations), 1 / rotations, np.float32)
    turned = sparse.T.tocsr()

    def iteration(beta):
        found = _emc.maximise(job, model, fluence, beta)
        return _emc.model_of(*_emc.merged(job, found, fluence), prior)

    works = {
        "floor": lambda: (sparse @ logs, turned @ chances),
        "sharp chances": lambda: iteration(1.0),
        "every rotation likely": lambda: iteration(1e-4),
    }
    start = time.process_time()
    iteration(1e-4)
    print(f"{FRAMES} frames x {rotations} rotations x {SIZE}^2, {frames.totals.mean():.0f} photons per frame")
    print(f"first iteration, compiling or loading: {time.process_time() - start:.2f} s of CPU time")
    best = shortest(works, rounds)
    for name, seconds in best.items():
        print(f"{name}: {seconds:.2f} s = {seconds / best['floor']:.2f} of the floor")
    start = time.process_time()
    iteration(1e-4)
    print(f"every rotation likely: {time.process_time() - start:.2f} s of CPU time over all threads")


if __name__ == "__main__":
    main()
