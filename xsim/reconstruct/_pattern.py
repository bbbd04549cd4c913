"""One far-field pattern as the modulus of a transform, the support it suggests, and how a support shrinks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from xsim.constants import wavenumber
from xsim.exposure import Array, Measurement
from xsim.reconstruct._data import need, offsets
from xsim.reconstruct._scan import far_amplitudes
from xsim.units import as_float
from xsim.waves.fft import fftn, fftshift, ifftn, ifftshift

#: where nothing is known of the modulus
UNKNOWN = np.float32(-1)


@dataclass(frozen=True, eq=False)
class Pattern:
    """Modulus of the transform of an image or volume of `pixel` [m], in FFT order, -1 where unknown."""

    modulus: Array
    pixel: float

    @property
    def known(self) -> Array:
        """Where the modulus is known."""
        return np.asarray(self.modulus >= 0)

    def error(self, image: Array) -> float:
        """Root of sum (|F image| - M)^2 / sum M^2 over what is known."""
        known = self.known
        misfit = np.abs(fftn(image))[known] - self.modulus[known]
        return math.sqrt(
            float(
                np.sum(np.square(misfit, dtype=np.float64)) / np.sum(np.square(self.modulus[known], dtype=np.float64))
            )
        )


def moduli(measurement: Measurement) -> Pattern:
    """The modulus of the transform sum w exp(-iq.r) on the pixels that the detector fixes, repeats summed."""
    amplitude, known, grid = far_amplitudes(measurement)
    square = fftshift(np.sqrt(np.sum(np.square(amplitude, dtype=np.float64), axis=0)))
    weight = sensitivity(measurement, float(np.sum(measurement.incident)), grid.pixel)
    (ny, nx), n = weight.shape, len(square)
    top, left = n // 2 - ny // 2, n // 2 - nx // 2
    square[top : top + ny, left : left + nx] /= weight
    return Pattern(np.where(known, ifftshift(square), UNKNOWN).astype(np.float32), grid.pixel)


def sensitivity(measurement: Measurement, incident: float, pixel: float) -> Array:
    """Root of the photons (ny, nx) for a transform of modulus 1 and `incident` photons.

    |f| = k/2pi pixel^2 |sum w exp(-iq.r)|, photons = fluence |f|^2 solid angle polarisation.
    """
    (y, x), distance = offsets(measurement), need(measurement, "detector_distance", "distance")
    side, settings = need(measurement, "detector_pixel", "pixel"), measurement.settings
    ray = x * x + y * y + distance**2
    degree = float(settings.get("polarisation", 0.0))
    factor = 1 - (1 + degree) / 2 * x * x / ray - (1 - degree) / 2 * y * y / ray
    beam = as_float(settings["beam"], "m") if "beam" in settings else None
    fluence = incident / (math.pi * beam**2 / 4) if beam else 1.0
    scale = float(wavenumber(measurement.frames["energy"][0])) / (2 * math.pi) * pixel**2
    return scale * np.sqrt(fluence * side**2 * distance / ray**1.5 * factor)


def first_support(pattern: Pattern) -> Array:
    """The autocorrelation above 4 % of its peak; what the beam stop hides is taken as the strongest that is seen."""
    top = float(pattern.modulus.max())
    filled = np.where(pattern.known, pattern.modulus, _hidden(pattern, top)).astype(np.float32)
    size = np.abs(ifftn(filled**2))
    return np.asarray(size > 0.04 * size.max())


def _hidden(pattern: Pattern, top: float) -> Array:
    """`top` where the beam is, zero in gaps far from it: these hide little of the light."""
    central = np.ones(pattern.modulus.shape, bool)
    for axis, n in enumerate(pattern.modulus.shape):
        r = np.minimum(np.arange(n), n - np.arange(n)) <= n // 8
        central &= r.reshape([-1 if k == axis else 1 for k in range(central.ndim)])
    return np.where(central, top, 0.0)


def shrunk(image: Array, blur: float, threshold: float) -> Array:
    """The pixels where the modulus, blurred by a Gaussian of `blur` pixels, exceeds `threshold` of its largest."""
    from scipy.ndimage import gaussian_filter

    size = gaussian_filter(np.abs(image), blur, mode="wrap")
    return np.asarray(size > threshold * size.max())


def centre_of(support: Array) -> tuple[float, ...]:
    """Centre [pixels, -n/2 .. n/2] of a periodic mask along each axis, by the phases of its first harmonics."""
    found = []
    for axis, n in enumerate(support.shape):
        profile = support.sum(axis=tuple(k for k in range(support.ndim) if k != axis))
        phase = np.angle(np.sum(profile * np.exp(2j * np.pi * np.arange(n) / n)))
        found.append(float(phase / (2 * np.pi) * n))
    return tuple(found)
