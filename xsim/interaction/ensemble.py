"""Small-angle scattering of an ensemble: the orientation- and size-averaged cross section of independent particles.

    dsigma/dOmega(q) = sum_i |c_i|^2 s_i^6 <|F(s_i R^T q)|^2>_R,      c = (k^2 / 2 pi)(-d_delta + i d_beta)

in m^2, for the particles of some populations, each seen in every orientation (R) at its own scale s_i and against
its own host. Divided by the irradiated volume it is the macroscopic cross section in 1/m. Valid in the Born limit
(phase shift across a particle << 1) and where particles do not interfere with each other: dilute, or q beyond the
structure factor. A core concentric with its shell does interfere and is added in amplitude.
Reference: Guinier & Fournet, Small-Angle Scattering of X-Rays (Wiley, 1955); Glatter & Kratky (Academic Press, 1982).
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from xsim.errors import RangeError, ValidityWarning
from xsim.specimen.amplitude import Body, copy_amplitude, is_isotropic
from xsim.specimen.population import Population
from xsim.specimen.specimen import Specimen

FloatArray = NDArray[np.float64]

#: largest |q| R whose orientation average is summed directly (the number of directions grows as its square)
MAX_QR = 120.0
#: samples of the curve per oscillation of the form factor, pi / R
SAMPLES_PER_FRINGE = 64


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


def sampled_q(q_max: float, populations: tuple[Population, ...]) -> FloatArray:
    """Equally spaced q (n,) [rad/m] from 0 to `q_max`, fine enough to interpolate the curve of the largest particle."""
    largest = max((float(p.radii.max()) for p in populations if len(p)), default=0.0)
    count = max(200, math.ceil(q_max * largest / math.pi * SAMPLES_PER_FRINGE))
    return np.linspace(0.0, max(q_max, 1.0) * (1 + 1e-9), count)  # a lone pixel on the axis sees q = 0 alone


def cross_section(specimen: Specimen, populations: tuple[Population, ...], q: FloatArray, energy: float) -> FloatArray:
    """Summed differential cross section [m^2/sr] of `populations` at q (n,) [rad/m], averaged over orientations.

    Raises RangeError for a particle that is not a sphere and too large for the average (|q| R > MAX_QR).
    """
    total = np.zeros_like(q)
    for group in concentric_groups(specimen, populations):
        total += _group_cross_section(group, q, energy)
    return total


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


def _group_cross_section(group: Coherent, q: FloatArray, energy: float) -> FloatArray:
    scales = group.scales
    bodies = [copy_amplitude(p, energy) for p in group.parts]
    isotropic = all(is_isotropic(p.shape) for p in group.parts)
    reach = float(q.max() * scales.max())
    if not isotropic and reach * group.radius > MAX_QR:
        raise RangeError(
            f"{group.parts[0].name} is too large for the average over its orientations",
            value=f"q R = {reach * group.radius:.4g}",
            allowed=f"q R <= {MAX_QR:g}",
            cure='choose smaller particles with "populations", a shorter q range, or interference = "explicit"',
        )
    if scales.size == 1 or np.ptp(scales) == 0:
        return scales.size * scales[0] ** 6 * _averaged(group, bodies, q * scales[0], isotropic)
    table_q = np.linspace(0, reach, max(400, math.ceil(reach * group.radius / math.pi * SAMPLES_PER_FRINGE)))
    curve = CubicSpline(table_q, _averaged(group, bodies, table_q, isotropic))
    total = np.zeros_like(q)
    for s in scales:  # in their fixed order, so that the sum keeps its bits
        total += s**6 * curve(q * s)
    return np.maximum(total, 0.0)


def _averaged(group: Coherent, bodies: list[Body], q: FloatArray, isotropic: bool) -> FloatArray:
    """<|sum of c F|^2> [m^2] at q (n,) for particles of scale 1."""
    if isotropic:
        vectors = np.stack([np.zeros_like(q), np.zeros_like(q), q], axis=-1)
        return _intensity(bodies, vectors)
    out = np.empty_like(q)
    # few sets of directions: q is taken in bands that share the order its largest member needs
    order = np.minimum(MAX_QR + 16, 16 * np.ceil((q * group.radius + 8) / 16)).astype(int)
    for n in np.unique(order):
        directions, share = _directions(int(n))
        for i in np.flatnonzero(order == n):
            out[i] = np.sum(share * _intensity(bodies, q[i] * directions))
    return out


def _intensity(bodies: list[Body], vectors: FloatArray) -> FloatArray:
    amplitude: Any = 0
    for body in bodies:
        amplitude = amplitude + body(vectors)
    return np.asarray(amplitude.real**2 + amplitude.imag**2)


def _directions(order: int) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre x trapezoid directions (m, 3) over a hemisphere (|F| is even) and their shares (m,)."""
    cosine, weight = np.polynomial.legendre.leggauss(order)
    azimuth = (np.arange(order) + 0.5) * np.pi / order
    sine = np.sqrt(1 - cosine**2)
    vectors = np.stack(
        np.broadcast_arrays(sine[:, None] * np.cos(azimuth), sine[:, None] * np.sin(azimuth), cosine[:, None]), axis=-1
    )
    return vectors.reshape(-1, 3), np.repeat(weight / 2 / order, order)
