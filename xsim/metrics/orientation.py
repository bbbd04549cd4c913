"""How well orientations found from a stream of shots agree with the true ones, up to what the data cannot tell.

    R_found = R_true G,   one rotation G for all frames

A stream fixes orientations up to one rotation of the particle, for nobody tells in which orientation it is to be called
upright; up to the rotations that leave the particle as it is (`group`); and, where the Ewald sphere is nearly flat, up
to a half turn of each frame about the beam, for then a pattern is its own Friedel mate (`flat`). Quaternions are w, x,
y, z and take the particle to the laboratory. G is the candidate, one from each frame, of the least median angle to all
others, and then the mean of the frames that agree with it; the angles left are those of single frames.

Reference for means of quaternions: Markley et al., J. Guid. Control Dyn. 30, 1193 (2007), doi 10.2514/1.28949.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from xsim.errors import RangeError
from xsim.exposure import Array, Axis, Truth
from xsim.metrics.against_truth import Comparison

#: frames that offer a candidate for the common rotation
CANDIDATES = 400
#: angle [rad] within which frames are averaged into the common rotation
NEAR = 0.35


@dataclass(frozen=True, eq=False)
class OrientationMatch:
    """turn (4,): the common rotation G; angles (frames,) [rad]: of each frame to the truth; median [rad]; share: of the
    frames within 0.35 rad (random orientations: 0.0023)."""

    turn: Array
    angles: Array = field(repr=False)

    @property
    def median(self) -> float:
        """Median angle [rad]."""
        return float(np.median(self.angles))

    @property
    def share(self) -> float:
        """Share of the frames nearer than `NEAR`."""
        return float(np.mean(self.angles < NEAR))


def orientation_match(found: Array, true: Array, group: Array | None = None, flat: bool = False) -> OrientationMatch:
    """The angles between `found` (frames, 4) and `true` (frames, 4) up to what the data cannot tell.

    group (m, 4): the particle's own rotations, about its true axes, the identity among them; flat: whether a half turn
    of a frame about the beam changes nothing. Raises RangeError for fewer than two frames or shapes that differ.
    """
    found, true = np.asarray(found, np.float64), np.asarray(true, np.float64)
    if found.shape != true.shape or len(found) < 2:
        raise RangeError("orientations to compare", value=(found.shape, true.shape), allowed="two equal (frames, 4)")
    ways = _ways(true, group, flat)  # (ways, frames, 4): every orientation that cannot be told from the true one
    turns = product(conjugate(ways), found[None])
    step = max(1, len(found) // CANDIDATES)
    best, least = turns[0, 0], np.inf
    for candidate in turns[0, ::step]:
        middle = float(np.median(angle(turns, candidate).min(axis=0)))
        if middle < least:
            best, least = candidate, middle
    for _ in range(3):
        away = angle(turns, best)
        nearest = np.take_along_axis(turns, away.argmin(axis=0)[None, :, None], axis=0)[0]
        near = away.min(axis=0) <= max(NEAR, least)
        best = np.linalg.eigh(nearest[near].T @ nearest[near])[1][:, -1]
    return OrientationMatch(best, angle(turns, best).min(axis=0))


def product(first: Array, second: Array) -> Array:
    """Quaternions (..., 4) of the rotation `second` followed by `first`."""
    a, b = np.moveaxis(first, -1, 0), np.moveaxis(second, -1, 0)
    parts = [
        a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3],
        a[0] * b[1] + a[1] * b[0] + a[2] * b[3] - a[3] * b[2],
        a[0] * b[2] - a[1] * b[3] + a[2] * b[0] + a[3] * b[1],
        a[0] * b[3] + a[1] * b[2] - a[2] * b[1] + a[3] * b[0],
    ]
    return np.stack(np.broadcast_arrays(*parts), axis=-1)


def conjugate(quaternion: Array) -> Array:
    """The inverse rotations (..., 4)."""
    return quaternion * np.array([1.0, -1.0, -1.0, -1.0])


def angle(first: Array, second: Array) -> Array:
    """Angle [rad] between rotations (..., 4), 0 to pi."""
    return 2 * np.arccos(np.clip(np.abs(np.sum(first * second, axis=-1)), 0, 1))


def point_group(generators: Array) -> Array:
    """All products (m, 4) of the rotations (n, 4) given, the identity first. Raises RangeError beyond 60 of them."""
    found = [np.array([1.0, 0.0, 0.0, 0.0])]
    for one in found:  # grows while it is walked
        for generator in np.atleast_2d(generators):
            made = product(one, generator / np.linalg.norm(generator))
            if not any(abs(float(made @ other)) > 1 - 1e-6 for other in found):
                found.append(made)
            if len(found) > 60:
                raise RangeError("rotations of a point group", value=">= 61", allowed="<= 60 (icosahedral)")
    return np.array(found)


def _ways(true: Array, group: Array | None, flat: bool) -> Array:
    own = np.array([[1.0, 0.0, 0.0, 0.0]]) if group is None else np.atleast_2d(group)
    ways = product(true[None], own[:, None])
    if flat:
        ways = np.concatenate([ways, product(np.array([0.0, 0.0, 0.0, 1.0]), ways)])
    return ways


def compare_orientations(found: Truth, truths: dict[str, Truth]) -> list[Comparison]:
    """The share of the frames within an angle [deg] of the truth; none without true orientations.

    Frames that were left out (NaN) do not count. Raises RangeError if the truth is of another number of frames.
    """
    if "orientation" not in truths:
        return []
    mine, true = np.asarray(found.values), np.asarray(truths["orientation"].values)
    if mine.shape != true.shape:
        raise RangeError("orientations to compare", value=(mine.shape, true.shape), allowed="of the same frames")
    known = np.isfinite(mine[:, 0])
    best = orientation_match(mine[known], true[known])
    flat = orientation_match(mine[known], true[known], flat=True)
    numbers = {
        "median_angle [rad]": best.median,
        "share_within_0.35_rad": best.share,
        "median_angle_but_half_turns [rad]": flat.median,
        "share_but_half_turns": flat.share,
        "frames_sorted": float(known.sum()),
    }
    degrees = np.arange(0.0, 181.0)
    share = np.searchsorted(np.sort(np.degrees(best.angles)), degrees, side="right") / known.sum()
    axis = Axis("angle to the truth", degrees, "deg")
    return [Comparison("share of frames within", share, np.ones(len(degrees)), (axis,), "", numbers)]
