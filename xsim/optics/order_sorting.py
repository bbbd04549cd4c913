"""The order-sorting aperture between a zone plate and the specimen, and the light that it fails to stop.

    a ray that leaves the plate at radius rho in order m passes r = rho |1 - m L/f| at the distance L downstream
    first order whole:      z <= f d/D                            (z from the aperture to the focus)
    zeroth order stopped:   d < a D                               (a D the central stop)
    light of order m per focused photon: eta_m (rho_2^2 - rho_1^2) / [eta_1 (1 - a^2) (D/2)^2]

d is the aperture's diameter, D the plate's, f its focal length, rho_1..rho_2 the rays of order m that meet the hole. On
the specimen they fill the annulus |1 - m L/f| (rho_1..rho_2) evenly, and go on at angles |m| rho/f.

Rays: edges of the annuli are blurred by sqrt(lambda f) (1.6 um for 1 mm at 2.4 nm), small against them. Interference of
an unfocused order with the focus is left out: it changes sign over the detector within an angle of lambda/D. Light that
misses the zone plate is taken to be stopped. Reference: Jacobsen, X-ray Microscopy (doi 10.1017/9781139924542), ch. 5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xsim.errors import RangeError
from xsim.model import Model
from xsim.optics.zone_plate import ZonePlate
from xsim.units import PositiveLength
from xsim.waves.grid import Grid

#: the orders whose light is followed; beyond, an opaque plate sends less than 0.3 % of the first into each
ORDERS = (0, -1, *(sign * m for m in range(3, 20, 2) for sign in (1, -1)))
#: shares of the focused light below this are not worth a halo
_FAINTEST = 1e-9


@dataclass(frozen=True)
class Halo:
    """Unfocused light of one order on the specimen: an even annulus.

    share: photons per photon in the focus. inner, outer: radii [m]. angles: from the axis, of its rays [rad].
    """

    order: int
    share: float
    inner: float
    outer: float
    angles: tuple[float, float]

    def kernel(self, grid: Grid) -> NDArray[np.float64]:
        """Share of its light (ny, nx) in each pixel, centred on (ny//2, nx//2), its rims a pixel wide; sums to 1."""
        y, x = ((np.arange(n) - n // 2) * grid.pixel for n in grid.shape)
        r = np.hypot(y[:, None], x[None, :])
        ring = np.clip((self.outer - r) / grid.pixel + 0.5, 0, 1) - np.clip((self.inner - r) / grid.pixel + 0.5, 0, 1)
        if not ring.any():  # all within one pixel
            ring = (r == 0).astype(np.float64)
        return np.asarray(ring / ring.sum())

    def share_between(self, low: float, high: float) -> float:
        """Share of its light that goes on at angles low..high [rad] from the axis."""
        first, last = self.angles
        if last == first:
            return float(low <= first < high)
        inside = np.clip([low, high], first, last) ** 2
        return float((inside[1] - inside[0]) / (last**2 - first**2))


class OrderSortingAperture(Model):
    """A round hole of `diameter`, `distance` upstream of the specimen."""

    diameter: PositiveLength = 30e-6
    distance: PositiveLength = 200e-6

    def largest_distance(self, plate: ZonePlate, energy: float) -> float:
        """Largest distance [m] to the focus at which the first order passes whole: f d/D."""
        return float(plate.focal_length(energy) * self.diameter / plate.diameter)

    def check(self, plate: ZonePlate, energy: float, defocus: float = 0.0) -> None:
        """Raise RangeError if it clips the first order or stands upstream of the plate.

        defocus [m]: how far the specimen lies downstream of the focus.
        """
        ahead, focal = self.distance - defocus, float(plate.focal_length(energy))
        if ahead >= focal:
            raise RangeError(
                f"the order-sorting aperture lies upstream of the zone plate at {energy:.6g} eV",
                field="order_sorting.distance",
                value=f"{self.distance:.4g} m",
                allowed=f"< {focal + defocus:.4g} m",
                cure="bring it closer to the specimen",
            )
        limit = self.largest_distance(plate, energy)
        if abs(ahead) > limit * (1 + 1e-9):
            raise RangeError(
                f"the order-sorting aperture clips the first order at {energy:.6g} eV",
                field="order_sorting.distance",
                value=f"{self.distance:.4g} m, {abs(ahead):.4g} m from the focus",
                allowed=f"<= f d/D = {limit:.4g} m from the focus",
                cure=f"bring it closer, or make it {plate.diameter * abs(ahead) / focal:.4g} m wide",
            )

    def halos(self, plate: ZonePlate, energy: float, defocus: float = 0.0) -> tuple[Halo, ...]:
        """The unfocused light that passes, on the plane `defocus` [m] downstream of the focus; none if all is well."""
        focal = float(plate.focal_length(energy))
        here, there = 1 - (self.distance - defocus) / focal, 1 + defocus / focal  # the hole and the specimen, L/f
        rim, stop = plate.diameter / 2, plate.central_stop * plate.diameter / 2
        whole = float(plate.efficiency(energy)) * (rim**2 - stop**2)
        found = []
        for m in ORDERS:
            squeeze = abs(1 - m * here)
            last = rim if squeeze * rim <= self.diameter / 2 else self.diameter / (2 * squeeze)
            share = float(plate.efficiency(energy, m)) * (last**2 - stop**2) / whole if last > stop else 0.0
            if share > _FAINTEST:
                size = abs(1 - m * there)
                angles = (abs(m) * stop / focal, abs(m) * last / focal)
                found.append(Halo(m, share, size * stop, size * last, angles))
        return tuple(found)

    def warning(self, plate: ZonePlate, energy: float, defocus: float = 0.0) -> str:
        """What passes that should not, with the limits; empty if nothing does."""
        found = self.halos(plate, energy, defocus)
        if not found:
            return ""
        parts = ", ".join(f"order {halo.order}: {halo.share:.3g}" for halo in found if halo.share > 1e-3)
        stop = plate.central_stop * plate.diameter
        return (
            f"the order-sorting aperture of {self.diameter:.4g} m passes {sum(h.share for h in found):.3g} unfocused "
            f"photons per focused one at {energy:.6g} eV ({parts}), a halo on specimen and detector; it must be "
            f"narrower than the central stop, {stop:.4g} m, and within a third of the focal length"
        )
