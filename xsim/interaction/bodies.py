"""Secondary excitation of bodies: by the layers that the beam lights beside them, by other bodies, by themselves.

A photon of energy E that starts at s in all directions makes, in all bodies, photons of line j towards the detector
    Phi_j(s) = sum_m y_jm(E) int_m dV(r) W_j(r) exp(-mu |r - s|) / 4 pi |r - s|^2
y_jm per metre and steradian in material m, W_j the share of the light made at r that leaves. The integral is a
convolution along x and y between slabs, over `FINEST` cells to a side around the bodies that the beam falls on, the
kernel averaged over both cells (inside one cell the mean of (1 - exp(-mu l)) / mu over all ways l out of it). A beam
that is a pencil lights a body mostly from within some of its own sizes; bodies aside of the beam answer too.

Range of validity. First order, as `xsim.interaction.enhancement`, which answers for the layers. On the way mu is that
of the body for light started in a body, that of the layers passed otherwise; a body weakens light from outside as it
does along the axes, on the mean; gaps between bodies are taken as filled. Materials that are both in layers and in
bodies answer as layers alone. Bodies finer than a cell answer as if spread over it. Left out: what starts further from
the bodies than a quarter of their width, and bodies more than three absorption lengths aside of the field. The spot is
that of the middle of the specimen. Against exact integrals: spheres of 8 and 30 um and a box of zinc sulphide 2 to 5 %
of their own enhancement, a particle in a matrix 1 to 12 % of what comes from it. Lines below 1 keV, absorbed within a
cell, are no better than an order of magnitude. Not worked out where an upper bound, the vacancies that all sources
could make in a body over those of the beam, on ways of a quarter of its size, lies below `LEAST` of every line.
Reference: Sokaras and Karydas, Anal. Chem. 81, 4946 (2009), doi 10.1021/ac9005832 (secondary light beyond layers).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from xsim.interaction._body_kernels import kernels_of, mean_attenuation, transformed
from xsim.interaction.emission import Cone, Group, groups, rates
from xsim.interaction.enhancement import Source, fluorescent, graded, sources
from xsim.interaction.fluorescence import Incoming, Voxels, incoming, sample
from xsim.matter.material import Material
from xsim.specimen.population import Population
from xsim.specimen.specimen import Specimen
from xsim.waves.fft import good_size, ifft2
from xsim.waves.grid import Grid

Array = NDArray[np.float64]

#: bound of the enhancement below which nothing is worked out, share of it below which a source is left out, softest
#: line [eV] that counts
LEAST, WEAKEST, SEEN = 2e-2, 3e-3, 1e3
#: cells along x or y, along the beam through the bodies, and in each layer before or after them
FINEST, DEEPEST, AROUND = 48, 20, 3
#: width of the grid of cells in sizes of what the bodies fill
MARGIN = 1.5


@dataclass(frozen=True, eq=False)
class Answer:
    """Secondary photons per steradian of each line per metre lit, around the bodies.

    weights: (answered, materials, cells, rows, columns); answered: the numbers of these lines, and of all; mix: (slabs,
    cells), the cells of a slab of the voxels.
    """

    weights: Array
    answered: tuple[list[int], int]
    mix: Array

    def added(self, voxels: Voxels, beam: Incoming) -> Array:
        """Secondary photons (lines, ny, nx) per incident photon and steradian that the beam in `voxels` causes."""
        which, count = self.answered
        out = np.zeros((count, *voxels.inside.shape[2:]))
        half = 0.5 * beam.own
        share = np.exp(-beam.before) * np.sinh(half) / np.maximum(half, 1e-12)
        for k in range(len(share)):
            cells = np.flatnonzero(self.mix[k])
            weights = np.einsum("c,jmcyx->jmyx", self.mix[k, cells], self.weights[:, :, cells])
            out[which] += np.einsum("myx,jmyx->jyx", voxels.inside[:, k] * share[k], weights)
        return out


@dataclass(frozen=True, eq=False)
class Beside:
    """Secondary photons (lines by label, ny, nx) from bodies per incident photon and steradian, beam at each pixel."""

    grid: Grid
    maps: dict[str, Array]

    def on(self, grid: Grid, label: str) -> Array:
        """One of the maps at the pixels of another grid, by straight lines; zero beyond its own."""
        from scipy.ndimage import map_coordinates

        places = ((v - at) / self.grid.pixel + n // 2 for v, at, n in
                  zip((grid.y, grid.x), self.grid.center[::-1], self.grid.shape, strict=True))  # fmt: skip
        rows, columns = np.meshgrid(*places, indexing="ij")
        return np.asarray(map_coordinates(self.maps[label], [rows, columns], order=1, mode="grid-constant"))


def beside_of(
    specimen: Specimen, cuts: int | Array, energy: float, cone: Cone, seen: tuple[float, float, float, float]
) -> Beside | None:
    """What bodies within reach of the beam answer to light of `energy` [eV]; None where it does not matter.

    cuts: slabs, as `fluorescence.sample` takes them. seen: (x0, x1, y0, y1) [m] that the beam falls on.
    """
    every = [p for p in specimen.populations if len(p) and p.material not in specimen.layers.materials]
    if not every:
        return None
    materials = tuple(dict.fromkeys([*specimen.layers.materials, *(p.material for p in every)]))
    bodies = list(range(len(dict.fromkeys(specimen.layers.materials)), len(materials)))
    metres = np.array([_metres([p for p in every if p.material == material]) for material in materials])
    if not _matter(materials, groups(materials, energy, cone), energy, bodies, metres):
        return None
    around = _around(every, seen, 3 / min(float(materials[m].optics(energy).mu_total) for m in bodies))
    if around is None:
        return None
    voxels = sample(specimen, around, cuts, cone.direction)
    found = groups(voxels.materials, energy, cone)
    answer = answer_of(specimen, voxels, around, found, energy)
    if answer is None:
        return None
    maps = answer.added(voxels, incoming(voxels, energy))
    return Beside(around, {g.label: m for g, m in zip(fluorescent(found), maps, strict=True) if m.any()})


def _metres(some: list[Population]) -> float:
    """Metres of these bodies that a beam passes, at most but for chance: one of the largest, and what lies about it."""
    if not some:
        return 0.0
    largest, passed = max(2 * float(p.radii.max()) for p in some), 0.0
    for p in some:
        spread = np.ptp(p.poses.positions[:, :2], axis=0) + 2 * p.radii.max()
        passed += float(np.sum(4 / 3 * np.pi * np.broadcast_to(p.radii, (len(p),)) ** 3)) / float(np.prod(spread))
    return largest + passed


def _around(every: list[Population], seen: tuple[float, float, float, float], reach: float) -> Grid | None:
    """A grid of `FINEST` cells around the bodies that reach into what is `seen`, up to `reach` [m] from it."""
    spans = []
    for axis, (low, high) in enumerate((seen[:2], seen[2:])):
        at = np.concatenate([p.poses.positions[:, axis] for p in every])
        half = np.concatenate([np.broadcast_to(p.radii, (len(p),)) for p in every])
        near = (at + half > low) & (at - half < high)
        if not near.any():
            return None
        spans.append(
            (max(float((at - half)[near].min()), low - reach), min(float((at + half)[near].max()), high + reach))
        )
    pixel = MARGIN * max(b - a for a, b in spans) / FINEST
    center = (spans[0][0] + spans[0][1]) / 2, (spans[1][0] + spans[1][1]) / 2
    ny, nx = (max(8, math.ceil(MARGIN * (b - a) / pixel)) for a, b in spans[::-1])
    return Grid((ny, nx), pixel, center)


def answer_of(specimen: Specimen, voxels: Voxels, grid: Grid, found: list[Group], energy: float) -> Answer | None:
    """The answer of all bodies in `voxels` on `grid` to a beam of `energy` [eV]; None where it does not matter.

    found: the groups of that beam, `made` per material of `voxels`.
    """
    bodies = [m for m, material in enumerate(voxels.materials) if material not in specimen.layers.materials]
    metres = voxels.inside.sum(axis=1).max(axis=(1, 2), initial=0.0)
    chosen = _matter(voxels.materials, found, energy, bodies, metres)
    filled = voxels.inside[bodies].sum(axis=0) > 0
    if not chosen or not filled.any():
        return None
    pixel = grid.pixel
    cells, mix, receiving = _cells(specimen, voxels, filled, energy)
    ways = _ways(voxels, bodies, pixel)
    shades = [_shade(specimen, voxels, bodies, ways, source.energy) for source, _ in chosen]
    lines = fluorescent(found)
    answered = sorted({int(j) for _, made in chosen for j in np.flatnonzero(made[:, bodies].any(axis=1))})
    shape = filled.shape[1:]
    padded = good_size(2 * shape[0]), good_size(2 * shape[1])
    weights = np.zeros((len(answered), len(voxels.materials), len(cells), *shape))
    kernels = [kernels_of(specimen, voxels, source, cells, receiving, (pixel, shape, padded), bodies)
               for source, _ in chosen]  # fmt: skip

    def gather(values: Array) -> Array:
        return np.array([values[mix[:, cell] > 0].sum(axis=0) for cell in receiving])

    for row, j in enumerate(answered):
        leaving = {m: _leaving(voxels, m, pixel, lines[j].energy) for m in bodies}
        within = {m: transformed(gather(values), padded) for m, values in leaving.items()}
        total = np.zeros((len(voxels.materials), len(cells), *padded), np.complex128)
        for (source, made), of, shade in zip(chosen, kernels, shades, strict=True):
            if not made[j, bodies].any():
                continue
            own = sum(made[j, m] * within[m] for m in bodies)
            other = transformed(gather(sum(made[j, m] * leaving[m] * shade for m in bodies)), padded)
            for m, kernel in of.items():
                lit = own if m in bodies else other
                total[m] += source.started[m] * kernel.answer(lit)
        weights[row] = ifft2(total).real[..., : shape[0], : shape[1]]
    return Answer(np.maximum(weights, 0), (answered, len(lines)), mix)


def _matter(
    materials: tuple[Material, ...], found: list[Group], energy: float, bodies: list[int], metres: Array
) -> list[tuple[Source, Array]]:
    """Sources that can add something, with what they make of each line (lines, materials).

    metres: of each material that a beam passes at most; those of layers do not count.
    """
    lines = fluorescent(found)
    if not bodies or not lines:
        return []
    kept: list[tuple[Source, Array, float]] = []
    for source in _merged(sources(materials, found, energy)):
        made = np.array(rates(materials, lines, source.energy)).reshape(len(lines), -1)
        mu = np.array([float(materials[m].optics(source.energy).mu_total) for m in bodies])
        # softer lines decide nothing: no window lets them pass
        strong = np.array([line.made * (line.energy >= SEEN) for line in lines])[:, bodies]
        gain = np.where(strong > 1e-2 * strong.max(axis=0), made[:, bodies] / np.maximum(strong, 1e-300), 0)
        # a beam that starts light in d_s metres beside d_r: half goes one way, and no ray within d_r is longer than it
        mine, others = metres[bodies], np.where(np.isin(np.arange(len(metres)), bodies), metres / 2, np.inf)
        ways = np.minimum(np.minimum(mine / 4, 1 / mu)[:, None], others)
        bound = gain.max(axis=0) * (ways * source.started).max(axis=1)
        kept.append((source, made, float(bound.max())))
    total = sum(bound for _, _, bound in kept)
    return [(s, made) for s, made, bound in kept if bound > WEAKEST * total] if total > LEAST else []


def _merged(every: list[Source]) -> list[Source]:
    """Sources of energies within 1 %, as one at the energy of the strongest."""
    merged: list[list[Source]] = []
    for source in sorted(every, key=lambda s: s.energy):
        same = merged and source.energy < 1.01 * merged[-1][0].energy
        same = same and source.label.split()[0] == merged[-1][0].label.split()[0]
        merged[-1].append(source) if same else merged.append([source])
    return [
        Source(best.label, best.energy, np.sum([s.started for s in some], axis=0))
        for some in merged
        for best in [max(some, key=lambda s: float(s.started.max()))]
    ]


def _cells(
    specimen: Specimen, voxels: Voxels, filled: NDArray[np.bool_], energy: float
) -> tuple[Array, Array, NDArray[np.int64]]:
    """Cells along z (cells, 2) [m], the share of each slab's light in them (slabs, cells), those that hold bodies."""
    slabs = np.flatnonzero(filled.any(axis=(1, 2)))
    first, stop = int(slabs[0]), int(slabs[-1]) + 1
    groups = np.array_split(np.arange(first, stop), min(DEEPEST, stop - first))
    found: list[tuple[float, float]] = []
    parts: list[tuple[int, int, float]] = []
    for k, (low, high) in enumerate(pairwise(voxels.edges)):
        if first <= k < stop:
            continue
        mu = float(mean_attenuation(specimen, energy, (low + high) / 2, (low + high) / 2))
        # towards the bodies cells get finer: what lies near counts most
        near = (voxels.edges[stop] - voxels.edges[first]) / 4
        steps = graded(2 * (high - low), max(near, 1e-9))
        steps = steps[steps < high - low]
        if len(steps) > 4 * AROUND:
            steps = steps[: 4 * AROUND]
        steps = np.append(steps, high - low)
        edges = low + steps if k >= stop else (high - steps)[::-1]
        lit = -np.diff(np.exp(-mu * (edges - edges[0]))) if mu * (high - low) > 1e-9 else np.diff(edges)
        for a, b, share in zip(edges[:-1], edges[1:], lit / lit.sum(), strict=True):
            parts.append((k, len(found), float(share)))
            found.append((float(a), float(b)))
    receiving = np.arange(len(found), len(found) + len(groups))
    for group in groups:
        parts += [(int(k), len(found), 1.0) for k in group]
        found.append((float(voxels.edges[group[0]]), float(voxels.edges[group[-1] + 1])))
    mix = np.zeros((len(voxels.edges) - 1, len(found)))
    for k, cell, share in parts:
        mix[k, cell] = share
    return np.array(found), mix, receiving


