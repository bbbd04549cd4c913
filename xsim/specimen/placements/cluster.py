"""Fractal aggregates: `placement = { kind = "cluster", fractal_dimension = 1.8, prefactor = 1.3 }`.

Equal spheres (or bodies with equal bounding spheres) are added one at a time so that the radius of gyration obeys
N = k_f (R_g / a)^D_f exactly, with R_g^2 counting a^2 for each monomer: the new one touches the aggregate at the
distance from its centre of mass which the law demands; the first few, of which the law can demand the impossible,
come as near as they can. Sequential algorithm of Filippov, Zurita & Rosner 2000 (doi 10.1006/jcis.2000.7027). It holds
for about 1.5 < D_f < 2.5; very compact or stringy demands can leave no free site, which is reported.

`count` monomers are shared equally among `clusters`, which are placed at random in a layer or `z` range without overlap
of their bounding spheres; a single cluster is centred on `center` instead.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xsim.errors import PlacementError, RangeError, ScenarioError
from xsim.model import Model
from xsim.specimen.placements._job import Job, region_of
from xsim.specimen.placements.random import in_region
from xsim.specimen.shape import Poses
from xsim.units import Length, NonNegativeLength

FloatArray = NDArray[np.float64]

#: monomers at most: growing an aggregate takes a time that rises with their square
MOST = 20_000
#: trials of the site of one monomer, and of a whole aggregate
SITES, TRIALS = 1024, 8
#: monomers up to which the law may be missed on the way
FEW = 20


class Cluster(Model):
    """Aggregates with fractal dimension D_f and prefactor k_f."""

    kind: Literal["cluster"] = "cluster"
    fractal_dimension: Annotated[float, Field(ge=1.2, le=2.9)] = 1.8
    prefactor: Annotated[float, Field(ge=0.5, le=3.0)] = 1.3
    clusters: Annotated[int, Field(ge=1)] = 1
    center: tuple[Length, Length, Length] = (0.0, 0.0, 0.0)
    minimum_gap: NonNegativeLength = 0.0
    layer: str | int | None = None
    z: tuple[Length, Length] | None = None

    def needs(self) -> tuple[str, ...]:
        """Nothing has to be there before."""
        return ()

    def place(self, job: Job) -> Poses:
        """The monomers of one aggregate after the other; raises PlacementError where the law leaves no room."""
        count = job.wanted()
        if count > MOST:
            raise RangeError(
                "monomers",
                field="count",
                value=count,
                allowed=f"<= {MOST}",
                cure="grow fewer, or read them from a file",
            )
        if job.size.distribution != "none":
            raise ScenarioError(
                "the fractal law is for equal monomers", field="size", value=job.size.distribution, allowed='"none"'
            )
        if count % self.clusters:
            raise ScenarioError(
                "the monomers cannot be shared equally",
                field="count",
                value=count,
                allowed=f"a multiple of clusters = {self.clusters}",
            )
        radius, each = job.shape.radius, count // self.clusters
        parts = [radius * self._aggregate(each, job, k) for k in range(self.clusters)]
        reach = np.array([float(np.sqrt((p**2).sum(axis=1)).max()) + radius for p in parts])
        if self.clusters == 1:
            centers = np.array([self.center])
        else:
            region = region_of(job.scene, self.layer, self.z)
            centers = in_region(job, region, reach, self.minimum_gap, job.obstacles())
        positions = np.concatenate([p + c for p, c in zip(parts, centers, strict=True)])
        return Poses(positions, job.rotations(count), np.ones(count))

    def _aggregate(self, count: int, job: Job, number: int) -> FloatArray:
        rng = job.rng(f"cluster/{number}")
        placed = 0
        for _ in range(TRIALS):
            points, done = grow(count, self.fractal_dimension, self.prefactor, rng)
            if done:
                return points
            placed = max(placed, len(points))
        raise PlacementError(
            f"an aggregate of {job.name} leaves no free site after {placed} of {count} monomers",
            field="placement.fractal_dimension",
            value=f"D_f = {self.fractal_dimension:g}, k_f = {self.prefactor:g}",
            allowed="about 1.5 to 2.5 with k_f between 1 and 1.5",
            cure="choose a more common D_f and k_f, or fewer monomers",
        )


def grow(count: int, dimension: float, prefactor: float, rng: np.random.Generator) -> tuple[FloatArray, bool]:
    """Centres (n, 3) in units of the monomer radius, centre of mass at 0, and whether all `count` obey the law."""
    points = np.zeros((count, 3))
    if count > 1:
        points[1] = 2 * _unit(rng)
    center = points[:2].mean(axis=0)
    gyration, wanted = 2.0, 2.0  # two monomers in contact have R_g^2 = 2 whatever the law says
    for n in range(3, count + 1):
        wanted = (n / prefactor) ** (2 / dimension)
        square = n / (n - 1) * (n * wanted - (n - 1) * gyration - 1)
        site = _nearest_site(points[: n - 1] - center, math.sqrt(max(square, 0)), rng, exact=n > FEW)
        if site is None:
            return points[: n - 1] - center, False
        points[n - 1] = site + center
        gyration = ((n - 1) * gyration + 1 + (n - 1) / n * float((site**2).sum())) / n
        center = center + site / n
    return points - points.mean(axis=0), count < 3 or abs(gyration / wanted - 1) < 1e-9


def _nearest_site(points: FloatArray, distance: float, rng: np.random.Generator, exact: bool) -> FloatArray | None:
    """A free site at `distance`; for the first few, which the law may ask the impossible of, the nearest there is.

    The next monomers make good for it, since each distance follows from the radius of gyration reached.
    """
    site = _site(points, distance, rng)
    if site is not None or exact:
        return site
    farthest = float(np.sqrt((points**2).sum(axis=1)).max()) + 2
    trials = [farthest * (1 - 1e-12)] if distance > farthest else np.linspace(distance, farthest, 12)[1:]
    for trial in trials:
        site = _site(points, float(trial), rng)
        if site is not None:
            return site
    return None


def _site(points: FloatArray, distance: float, rng: np.random.Generator) -> FloatArray | None:
    """A point at `distance` from the origin that touches one of `points` (unit radii) and overlaps none, or None."""
    away = np.sqrt((points**2).sum(axis=1))
    from xsim.specimen.kernels_packing import first_free

    able = np.flatnonzero((away > 1e-9) & (away + 2 >= distance) & (np.abs(away - 2) <= distance))
    if not len(able):
        return None
    for _ in range(max(1, SITES // 64)):
        chosen = able[rng.integers(len(able), size=64)]
        axis = points[chosen] / away[chosen, None]
        along = (away[chosen] ** 2 + distance**2 - 4) / (2 * away[chosen])
        ring = np.sqrt(np.maximum(distance**2 - along**2, 0))
        normal = np.cross(axis, rng.standard_normal((64, 3)))
        normal /= np.sqrt((normal**2).sum(axis=1, keepdims=True))
        sites = along[:, None] * axis + ring[:, None] * normal
        found = first_free(sites, points, 4 * (1 - 1e-9))
        if found >= 0:
            return np.asarray(sites[found], np.float64)
    return None


def _unit(rng: np.random.Generator) -> FloatArray:
    vector = rng.standard_normal(3)
    return np.asarray(vector / np.linalg.norm(vector), np.float64)
