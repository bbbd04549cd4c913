"""At random without overlap: `placement = { kind = "random", minimum_gap = "5 nm" }`.

Fills the extent times one layer (`layer` by number or material where there are several), a depth range (`z`), or, if
the population has a `host`, that part. Particles keep `minimum_gap` between their bounding spheres and from other
parts. Random sequential addition up to a volume fraction of about 0.33, above it by pushing apart (see
`xsim.specimen.packing`), which needs a region free of other parts.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xsim.errors import PlacementError
from xsim.model import Model
from xsim.specimen import clearance
from xsim.specimen.packing import Proposer, push_apart, sequential
from xsim.specimen.placements._job import Job, Region, region_of
from xsim.specimen.population import Population
from xsim.specimen.shape import Poses
from xsim.units import Length, NonNegativeLength

FloatArray = NDArray[np.float64]

#: volume fraction (bounding spheres, gap included) above which random sequential addition is not tried
SEQUENTIAL_LIMIT = 0.33
#: volume fraction above which pushing apart does not come to an end
PUSH_LIMIT = 0.55


class Random(Model):
    """Uniform over the region, without overlap."""

    kind: Literal["random"] = "random"
    minimum_gap: NonNegativeLength = 0.0
    layer: str | int | None = None
    z: tuple[Length, Length] | None = None

    def needs(self) -> tuple[str, ...]:
        """Nothing has to be there before, beyond the host."""
        return ()

    def place(self, job: Job) -> Poses:
        """Positions in the region or the host; raises PlacementError naming the fraction placed."""
        count = job.wanted()
        scales, turns = job.scales(count), job.rotations(count)
        radii = job.shape.radius * scales
        if job.host is not None:
            centers = in_host(job, job.scene.find(job.host, field="host"), radii, self.minimum_gap)
        else:
            region = region_of(job.scene, self.layer, self.z)
            centers = in_region(job, region, radii, self.minimum_gap)
        return Poses(centers, turns, scales)


def in_region(job: Job, region: Region, radii: FloatArray, gap: float, taken: Population | None = None) -> FloatArray:
    """Centres (n, 3) [m] of spheres inside the region and clear of every obstacle, and of `taken` if given."""
    low, high = np.array(region.low), np.array(region.high)
    width = float((high - low).min())
    if 2 * float(radii.max()) > width:
        raise PlacementError(
            f"a particle of {job.name} is larger than the region",
            field="placement",
            value=f"{2 * radii.max():.4g} m across",
            allowed=f"<= {width:.4g} m",
            cure="use a thicker layer, a larger extent or smaller particles",
        )
    fraction = float((4 / 3 * np.pi * (radii + gap / 2) ** 3).sum()) / region.volume
    obstacles = [*job.obstacles(), *([taken] if taken is not None else [])]
    if fraction > SEQUENTIAL_LIMIT and not obstacles:
        centers, done = (np.zeros((0, 3)), False)
        if fraction <= PUSH_LIMIT:
            centers, done = push_apart(radii, low, high, job.rng("placement"), gap)
        if not done:
            _give_up(job, 0, len(radii), fraction)
        return centers

    def propose(r: FloatArray, rng: np.random.Generator) -> FloatArray:
        return low + r[:, None] + rng.random((len(r), 3)) * (high - low - 2 * r[:, None])

    return _add(job, radii, propose, obstacles, None, gap, fraction)


def in_host(job: Job, host: Population, radii: FloatArray, gap: float) -> FloatArray:
    """Centres (n, 3) [m] of spheres inside copies of `host`, chosen by volume, clear of what else is in there."""
    if not len(host):
        raise PlacementError(f"the host {host.name} has no copies", field="host", value=host.name)
    share = np.cumsum(host.volumes) / host.volumes.sum()
    fraction = float((4 / 3 * np.pi * (radii + gap / 2) ** 3).sum() / host.volumes.sum())

    def propose(r: FloatArray, rng: np.random.Generator) -> FloatArray:
        draws = rng.random((len(r), 4))
        rows = np.minimum(np.searchsorted(share, draws[:, 0]), len(host) - 1)
        return host.poses.positions[rows] + (2 * draws[:, 1:] - 1) * host.radii[rows][:, None]

    return _add(job, radii, propose, list(job.obstacles()), host, gap, fraction)


def _add(
    job: Job,
    radii: FloatArray,
    propose: Proposer,
    obstacles: list[Population],
    host: Population | None,
    gap: float,
    fraction: float,
) -> FloatArray:
    def allowed(points: FloatArray, r: FloatArray) -> NDArray[np.bool_]:
        good = inside_any(points, r, host) if host is not None else np.ones(len(points), np.bool_)
        for obstacle in obstacles:
            rows = np.flatnonzero(good)
            good[rows] = clear_of(points[rows], r[rows], obstacle, gap)
        return good

    if fraction > 0.55:
        _give_up(job, 0, len(radii), fraction)
    centers, placed = sequential(radii, propose, allowed, job.rng("placement"), gap)
    if not placed.all():
        _give_up(job, int(placed.sum()), len(radii), fraction)
    return centers


def inside_any(points: FloatArray, radii: FloatArray, host: Population) -> NDArray[np.bool_]:
    """Whether each sphere lies wholly inside some copy of `host`."""
    out = np.zeros(len(points), np.bool_)
    for row in range(len(host)):
        near = ~out & (((points - host.poses.positions[row]) ** 2).sum(axis=1) <= host.radii[row] ** 2)
        if near.any():
            out[near] = clearance.holds(points[near], radii[near], host, row)
    return out


def clear_of(points: FloatArray, radii: FloatArray, other: Population, gap: float) -> NDArray[np.bool_]:
    """Whether each sphere keeps `gap` from every copy of `other`; raises nothing."""
    from scipy.spatial import cKDTree

    good = np.ones(len(points), np.bool_)
    if not len(points):
        return good
    # The few largest copies are looked at one by one, the many small ones through a tree.
    tree = cKDTree(points)
    for row in range(len(other)):
        bound = other.radii[row] + gap + float(radii.max())
        near = np.array(sorted(tree.query_ball_point(other.poses.positions[row], bound)), np.int64)
        near = near[good[near]] if len(near) else near
        if len(near):
            good[near] = clearance.distance(points[near], other, row) >= radii[near] + gap
    return good


def _give_up(job: Job, placed: int, wanted: int, fraction: float) -> None:
    raise PlacementError(
        f"only {placed} of {wanted} particles of {job.name} fit without overlap",
        field="placement",
        value=f"volume fraction {fraction:.3g} (bounding spheres with gap)",
        allowed=f"about {SEQUENTIAL_LIMIT} beside other parts, {PUSH_LIMIT} in an empty region",
        cure="place fewer or smaller particles, a smaller minimum_gap, or a larger region",
    )
