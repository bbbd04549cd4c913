"""Which part lies in which, and the refusal of parts that overlap without one holding the other.

Pairs whose bounding spheres meet are found by trees, one per octave of size. Spheres are decided exactly, convex bodies
by GJK and support functions, patterns by the convex solids that fill them, bodies with holes by points. Touching is
allowed to 1e-9 of the size. Every part must lie within one layer (or outside all of them).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.errors import OverlapError
from xsim.specimen import containment, gjk, piecewise
from xsim.specimen.clearance import HOLLOW, fills_hull
from xsim.specimen.layers import Layers
from xsim.specimen.population import Population, take
from xsim.specimen.shape import Poses

Array = NDArray[Any]

#: verdicts on a pair (i, j)
APART, FIRST_INSIDE, SECOND_INSIDE, OVERLAP = 0, 1, 2, 3


@dataclass(frozen=True, eq=False)
class Parents:
    """For each copy of a population, the population (number, -1: none) and row of the part that holds it."""

    population: NDArray[np.int64]
    row: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Parts:
    """All copies of all populations in one list."""

    populations: list[Population]
    group: NDArray[np.int64]
    row: NDArray[np.int64]
    centers: Array
    radii: Array
    volumes: Array

    @staticmethod
    def of(populations: list[Population]) -> _Parts:
        sizes = [len(p) for p in populations]
        return _Parts(
            populations,
            np.repeat(np.arange(len(populations)), sizes),
            np.concatenate([np.zeros(0, np.int64), *(np.arange(n) for n in sizes)]),
            np.concatenate([np.zeros((0, 3)), *(p.poses.positions for p in populations)]),
            np.concatenate([np.zeros(0), *(p.radii for p in populations)]),
            np.concatenate([np.zeros(0), *(p.volumes for p in populations)]),
        )

    def name(self, i: int) -> str:
        p = self.populations[self.group[i]]
        return f"{p.name}[{p.index[self.row[i]]}]"


def resolve(populations: list[Population], layers: Layers, named: dict[str, str | None]) -> list[Parents]:
    """The part that holds each copy. named: population -> the host it must lie in, or None.

    Raises OverlapError naming the two parts and by how much.
    """
    parts = _Parts.of(populations)
    first, second = candidate_pairs(parts.centers, parts.radii)
    verdict, amount = _classify(parts, first, second)
    if (verdict == OVERLAP).any():
        k = int(np.argmax(np.where(verdict == OVERLAP, amount, -np.inf)))
        raise _refuse(parts.name(int(first[k])), parts.name(int(second[k])), float(amount[k]))
    inner = np.concatenate([first[verdict == FIRST_INSIDE], second[verdict == SECOND_INSIDE]])
    outer = np.concatenate([second[verdict == FIRST_INSIDE], first[verdict == SECOND_INSIDE]])
    holder = np.full(len(parts.radii), -1, np.int64)
    # largest first, so that the smallest part that holds a copy is written last
    order = np.lexsort((inner, -parts.volumes[outer]))
    holder[inner[order]] = outer[order]
    _check_hosts(parts, holder, named)
    _check_layers(parts, holder, layers)
    group = np.where(holder >= 0, parts.group[holder], -1) if len(holder) else holder
    row = np.where(holder >= 0, parts.row[holder], -1) if len(holder) else holder
    return [Parents(group[parts.group == g], row[parts.group == g]) for g in range(len(populations))]


def _refuse(one: str, other: str, amount: float) -> OverlapError:
    return OverlapError(
        f"{one} and {other} overlap",
        field="population",
        value=f"{amount:.3g} m deep",
        allowed="parts that are apart, or one wholly inside the other",
        cure="move or shrink one of them, or place them with a minimum_gap",
    )


def candidate_pairs(centers: Array, radii: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs (i < j) whose bounding spheres overlap by more than touching, sorted."""
    from scipy.spatial import cKDTree

    octave = np.floor(np.log2(np.maximum(radii, 1e-300))).astype(np.int64)
    members = [np.flatnonzero(octave == o) for o in np.unique(octave)]
    trees = [cKDTree(centers[m]) for m in members]
    found = [np.zeros((0, 2), np.int64)]
    for a, (tree, rows) in enumerate(zip(trees, members, strict=True)):
        if len(rows) > 1:
            found.append(rows[tree.query_pairs(2 * float(radii[rows].max()), output_type="ndarray")])
        for other, others in zip(trees[a + 1 :], members[a + 1 :], strict=True):
            limit = float(radii[rows].max() + radii[others].max())
            near = tree.sparse_distance_matrix(other, limit, output_type="ndarray")
            found.append(np.stack([rows[near["i"]], others[near["j"]]], axis=1))
    pairs = np.sort(np.concatenate(found).astype(np.int64), axis=1)
    gap = np.sqrt(((centers[pairs[:, 0]] - centers[pairs[:, 1]]) ** 2).sum(axis=1))
    reach = radii[pairs].sum(axis=1)
    pairs = pairs[gap < reach * (1 - gjk.TOUCH)]
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    return pairs[:, 0], pairs[:, 1]