def _leaving(voxels: Voxels, material: int, pixel: float, energy: float) -> Array:
    """Cubic metres (slabs, ny, nx) of a material for its light of `energy` [eV], voxel by voxel."""
    depth = voxels.depth(voxels.after, energy)
    return np.asarray(voxels.inside[material] * np.exp(-depth) * pixel**2)


def _ways(voxels: Voxels, bodies: list[int], pixel: float) -> Array:
    """Metres of bodies (materials, 6, slabs, ny, nx) between the middle of a voxel and the outside along each axis."""
    inside = voxels.inside[bodies]
    across = inside * pixel / np.diff(voxels.edges)[:, None, None]
    found = []
    for axis, metres in ((1, inside), (2, across), (3, across)):
        before = np.cumsum(metres, axis=axis) - metres / 2
        found += [before, metres.sum(axis=axis, keepdims=True) - before]
    return np.stack(found, axis=1)


def _shade(specimen: Specimen, voxels: Voxels, bodies: list[int], ways: Array, energy: float) -> Array:
    """How much less light of `energy` [eV] from outside there is in the bodies (slabs, ny, nx) than without them."""
    middles = (voxels.edges[1:] + voxels.edges[:-1]) / 2
    around = np.array([mean_attenuation(specimen, energy, z, z) for z in middles])[:, None, None]
    depth = np.zeros(ways.shape[1:])
    for m, part in zip(bodies, ways, strict=True):
        depth += (float(voxels.materials[m].optics(energy).mu_total) - around) * part
    return np.asarray(np.exp(-depth).mean(axis=0))
