"""Small-angle scattering of an ensemble: the orientation- and size-averaged cross section of its particles.

    dsigma/dOmega(q) = sum_i |c_i|^2 s_i^6 <|F(s_i R^T q)|^2>_R,      c = (k^2 / 2 pi)(-d_delta + i d_beta)

in m^2, for the particles of some populations, each seen in every orientation (R) at its own scale s_i and against
its own host. Divided by the irradiated volume it is the macroscopic cross section in 1/m. Sizes are averaged over
their law (`xsim.specimen.size_laws`) or over the sample that was drawn. Particles do not interfere (dilute), or as
hard spheres of a Percus-Yevick fluid do (`Packing`, `xsim.interaction.hard_spheres`). A core concentric with its
shell interferes and is added in amplitude. Valid in the Born limit (phase shift across a particle << 1).
Reference: Guinier & Fournet, Small-Angle Scattering of X-Rays (Wiley, 1955); Glatter & Kratky (Academic Press, 1982).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xsim.errors import RangeError, ValidityWarning
from xsim.interaction.debye import MOST, debye_curve
from xsim.interaction.hard_spheres import structure_factor
from xsim.interaction.orientation_average import averages, symmetry
from xsim.specimen.amplitude import Body, copy_amplitude, is_isotropic
from xsim.specimen.population import Population
from xsim.specimen.size_laws import has_law, nodes
from xsim.specimen.specimen import Specimen

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
#: whether sizes are averaged over their law or over those drawn
Sizes = Literal["law", "drawn"]

#: samples of the curve per oscillation of the form factor, pi / R: of the result, and of tables for a spline of order 5
SAMPLES_PER_FRINGE, TABLE_PER_FRINGE = 64, 32
#: sizes whose curves are held at once, times the number of q
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Packing:
    """Hard spheres within `volume` [m^3]: how they join the form factor, their volume fraction, their radius [m].

    fraction and radius: None for those of the particles themselves; the radius is that of a particle of scale 1 (the
    sphere of equal volume unless given).
    """

    approximation: Literal["decoupling", "local_monodisperse"]
    volume: float
    fraction: float | None = None
    radius: float | None = None


@dataclass(frozen=True, eq=False)
class Coherent:
    """Concentric bodies of one particle kind that add in amplitude: `parts` (population, rows), equal rows together."""

    parts: tuple[Population, ...]

    @property
    def scales(self) -> FloatArray:
        """Scale of each particle (n,), shared by its parts."""
        return self.parts[0].poses.scales

    @property
    def radius(self) -> float:
        """Bounding radius at scale 1 [m]."""
        return max(p.shape.radius for p in self.parts)

    @property
    def hard_radius(self) -> float:
        """Radius at scale 1 [m] of the sphere of equal volume, hollows included."""
        if all(is_isotropic(p.shape) for p in self.parts):
            return self.radius
        return float((3 * sum(p.shape.volume for p in self.parts) / (4 * math.pi)) ** (1 / 3))

    def sizes(self, reach: float, how: Sizes) -> tuple[FloatArray, FloatArray]:
        """Scales (n,) and how many particles have each (n,), for phases up to 2 reach times the scale."""
        size = self.parts[0].size
        if how == "law" and size is not None and has_law(size):
            scales, weights = nodes(size, reach)
            return scales, weights * len(self.scales)
        drawn, number = np.unique(self.scales, return_counts=True)
        return drawn, number.astype(np.float64)


def sampled_q(q_max: float, populations: tuple[Population, ...]) -> FloatArray:
    """Equally spaced q (n,) [rad/m] from 0 to `q_max`, fine enough to interpolate the curve of the largest particle."""
    largest = max((float(p.radii.max()) for p in populations if len(p)), default=0.0)
    count = max(200, math.ceil(q_max * largest / math.pi * SAMPLES_PER_FRINGE))
    return np.linspace(0.0, max(q_max, 1.0) * (1 + 1e-9), count)  # a lone pixel on the axis sees q = 0 alone


def cross_section(
    specimen: Specimen,
    populations: tuple[Population, ...],
    q: FloatArray,
    energy: float,
    sizes: Sizes = "law",
    packing: Packing | None = None,
) -> FloatArray:
    """Summed differential cross section [m^2/sr] of `populations` at q (n,) [rad/m], averaged over orientations.

    sizes: averaged over the law of each population where it has one, or over the sizes drawn; packing: None for
    particles that do not interfere. Raises RangeError for a particle too large for the average over orientations, and
    for a volume fraction beyond freezing.
    """
    groups = concentric_groups(specimen, populations)
    total, first = np.zeros_like(q), np.zeros(len(q), np.complex128)
    fraction = 0.0 if packing is None else volume_fraction(groups, packing, sizes)
    number = radius = 0.0
    for group in groups:
        weight: Callable[[FloatArray], FloatArray] | None = None
        own = group.hard_radius if packing is None or packing.radius is None else packing.radius
        if packing is not None and packing.approximation == "local_monodisperse":

            def weight(scales: FloatArray, own: float = own) -> FloatArray:
                return structure_factor(q, own * scales[:, None], fraction)

        square, mean = _group(group, q, energy, sizes, weight, packing is not None)
        total, first = total + square, first + mean
        scales, count = group.sizes(0.0, sizes)
        number, radius = number + float(count.sum()), radius + own * float(count @ scales)
    if packing is not None and packing.approximation == "decoupling" and number:
        excess = structure_factor(q, radius / number, fraction) - 1
        total = total + (first.real**2 + first.imag**2) / number * excess
    return np.maximum(total, 0.0)


def volume_fraction(groups: list[Coherent], packing: Packing, sizes: Sizes = "law") -> float:
    """The share of the volume that the hard spheres take, unless it is given."""
    if packing.fraction is not None:
        return packing.fraction
    taken = 0.0
    for group in groups:
        scales, count = group.sizes(0.0, sizes)
        own = group.hard_radius if packing.radius is None else packing.radius
        taken += 4 / 3 * math.pi * own**3 * float(count @ scales**3)
    return taken / packing.volume


def concentric_groups(specimen: Specimen, populations: tuple[Population, ...]) -> list[Coherent]:
    """Populations gathered so that cores join the shells around them; warns of other nesting, which is left out."""
    chosen = [p for p in populations if len(p)]
    groups: list[list[Population]] = []
    for p in chosen:
        for group in groups:
            if _same_centres(group[0], p):
                group.append(p)
                break
        else:
            _warn_if_nested(p, chosen)
            groups.append([p])
    return [Coherent(tuple(group)) for group in groups]


def _same_centres(one: Population, other: Population) -> bool:
    """Whether the copies coincide one by one in place, scale and orientation (cores and their shells)."""
    a, b = one.poses, other.poses
    return (
        len(a) == len(b)
        and bool(np.allclose(a.scales, b.scales, rtol=1e-9))
        and bool(np.allclose(a.positions, b.positions, rtol=0, atol=1e-6 * one.shape.radius))
        and bool(np.allclose(a.rotations, b.rotations, atol=1e-9))
    )


def _warn_if_nested(child: Population, chosen: list[Population]) -> None:
    for host in chosen:
        if host is child or host.material != child.host:
            continue
        for k in range(len(host)):
            pose = host.poses
            own = (child.poses.positions - pose.positions[k]) @ pose.rotations[k] / pose.scales[k]
            if np.any(host.shape.contains(own)):
                warnings.warn(
                    f"{child.name} lies inside {host.name}: their interference is left out of the ensemble average; "
                    'choose one of them with "populations", or use interference = "explicit"',
                    ValidityWarning,
                    stacklevel=3,
                )
                return


def _group(
    group: Coherent,
    q: FloatArray,
    energy: float,
    sizes: Sizes,
    weight: Callable[[FloatArray], FloatArray] | None,
    mean: bool,
) -> tuple[FloatArray, ComplexArray]:
    """Sums over the particles of <|A|^2> [m^2] (times `weight` (scales, q)) and, if asked for, of <A> [m] at q (n,)."""
    scales, count = group.sizes(float(q.max()) * group.radius, sizes)
    q_max = float(q.max() * scales.max())
    if len(group.parts) == 1 and group.parts[0].shape.kind == "atoms" and len(group.parts[0].shape.structure) <= MOST:
        curve = _tabulated(debye_curve(group.parts[0], energy, q_max), group.radius, q_max, mean)
    else:
        curve = _one_particle(group, [copy_amplitude(p, energy) for p in group.parts], q_max, mean)
    if len(scales) == 1 and weight is None:
        square, first = curve(q * scales[0])
        return count[0] * scales[0] ** 6 * square, count[0] * scales[0] ** 3 * first
    square, first = np.zeros_like(q), np.zeros(len(q), np.complex128)
    step = max(1, _BLOCK // len(q))
    for start in range(0, len(scales), step):
        s, n = scales[start : start + step, None], count[start : start + step, None]
        one, amplitude = curve(q * s)
        one = one * (n * s**6)
        if weight is not None:
            one = one * weight(s[:, 0])
        # summed in their fixed order, so that the sum keeps its bits
        square += one.sum(axis=0)
        if mean:
            first += (amplitude * (n * s**3)).sum(axis=0)
    return np.maximum(square, 0.0), first


Curve = Callable[[FloatArray], tuple[FloatArray, ComplexArray]]


def _one_particle(group: Coherent, bodies: list[Body], q_max: float, mean: bool) -> Curve:
    """<|A|^2> and <A> of a particle of scale 1 as functions of q up to `q_max` [rad/m]."""

    def amplitude(vectors: Any) -> Any:
        return sum(body(vectors) for body in bodies)

    if all(is_isotropic(p.shape) for p in group.parts):

        def exact(q: FloatArray) -> tuple[FloatArray, ComplexArray]:
            zero = np.zeros_like(q)
            a = np.asarray(amplitude(np.stack([zero, zero, q], axis=-1)))
            return a.real**2 + a.imag**2, a

        return exact
    found = symmetry(amplitude, group.radius)
    if q_max * group.radius > found.limit:
        raise RangeError(
            f"{group.parts[0].name} is too large for the average over its orientations",
            value=f"q R = {q_max * group.radius:.4g}",
            allowed=f"q R <= {found.limit:g}",
            cure='choose smaller particles with "populations", a shorter q range, or interference = "explicit"',
        )

    def summed(q: FloatArray) -> tuple[FloatArray, ComplexArray]:
        return averages(amplitude, group.radius, q, found, mean)

    return _tabulated(summed, group.radius, q_max, mean)


def _tabulated(curve: Curve, radius: float, q_max: float, mean: bool) -> Curve:
    """`curve` by splines through a table fine enough for a bounding radius [m], up to `q_max` [rad/m]."""
    from scipy.interpolate import make_interp_spline

    count = max(200, math.ceil(q_max * radius / math.pi * TABLE_PER_FRINGE))
    table = np.linspace(0.0, max(q_max, 1.0) * (1 + 1e-9), count)
    square, first = curve(table)
    of_square = make_interp_spline(table, square, k=5)
    of_first = make_interp_spline(table, first, k=5) if mean else None

    def interpolated(q: FloatArray) -> tuple[FloatArray, ComplexArray]:
        return of_square(q), np.zeros(q.shape, np.complex128) if of_first is None else of_first(q)

    return interpolated