def _classify(parts: _Parts, first: Array, second: Array) -> tuple[Array, Array]:
    """Verdict and depth of overlap [m] for each pair."""
    verdict, amount = np.zeros(len(first), np.int64), np.zeros(len(first))
    key = parts.group[first] * len(parts.populations) + parts.group[second]
    for k in np.unique(key):
        rows = np.flatnonzero(key == k)
        a, b = divmod(int(k), len(parts.populations))
        p, q = parts.populations[a], parts.populations[b]
        one, two = take(p.poses, parts.row[first[rows]]), take(q.poses, parts.row[second[rows]])
        verdict[rows], amount[rows] = judge(p.shape, one, q.shape, two)
    return verdict, amount


def judge(shape_a: Any, a: Poses, shape_b: Any, b: Poses) -> tuple[Array, Array]:
    """Verdicts (n,) on the i-th copies of two shapes, and depths of overlap (n,) [m]."""
    if shape_a.kind in ("sphere", "core_shell") and shape_b.kind in ("sphere", "core_shell"):
        return _balls(_shell(shape_a, a), a.positions, _shell(shape_b, b), b.positions)
    verdict, amount = np.zeros(len(a), np.int64), np.zeros(len(a))
    meet = np.flatnonzero(~gjk.apart(shape_a, a, shape_b, b))
    if not len(meet):
        return verdict, amount
    one, two = take(a, meet), take(b, meet)
    first_smaller = _smaller(shape_a, one, shape_b, two)
    for chosen, small, large, code in (
        (first_smaller, (shape_a, one), (shape_b, two), FIRST_INSIDE),
        (~first_smaller, (shape_b, two), (shape_a, one), SECOND_INSIDE),
    ):
        if chosen.any():
            inner, outer = take(small[1], chosen), take(large[1], chosen)
            found, depth = _nested(small[0], inner, large[0], outer)
            verdict[meet[chosen]] = np.where(found == FIRST_INSIDE, code, found)
            amount[meet[chosen]] = depth
    return verdict, amount


def _smaller(shape_a: Any, a: Poses, shape_b: Any, b: Poses) -> NDArray[np.bool_]:
    """Whether only the first of each pair can lie in the second: by radius, by volume if a pattern fills its host."""
    mine, its = shape_a.radius * a.scales, shape_b.radius * b.scales
    equal = np.abs(mine - its) <= 1e-9 * its
    less = shape_a.volume * a.scales**3 <= shape_b.volume * b.scales**3
    return np.asarray(np.where(equal, less, mine < its), np.bool_)


def _shell(shape: Any, poses: Poses) -> tuple[Array, Array]:
    """Outer and inner radii (n,) [m] of spheres (inner 0) and spherical shells."""
    inner = shape.core().radius if shape.kind == "core_shell" else 0.0
    return shape.radius * poses.scales, inner * poses.scales


def _balls(one: tuple[Array, Array], a: Array, two: tuple[Array, Array], b: Array) -> tuple[Array, Array]:
    """Exact verdicts and depths for spheres and spherical shells given by outer and inner radii."""
    (ra, ia), (rb, ib) = one, two
    distance = np.sqrt(((a - b) ** 2).sum(axis=1))
    slack = gjk.TOUCH * (ra + rb)
    verdict = np.full(len(ra), OVERLAP, np.int64)
    # within the outer surface of the other, and clear of its hollow
    verdict[(distance + rb <= ra + slack) & ((ia == 0) | (distance - rb >= ia - slack))] = SECOND_INSIDE
    verdict[(distance + ra <= rb + slack) & ((ib == 0) | (distance - ra >= ib - slack))] = FIRST_INSIDE
    apart = distance >= ra + rb - slack
    apart |= (distance + ra <= ib + slack) | (distance + rb <= ia + slack)
    verdict[apart] = APART
    return verdict, ra + rb - distance


