"""Pupils and focal spots of any lens with a round aperture, on the frequencies of an object-side grid.

    P(q) = 1 for a k NA <= |q| <= k NA, times exp[i z (sqrt(k^2 - q^2) - k)] for a defocus z downstream
    probe(r) = F^-1 P

Scalar, aplanatic (sine condition), without aberrations. The grid must resolve the aperture, pixel <= lambda/2NA, and
hold the defocused cone, |z| NA <= half the field. Reference: Born & Wolf, Principles of Optics, ch. 8.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavelength, wavenumber
from xsim.errors import SamplingError
from xsim.waves.fft import fftshift, ifft2
from xsim.waves.grid import Grid

ComplexArray = NDArray[np.complex128]

#: aperture diameters in frequency cells below which a probe's window cuts it visibly
_FEWEST_CELLS = 8


def check_aperture(grid: Grid, energy: float, numerical_aperture: float, field: str = "pixel") -> None:
    """Raise SamplingError if `numerical_aperture` lies beyond the Nyquist frequency of the grid."""
    limit = wavelength(energy) / (2 * numerical_aperture)
    if grid.pixel > limit * (1 + 1e-9):
        raise SamplingError(
            f"the pixel is too coarse for a numerical aperture of {numerical_aperture:.4g} at {energy:.6g} eV",
            field=field,
            value=f"{grid.pixel:.4g} m",
            allowed=f"<= wavelength/2NA = {limit:.4g} m",
            cure=f"use a pixel of {limit:.4g} m or less",
        )


def check_defocus(grid: Grid, numerical_aperture: float, defocus: float) -> None:
    """Raise SamplingError if the defocused cone of light is wider than the grid."""
    limit = min(grid.extent) / (2 * numerical_aperture)
    if abs(defocus) > limit * (1 + 1e-9):
        raise SamplingError(
            "the defocused cone of light does not fit the field",
            field="defocus",
            value=f"{defocus:.4g} m",
            allowed=f"|defocus| <= field/2NA = {limit:.4g} m",
            cure=f"use a field of at least {2 * abs(defocus) * numerical_aperture:.4g} m",
        )


def annulus(
    grid: Grid,
    energy: float,
    numerical_aperture: float,
    stop: float = 0.0,
    *,
    defocus: float = 0.0,
    soft: bool = False,
) -> ComplexArray:
    """Annular pupil (ny, nx) in FFT order; `stop` is its inner radius as a fraction of the outer one.

    soft: average the edges over each frequency cell (linear ramp across one cell; from 16 cells across on the
    first zero of the focus is within 1e-3 of theory). Raises SamplingError if the grid cannot hold the aperture.
    """
    check_aperture(grid, energy, numerical_aperture)
    check_defocus(grid, numerical_aperture, defocus)
    qy, qx = grid.frequencies()
    if not soft:
        return annulus_at(qx, qy, energy, numerical_aperture, stop, defocus)
    outer = wavenumber(energy) * numerical_aperture
    q2 = qx**2 + qy**2
    modulus = _disk(q2, outer, grid) - (_disk(q2, outer * stop, grid) if stop > 0 else 0.0)
    return np.asarray(modulus * defocus_phase(q2, energy, defocus))


def annulus_at(
    qx: Any,
    qy: Any,
    energy: float,
    numerical_aperture: float,
    stop: float = 0.0,
    defocus: float = 0.0,
) -> ComplexArray:
    """Annular pupil with sharp edges at transverse wave vectors qx, qy [rad/m] (broadcast together)."""
    outer = wavenumber(energy) * numerical_aperture
    q2 = qx**2 + qy**2
    # a frequency on the rim itself is let in whatever the rounding
    inside = (q2 <= outer**2 * (1 + 1e-12)) & (q2 >= (outer * stop) ** 2)
    return np.asarray(inside * defocus_phase(q2, energy, defocus))


def defocus_phase(q2: Any, energy: float, defocus: float) -> ComplexArray:
    """Phase factor of free flight over `defocus` [m] at squared transverse wave vectors q2 [rad^2/m^2]."""
    if defocus == 0:
        return np.ones(q2.shape, np.complex128)
    k = wavenumber(energy)
    root = np.sqrt(np.maximum(k * k - q2, 0.0))
    return np.asarray(np.exp(-1j * defocus * q2 / (root + k)))


def focus(
    grid: Grid, energy: float, numerical_aperture: float, stop: float = 0.0, defocus: float = 0.0
) -> ComplexArray:
    """Focal-spot amplitude (ny, nx), centred, normalised so that its squares sum to 1; `defocus` [m] downstream."""
    cells = 2 * numerical_aperture * min(grid.extent) / wavelength(energy)
    if cells < _FEWEST_CELLS:
        wanted = _FEWEST_CELLS * wavelength(energy) / (2 * numerical_aperture)
        raise SamplingError(
            "the field is too small for the focal spot",
            field="grid",
            value=f"{min(grid.extent):.4g} m",
            allowed=f">= {wanted:.4g} m",
            cure=f"use at least {int(np.ceil(wanted / grid.pixel))} pixels of {grid.pixel:.4g} m",
        )
    spot = fftshift(ifft2(annulus(grid, energy, numerical_aperture, stop, defocus=defocus, soft=True), overwrite=True))
    return np.asarray(spot / np.sqrt(np.sum(np.abs(spot) ** 2)))


def _disk(q2: NDArray[np.float64], radius: float, grid: Grid) -> NDArray[np.float64]:
    """Disk of `radius` [rad/m] with its edge averaged over one frequency cell along the radius."""
    q = np.sqrt(q2)
    cell_y, cell_x = (2 * np.pi / (n * grid.pixel) for n in grid.shape)
    cell = max(cell_x, cell_y)
    ramp = np.clip((radius - q) / cell + 0.5, 0.0, 1.0)
    return np.asarray(ramp)
