"""Phase retrieval of one far-field pattern: an isolated object from its modulus and a support found on the way.

    RAAR:  psi <- beta/2 (R_S R_M + 1) psi + (1 - beta) P_M psi,  R = 2P - 1;      then ER:  psi <- P_S P_M psi

P_M puts the measured modulus on the far field and leaves pixels without data (behind the beam stop, in gaps) free;
P_S keeps what lies in the support. The value is w = psi/psi_0 - 1 behind the object, psi_0 the wave where there is no
object, absolute in modulus. With `positive`, P_S also takes w to the quadrant Re w <= 0, Im w <= 0, in which any matter
with delta, beta >= 0 in vacuum (or more than its surroundings) lies while it delays the phase by less than pi; that
fixes the constant phase and rules out most false solutions. The support begins as the autocorrelation above 4 % of its
peak and shrinks with the image (shrink-wrap): what stays above `threshold` of the largest modulus, blurred by 3 pixels
at first, 1 in the end. Every start draws random phases from its own stream; the one whose far field fits the data best
(least "modulus error", root of sum (|F w| - M)^2 / sum M^2) is returned, with the phase retrieval transfer function of
all of them among the extras. Open remain the position (the support's centre is put in the middle), without `positive`
also a constant phase and the twin. Small angles: the pattern is the Fourier transform on a flat detector. The history
"distance" is |P_M psi - P_S P_M psi| / |P_M psi|.

References: Luke, Inverse Problems 21, 37 (2005), doi 10.1088/0266-5611/21/1/004; Fienup, Appl. Opt. 21, 2758 (1982),
doi 10.1364/AO.21.002758; Marchesini et al., Phys. Rev. B 68, 140101 (2003), doi 10.1103/PhysRevB.68.140101.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from xsim.constants import wavenumber
from xsim.exposure import Array, Axis, Measurement, Truth
from xsim.metrics.complex_match import Freedom, match
from xsim.metrics.prtf import prtf
from xsim.model import Model
from xsim.reconstruct._data import need, offsets, refuse, single_energy
from xsim.reconstruct._protocol import Reconstruction
from xsim.reconstruct._scan import far_amplitudes
from xsim.streams import StreamKey, generator
from xsim.units import as_float
from xsim.waves.fft import fft2, fftshift, ifft2, ifftshift


class Raar(Model):
    """Phase retrieval with shrink-wrap. iterations: of RAAR, then `refine` of error reduction.

    starts: independent random starts; shrink_every: iterations between updates of the support; seed: of the starts.
    """

    kind: Literal["raar"] = "raar"
    techniques: ClassVar[tuple[str, ...]] = ("cdi",)
    iterations: Annotated[int, Field(ge=1, le=100_000)] = 300
    refine: Annotated[int, Field(ge=1, le=100_000)] = 40
    starts: Annotated[int, Field(ge=1, le=1000)] = 4
    beta: Annotated[float, Field(gt=0.5, lt=1)] = 0.9
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.15
    shrink_every: Annotated[int, Field(ge=1)] = 20
    positive: bool = True
    seed: Annotated[int, Field(ge=0)] = 1

    def accepts(self, measurement: Measurement) -> str:
        """Why it cannot reconstruct this measurement; empty if it can."""
        if len(measurement.axes) != 2:
            return "its frames are not images"
        others = [axis.name for axis in measurement.frames.axes if not axis.name.startswith("repeat")]
        return f"it scans {', '.join(others)}" if others else single_energy(measurement)

    def __call__(self, measurement: Measurement) -> Reconstruction:
        """The exit wave less one (y, x). Raises FileError if this is no single pattern."""
        refuse(measurement, self.kind, self.accepts(measurement))
        pattern, pixel = moduli(measurement)
        found = [self._start(pattern, generator(StreamKey(self.seed, "reconstruct/raar/start"), k))
                 for k in range(self.starts)]  # fmt: skip
        best = min(found, key=lambda one: one.error)
        image = fftshift(best.image)
        n = len(image)
        axis = (np.arange(n) - n // 2) * pixel
        extras = {
            "support": Truth(fftshift(best.support).astype(np.uint8), (Axis("y", axis, "m"), Axis("x", axis, "m")))
        }
        extras |= {"modulus_errors": Truth(np.array([one.error for one in found]), ())}
        if self.starts > 1:
            freedom = Freedom(twin=not self.positive, contrast=False)
            aligned = np.stack([match(fftshift(one.image), image, freedom).aligned for one in found])
            frequency, curve = prtf(aligned, pixel)
            extras["prtf"] = Truth(curve, (Axis("frequency", frequency, "1/m"),))
        axes = (Axis("y", axis, "m"), Axis("x", axis, "m"))
        history = {"distance": best.distances}
        return Reconstruction(image, axes, "", "exit wave less one by RAAR", "exit_wave-1", history, extras=extras)

    def _start(self, pattern: Pattern, rng: Any) -> _Start:
        """One start: RAAR with shrink-wrap, error reduction, then the support's centre into the middle."""
        n = pattern.modulus.shape[0]
        support = first_support(pattern)
        far = pattern.modulus * np.exp(2j * np.pi * rng.random((n, n))).astype(np.complex64)
        image, blur, errors = ifft2(far), 3.0, []
        for number in range(self.iterations + self.refine):
            fitted, _ = pattern.fit(image)
            kept = self._inside(fitted, support)
            errors.append(float(np.linalg.norm(fitted - kept) / np.linalg.norm(fitted)))
            if number < self.iterations:
                reflected = 2 * fitted - image
                twice = 2 * self._inside(reflected, support) - reflected
                image = np.float32(self.beta / 2) * (twice + image) + np.float32(1 - self.beta) * fitted
                if number % self.shrink_every == self.shrink_every - 1:
                    support = shrunk(kept, blur, self.threshold)
                    blur = max(1.0, 0.9 * blur)
            else:
                image = kept
        error = pattern.fit(image)[1]
        shift = tuple(-round(c) for c in centre_of(support))
        image, support = (np.roll(part, shift, axis=(0, 1)) for part in (image, support))
        return _Start(image, support, error, np.array(errors))

    def _inside(self, image: Array, support: Array) -> Array:
        """P_S: the support, and the quadrant of matter."""
        if not self.positive:
            return np.where(support, image, np.complex64(0))
        kept = np.minimum(image.real, 0) + 1j * np.minimum(image.imag, 0)
        return np.where(support, kept, np.complex64(0)).astype(np.complex64, copy=False)