def _nested(inner: Any, a: Poses, outer: Any, b: Poses) -> tuple[Array, Array]:
    """Verdicts on pairs whose hulls meet, `inner` the smaller: APART, FIRST_INSIDE or OVERLAP, and how deep."""
    size = inner.radius * a.scales + outer.radius * b.scales
    if piecewise.in_pieces(inner) or piecewise.in_pieces(outer):
        amount = piecewise.meeting(inner, a, outer, b)  # of the hull, for a body with holes
        verdict = np.where(amount > 0, OVERLAP, APART)
        rest = np.flatnonzero(amount)
        if outer.kind not in HOLLOW:
            held = piecewise.inside(inner, take(a, rest), outer, take(b, rest))
            verdict[rest[held]], rest = FIRST_INSIDE, rest[~held]
        if inner.kind in HOLLOW or outer.kind in HOLLOW:
            verdict[rest], amount[rest] = _each_by_points(inner, take(a, rest), outer, take(b, rest))
        return verdict, amount
    if inner.kind in HOLLOW or outer.kind in HOLLOW:
        return _each_by_points(inner, a, outer, b)
    margin = containment.margin_inside(inner, a, outer, b)
    verdict = np.where(margin >= -gjk.TOUCH * size, FIRST_INSIDE, OVERLAP)
    amount = np.zeros(len(a))
    rest = np.flatnonzero(verdict == OVERLAP)
    if len(rest):
        depth = containment.penetration(inner, take(a, rest), outer, take(b, rest))
        amount[rest] = np.minimum(depth, -margin[rest])
        verdict[rest[depth <= gjk.TOUCH * size[rest]]] = APART
    return verdict, amount


def _each_by_points(inner: Any, a: Poses, outer: Any, b: Poses) -> tuple[Array, Array]:
    both = [_by_points(inner, take(a, np.array([i])), outer, take(b, np.array([i]))) for i in range(len(a))]
    return np.array([v for v, _ in both], np.int64), np.array([d for _, d in both])


def _by_points(inner: Any, a: Poses, outer: Any, b: Poses) -> tuple[int, float]:
    """The verdict on one pair of which at least one has holes."""
    size = float(inner.radius * a.scales[0] + outer.radius * b.scales[0])
    hollow = outer.core() if outer.kind == "core_shell" else None
    if hollow is not None and containment.margin_inside(inner, a, hollow, b)[0] >= -gjk.TOUCH * size:
        return APART, 0.0  # in the hollow, not in the material
    if fills_hull(outer):  # a convex body holds whatever its hull would be held by
        if containment.margin_inside(inner, a, outer, b)[0] >= -gjk.TOUCH * size:
            return FIRST_INSIDE, 0.0
    elif inner.kind not in HOLLOW:
        within = containment.inside_points(outer, b, containment.probe_points(inner, a))
        if within.all():
            return FIRST_INSIDE, 0.0
        if not within.any() and not containment.inside_points(inner, a, containment.probe_points(outer, b)).any():
            return APART, 0.0
    else:
        one = containment.inside_points(outer, b, containment.probe_points(inner, a))
        two = containment.inside_points(inner, a, containment.probe_points(outer, b))
        if not one.any() and not two.any():
            return APART, 0.0
    return OVERLAP, float(containment.penetration(inner, a, outer, b)[0])


def _check_hosts(parts: _Parts, holder: Array, named: dict[str, str | None]) -> None:
    names = [p.name for p in parts.populations]
    for g, p in enumerate(parts.populations):
        host = named.get(p.name)
        if host is None:
            continue
        mine = np.flatnonzero(parts.group == g)
        held = holder[mine]
        wrong = (held < 0) | (parts.group[held] != names.index(host))
        if wrong.any():
            i = int(mine[np.argmax(wrong)])
            where = parts.name(int(holder[i])) if holder[i] >= 0 else "no part"
            raise OverlapError(
                f"{parts.name(i)} does not lie inside its host {host}",
                field=f"population[{p.name}].host",
                value=f"it lies in {where}",
                allowed=f"wholly inside a copy of {host}",
                cure="move it, or leave host out",
            )


def _check_layers(parts: _Parts, holder: Array, layers: Layers) -> None:
    """Every part that lies in no other must lie within one layer, or outside all."""
    if not len(layers):
        return
    for g, p in enumerate(parts.populations):
        rows = np.flatnonzero((parts.group == g) & (holder < 0))
        if not len(rows):
            continue
        poses = take(p.poses, parts.row[rows])
        up = np.broadcast_to(layers.normal, (len(rows), 3))
        top = (gjk.farthest(p.shape, poses, up) * up).sum(axis=1)
        bottom = (gjk.farthest(p.shape, poses, -up) * up).sum(axis=1)
        edges = layers.edges[None, :]
        cut = np.minimum(top[:, None] - edges, edges - bottom[:, None])
        deep = cut.max(axis=1)
        wrong = deep > gjk.TOUCH * parts.radii[rows]
        if wrong.any():
            k = int(np.argmax(np.where(wrong, deep, -np.inf)))
            edge = float(layers.edges[int(np.argmax(cut[k]))])
            raise OverlapError(
                f"{parts.name(int(rows[k]))} sticks through the layer surface at z = {edge:.4g} m",
                field="population",
                value=f"by {deep[k]:.3g} m",
                allowed="parts that lie within one layer, or outside all layers",
                cure="move or shrink it, or make the layer thicker",
            )
