"""The transverse sampling grid that every real-space technique shares.

Arrays are indexed [y, x]. Pixel (ny//2, nx//2) is centred on `center`, as the FFT wants it; x and y grow with
their index. Rows of an image shown with the origin below have y upward.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xsim.errors import RangeError

FloatArray = NDArray[np.floating]


@dataclass(frozen=True)
class Grid:
    """`shape` (ny, nx) square pixels of `pixel` [m]; the centre of pixel (ny//2, nx//2) lies at `center` (x, y) [m]."""

    shape: tuple[int, int]
    pixel: float
    center: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        if min(self.shape) < 1:
            raise RangeError("a grid needs at least one pixel per axis", value=self.shape, allowed=">= 1")
        if not self.pixel > 0:
            raise RangeError("pixel size", value=self.pixel, allowed="> 0 m")

    @property
    def x(self) -> FloatArray:
        """Pixel centres along x [m], shape (nx,)."""
        return np.asarray(self.center[0] + (np.arange(self.shape[1]) - self.shape[1] // 2) * self.pixel, np.float64)

    @property
    def y(self) -> FloatArray:
        """Pixel centres along y [m], shape (ny,)."""
        return np.asarray(self.center[1] + (np.arange(self.shape[0]) - self.shape[0] // 2) * self.pixel, np.float64)

    @property
    def extent(self) -> tuple[float, float]:
        """Full width and height (x, y) [m]."""
        return self.shape[1] * self.pixel, self.shape[0] * self.pixel

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """Outer edges (x0, x1, y0, y1) [m] of the first and last pixels."""
        x, y, half = self.x, self.y, self.pixel / 2
        return float(x[0] - half), float(x[-1] + half), float(y[0] - half), float(y[-1] + half)

    def frequencies(self) -> tuple[FloatArray, FloatArray]:
        """Angular spatial frequencies (qy (ny, 1), qx (1, nx)) [rad/m] in FFT order (zero first)."""
        qy = 2 * np.pi * np.fft.fftfreq(self.shape[0], self.pixel)
        qx = 2 * np.pi * np.fft.fftfreq(self.shape[1], self.pixel)
        return qy[:, None], qx[None, :]