@dataclass(frozen=True, eq=False)
class _Start:
    """Where one start ended: image and support in FFT order, its modulus error; distances: between the two sets of
    images, those that fit the data and those in the support, in each iteration."""

    image: Array
    support: Array
    error: float
    distances: Array


@dataclass(frozen=True, eq=False)
class Pattern:
    """Measured modulus of the transform of w (n, n) and where it is known, both in FFT order."""

    modulus: Array
    known: Array

    def fit(self, image: Array) -> tuple[Array, float]:
        """P_M, and the modulus error of `image` itself."""
        far = fft2(image)
        size = np.abs(far)
        misfit = np.sum((size - self.modulus)[self.known].astype(np.float64) ** 2)
        error = math.sqrt(float(misfit / np.sum(self.modulus[self.known].astype(np.float64) ** 2)))
        far *= np.where(self.known, self.modulus / np.maximum(size, 1e-9), 1).astype(np.float32)
        return ifft2(far, overwrite=True), error


def moduli(measurement: Measurement) -> tuple[Pattern, float]:
    """The modulus of the transform sum w exp(-iq.r) on the pixels [m] that the detector fixes, repeats summed.

    |f| = k/2pi pixel^2 |sum w exp(-iq.r)|, photons = fluence |f|^2 solid angle polarisation.
    """
    amplitude, known, grid = far_amplitudes(measurement)
    total = fftshift(np.sqrt(np.sum(np.square(amplitude, dtype=np.float64), axis=0)))
    (y, x), distance = offsets(measurement), need(measurement, "detector_distance", "distance")
    pixel = need(measurement, "detector_pixel", "pixel")
    ray = x * x + y * y + distance**2
    degree = float(measurement.settings.get("polarization", 0.0))
    factor = 1 - (1 + degree) / 2 * x * x / ray - (1 - degree) / 2 * y * y / ray
    beam = as_float(measurement.settings["beam"], "m") if "beam" in measurement.settings else None
    fluence = float(np.sum(measurement.incident)) / (math.pi * beam**2 / 4) if beam else 1.0
    weight = np.sqrt(fluence * pixel**2 * distance / ray**1.5 * factor)
    (ny, nx), n = weight.shape, len(total)
    top, left = n // 2 - ny // 2, n // 2 - nx // 2
    total[top : top + ny, left : left + nx] /= weight
    scale = 2 * math.pi / float(wavenumber(measurement.frames["energy"][0])) / grid.pixel**2
    return Pattern((ifftshift(total) * scale).astype(np.float32), known), grid.pixel


def first_support(pattern: Pattern) -> Array:
    """The autocorrelation above 4 % of its peak; what the beam stop hides is taken as the strongest that is seen."""
    top = float(pattern.modulus[pattern.known].max())
    size = np.abs(ifft2(np.where(pattern.known, pattern.modulus, _hidden(pattern, top)).astype(np.float32) ** 2))
    return np.asarray(size > 0.04 * size.max())


def _hidden(pattern: Pattern, top: float) -> Array:
    """`top` where the beam is, zero in gaps far from it: these hide little of the light."""
    n = len(pattern.modulus)
    r = np.abs(np.arange(n) - n // 2)
    return ifftshift(np.where(np.maximum(r[:, None], r[None, :]) <= n // 8, top, 0.0))


def shrunk(image: Array, blur: float, threshold: float) -> Array:
    """The pixels where the modulus, blurred by a Gaussian of `blur` pixels, exceeds `threshold` of its largest."""
    from scipy.ndimage import gaussian_filter

    size = gaussian_filter(np.abs(image), blur, mode="wrap")
    return np.asarray(size > threshold * size.max())


def centre_of(support: Array) -> tuple[float, float]:
    """Centre (y, x) [pixels, -n/2 .. n/2] of a periodic mask, by the phases of its first harmonics."""
    found = []
    for axis in (1, 0):
        profile = support.sum(axis=axis)
        n = len(profile)
        phase = np.angle(np.sum(profile * np.exp(2j * np.pi * np.arange(n) / n)))
        found.append(float(phase / (2 * np.pi) * n))
    return found[0], found[1]
