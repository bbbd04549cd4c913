"""What the monochromator's harmonics add to a full-field image: one sharp image by a higher order, and haze.

    E' = n E,   f_m(E') = n f/m,   eta_m(E') of the zone plate's order m = 1, 3, 5
    m = n:   in focus, through the cone of the wanted light (`xsim.optics.zone_order`); odd n alone
    m != n:  I(r) = eta_m int K(r - r') T(r') dr',   K even over the cone's open annulus of radius sigma R,
             R = f NA |1 - m/n| = D/2 |1 - m/n|

A ray that leaves the specimen at the angle u NA meets the plate at the height u f NA, is bent as by a lens of focal
length n f/m, and lands u R beside its image on the specimen's scale. R is a third of the diameter for the first order
of the third harmonic, so the light of the field is spread over an area that is mostly larger: a weak, even haze under a
full cone, and none under a hollow cone whose inner radius clears the field (inner R > field). T = exp(-2 k beta t)
with the constants at E'; no harmonic comes from beyond the field.

Valid where the haze is blurred by more than its Fresnel fringes, sigma R > sqrt(lambda' R/NA): not for light nearly
along the axis, whose shadow is then too sharp, with a warning. Zeroth, negative, seventh and higher orders are stopped,
as for the wanted light. The efficiency is that of thin zones. Reference: Attwood, doi 10.1017/CBO9781139164429, ch. 9.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavelength, wavenumber
from xsim.errors import ValidityWarning
from xsim.matter.material import Material
from xsim.specimen.specimen import Specimen
from xsim.waves.fft import fft2, good_size, ifft2

if TYPE_CHECKING:
    from xsim.instruments.full_field import FullField

FloatArray = NDArray[np.float64]

#: orders of the zone plate whose light is followed
ORDERS = (1, 3, 5)


def sharpest(instrument: FullField) -> int:
    """The highest order of the zone plate that images a harmonic sharply; 1 without harmonics."""
    return max((n for n in instrument.harmonics.orders if n in ORDERS), default=1)


def check_harmonics(instrument: FullField) -> None:
    """Raise RangeError for a harmonic beyond the tables; warn where the cone is too narrow to blur its shadow."""
    energies = instrument.harmonics.lines(instrument.energy)[0][1:]
    sigma, aperture = instrument.cone().sigma, float(instrument.objective.numerical_aperture(instrument.energy))
    for energy in energies.tolist():
        reach = _reach(instrument, energy, 1, instrument.energy)
        fringes = math.sqrt(float(wavelength(energy)) * reach / aperture)
        if sigma * reach < fringes:
            warnings.warn(
                f"harmonics: the out-of-focus light of {energy:.6g} eV is blurred by {sigma * reach:.3g} m, less than "
                f"its Fresnel fringes of {fringes:.3g} m, which are left out: its shadow is too sharp; use "
                f"condenser.sigma above {fringes / reach:.2g}",
                ValidityWarning,
                stacklevel=4,
            )


def _reach(instrument: FullField, energy: float, order: int, nominal: float) -> float:
    """R: how far the steepest ray of `energy` [eV] lands from its image [m], the lens focused for `nominal`."""
    lens = instrument.objective
    distance = float(lens.focal_length(instrument.focus_energy or nominal))
    away = abs(1 - distance / float(lens.focal_length(energy, order)))
    return distance * float(lens.numerical_aperture(nominal)) * away


@dataclass(frozen=True, eq=False)
class Haze:
    """The specimen's thickness [m] of each material on the camera's pixels, for the light out of focus."""

    instrument: FullField
    thickness: dict[Material, FloatArray]

    @staticmethod
    def of(instrument: FullField, specimen: Specimen) -> Haze | None:
        """None without harmonics."""
        if not instrument.harmonics.orders:
            return None
        maps = specimen.thickness(instrument.image_grid())
        return Haze(instrument, {m: t for m, t in maps.items() if t.any()})

    def image(self, order: int, nominal: float, light: FloatArray) -> FloatArray:
        """Photons on each pixel over those on the specimen, of all orders that do not focus `order` times `nominal`.

        light (ny, nx): intensity on the specimen over its mean.
        """
        energy, lens = order * nominal, self.instrument.objective
        behind = light * self._transmission(energy)
        total = np.zeros(behind.shape)
        for m in ORDERS:
            if m == order:
                continue
            reach = _reach(self.instrument, energy, m, nominal)
            total += float(lens.efficiency(energy, m)) * _spread(behind, self._cone(energy), self._pixel(), reach)
        return total

    def _pixel(self) -> float:
        return self.instrument.image_grid().pixel

    def _transmission(self, energy: float) -> FloatArray:
        depth = np.zeros(self.instrument.image_grid().shape)
        for material, metres in self.thickness.items():
            depth += 2 * float(wavenumber(energy) * material.optics(energy).beta) * metres
        return np.exp(-depth)

    def _cone(self, energy: float) -> list[tuple[float, float, float]]:
        """Annuli of the condenser's cone (inner, outer radius in units of NA) and the share of each that passes."""
        instrument, cone, ring = self.instrument, self.instrument.cone(), self.instrument.ring()
        stop = instrument.objective.central_stop
        passed = 1.0 if ring is None else abs(ring.factor(energy)) ** 2
        inside = (lambda u: False) if ring is None else (lambda u: (ring.inner or 0) <= u <= (ring.outer or 0))
        if cone.sigma == 0:
            return [(0.0, 0.0, float(stop == 0) * (passed if inside(0.0) else 1.0))]
        cuts = [stop, 1.0, *([] if ring is None else [ring.inner or 0.0, ring.outer or 0.0])]
        edges = [cone.inner, *sorted({u for u in cuts if cone.inner < u < cone.sigma}), cone.sigma]
        found = []
        for low, high in pairwise(edges):
            middle = (low + high) / 2
            is_open = stop <= middle <= 1
            found.append((low, high, float(is_open) * (passed if inside(middle) else 1.0)))
        return found


def _spread(image: FloatArray, annuli: list[tuple[float, float, float]], pixel: float, reach: float) -> FloatArray:
    """`image` (ny, nx) with every point spread over the annuli times `reach` [m], nothing beyond its border."""
    outer = annuli[-1][1]
    area = outer**2 - annuli[0][0] ** 2
    if outer * reach < pixel:  # all of it within the pixel
        share = annuli[0][2] if area == 0 else sum((b**2 - a**2) * w for a, b, w in annuli) / area
        return image * share
    n = good_size(2 * image.shape[0])
    at = (np.arange(n) + n // 2) % n - n // 2
    distance = np.hypot(at[:, None], at[None, :])
    width = reach / pixel
    kernel = np.zeros((n, n))
    for low, high, share in annuli:
        kernel += share * (_disk(distance, high * width) - _disk(distance, low * width))
    padded = np.zeros((n, n))
    padded[: image.shape[0], : image.shape[1]] = image
    found = ifft2(fft2(padded) * fft2(kernel)).real[: image.shape[0], : image.shape[1]]
    return np.maximum(found, 0.0) / (math.pi * area * width**2)  # rounding may dip below zero


def _disk(distance: FloatArray, radius: float) -> FloatArray:
    """Share of each pixel at `distance` [pixels] that lies in a disk: a ramp one pixel wide."""
    return np.clip(radius - distance + 0.5, 0.0, 1.0) if radius > 0 else np.zeros(distance.shape)
