"""Pupils and focal spots of any lens with a round aperture, on the frequencies of an object-side grid.

    P(q) = 1 for a k NA <= |q| <= k NA, times exp[i z (sqrt(k^2 - q^2) - k)] for a defocus z downstream,
           times exp(2 pi i W) for aberrations W(q) (`xsim.optics.aberrations`)
    probe(r) = F^-1 P

Scalar, aplanatic (sine condition). The grid must resolve the aperture, pixel <= lambda/2NA, and every ray must meet it:
|z| NA <= half the field for pure defocus. Reference: Born & Wolf, Principles of Optics, ch. 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavelength, wavenumber
from xsim.errors import SamplingError
from xsim.optics._pupil_passes import open_pupil, phased_pupil
from xsim.optics.aberrations import Aberrations, ray_reach
from xsim.waves.fft import fftshift, ifft2
from xsim.waves.grid import Grid

ComplexArray = NDArray[np.complex128]

#: aperture diameters in frequency cells below which a probe's window cuts it visibly
_FEWEST_CELLS = 8


#: a perfect lens
NONE = Aberrations()


@dataclass(frozen=True)
class Lens:
    """What a round pupil is at one energy: its numerical aperture, and its central stop as a fraction of the radius."""

    numerical_aperture: float
    stop: float = 0.0
    aberrations: Aberrations = NONE

    def reach(self, energy: float, defocus: float = 0.0) -> float:
        """Greatest distance [m] of a ray from the axis in the plane `defocus` [m] downstream of the focus."""
        return ray_reach(energy, self.numerical_aperture, self.stop, defocus, self.aberrations)


def check_aperture(grid: Grid, energy: float, numerical_aperture: float) -> None:
    """Raise SamplingError if `numerical_aperture` lies beyond the Nyquist frequency of the grid."""
    limit = wavelength(energy) / (2 * numerical_aperture)
    if grid.pixel > limit * (1 + 1e-9):
        raise SamplingError(
            f"the pixel is too coarse for a numerical aperture of {numerical_aperture:.4g} at {energy:.6g} eV",
            field="pixel",
            value=f"{grid.pixel:.4g} m",
            allowed=f"<= wavelength/2NA = {limit:.4g} m",
            cure=f"use a pixel of {limit:.4g} m or less",
        )


def check_reach(grid: Grid, reach: float) -> None:
    """Raise SamplingError if rays that land `reach` [m] off the axis miss the field: the grid folds them back."""
    half = min(grid.extent) / 2
    if reach > half * (1 + 1e-9):
        raise SamplingError(
            "the defocused or aberrated cone of light does not fit the field",
            field="defocus",
            value=f"rays up to {reach:.4g} m off the axis",
            allowed=f"<= half the field, {half:.4g} m",
            cure=f"use a field of at least {2 * reach:.4g} m, or less defocus and smaller aberrations",
        )


def annulus(grid: Grid, energy: float, lens: Lens, *, defocus: float = 0.0, soft: bool = False) -> ComplexArray:
    """Pupil of `lens` (ny, nx) in FFT order.

    soft: average the edges over each frequency cell (linear ramp across one cell; from 16 cells across on the
    first zero of the focus is within 1e-3 of theory). Raises SamplingError if the grid cannot hold the aperture.
    """
    check_aperture(grid, energy, lens.numerical_aperture)
    check_reach(grid, lens.reach(energy, defocus))
    qy, qx = grid.frequencies()
    if not soft:
        return annulus_at(qx, qy, energy, lens, defocus)
    outer = wavenumber(energy) * lens.numerical_aperture
    q2 = qx**2 + qy**2
    modulus = _disk(q2, outer, grid) - (_disk(q2, outer * lens.stop, grid) if lens.stop > 0 else 0.0)
    return np.asarray(modulus * _phased(qx, qy, energy, lens, defocus, (0.0, np.inf)))


def annulus_at(
    qx: Any, qy: Any, energy: float, lens: Lens, defocus: float = 0.0, dtype: Any = np.complex128
) -> NDArray[Any]:
    """Pupil of `lens` with sharp edges at transverse wave vectors qx, qy [rad/m] (broadcast together).

    Complex of type `dtype`, or boolean where it does nothing but open and shut.
    """
    outer = wavenumber(energy) * lens.numerical_aperture
    # a frequency on the rim itself is let in whatever the rounding
    limits = ((outer * lens.stop) ** 2, outer**2 * (1 + 1e-12))
    if defocus == 0 and not lens.aberrations:
        return open_pupil(qx, qy, limits)
    return _phased(qx, qy, energy, lens, defocus, limits, dtype)


def _phased(
    qx: Any, qy: Any, energy: float, lens: Lens, defocus: float, limits: tuple[float, float], dtype: Any = np.complex128
) -> NDArray[Any]:
    """exp i of the phase of free flight over `defocus`, and of the aberrations; 0 beyond `limits` of |q|^2."""
    k = float(wavenumber(energy))
    waves = (k * lens.numerical_aperture, *lens.aberrations.coefficients())
    return phased_pupil(qx, qy, limits, (k, float(defocus)), waves, dtype)


def focus(grid: Grid, energy: float, lens: Lens, defocus: float = 0.0) -> ComplexArray:
    """Focal-spot amplitude (ny, nx), centred, normalised so that its squares sum to 1; `defocus` [m] downstream."""
    cells = 2 * lens.numerical_aperture * min(grid.extent) / wavelength(energy)
    if cells < _FEWEST_CELLS:
        wanted = _FEWEST_CELLS * wavelength(energy) / (2 * lens.numerical_aperture)
        raise SamplingError(
            "the field is too small for the focal spot",
            field="grid",
            value=f"{min(grid.extent):.4g} m",
            allowed=f">= {wanted:.4g} m",
            cure=f"use at least {int(np.ceil(wanted / grid.pixel))} pixels of {grid.pixel:.4g} m",
        )
    spot = fftshift(ifft2(annulus(grid, energy, lens, defocus=defocus, soft=True), overwrite=True))
    return np.asarray(spot / np.sqrt(np.sum(np.abs(spot) ** 2)))


def _disk(q2: NDArray[np.float64], radius: float, grid: Grid) -> NDArray[np.float64]:
    """Disk of `radius` [rad/m] with its edge averaged over one frequency cell along the radius."""
    q = np.sqrt(q2)
    cell_y, cell_x = (2 * np.pi / (n * grid.pixel) for n in grid.shape)
    cell = max(cell_x, cell_y)
    ramp = np.clip((radius - q) / cell + 0.5, 0.0, 1.0)
    return np.asarray(ramp)
