"""Sums of form factors over many copies of a shape: S(q) = sum_i s_i^3 F(s_i R_i^T q) exp(-i q.r_i), in m^3.

Kinematic (Born) scattering of independent copies, exact for any sizes and orientations. Copies of equal scale and
orientation share one form factor. Each q is summed over the copies in their order, so neither the number of
threads nor the number of q asked for at once changes a bit. Reference: Guinier & Fournet, Small-Angle Scattering
of X-Rays (Wiley, 1955).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavenumber
from xsim.errors import RangeError
from xsim.specimen.population import Population

Array = NDArray[Any]
Body = Callable[[Any], Any]  # q (..., 3) [rad/m] in the shape's frame -> complex (...)

#: q vectors handled together: bounds the memory of a block of form factors
BLOCK = 16384


def scattering_volume(
    population: Population, q: NDArray[np.float64], body: Body | None = None
) -> NDArray[np.complex128]:
    """The sum over the copies [m^3] for q (..., 3) [rad/m]; shape of q without its last axis.

    body: what to sum for one copy in its own frame instead of its form factor, in units of its own.
    """
    flat = np.ascontiguousarray(np.asarray(q, np.float64).reshape(-1, 3))
    out = np.zeros(len(flat), np.complex128)
    balls = _as_balls(population) if body is None else None
    if balls is not None:
        from xsim.specimen.kernels.phase_sums import ball_sum

        positions = np.ascontiguousarray(population.poses.positions)
        for sign, radii in balls:
            out += sign * ball_sum(flat, positions, radii)
        return out.reshape(np.asarray(q).shape[:-1])
    groups = _groups(population)
    for start in range(0, len(flat), BLOCK):
        block = flat[start : start + BLOCK]
        for members in groups:
            out[start : start + BLOCK] += _group(population, members, block, body or population.shape.form_factor)
    return out.reshape(np.asarray(q).shape[:-1])


def copy_amplitude(population: Population, energy: float) -> Body:
    """Born amplitude [m] of one copy of scale 1, as a function of q in its own frame; host subtracted.

    A shape that has an `amplitude(q, energy)` of its own (atoms) scatters with that, less what it displaces.
    """
    from xsim.specimen.specimen import contrast

    shape, host = population.shape, population.host
    factor = wavenumber(energy) ** 2 / (2 * np.pi)
    if not scatters_by_itself(shape):
        weight = -contrast(population.material, host, energy) * factor
        return lambda q: weight * np.asarray(shape.form_factor(q))
    if np.any(population.poses.scales != 1):
        worst = float(population.poses.scales[np.argmax(np.abs(population.poses.scales - 1))])
        raise RangeError(
            f"{population.name}: atoms cannot be scaled", field="size", value=worst, allowed="1", cure="leave size out"
        )
    if host is None:
        return lambda q: np.asarray(shape.amplitude(q, energy))
    displaced = contrast(host, None, energy) * factor
    volume = getattr(shape, "displaced", shape.form_factor)
    return lambda q: np.asarray(shape.amplitude(q, energy)) + displaced * np.asarray(volume(q))


def scatters_by_itself(shape: Any) -> bool:
    """Whether the shape knows its own scattering amplitude, instead of being filled with a material."""
    return hasattr(shape, "amplitude")


def is_isotropic(shape: Any) -> bool:
    """Whether the shape looks the same from everywhere (spheres and spherical shells)."""
    return shape.kind in ("sphere", "core_shell")


def _as_balls(population: Population) -> list[tuple[float, Array]] | None:
    """Signs and radii (n,) [m] of balls that make up the copies, or None if they are not made of balls."""
    shape, scales = population.shape, population.poses.scales
    if shape.kind == "sphere":
        return [(1.0, shape.radius * scales)]
    if shape.kind == "core_shell":
        return [(1.0, shape.radius * scales), (-1.0, shape.core().radius * scales)]
    return None


def _groups(population: Population) -> list[Array]:
    """Rows of equal scale and orientation, in order of first appearance."""
    poses = population.poses
    columns = np.concatenate([poses.scales[:, None], poses.rotations.reshape(-1, 9)], axis=1)
    _, first, inverse = np.unique(columns, axis=0, return_index=True, return_inverse=True)
    inverse = inverse.reshape(-1)
    order = np.argsort(inverse, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(inverse))[:-1])
    return [parts[g] for g in np.argsort(first, kind="stable")]


def _group(population: Population, members: Array, q: Array, body: Body) -> Array:
    from xsim.specimen.kernels.phase_sums import phase_sum

    poses = population.poses
    scale, rotation = poses.scales[members[0]], poses.rotations[members[0]]
    # R^T q without BLAS, whose order of additions depends on the number of rows
    own = np.stack([sum(q[:, i] * rotation[i, j] for i in range(3)) for j in range(3)], axis=-1) * scale
    factor = scale**3 * np.asarray(body(own))
    return np.asarray(factor * phase_sum(q, np.ascontiguousarray(poses.positions[members])))
