"""Far-field patterns as amplitudes; which part of the object each point of a scan lights, and the first probe."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from xsim.constants import wavelength
from xsim.exposure import Array, Measurement
from xsim.reconstruct._data import bad_pixels, need, photons
from xsim.spill import BLOCK
from xsim.units import as_float
from xsim.waves.angular_spectrum import transfer_function
from xsim.waves.fft import fft2, fftshift, ifft2, ifftshift
from xsim.waves.grid import Grid

Part = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class Scan:
    """The object's grid, centred on (0, 0); for every point its window on it and what pixels leave over (y, x) [m].

    parts: indices of each window's pixels on the object, in FFT order, so that no wave needs to be shifted.
    """

    grid: Grid
    corners: tuple[tuple[int, int], ...]
    rest: tuple[tuple[float, float], ...]
    window: Grid
    parts: tuple[tuple[Array, Array], ...]
    q: tuple[Array, Array]

    @staticmethod
    def of(measurement: Measurement, window: Grid) -> Scan:
        """The scan over the points x, y [m] of the frame table."""
        n, pixel = window.shape[0], window.pixel
        points = np.stack([np.asarray(measurement.frames[name], np.float64) for name in ("y", "x")], axis=1)
        whole = np.rint(points / pixel).astype(int)
        side = n + 2 * (int(np.abs(whole).max()) + 1)
        first = side // 2 - n // 2
        corners = tuple((first + int(row), first + int(column)) for row, column in whole)
        rest = tuple((float(y), float(x)) for y, x in points - whole * pixel)
        order = ifftshift(np.arange(n)[None, :])[0]  # along one axis: where each pixel in FFT order comes from
        parts = tuple((row + order[:, None], column + order[None, :]) for row, column in corners)
        return Scan(Grid((side, side), pixel), corners, rest, window, parts, window.frequencies())

    def ramp(self, j: int) -> Array:
        """The phase on a probe's spectrum (FFT order) that moves it by what whole pixels leave over."""
        (dy, dx), (qy, qx) = self.rest[j], self.q
        return np.asarray(np.exp(-1j * dy * qy).astype(np.complex64) * np.exp(-1j * dx * qx).astype(np.complex64))

    def illumination(self, probe_intensity: Array) -> Array:
        """Photons on each pixel of the object (ny, nx) for a probe's intensity in FFT order."""
        total, spot = np.zeros(self.grid.shape), fftshift(np.asarray(probe_intensity, np.float64))
        n = self.window.shape[0]
        for row, column in self.corners:
            total[row : row + n, column : column + n] += spot
        return total


def first_probe(measurement: Measurement, window: Grid, amplitude: Array, known: Array) -> Array:
    """A probe (FFT order, squares summing to 1) from the mean pattern and the distances that the settings tell."""
    settings, energy = measurement.settings, float(measurement.frames["energy"][0])
    pinhole = settings.get("pinhole")
    if isinstance(pinhole, dict) and "diameter" in pinhole:
        radius = as_float(pinhole["diameter"], "m") / 2
        away = as_float(pinhole["distance"], "m") if "distance" in pinhole else 0.0
        # the rim is one pixel wide, so that the disk does not depend on where it falls between pixels
        disk = np.clip((radius - np.hypot(window.y[:, None], window.x[None, :])) / window.pixel + 0.5, 0, 1)
        spectrum = fft2(ifftshift(disk.astype(np.complex128)))
    else:
        mean = np.sqrt(np.mean(np.square(amplitude, dtype=np.float64), axis=0))
        spectrum = np.where(known, mean, 0).astype(np.complex128)
        away = as_float(settings["defocus"], "m") if "defocus" in settings else 0.0
    probe = ifft2(spectrum * transfer_function(window, energy, away))
    return np.asarray(probe / math.sqrt(float(np.sum(np.abs(probe) ** 2))))


def far_amplitudes(measurement: Measurement) -> tuple[Array, Array, Grid]:
    """Square roots of the patterns (frames, n, n) float32 and where they are known (n, n), in FFT order, and the
    grid of the wave, n = the longer side of the detector, its pixel lambda D / (n L)."""
    bad, frames = bad_pixels(measurement), len(measurement.counts)
    ny, nx = bad.shape
    n = max(ny, nx)
    top, left = n // 2 - ny // 2, n // 2 - nx // 2
    amplitude, known = np.empty((frames, n, n), np.float32), np.zeros((n, n), bool)
    known[top : top + ny, left : left + nx] = ~bad
    step = max(1, BLOCK // (8 * n * n))
    for start in range(0, frames, step):
        values = photons(measurement, rows=slice(start, start + step))
        square = np.zeros((len(values), n, n), np.float32)
        square[:, top : top + ny, left : left + nx] = np.sqrt(np.maximum(np.where(bad, 0, values), 0))
        amplitude[start : start + step] = ifftshift(square)
    span = n * need(measurement, "detector_pixel", "pixel")
    distance = need(measurement, "detector_distance", "distance")
    energy = float(measurement.frames["energy"][0])
    return amplitude, ifftshift(known), Grid((n, n), float(wavelength(energy)) * distance / span)
