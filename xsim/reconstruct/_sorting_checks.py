"""Whether a stream can be sorted as asked: photons per frame, and rotations fine enough for the particle's size."""

from __future__ import annotations

import warnings

import numpy as np

from xsim.errors import SamplingWarning
from xsim.reconstruct._photon_frames import PhotonFrames
from xsim.reconstruct._rotation_grid import STEP, level_for, rotation_count
from xsim.reconstruct._sorting_runs import Sorting
from xsim.waves.fft import fft2

#: information per frame [nat] below which the photons of a frame do not tell its orientation
LEAST_INFORMATION = 0.5
#: a step may be as wide as resolution over diameter times this
COARSE = 1.0
#: the share of the power of speckles that lies within the particle's diameter
HELD = 0.97
#: width of the rise beyond the beam stop, in halves of the detector
RAMP = 0.25
#: frames that tell the diameter well enough
MOST_FRAMES = 500


def warn_if_coarse(level: int, diameter: float, edge: float) -> float:
    """The step [rad] that a particle of `diameter` [m] needs up to |q| = edge [rad/m]; warns if `level` is coarser."""
    needed, step = 2 * np.pi / (edge * diameter), STEP / level
    if step > COARSE * needed:
        enough = level_for(COARSE * needed)
        warnings.warn(
            f"emc: rotations {np.degrees(step):.3g} deg apart (level {level}) are too coarse for a particle of "
            f"{diameter:.3g} m at a resolution of {2 * np.pi / edge:.3g} m: limit {np.degrees(COARSE * needed):.3g} "
            f"deg; use level {enough} ({rotation_count(enough)} rotations), or less of the detector with q_max",
            SamplingWarning,
            stacklevel=4,
        )
    return float(needed)


def warn_if_not_sorted(found: Sorting) -> None:
    """Warns where the photons of a frame do not tell its orientation."""
    information = float(found.history["information"][-1])
    if information < LEAST_INFORMATION:
        warnings.warn(
            f"emc: {found.job.frames.totals.mean():.3g} photons per frame tell {information:.3g} nat of its "
            f"orientation, limit {LEAST_INFORMATION}: the frames are not sorted; record more photons per frame (flux, "
            "focus) or more of the pattern",
            SamplingWarning,
            stacklevel=4,
        )


def extent(frames: PhotonFrames, side: float) -> float:
    """Diameter [m] of the particle by the speckles of all frames; `side` [rad/m]: of a pixel.

    The transform of a pattern ends where the autocorrelation of the particle does. Its square, less the photons' own
    noise, is averaged over the frames and round the centre; HELD of it lies within the diameter.
    """
    index = np.rint(frames.q[:, :2] / side).astype(int)
    n = 2 * (int(np.abs(index).max()) + 1)
    place = ((index[:, 1] + n // 2) * n + index[:, 0] + n // 2)[frames.places]
    radius = np.rint(np.linalg.norm(frames.q, axis=1) / side).astype(int)
    mean = np.bincount(radius, frames.pattern) / np.maximum(np.bincount(radius, frames.share), 1e-30)
    smooth = (mean[radius] * frames.share) / max(float(frames.pattern.sum()), 1e-30)
    totals, power = frames.totals, np.zeros((n, n))
    out = np.hypot(*(index.T / (n / 2)))
    rise = np.minimum((out - out.min()) / RAMP, 1)  # the beam stop would be a sharp edge, as the detector's rim is
    weight = np.cos(np.pi / 2 * np.minimum(out, 1)) * np.sin(np.pi / 2 * rise) ** 2
    image = np.zeros(n * n)
    for d in range(min(len(frames), MOST_FRAMES)):
        part = slice(frames.starts[d], frames.starts[d + 1])
        image[:] = 0
        np.add.at(image, (index[:, 1] + n // 2) * n + index[:, 0] + n // 2, -totals[d] * smooth * weight)
        np.add.at(image, place[part], frames.counts[part] * weight[frames.places[part]])
        noise = float(np.sum(frames.counts[part] * weight[frames.places[part]] ** 2))
        power += np.abs(fft2(image.reshape(n, n).astype(np.complex128))) ** 2 - noise
    axis = np.minimum(np.arange(n), n - np.arange(n))
    distance = np.rint(np.hypot(axis[:, None], axis[None, :])).astype(int)
    shells = np.bincount(distance.ravel(), power.ravel())[: n // 2]
    grown = np.cumsum(shells[1:])
    reach = 2 + int(np.argmax(grown >= HELD * grown.max()))
    return float(reach * 2 * np.pi / (n * side))
