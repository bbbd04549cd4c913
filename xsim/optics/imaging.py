"""Images in partially coherent light: Abbe's sum over source points.

    I(r) = sum_s w_s | F^-1 { P(q + q_s) F{psi_s}(q) } |^2,     q_s = k NA s

Each point s of the condenser lights the specimen with a plane wave of transverse wave vector q_s; psi_s is the exit
wave with that carrier divided out (the same for every s if the specimen is thin), P the objective's pupil, sharp at
its rim, so that nothing passes beyond (1 + sigma) NA. An empty field gives the sum of w |P(q_s)|^2: 1 where the whole
cone enters an open pupil. Exact for fields periodic on the grid. The waves are summed on the coarsest grid that
carries |.|^2 without loss and interpolated once, also exactly. Reference: Hopkins, doi 10.1098/rspa.1953.0071.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavelength, wavenumber
from xsim.errors import SamplingError
from xsim.optics.pupil import check_reach
from xsim.waves.fft import fft2, good_size, ifft2
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]


class Objective(Protocol):
    """A lens that forms an image."""

    def numerical_aperture(self, energy: Any) -> Any:
        """Radius of the pupil over k."""
        ...

    def pupil_at(self, qx: Any, qy: Any, energy: float, defocus: float = 0.0) -> NDArray[Any]:
        """Complex transmission of the pupil at transverse wave vectors [rad/m]."""
        ...

    def blur(self, energy: float, defocus: float = 0.0) -> float:
        """How far off the axis [m] rays land in the plane `defocus` [m] downstream."""
        ...


def check_image(grid: Grid, energy: float, numerical_aperture: float, sigma: float) -> None:
    """Raise SamplingError if the grid cannot carry the image (2 NA) or the light that makes it ((1 + sigma) NA)."""
    limit = wavelength(energy) / (2 * max(2.0, 1 + sigma) * numerical_aperture)
    if grid.pixel > limit * (1 + 1e-9):
        raise SamplingError(
            f"the pixel is too coarse for an image at NA {numerical_aperture:.4g} and {energy:.6g} eV",
            field="pixel",
            value=f"{grid.pixel:.4g} m",
            allowed=f"<= {limit:.4g} m",
            cure=f"use a pixel of {limit:.4g} m or less",
        )


def abbe_image(
    wave: NDArray[Any] | Callable[[tuple[float, float]], NDArray[Any]],
    grid: Grid,
    energy: float,
    objective: Objective,
    directions: FloatArray,
    weights: FloatArray,
    defocus: float = 0.0,
) -> FloatArray:
    """Image intensity (ny, nx), relative to the incident light, on the specimen's own scale and orientation.

    wave: exit wave (ny, nx) of a thin specimen; or, for a thick one, a function from the tilt (qx, qy) [rad/m] to
    the exit wave with that carrier divided out (`multislice.exit_wave(..., tilt=tilt)`). directions (n, 2) in units
    of the objective's NA and weights (n,), as from `Condenser.directions`. defocus [m]: image the plane this far
    downstream. Multiply by the objective's efficiency for photons.
    """
    numerical_aperture = float(objective.numerical_aperture(energy))
    sigma = float(np.max(np.hypot(directions[:, 0], directions[:, 1])))
    check_image(grid, energy, numerical_aperture, sigma)
    check_reach(grid, objective.blur(energy, defocus))
    radius = wavenumber(energy) * numerical_aperture
    window = _Window(grid, radius)
    fixed = None if callable(wave) else _spectrum(wave, grid)
    total = np.zeros(window.shape)
    for direction, weight in zip(directions, weights, strict=True):
        tilt = (float(radius * direction[0]), float(radius * direction[1]))
        light = _spectrum(wave(tilt), grid) if callable(wave) else fixed
        assert light is not None
        rows, columns = window.around((-tilt[0], -tilt[1]))
        qx, qy = columns[None, :] * window.step[1] + tilt[0], rows[:, None] * window.step[0] + tilt[1]
        passed = light[rows[:, None], columns[None, :]] * objective.pupil_at(qx, qy, energy, defocus)
        field = np.zeros(window.shape, np.complex128)
        field[: len(rows), : len(columns)] = passed  # moving a whole spectrum leaves |.|^2 alone
        image = ifft2(field, overwrite=True)
        total += float(weight) * (image.real**2 + image.imag**2)
    return window.enlarge(total * float(np.prod(window.shape)) ** 2)


def _spectrum(wave: NDArray[Any], grid: Grid) -> NDArray[np.complex128]:
    if tuple(wave.shape) != tuple(grid.shape):
        raise SamplingError("wave and grid differ in shape", value=tuple(wave.shape), allowed=str(grid.shape))
    return np.asarray(fft2(np.asarray(wave, np.complex128)) / wave.size)


class _Window:
    """The box of frequencies that holds the pupil, and the coarse grid that carries its squared field."""

    def __init__(self, grid: Grid, radius: float):
        self.grid = grid
        self.step = tuple(2 * np.pi / (n * grid.pixel) for n in grid.shape)
        self.reach = tuple(int(np.ceil(radius / step)) + 1 for step in self.step)
        needed = (good_size(2 * (2 * reach + 1) + 1) for reach in self.reach)
        self.shape = tuple(min(n, m) for n, m in zip(grid.shape, needed, strict=True))

    def around(self, center: tuple[float, float]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Signed frequency indices (rows, columns) of the box about `center` (qx, qy), cut to those of the grid."""
        found = []
        for n, step, reach, middle in zip(self.grid.shape, self.step, self.reach, center[::-1], strict=True):
            nearest = round(middle / step)
            low, high = max(nearest - reach, -(n // 2)), min(nearest + reach, (n - 1) // 2)
            found.append(np.arange(low, high + 1))
        return found[0], found[1]

    def enlarge(self, image: FloatArray) -> FloatArray:
        """`image` on the coarse grid interpolated to the full grid by its Fourier series, which is finite."""
        if self.shape == tuple(self.grid.shape):
            return image
        coarse = fft2(image, overwrite=False) / image.size
        full = np.zeros(self.grid.shape, np.complex128)
        rows, columns = (np.arange(-((m - 1) // 2), (m - 1) // 2 + 1) for m in self.shape)
        full[rows[:, None], columns[None, :]] = coarse[rows[:, None], columns[None, :]]
        fine = ifft2(full, overwrite=True).real * full.size
        return np.asarray(np.maximum(fine, 0.0))  # rounding may dip below zero in the dark
