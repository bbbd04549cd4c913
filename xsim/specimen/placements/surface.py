"""On the surface of another part (labels): `placement = { kind = "surface", of = "cell", linker = "8 nm" }`.

Of `count` particles the share `binding_fraction` is bound: their sites are uniform in area over the copies of `of`,
and their own surface stands `linker` off along the outward normal. The rest is unbound, at random in the layer that
holds `of` (or in its host). Sites where a particle would overlap another one or another part are drawn again, so
crowded surfaces fill by random sequential adsorption (jamming at a coverage of about 0.547 on a plane: Feder 1980,
doi 10.1016/0022-5193(80)90358-6). Bound particles come first in the order of the population.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xsim.errors import PlacementError
from xsim.model import Model
from xsim.specimen.clearance import reach
from xsim.specimen.packing import Packing
from xsim.specimen.placements._job import Job, region_of
from xsim.specimen.placements.random import clear_of, in_host, in_region, inside_any
from xsim.specimen.population import Population, at
from xsim.specimen.rotations import random_rotations, z_to
from xsim.specimen.shape import Poses
from xsim.units import Length, NonNegativeLength

FloatArray = NDArray[np.float64]


class Surface(Model):
    """Bound to the surface of population `of` by a `linker`, a share of them; the others unbound around it.

    z: depth range of the unbound ones, needed where `of` lies in no layer.
    """

    kind: Literal["surface"] = "surface"
    of: str = ""
    linker: NonNegativeLength = 0.0
    binding_fraction: Annotated[float, Field(ge=0, le=1)] = 1.0
    minimum_gap: NonNegativeLength = 0.0
    z: tuple[Length, Length] | None = None

    def needs(self) -> tuple[str, ...]:
        """The part labelled."""
        return (self.of,)

    def place(self, job: Job) -> Poses:
        """Bound particles first, then unbound ones; raises PlacementError naming the share placed."""
        count = job.wanted()
        bound = round(self.binding_fraction * count)
        of = job.scene.find(self.of, field="placement.of")
        site = _Site.around(self, job, of)
        scales = job.scales(count)
        upright = job.orientation == "normal"
        # unbound particles have no surface to stand on
        rotations = random_rotations(count, job.rng("orientation")) if upright else job.rotations(count)
        centers = np.zeros((count, 3))
        if bound:
            turned = None if upright else rotations[:bound]
            centers[:bound], rotations[:bound] = site.bind(job, scales[:bound], turned)
        if bound < count:
            first = Population(job.name, job.shape, of.material, None, at(centers[:bound], scales[:bound]))
            centers[bound:] = site.scatter(job, scales[bound:], (first,) if bound else ())
        return Poses(centers, rotations, scales)


@dataclass(frozen=True, eq=False)
class _Site:
    """The labelled part `of` with what surrounds it: its host population, or its layer (-1: vacuum)."""

    rule: Surface
    of: Population
    host: Population | None
    layer: int
    edges: tuple[float, float]
    obstacles: tuple[Population, ...]

    @staticmethod
    def around(rule: Surface, job: Job, of: Population) -> _Site:
        """Find the host or layer of `of`; raises PlacementError if its copies lie in different ones."""
        scene = job.scene
        holders = scene.holders(of.name)
        obstacles = tuple(p for p in job.obstacles() if p is not of and p.name not in holders)
        if holders:
            return _Site(rule, of, scene.find(holders[0], field="placement.of"), -1, (-np.inf, np.inf), obstacles)
        layers = np.unique(scene.layers.index_at(of.poses.positions))
        if len(layers) != 1:
            raise PlacementError(
                f"copies of {of.name} lie in different layers",
                field="placement.of",
                value=of.name,
                cure="describe them as one population per layer and label each",
            )
        number = int(layers[0])
        edges = (float(scene.layers.edges[number]), float(scene.layers.edges[number + 1])) if number >= 0 else None
        return _Site(rule, of, None, number, edges or (-np.inf, np.inf), obstacles)

    def scatter(self, job: Job, scales: FloatArray, bound: tuple[Population, ...]) -> FloatArray:
        """Centres (n, 3) [m] of unbound particles in what surrounds the part, clear of the `bound` ones."""
        radii, gap = job.shape.radius * scales, self.rule.minimum_gap
        avoid = (*bound, *self.obstacles, self.of)
        if self.host is not None:
            return in_host(job, self.host, radii, gap, avoid)
        layer = self.layer if self.layer >= 0 and self.rule.z is None else None
        return in_region(job, region_of(job.scene, layer, self.rule.z), radii, gap, avoid)

    def bind(self, job: Job, scales: FloatArray, rotations: FloatArray | None) -> tuple[FloatArray, FloatArray]:
        """Centres (n, 3) [m] and rotations (n, 3, 3) of bound particles; rotations None: along the normals."""
        rng, radii = job.rng("surface"), job.shape.radius * scales
        packing = Packing(radii, self.rule.minimum_gap)
        turned = np.zeros((len(scales), 3, 3)) if rotations is None else rotations.copy()
        while (owners := packing.candidates()) is not None:
            rows, sites, normals = _sites(self.of, len(owners), rng)
            r = z_to(normals) if rotations is None else rotations[owners]
            # the particle's extent towards the surface, along the normal
            inward = reach(job.shape, -np.einsum("nij,ni->nj", r, normals)) * scales[owners]
            where = sites + (self.rule.linker + inward)[:, None] * normals
            good = self._allowed(where, radii[owners], rows)
            placed, choice = packing.insert(owners[good], where[good])
            turned[placed] = r[good][choice]
        if not packing.placed.all():
            done = int(packing.placed.sum())
            raise PlacementError(
                f"only {done} of {len(radii)} particles of {job.name} fit on the surface of {self.of.name}",
                field="placement",
                value=f"{done / len(radii):.1%} placed",
                allowed="coverages up to about 50 %, away from other parts and from the faces of the layer",
                cure="bind fewer or smaller particles, reduce minimum_gap, or make room around the surface",
            )
        return packing.centers, turned

    def _allowed(self, where: FloatArray, radii: FloatArray, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether particles stay within what surrounds the part, and clear of others and of its other copies."""
        gap = self.rule.minimum_gap
        good = np.ones(len(where), np.bool_) if self.host is None else inside_any(where, radii, self.host)
        low, high = self.edges
        good &= (where[:, 2] - radii >= low) & (where[:, 2] + radii <= high)
        good &= clear_of(where, radii, self.of, gap, rows)
        for obstacle in self.obstacles:
            good &= clear_of(where, radii, obstacle, gap)
        return good


def _sites(of: Population, count: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], FloatArray, FloatArray]:
    """Copies (n,) of `of`, chosen by area, points (n, 3) [m] uniform on their surfaces, outward normals (n, 3)."""
    poses = of.poses
    share = np.cumsum(poses.scales**2)
    rows = np.minimum(np.searchsorted(share, rng.random(count) * share[-1]), len(of) - 1)
    points, normals = of.shape.surface_points(count, rng)
    sites = poses.positions[rows] + poses.scales[rows][:, None] * np.einsum("nij,nj->ni", poses.rotations[rows], points)
    return rows, sites, np.einsum("nij,nj->ni", poses.rotations[rows], normals)
