"""The frequencies that pass a lens, and the coarse lattice on which its images are summed.

A pupil of radius R [rad/m] about any tilt lets through at most B = 2R/step + 1 frequencies of the grid along each
axis. Their squared field holds differences of two of them, so N >= 2B - 1 samples a side carry it without loss; the
image is then interpolated to the grid by its finite Fourier series, also without loss. Where the grid itself has no
more samples than that, they are those of the grid (a sample is right whatever lies between).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.errors import SamplingError
from xsim.waves.fft import fft2, fftshift, good_size, ifft2
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]

#: frequencies this part of a step beyond the rim are looked at too, lest rounding lose one on the rim itself
_RIM = 1e-6


def _points(steps: float, count: int) -> int:
    """N for a pupil of `steps` radius on `count` pixels."""
    return min(good_size(2 * math.floor(2 * steps + 2 * _RIM) + 1), count)


class Lattice:
    """Frequencies of `grid` within `radius` [rad/m] of a tilt; `shape` (N_y, N_x) of samples that carry an image."""

    def __init__(self, grid: Grid, radius: float):
        self.grid = grid
        self.radius = radius
        self.step = (2 * np.pi / (grid.shape[0] * grid.pixel), 2 * np.pi / (grid.shape[1] * grid.pixel))
        self.shape = (_points(radius / self.step[0], grid.shape[0]), _points(radius / self.step[1], grid.shape[1]))

    def around(self, tilt: tuple[float, float]) -> tuple[tuple[int, int], tuple[int, int]]:
        """First and last signed frequency along y and x of the pupil seen by light tilted by (qx, qy) [rad/m].

        That pupil is centred on -tilt; frequencies that the grid does not have are left out.
        """
        found = []
        for n, step, middle in zip(self.grid.shape, self.step, (-tilt[1], -tilt[0]), strict=True):
            low = math.ceil((middle - self.radius) / step - _RIM)
            high = math.floor((middle + self.radius) / step + _RIM)
            found.append((max(low, -(n // 2)), min(high, (n - 1) // 2)))
        return found[0], found[1]

    def vectors(self, box: tuple[tuple[int, int], tuple[int, int]]) -> tuple[FloatArray, FloatArray]:
        """Transverse wave vectors qx (1, w) and qy (h, 1) [rad/m] of a box of frequencies."""
        (bottom, top), (left, right) = box
        qx = np.arange(left, right + 1, dtype=np.float64) * self.step[1]
        return qx[None, :], (np.arange(bottom, top + 1, dtype=np.float64) * self.step[0])[:, None]

    def spectrum(self, wave: NDArray[Any]) -> NDArray[Any]:
        """Fourier coefficients (ny, nx) of `wave` in its own precision, zero frequency at (ny//2, nx//2)."""
        if tuple(wave.shape) != tuple(self.grid.shape):
            raise SamplingError("wave and grid differ in shape", value=tuple(wave.shape), allowed=str(self.grid.shape))
        found = fft2(np.asarray(wave, np.complex128), overwrite=wave.dtype != np.complex128)
        return np.asarray(fftshift(np.multiply(found, 1 / wave.size, dtype=complex_of(wave), casting="same_kind")))

    def part(self, spectrum: NDArray[Any], box: tuple[tuple[int, int], tuple[int, int]]) -> NDArray[Any]:
        """The box (h, w) of a spectrum whose zero frequency is in the middle."""
        middle_y, middle_x = (n // 2 for n in self.grid.shape)
        (bottom, top), (left, right) = box
        return spectrum[bottom + middle_y : top + 1 + middle_y, left + middle_x : right + 1 + middle_x]

    def enlarge(self, image: FloatArray) -> FloatArray:
        """The image (ny, nx) on the grid, from its samples (N_y, N_x)."""
        if image.shape == tuple(self.grid.shape):
            return image
        coarse = fft2(image) / image.size
        found = np.zeros(self.grid.shape, np.complex128)
        index = [np.arange(-(n // 2), (n + 1) // 2) for n in self.shape]
        found[index[0][:, None], index[1][None, :]] = coarse[index[0][:, None], index[1][None, :]]
        fine = ifft2(found, overwrite=True).real * found.size
        return np.asarray(np.maximum(fine, 0.0))  # rounding may dip below zero in the dark


def complex_of(wave: NDArray[Any]) -> Any:
    """The complex type of the precision of `wave`; double for integers."""
    return np.complex64 if wave.dtype in (np.float32, np.complex64) else np.complex128
