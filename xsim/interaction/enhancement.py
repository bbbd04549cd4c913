"""Secondary excitation: fluorescence and scattered light that excite the layers on their way.

Light of energy E that starts in all directions in a cell s of a stack of laterally infinite layers excites, in cell r,
    T_sr = int_s dz / d_s int_r dz' E1(|tau(z) - tau(z')|) / 2
     = [E3(tau) - E3(tau + a) - E3(tau + b) + E3(tau + a + b)] / (2 mu_s mu_r d_s)
metres of it per photon, a and b the optical depths of the two cells and tau that between them (a - 1/2 + E3(a) inside
one cell). Photons of line j towards the detector per photon started in s are Phi_s = sum_r T_sr y_j(E) W_j(r): y_j per
metre and steradian, W_j the mean share of cell r's light that leaves. Phi depends on the line's energy alone, neither
on the beam nor on where it falls. What the beam starts in a voxel, in layers and in bodies, is the primary light of
all lines with their cascades and, taken as going out evenly in all directions, elastic and Compton scatter.

Range of validity. First order: light excited by light excited by light is estimated, and told where it passes 1 %. The
receiving layers are taken as if no bodies displaced them; what bodies receive is `xsim.interaction.bodies`. Cells grow
 by 30 % from the faces, a tenth of the shortest absorption length thick at first: 0.3 % of the enhancement.
References: de Boer, X-Ray Spectrom. 19, 145 (1990), doi 10.1002/xrs.1300190306; Sherman, Spectrochim. Acta 7, 283
(1955), doi 10.1016/0371-1951(55)80041-0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import expn

from xsim.interaction.emission import SOFTEST, Group, rates
from xsim.interaction.fluorescence import Incoming, Voxels
from xsim.matter import elements, scatter
from xsim.matter.material import Material
from xsim.specimen.specimen import Specimen

Array = NDArray[np.float64]

#: optical depth of the outermost cells for the softest light, how fast cells grow inwards, and least depth of a cell
FINEST, GROWTH, THINNEST = 0.1, 1.3, 1e-6
#: sources weaker than this share of all photons started in a material are left out
WEAKEST = 1e-4


@dataclass(frozen=True, eq=False)
class Stack:
    """Cells along the normal of the layers: edges (cells + 1,) [m], number of the material in each, -1 for vacuum.

    out, along: cosine between the normal and the way out, and the beam.
    """

    materials: tuple[Material, ...]
    edges: Array
    which: NDArray[np.int64]
    out: float
    along: float

    @property
    def depths(self) -> Array:
        """Thickness of each cell [m]."""
        return np.diff(self.edges)

    def per_cell(self, values: Array) -> Array:
        """`values` (materials, ...) of the material in each cell; 0 in vacuum."""
        padded = np.concatenate([values, np.zeros_like(values[:1])])
        return np.asarray(padded[self.which])

    def optical(self, energy: float) -> Array:
        """Optical depth of each cell for light of `energy` [eV]."""
        mu = np.array([float(material.optics(energy).mu_total) for material in self.materials])
        return np.asarray(self.per_cell(mu) * self.depths)

    def share(self, energy: float, cosine: float) -> Array:
        """Mean share of light of `energy` [eV] made in each cell that leaves along a way of this cosine."""
        own = self.optical(energy) / abs(cosine)
        beyond = np.cumsum(own[::-1])[::-1] - own if cosine > 0 else np.cumsum(own) - own
        return np.asarray(np.exp(-beyond) * -np.expm1(-np.maximum(own, 1e-12)) / np.maximum(own, 1e-12))

    def transfer(self, energy: float) -> Array:
        """T (cells, cells) [m]: metres of cell r that light of `energy` [eV] started in cell s passes."""
        # transparent cells are given the least depth that the differences of E3 below can bear
        own = np.maximum(self.optical(energy), THINNEST)
        tau = np.concatenate([[0.0], np.cumsum(own)])
        e3 = expn(3, np.abs(tau[:, None] - tau[None, :]))
        double = e3[1:, :-1] + e3[:-1, 1:] - e3[:-1, :-1] - e3[1:, 1:]
        np.fill_diagonal(double, 2 * (own - 0.5 + np.diag(e3, 1)))
        return np.asarray(double / 2 / np.outer(own, own) * self.depths[None, :])


@dataclass(frozen=True, eq=False)
class Enhancement:
    """A stack of layers that answers to light started in voxels on it."""

    stack: Stack
    normal: Array
    _known: dict[tuple[float, tuple[str, ...]], Array] = field(default_factory=dict)

    def weights(self, found: list[Group], energy: float) -> Array:
        """Secondary photons per steradian of each line per metre lit, (lines, materials, cells).

        found: the groups of a beam of `energy` [eV], of which lines have an element.
        """
        lines = fluorescent(found)
        weights = np.zeros((len(lines), len(self.stack.materials), len(self.stack.which)))
        for source, phi in self._answers(lines, found, energy):
            weights += source.started[None, :, None] * phi[:, None, :]
        return weights

    def added(self, weights: Array, energy: float, voxels: Voxels, at: tuple[Array, Array], beam: Incoming) -> Array:
        """Secondary photons (lines, ny, nx) per incident photon and steradian started in `voxels`.

        weights: of a beam of `energy` [eV], incoming as `beam`. at: y and x of each column [m], (ny, nx) or broadcast.
        """
        from xsim.interaction._escape import gathered

        mine = [self.stack.materials.index(m) for m in voxels.materials]
        if abs(abs(self.normal[2]) - 1) < 1e-12:
            weights, cell = self._averaged(weights, voxels.edges, energy), None
        else:
            cell = self._cells(voxels, at)
        return gathered(voxels.inside, beam, weights[:, mine], cell)

    def third(self, found: list[Group], energy: float) -> float:
        """Largest share of third-order light among the groups of a beam of `energy` [eV], an estimate for the layers.

        What each secondary source started is taken to be enhanced as the light of its own line is.
        """
        primary, second, more = self.orders(found, energy)
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(np.max(np.nan_to_num(more / (primary + second)), initial=0.0))

    def orders(self, found: list[Group], energy: float) -> tuple[Array, Array, Array]:
        """Photons of each line per steradian and photon of `energy` [eV] from the layers alone: (lines,) each.

        Primary, excited by those, and excited by these, the last as `third` estimates it.
        """
        lines, lit = fluorescent(found), self._lit(energy)
        shares = [self.stack.share(line.energy, self.stack.out) for line in lines]
        light = [lit * self.stack.per_cell(line.made) for line in lines]
        primary = np.array([np.sum(a * b) for a, b in zip(light, shares, strict=True)])
        passed = {
            source.label: np.einsum("s,js->j", lit * self.stack.per_cell(source.started), phi)
            for source, phi in self._answers(lines, found, energy)
        }
        second = sum(passed.values(), 0 * primary)
        with np.errstate(divide="ignore", invalid="ignore"):
            gain = np.nan_to_num(second / primary)
        third = sum((g * passed.get(line.label, 0 * primary) for g, line in zip(gain, lines, strict=True)), 0 * primary)
        return primary, second, third

    def _lit(self, energy: float) -> Array:
        """Metres of each cell along the beam, weakened as the beam is there."""
        return self.stack.share(energy, -self.stack.along) * self.stack.depths / abs(self.stack.along)

    def _answers(self, lines: list[Group], found: list[Group], energy: float) -> Iterator[tuple[Source, Array]]:
        """Sources with Phi (lines, cells) [1/sr] per photon that they start; those of lines are kept for all beams."""
        labels = tuple(line.label for line in lines)
        for source in sources(self.stack.materials, found, energy):
            phi = self._known.get((source.energy, labels))
            if phi is None:
                shares = [self.stack.share(line.energy, self.stack.out) for line in lines]
                made = np.array(rates(self.stack.materials, lines, source.energy)).reshape(len(lines), -1)
                answer = self.stack.per_cell(made.T).T * np.array(shares).reshape(len(lines), -1)
                phi = np.einsum("sr,jr->js", self.stack.transfer(source.energy), answer)
            if source.label not in ("elastic", "Compton"):
                self._known[source.energy, labels] = phi
            yield source, phi

    def _averaged(self, weights: Array, z: Array, energy: float) -> Array:
        """Mean over each slab between the edges z [m], weighted by the light that the beam starts in its cells."""
        heights = np.sort(z * self.normal[2]).reshape(-1)
        inner, outer = (
            np.maximum(heights[:-1, None], self.stack.edges[:-1]),
            np.minimum(heights[1:, None], self.stack.edges[1:]),
        )
        overlap = np.maximum(outer - inner, 0)
        share = overlap * (self._lit(energy) / self.stack.depths)
        # far inside nothing is lit: any weight will do
        share = np.where(share.sum(axis=1, keepdims=True) > 0, share, overlap)
        mean = np.einsum("kc,jmc->jmk", share / np.maximum(share.sum(axis=1, keepdims=True), 1e-300), weights)
        return mean if self.normal[2] > 0 else mean[:, :, ::-1]

    def _cells(self, voxels: Voxels, at: tuple[Array, Array]) -> NDArray[np.int64]:
        """The cell in which the middle of each voxel (slabs, ny, nx) lies."""
        middles = (voxels.edges[1:] + voxels.edges[:-1]) / 2
        height = self.normal[2] * middles[:, None, None] + self.normal[1] * at[0] + self.normal[0] * at[1]
        index = np.clip(np.searchsorted(self.stack.edges, height) - 1, 0, len(self.stack.which) - 1)
        return np.ascontiguousarray(index)


def fluorescent(found: list[Group]) -> list[Group]:
    """Those that are lines of an element."""
    return [group for group in found if group.element]


@dataclass(frozen=True, eq=False)
class Source:
    """Photons of `energy` [eV] that the beam starts in all directions per metre of each material."""

    label: str
    energy: float
    started: Array


def sources(materials: tuple[Material, ...], found: list[Group], energy: float) -> list[Source]:
    """All that can excite something."""
    least = min((min(elements.element(s).edges.values()) for m in materials for s in m.number_densities), default=0.0)
    every = [Source(line.label, line.energy, 4 * np.pi * line.made) for line in fluorescent(found)]
    scattered = np.zeros((2, len(materials)))
    for i, material in enumerate(materials):
        for symbol, number in material.number_densities.items():
            scattered[:, i] += number * np.array(elements.element(symbol).scatter(np.asarray(energy)))
    every.append(Source("elastic", energy, scattered[0]))
    every.append(Source("Compton", float(scatter.compton_energy(energy, np.pi / 2)), scattered[1]))
    total = np.maximum(np.sum([s.started for s in every], axis=0), 1e-300)
    return [s for s in every if s.energy > max(least, SOFTEST) and np.any(s.started > WEAKEST * total)]


def enhancement_of(
    specimen: Specimen, materials: tuple[Material, ...], direction: tuple[float, float, float], energies: list[float]
) -> Enhancement | None:
    """The layers of `specimen` cut into cells fine enough for light of `energies` [eV]; None without layers.

    materials: all that the voxels know. direction: unit vector towards the detector.
    """
    layers = specimen.layers
    if not len(layers):
        return None
    normal = layers.normal
    out, along = float(normal @ np.array(direction)), float(normal[2])
    edges, which = [layers.edges[:1]], []
    for material, (low, high) in zip(layers.materials, pairwise(layers.edges), strict=True):
        fastest = max(float(material.optics(energy).mu_total) for energy in energies) / min(abs(out), abs(along))
        cells = graded(float(high - low), FINEST / fastest)
        edges.append(low + cells[1:])
        which += [materials.index(material)] * (len(cells) - 1)
    reaches = [(p.poses.positions @ normal, p.radii) for p in specimen.populations if len(p)]
    low = min([float((h - r).min()) for h, r in reaches], default=0.0)
    high = max([float((h + r).max()) for h, r in reaches], default=0.0)
    if low < layers.edges[0]:
        edges.insert(0, np.array([low]))
        which.insert(0, -1)
    if high > layers.edges[-1]:
        edges.append(np.array([high]))
        which.append(-1)
    stack = Stack(materials, np.concatenate(edges), np.array(which), out, along)
    return Enhancement(stack, normal)


def graded(thickness: float, finest: float) -> Array:
    """Edges 0 .. thickness of cells that grow from `finest` [m] at both faces by a constant factor inwards."""
    half, size, at = thickness / 2, finest, [0.0]
    while at[-1] < half:
        at.append(at[-1] + size)
        size *= GROWTH
    one = np.array(at[:-1]) if len(at) > 2 else np.zeros(1)
    return np.concatenate([one, thickness - one[::-1]])
