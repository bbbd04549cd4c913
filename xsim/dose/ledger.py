"""Absorbed dose by material, from the fluence that the frames put on the specimen and its fall with depth.

The specimen is cut into slabs across the beam, and at the faces of layers that face it (tilted layers share slabs, so
that the maximum in a deep one is an upper bound). In slab k of optical depth tau_k = sum_m mu_total,m t_m the fluence
falls F_(k+1) = F_k exp(-tau_k), and material m takes up E F_k (1 - exp(-tau_k)) / tau_k mu_photo,m t_m per area: only
photoabsorbed energy is counted (what Compton scattering hands over is left out: 3e-4 of it in ice at 8 keV). The mean
is absorbed energy over illuminated mass; the maximum is the dose at the entrance of a voxel, E F_k mu_photo,m / rho_m.

This is energy set free in a material (kerma). Photoelectrons carry it on, roughly 40 nm (E / keV)^1.7 far in matter of
unit density (Kanaya & Okayama, doi 10.1088/0022-3727/5/1/308), so a particle smaller than that keeps less, and its
surroundings receive more, than is written here; fluorescence that leaves is not subtracted either. The direct beam is
followed straight through: no diffraction inside the specimen. Reference: Howells et al., J. Electron Spectrosc. 170, 4
(2009), doi 10.1016/j.elspec.2008.10.008.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from xsim.constants import E_CHARGE
from xsim.dose.gathering import on_one_grid
from xsim.errors import RangeError
from xsim.exposure import Dose, Illumination
from xsim.matter.material import Material
from xsim.specimen.specimen import Specimen
from xsim.waves.grid import Grid

Array = NDArray[np.float64]

#: pixels with less than this share of the largest fluence do not count as illuminated: the tails of a focused spot
#: cover more mass than the field that it scans, and would dilute the mean
ILLUMINATED = 0.1
#: optical depth per slab that `absorbed` aims at when it chooses the slabs itself, and its limits
_DEPTH_PER_SLAB, _FEWEST, _MOST = 0.02, 4, 64


@dataclass
class _Entry:
    """Running account of one material in one pose: energy [J], mass [kg], largest dose [Gy]."""

    energy: float = 0.0
    mass: float = 0.0
    max: float = 0.0


def absorbed(specimen: Specimen, illuminations: Iterable[Illumination], slabs: int | None = None) -> dict[str, Dose]:
    """Dose of every illuminated material, by its name.

    Illuminations of equal pose (name, rotation and pixel) add up voxel by voxel, wherever on the specimen they fall.
    Between poses means are added (each over the mass illuminated in that pose; `mass` is the largest of them) and so
    are maxima, which is an upper bound: the voxel of the largest dose need not be the same. Energy and mass count
    pixels with at least `ILLUMINATED` of the largest fluence. slabs: number of slabs (None: so many that each takes
    some 2 % of the beam, 4 to 64). Raises RangeError for a fluence that is negative or not finite.
    """
    poses: dict[tuple[str, bytes, float], list[Illumination]] = {}
    for light in illuminations:
        _check(light)
        turn = np.asarray(light.rotation, np.float64).tobytes()
        poses.setdefault((light.pose, turn, light.grid.pixel), []).append(light)
    totals: dict[str, Dose] = {}
    for lights in poses.values():
        for name, entry in _pose(specimen, on_one_grid(lights), slabs).items():
            if entry.mass <= 0:
                continue
            before = totals.get(name, Dose(0.0, 0.0, 0.0, 0.0))
            totals[name] = Dose(
                mean=before.mean + entry.energy / entry.mass,
                max=before.max + entry.max,
                energy=before.energy + entry.energy,
                mass=max(before.mass, entry.mass),
            )
    return totals


def _check(light: Illumination) -> None:
    fluence = np.asarray(light.fluence)
    if fluence.shape != light.grid.shape:
        raise RangeError("shape of a fluence map", value=fluence.shape, allowed=str(light.grid.shape))
    if not (np.all(np.isfinite(fluence)) and float(fluence.min()) >= 0):
        raise RangeError("fluence on the specimen", value=float(fluence.min()), allowed="finite, >= 0 1/m^2")


def _pose(specimen: Specimen, lights: list[Illumination], slabs: int | None) -> dict[str, _Entry]:
    """The account of one pose: slab by slab, all energies together so that voxel doses add."""
    first = lights[0]
    posed = specimen
    if not np.array_equal(first.rotation, np.eye(3)):
        posed = posed.rotated(first.rotation)
    z0, z1 = posed.z_range_on(first.grid)
    lit = _lit(lights)
    account: dict[str, _Entry] = {}
    if not (z1 > z0) or not lit.any():
        return account
    count = slabs if slabs is not None else _count(posed, lights, first.grid)
    edges = _edges(posed, np.linspace(z0, z1, count + 1))
    above: dict[Material, Array] = {}
    for lower, upper in pairwise(edges):
        slab = posed.thickness(first.grid, float(lower), float(upper))
        slab = {material: t for material, t in slab.items() if t.any()}
        _add_slab(account, slab, above, lights, lit)
        for material, t in slab.items():
            above[material] = above[material] + t if material in above else t
    return account


def _lit(lights: list[Illumination]) -> NDArray[np.bool_]:
    """Pixels that count as illuminated, by the fluence summed over energies."""
    total = np.zeros(lights[0].grid.shape)
    for light in lights:
        total += light.fluence
    return np.asarray(total > ILLUMINATED * total.max())


def _edges(posed: Specimen, even: Array) -> Array:
    """The `even` cuts and those between layers that face the beam: a slab of two materials would mix them."""
    layers = posed.layers
    if not len(layers) or layers.tilt > 0:
        return even
    between = layers.edges * np.sign(layers.normal[2])
    apart = 1e-9 * (even[-1] - even[0])
    kept = [z for z in even if np.min(np.abs(z - between)) > apart]
    return np.array(sorted([*kept, *(z for z in between if even[0] - apart <= z <= even[-1] + apart)]))


def _count(posed: Specimen, lights: list[Illumination], grid: Grid) -> int:
    """Slabs so thin that each takes little of the beam, at the energy absorbed most."""
    whole = posed.thickness(grid)
    depth = max(_mean_depth(whole, light.energy) for light in lights)
    return int(np.clip(np.ceil(depth / _DEPTH_PER_SLAB), _FEWEST, _MOST))


def _mean_depth(thickness: dict[Material, Array], energy: float) -> float:
    return float(sum(float(m.optics(energy).mu_total) * float(t.mean()) for m, t in thickness.items()))


def _add_slab(
    account: dict[str, _Entry],
    slab: dict[Material, Array],
    above: dict[Material, Array],
    lights: list[Illumination],
    lit: NDArray[np.bool_],
) -> None:
    """Add one slab's energy, mass and largest dose; `above`: thickness passed before it."""
    area = lights[0].grid.pixel ** 2
    local = {material: np.zeros(lit.shape) for material in slab}
    for light in lights:
        fluence = np.asarray(light.fluence, np.float64)
        if above:
            fluence = fluence * np.exp(-_depth(above, light.energy))
        tau = _depth(slab, light.energy)
        # (1 - exp(-tau)) / tau, whose limit for an empty pixel is 1
        share = np.divide(-np.expm1(-tau), tau, out=np.ones_like(tau), where=tau > 0)
        for material, t in slab.items():
            rate = light.energy * E_CHARGE * float(material.optics(light.energy).mu_photo)
            entry = account.setdefault(material.name, _Entry())
            entry.energy += rate * area * float(np.sum(fluence * share * t, where=lit))
            local[material] += rate / material.density * fluence
    for material, t in slab.items():
        entry = account.setdefault(material.name, _Entry())
        entry.mass += material.density * area * float(np.sum(t, where=lit))
        entry.max = max(entry.max, float(np.max(local[material], where=t > 0, initial=0.0)))


def _depth(thickness: dict[Material, Array], energy: float) -> Array:
    """Optical depth (ny, nx) of the direct beam."""
    maps = [float(material.optics(energy).mu_total) * t for material, t in thickness.items()]
    return np.asarray(sum(maps[1:], maps[0])) if maps else np.zeros(())
