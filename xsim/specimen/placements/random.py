"""At random without overlap: `placement = { kind = "random", minimum_gap = "5 nm" }`.

Fills the extent times one layer (`layer` by number or material where there are several), a depth range (`z`), or, if
the population has a `host`, that part. Particles keep `minimum_gap` between their bounding spheres and from other
parts. Random sequential addition up to a volume fraction of about 0.33, above it by pushing apart (see
`xsim.specimen.packing`), which needs a region free of other parts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from xsim.errors import PlacementError
from xsim.model import Model
from xsim.specimen import clearance
from xsim.specimen.packing import Packing, push_apart
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
            centers = in_host(job, job.scene.find(job.host, field="host"), radii, self.minimum_gap, job.obstacles())
        else:
            region = region_of(job.scene, self.layer, self.z)
            centers = in_region(job, region, radii, self.minimum_gap, job.obstacles())
        return Poses(centers, turns, scales)


#: radii of the particles -> candidate centres, given random numbers
Proposer = Callable[[FloatArray, np.random.Generator], FloatArray]


def in_region(job: Job, region: Region, radii: FloatArray, gap: float, obstacles: tuple[Population, ...]) -> FloatArray:
    """Centres (n, 3) [m] of spheres inside the region, clear of the obstacles."""
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
    fraction = volume_fraction(radii, gap, region.volume)
    if fraction > SEQUENTIAL_LIMIT and not obstacles:
        if fraction <= PUSH_LIMIT:
            centers, done = push_apart(radii, low, high, job.rng("placement"), gap)
            if done:
                return centers
        raise does_not_fit(job.name, 0, len(radii), fraction)

    def propose(r: FloatArray, rng: np.random.Generator) -> FloatArray:
        return low + r[:, None] + rng.random((len(r), 3)) * (high - low - 2 * r[:, None])

    return _add(job, radii, propose, obstacles, None, gap, fraction)


def in_host(job: Job, host: Population, radii: FloatArray, gap: float, obstacles: tuple[Population, ...]) -> FloatArray:
    """Centres (n, 3) [m] of spheres inside copies of `host`, chosen by volume, clear of what else is in there."""
    share = np.cumsum(host.volumes) / host.volumes.sum()
    fraction = volume_fraction(radii, gap, float(host.volumes.sum()))

    def propose(r: FloatArray, rng: np.random.Generator) -> FloatArray:
        draws = rng.random((len(r), 4))
        rows = np.minimum(np.searchsorted(share, draws[:, 0]), len(host) - 1)
        return host.poses.positions[rows] + (2 * draws[:, 1:] - 1) * host.radii[rows][:, None]

    return _add(job, radii, propose, obstacles, host, gap, fraction)


def volume_fraction(radii: FloatArray, gap: float, volume: float) -> float:
    """Share of `volume` [m^3] taken by spheres with half the gap around each."""
    return float((4 / 3 * np.pi * (radii + gap / 2) ** 3).sum()) / volume


def _add(
    job: Job,
    radii: FloatArray,
    propose: Proposer,
    obstacles: tuple[Population, ...],
    host: Population | None,
    gap: float,
    fraction: float,
) -> FloatArray:
    rng = job.rng("placement")
    small = [p for p in obstacles if is_small_sphere(p, radii)]
    packing = Packing(radii, gap, spheres(small))
    while fraction <= PUSH_LIMIT and (owners := packing.candidates()) is not None:
        where = propose(radii[owners], rng)
        good = inside_any(where, radii[owners], host) if host is not None else np.ones(len(where), np.bool_)
        for obstacle in obstacles:
            if obstacle not in small:
                rows = np.flatnonzero(good)
                good[rows] = clear_of(where[rows], radii[owners[rows]], obstacle, gap)
        packing.insert(owners[good], where[good])
    if not packing.placed.all():
        raise does_not_fit(job.name, int(packing.placed.sum()), len(radii), fraction)
    return packing.centers


def is_small_sphere(population: Population, radii: FloatArray) -> bool:
    """Whether the copies fit the cell list of particles with `radii`."""
    return population.shape.kind == "sphere" and float(population.radii.max()) <= 4 * float(radii.max())


def spheres(populations: list[Population]) -> tuple[FloatArray, FloatArray]:
    """Centres (m, 3) and radii (m,) [m] of all copies."""
    centers = [np.zeros((0, 3)), *(p.poses.positions for p in populations)]
    return np.concatenate(centers), np.concatenate([np.zeros(0), *(p.radii for p in populations)])


def inside_any(points: FloatArray, radii: FloatArray, host: Population) -> NDArray[np.bool_]:
    """Whether each sphere lies wholly inside some copy of `host`."""
    out = np.zeros(len(points), np.bool_)
    for row in range(len(host)):
        near = ~out & (((points - host.poses.positions[row]) ** 2).sum(axis=1) <= host.radii[row] ** 2)
        if near.any():
            out[near] = clearance.holds(points[near], radii[near], host, row)
    return out


def clear_of(
    points: FloatArray, radii: FloatArray, other: Population, gap: float, except_row: NDArray[np.int64] | None = None
) -> NDArray[np.bool_]:
    """Whether each sphere keeps `gap` from every copy of `other` (but copy `except_row[i]` for the i-th sphere)."""
    good = np.ones(len(points), np.bool_)
    if not len(points):
        return good
    tree = cKDTree(points)
    bounds = other.radii + gap + float(radii.max())
    for row, found in enumerate(tree.query_ball_point(other.poses.positions, bounds, return_sorted=True)):
        near = np.array(found, np.int64)
        near = near[good[near]]
        if except_row is not None:
            near = near[except_row[near] != row]
        if len(near):
            good[near] = clearance.distance(points[near], other, row) >= radii[near] + gap
    return good


def does_not_fit(name: str, placed: int, wanted: int, fraction: float) -> PlacementError:
    """The error for a placement given up."""
    return PlacementError(
        f"only {placed} of {wanted} particles of {name} fit without overlap ({placed / wanted:.1%})",
        field="placement",
        value=f"volume fraction {fraction:.3g} (bounding spheres with gap)",
        allowed=f"about {SEQUENTIAL_LIMIT} beside or inside other parts, {PUSH_LIMIT} in an empty region",
        cure="place fewer or smaller particles, with a smaller minimum_gap, or in a larger region",
    )
