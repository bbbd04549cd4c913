"""The beam of a lensless camera: a plane wave, or a finite wave that lights a part of the specimen.

    flat       a uniform plane wave within a disk: the pattern is what the specimen scatters out of it
    gaussian   psi = (w0/w) exp(-r^2/w^2 + i k r^2/2R), w = w0 sqrt(1 + (z/z_R)^2), R = z + z_R^2/z, z_R = k w0^2/2
    pinhole    what a plane wave becomes a distance behind a round hole

w0 = FWHM / sqrt(2 ln 2) for the FWHM of the intensity at the waist. Paraxial. References: Siegman, Lasers, ch. 17;
Born & Wolf, ch. 8.8.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavelength, wavenumber
from xsim.errors import told_as
from xsim.optics.pinhole import Pinhole
from xsim.specimen.specimen import Specimen
from xsim.waves.angular_spectrum import longest_distance
from xsim.waves.grid import Grid

if TYPE_CHECKING:
    from xsim.instruments.cdi import Cdi

#: intensity over that on the axis at which the sampled Gaussian ends
_END = 1e-10
#: what mends fringes too fine for the samples
_CLOSE = "use a larger beam_distance, or 0 for the hole itself, or a detector that reaches farther out"
#: share of the light, along one axis, inside what is called the width of a finite beam
ENCLOSED = 0.99


def finite(instrument: Cdi) -> bool:
    """Whether the beam is a wave that ends, so that the specimen may be wider."""
    return instrument.profile != "flat"


def reach(instrument: Cdi, energy: float) -> float:
    """Distance from the axis [m] at which a finite wave may be cut off."""
    z, size = instrument.beam_distance, instrument.beam
    if instrument.profile == "pinhole":
        return float(size / 2 + 12 * wavelength(energy) * z / size)
    return float(_width(size, z, energy) * math.sqrt(-math.log(_END) / 2))


def wave(instrument: Cdi, grid: Grid, energy: float) -> NDArray[np.complex128]:
    """The wave [1/m] at z = 0 (ny, nx), with one photon in all: the sum of its squares times the pixel's area is 1.

    For the flat beam this is one number, the root of one photon over the disk's area.
    """
    if not finite(instrument):
        return np.asarray(1 / math.sqrt(math.pi * instrument.beam**2 / 4), np.complex128)
    if instrument.profile == "pinhole":
        hole = Pinhole(diameter=f"{instrument.beam!r} m", distance=f"{instrument.beam_distance!r} m")
        with told_as({"pixel": ("beam_distance", _CLOSE), "distance": ("beam_distance", "")}):
            amplitude = hole.amplitude(grid, energy)
    else:
        amplitude = _gaussian(grid, instrument.beam, instrument.beam_distance, energy)
    return np.asarray(amplitude / math.sqrt(float(np.sum(np.abs(amplitude) ** 2)) * grid.pixel**2))


def march_half(instrument: Cdi, specimen: Specimen, pixel: float) -> int:
    """Half the samples of `pixel` [m] with which a wave of the least `band` can march through the specimen."""
    low, high = specimen.z_range
    path = 1.5 * (high - low) if not finite(instrument) else abs(low) + (high - low) + abs(high)
    return math.ceil(_least_band(instrument) * path * wavelength(instrument.energy) / pixel**2 / 2)


def band(instrument: Cdi, grid: Grid, path: float, energy: float) -> float:
    """The share of the grid's band that can travel `path` [m] inside the specimen without folding over.

    All of it, or less through deep specimens: what is scattered twice as far as the detector's edge is let go of
    between slabs, and could come back by a second scattering alone.
    """
    if path == 0:
        return 1.0
    return min(1.0, max(_least_band(instrument), longest_distance(grid, energy, 1.0) / path))


def _least_band(instrument: Cdi) -> float:
    return min(1.0, 2 / instrument.samples)


def lit_width(instrument: Cdi, grid: Grid, energy: float) -> float:
    """Width [m] that holds `ENCLOSED` of a finite beam's light, the larger of x and y."""
    light = np.abs(wave(instrument, grid, energy)) ** 2
    widths = []
    for axis in (0, 1):
        share = np.cumsum(light.sum(axis=axis)) / light.sum()
        low, high = np.searchsorted(share, [(1 - ENCLOSED) / 2, (1 + ENCLOSED) / 2])
        widths.append(float(high - low + 1) * grid.pixel)
    return max(widths)


def _width(fwhm: float, z: float, energy: float) -> float:
    """1/e^2 radius of the intensity [m] a distance z [m] from the waist."""
    waist = fwhm / math.sqrt(2 * math.log(2))
    return float(waist * math.hypot(1, z / (wavenumber(energy) * waist**2 / 2)))


def _gaussian(grid: Grid, fwhm: float, z: float, energy: float) -> NDArray[np.complex128]:
    k, waist = wavenumber(energy), fwhm / math.sqrt(2 * math.log(2))
    depth = k * waist**2 / 2
    bend = z / (z * z + depth * depth)  # 1/R
    exponent = -1 / _width(fwhm, z, energy) ** 2 + 0.5j * k * bend
    y, x = grid.y - grid.center[1], grid.x - grid.center[0]
    return np.asarray(np.exp(exponent * y * y)[:, None] * np.exp(exponent * x * x)[None, :])
