"""Which model holds: Born, projection or multislice; numbers that instruments put into their warnings.

    Born (single scattering)     phase excursion |k (delta - i beta) t| << 1; its relative error is about half of that
    projection (thin specimen)   t <= 4 d^2/lambda at resolution (half-period) d
    multislice                   slabs of thickness h: error 1 - sinc^2(kappa h/2), kappa h = pi lambda h/4 d^2

A slab adds up along straight rays what truly adds up with the phase kappa z, kappa = q^2/2k, at the frequency q = pi/d.
Matter that fills the slab evenly is so overrated by 1/sinc(kappa h/2): the `slab_error` in intensity at half period d,
which falls with q^4 towards larger ones. It does not depend on how many slabs there are, and is the error of a
projection if h is the whole depth. Particles much smaller than a slab are moved by up to half of it, which at d changes
their waves by the square root of that error (root mean square over places in the slab): a dense cloud of them has its
speckles changed so much, not its mean intensity. t and h count the depth over which the specimen is structured; uniform
layers do not matter.

Strong bodies that stand through many slabs need thinner ones. Along their walls light is reflected and guided, by waves
sqrt(lambda h) wide in each slab, which a slab that turns the phase by p = |k dn| h gets wrong:

    walls     error of the intensity up to 0.14 p sqrt(lambda h)/d

behind regular lines as fine as the half period d (`wall_error`), half of that for lines of differing widths, less by up
to 10 times where walls lie farther apart; found by slabs of 1/10 the thickness and less behind gold, nickel, silica,
silicon, protein and tungsten, 0.5 to 8 keV, p from 0.1 to 2.9. A projection is wrong by as much of the light, which
counts for more where lines as wide as their gaps extinguish the direct light: it is divided by |1 + exp(-ip)|/2
(`projected_wall_error`; seen are 0.2 to 0.7 times that behind the same, p to 2.9). The waves that walls hold reach
angles of sqrt(2 |dn|). Reference: Jacobsen, X-ray Microscopy (doi 10.1017/9781139924542), ch. 3 and 4; Klein & Cook,
doi 10.1109/T-SU.1967.29423.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xsim.constants import wavelength
from xsim.errors import RangeError

if TYPE_CHECKING:
    from xsim.specimen.specimen import Specimen


#: error of the intensity at the finest half period that is seen, for which specimens too thick to project are cut
ERROR = 0.05
#: of the error at walls, see above
WALL = 0.14


@dataclass(frozen=True)
class Validity:
    """How far a specimen is from the limits of the simpler models at one energy and resolution.

    excursion: largest |k (n - n_host) t| over the specimen [rad]; thinness: structured depth over 4 d^2/lambda.
    """

    excursion: float
    thinness: float
    slabs: int

    @property
    def born_error(self) -> float:
        """Estimated relative error of the amplitude in the Born approximation."""
        return self.excursion / 2

    @property
    def model(self) -> str:
        """The lowest rung of "born", "projection", "multislice" that is good to about 5 %."""
        if self.thinness > 1:
            return "multislice"
        return "born" if self.born_error <= 0.05 else "projection"


def projection_limit(energy: float, resolution: float) -> float:
    """Greatest thickness [m] that may be projected, 4 d^2/lambda, for half-period `resolution` d [m]."""
    if not resolution > 0:
        raise RangeError("resolution", field="resolution", value=resolution, allowed="> 0 m")
    return float(4 * resolution**2 / wavelength(energy))


def structured_range(specimen: Specimen) -> tuple[float, float]:
    """Lowest and highest z [m] of any particle, between which the specimen varies across the beam; (0, 0) if none."""
    ranges = [population.z_range for population in specimen.populations]
    low = min((bottom for bottom, _ in ranges), default=math.inf)
    high = max((top for _, top in ranges), default=-math.inf)
    return (low, high) if low <= high else (0.0, 0.0)


def structured_depth(specimen: Specimen) -> float:
    """Depth along z [m] over which the specimen varies across the beam: from first to last particle."""
    low, high = structured_range(specimen)
    return high - low


def structured_middle(specimen: Specimen) -> float:
    """The height z [m] at which a projection acts: uniform layers do not matter; 0 without particles."""
    return sum(structured_range(specimen)) / 2


def slab_error(thickness: float, energy: float, resolution: float) -> float:
    """Relative error of the intensity at half-period `resolution` d [m] for matter that fills slabs of `thickness` [m].

    1 - sinc^2(pi lambda h/8 d^2); 19 % for 2 d^2/lambda, 5 % for d^2/lambda, 1 % for 0.44 d^2/lambda.
    """
    return 1 - float(np.sinc(min(1.0, thickness / (2 * projection_limit(energy, resolution))))) ** 2


def slab_thickness(energy: float, resolution: float, error: float) -> float:
    """Greatest thickness of slabs [m] whose `slab_error` at half-period `resolution` [m] is at most `error` < 1."""
    if not 0 < error < 1:
        raise RangeError("error of a slab", field="error", value=error, allowed="0 < error < 1")
    return float(2 * projection_limit(energy, resolution) * math.sqrt(3 * error) / math.pi)


def wall_error(turn: float, thickness: float, energy: float, resolution: float, inside: float = 1.0) -> float:
    """Relative error of the intensity behind bodies, |k dn| = `turn` [rad/m], that stand through slabs so thick [m].

    inside: mean amplitude over the height of the light inside them.
    """
    return min(1.0, inside * WALL * turn * thickness * math.sqrt(wavelength(energy) * thickness) / resolution)


def projected_wall_error(index: complex, thickness: float, energy: float, resolution: float) -> float:
    """Relative error of the intensity of a projection behind bodies `thickness` [m] high, k dn = `index` [rad/m]."""
    left = abs(1 + cmath.exp(-1j * index * thickness)) / 2  # of the wave in the direct light, behind 1:1 lines
    loss = -index.imag * thickness
    inside = -math.expm1(-loss) / loss if loss > 1e-6 else 1.0  # light that is absorbed is not guided any further
    wrong = wall_error(abs(index), thickness, energy, resolution, inside)
    return wrong / left if wrong < left else 1.0


def wall_thickness(turn: float, energy: float, resolution: float, error: float) -> float:
    """Greatest thickness of slabs [m] whose `wall_error` is at most `error`; infinite where nothing turns the phase."""
    steep = WALL * turn * math.sqrt(wavelength(energy))
    return float((error * resolution / steep) ** (2 / 3)) if steep > 0 else math.inf


def slabs_for(depth: float, energy: float, resolution: float, error: float | None = None) -> int:
    """Number of slabs for a structured `depth` [m]: 1 where a projection will do, else as many as `error` allows.

    With an `error` a projection will do where its own error is as small; without, up to 4 d^2/lambda, and slabs are
    for an error of `ERROR`.
    """
    thickness = slab_thickness(energy, resolution, ERROR if error is None else error)
    limit = projection_limit(energy, resolution) if error is None else thickness
    return 1 if depth <= limit else math.ceil(depth / thickness)


def required_slabs(specimen: Specimen, energy: float, resolution: float, error: float | None = None) -> int:
    """Number of slabs into which to cut the whole specimen (its z_range) at half-period `resolution` [m]."""
    depth = structured_depth(specimen)
    slabs = slabs_for(depth, energy, resolution, error)
    if slabs == 1:
        return 1
    z0, z1 = specimen.z_range
    return math.ceil(slabs * (z1 - z0) / depth)


def excursion(transmission: Any) -> float:
    """Largest |ln(T / T_corner)| [rad] of a transmission (ny, nx): how strongly the specimen scatters."""
    relative = np.asarray(transmission) / np.asarray(transmission)[0, 0]
    modulus = np.maximum(np.abs(relative), 1e-30)
    return float(np.max(np.hypot(np.log(modulus), np.angle(relative))))


def ladder(specimen: Specimen, energy: float, resolution: float) -> Validity:
    """The validity numbers of `specimen`; its strongest particle is taken along its largest diameter."""
    from xsim.constants import wavenumber

    k, strongest = wavenumber(energy), 0.0
    for population in specimen.populations:
        inside = population.material.optics(energy)
        host = population.host.optics(energy) if population.host is not None else None
        index = inside.decrement - (host.decrement if host is not None else 0.0)
        if len(population.poses):
            across = 2 * population.shape.radius * float(np.max(population.poses.scales))
            strongest = max(strongest, float(k * abs(index)) * across)
    depth = structured_depth(specimen)
    thinness = depth / projection_limit(energy, resolution)
    return Validity(strongest, thinness, required_slabs(specimen, energy, resolution))
