"""Static polarisability of small particles, as a volume: that of the ellipsoid which stands for them.

    alpha_i = V/(4 pi) (n^2 - 1) / [1 + L_i (n^2 - 1)],     L_i = (abc/2) int_0^inf ds / [(s + a_i^2) f(s)],
    f(s) = sqrt[(s + a^2)(s + b^2)(s + c^2)],                L_a + L_b + L_c = 1

with the semi-axes a, b, c and the refractive index n of the bulk for the light that polarises it. The ellipsoid of a
particle has its volume and its second moments in proportion. Valid for particles much smaller than the light's
wavelength, without absorption there. References: Bohren & Huffman, Absorption and Scattering of Light by Small
Particles (1983), 5.3; Osborn, Phys. Rev. 67, 351 (1945), doi 10.1103/PhysRev.67.351; Carlson, Numer. Algorithms 10, 13
(1995), doi 10.1007/BF02198293 (the integral as R_D).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.errors import RangeError
from xsim.specimen.atoms import ANGSTROM
from xsim.specimen.specimen import Specimen

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Polarisability:
    """principal: values (3,) [m^3]; axes: (3, 3), row i is the principal axis i in the frame of the specimen."""

    principal: FloatArray
    axes: FloatArray

    @property
    def tensor(self) -> FloatArray:
        """The polarisability (3, 3) [m^3]."""
        return np.asarray(np.einsum("ki,k,kj->ij", self.axes, self.principal, self.axes))


def depolarisation(semi_axes: FloatArray) -> FloatArray:
    """Depolarisation factors L (3,), which sum to 1, of an ellipsoid with `semi_axes` (3,) in any unit."""
    from scipy.special import elliprd

    axes = np.asarray(semi_axes, np.float64)
    if axes.shape != (3,) or not np.all(axes > 0) or not np.all(np.isfinite(axes)):
        raise RangeError("semi-axes of an ellipsoid", value=axes.tolist(), allowed="three, finite, > 0")
    a, b, c = (axes / np.cbrt(np.prod(axes))) ** 2
    return np.array([elliprd(b, c, a), elliprd(c, a, b), elliprd(a, b, c)]) / 3


def ellipsoid_polarisability(volume: float, semi_axes: FloatArray, index: float) -> FloatArray:
    """Polarisabilities (3,) [m^3] along the axes of an ellipsoid of `volume` [m^3] and refractive index `index`."""
    if not 1 < index < 10:
        raise RangeError("refractive index", field="index", value=index, allowed="> 1 and < 10")
    susceptibility = index**2 - 1
    return np.asarray(volume / (4 * np.pi) * susceptibility / (1 + depolarisation(semi_axes) * susceptibility))


def polarisability(specimen: Specimen, index: float) -> Polarisability:
    """Polarisability of all particles of `specimen` as one ellipsoid of refractive index `index`.

    Raises RangeError where there is no particle.
    """
    volume, second = moments(specimen)
    values, vectors = np.linalg.eigh(second)
    if not values[0] > 0:
        raise RangeError(
            "particle without extent", value=values.tolist(), allowed="second moments > 0", cure="give it a volume"
        )
    semi = np.sqrt(values / np.cbrt(np.prod(values))) * np.cbrt(3 * volume / (4 * np.pi))
    axes = vectors.T
    axes = axes * np.sign(np.linalg.det(axes))
    return Polarisability(ellipsoid_polarisability(volume, semi, index), axes)


def moments(specimen: Specimen) -> tuple[float, FloatArray]:
    """Volume [m^3] and second moments (3, 3) [m^2] about the centre of mass of all particles of `specimen`."""
    total, first, second = 0.0, np.zeros(3), np.zeros((3, 3))
    for p in specimen.populations:
        if not len(p):
            continue
        middle, own = _own_moments(p.shape)
        for where, turn, scale, volume in zip(
            p.poses.positions, p.poses.rotations, p.poses.scales, p.volumes, strict=True
        ):
            place = where + scale * (turn @ middle)
            total += float(volume)
            first += volume * place
            second += volume * (scale**2 * (turn @ own @ turn.T) + np.outer(place, place))
    if not total > 0:
        raise RangeError(
            "no particle to align", field="particle", value=0, allowed="at least one",
            cure="give the specimen a population with particles",
        )  # fmt: skip
    centre = first / total
    return total, np.asarray(second / total - np.outer(centre, centre))


def _own_moments(shape: Any) -> tuple[FloatArray, FloatArray]:
    """Centre (3,) [m] and second moments (3, 3) [m^2] about it, per volume, of a shape in its own frame.

    Atoms count by their masses, with half an angstrom of their own; other shapes by their transform near q = 0,
    F(q) = V (1 - i q.m - q.S.q/2 ...), which is exact for every shape that has one.
    """
    structure = getattr(shape, "structure", None)
    if structure is not None:
        weight = structure.masses / structure.masses.sum()
        middle = np.asarray((weight[:, None] * structure.positions).sum(axis=0))
        away = structure.positions - middle
        own = np.einsum("n,ni,nj->ij", weight, away, away)
        return middle, np.asarray(own + np.eye(3) * (0.5 * ANGSTROM) ** 2)
    step = 0.03 / shape.radius
    e = np.eye(3)
    vectors = np.array([*e, e[0] + e[1], e[1] + e[2], e[0] + e[2]])
    # log F is even to third order in its modulus and odd in its phase; two steps remove the next order
    logs = []
    for h in (step, 2 * step):
        ratio = np.asarray(shape.form_factor(vectors * h)) / np.asarray(shape.form_factor(np.zeros((1, 3))))
        logs.append((-2 * np.log(np.abs(ratio)) / h**2, -np.angle(ratio) / h))
    even, odd = ((4 * near - far) / 3 for near, far in zip(*logs, strict=True))
    own = np.diag(even[:3])
    for row, (i, j) in enumerate(((0, 1), (1, 2), (0, 2))):
        own[i, j] = own[j, i] = (even[3 + row] - even[i] - even[j]) / 2
    return np.asarray(odd[:3]), own
