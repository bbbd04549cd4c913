"""What a lensless camera asks of its specimen, beam and detector; each mistake with its number, limit and cure."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

import numpy as np

from xsim.constants import wavelength
from xsim.errors import RangeError, SamplingError, SamplingWarning, ValidityWarning
from xsim.instruments._ladder import warn_beyond_born
from xsim.specimen.specimen import Specimen

if TYPE_CHECKING:
    from xsim.instruments.cdi import Cdi

#: the largest number of samples of the exit wave
MOST = 4096**2
#: missing speckles across the beam stop above which the low frequencies are not to be found again
MOST_MISSING = 3.0
#: turns (3, 3) that bring x, and y, onto z, along which populations know how far they reach
_ONTO_Z = (
    np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]),
    np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]),
)


def beam(instrument: Cdi) -> None:
    """Raise RangeError for a beam narrower than its wavelength."""
    least = float(wavelength(instrument.energy))
    if instrument.beam < least:
        raise RangeError(
            "no beam is narrower than its wavelength",
            field="beam",
            value=f"{instrument.beam:.3g} m",
            allowed=f">= {least:.3g} m",
            cure="use a wider beam or a higher energy",
        )


def stop(instrument: Cdi) -> None:
    """Raise SamplingError where a flat beam passes its stop: one pixel, or the beam with 3 sigma of its divergence."""
    if instrument.profile != "flat":
        return
    pixel = float(instrument.detector.pixel)
    wide = instrument.beam + 6 * max(instrument.smear(instrument.energy)) * pixel
    least = max(pixel, wide)
    if instrument.beam_stop < least:
        raise SamplingError(
            "the direct beam passes the beam stop",
            field="beam_stop",
            value=f"{instrument.beam_stop:.3g} m",
            allowed=f">= {least:.3g} m: one detector pixel, and the beam with three times its rms divergence",
            cure="use a wider beam stop, a narrower beam or a longer coherence length",
        )


def fits_beam(instrument: Cdi, specimen: Specimen) -> float:
    """How far the specimen reaches from the axis [m]. Raises SamplingError if that is outside a flat beam."""
    reach = lateral_reach(specimen)
    if reach > instrument.beam / 2:
        raise SamplingError(
            "the specimen is wider than the beam",
            field="beam",
            value=f"reaches {reach:.3g} m from the axis",
            allowed=f"<= {instrument.beam / 2:.3g} m",
            cure=f'use a beam of {2 * reach:.3g} m or more, a smaller specimen, or profile = "gaussian" or "pinhole"',
        )
    return reach


def memory(half: int, pixel: float) -> None:
    """Raise SamplingError for an exit wave of (2 half)^2 samples, if that is too many."""
    if (2 * half) ** 2 > MOST:
        raise SamplingError(
            "the specimen needs too large a grid",
            field="detector",
            value=f"{2 * half} x {2 * half} samples of {pixel:.3g} m",
            allowed=f"<= {MOST} samples",
            cure="use a smaller specimen or beam, fewer detector pixels or fewer samples",
        )


def oversampling(instrument: Cdi, width: float, energy: float) -> None:
    """Raise SamplingError where speckles of a wave `width` [m] wide fall on fewer than two pixels; warn of a large
    missing centre."""
    speckle = float(wavelength(energy)) * instrument.distance / width
    ratio = speckle / instrument.detector.pixel
    if ratio < 2:
        wanted = 2 * width * instrument.detector.pixel / wavelength(energy)
        raise SamplingError(
            f"the diffraction pattern is undersampled at {energy:.6g} eV: lambda D/(pixel x specimen width)",
            field="distance",
            value=f"{ratio:.3g} (specimen {width:.3g} m wide)",
            allowed=">= 2",
            cure=f"move the detector to {wanted:.3g} m or more, use smaller pixels or a smaller specimen",
        )
    missing = instrument.beam_stop / speckle
    if missing > MOST_MISSING:
        warnings.warn(
            f"beam_stop: it hides {missing:.3g} speckles across at {energy:.6g} eV, and beyond about {MOST_MISSING:g} "
            f"the low frequencies cannot be found again; use a stop of {MOST_MISSING * speckle:.3g} m or less",
            ValidityWarning,
            stacklevel=4,
        )


def spectrum(instrument: Cdi, width: float, energy: float) -> None:
    """Warn where the bandwidth washes out speckles at the detector's edge, or its lines are too few to tell."""
    band = instrument.bandwidth
    if band.relative_width == 0:
        return
    edge = max(instrument.detector.shape) / 2 * instrument.detector.pixel
    path = width * edge / math.hypot(edge, instrument.distance)
    turns = path / band.coherence_length(energy)
    energies, weights = band.lines(energy)
    phase = 2 * np.pi * turns * (energies / energy - 1) / band.relative_width
    true = np.sinc(turns) if band.shape == "rectangular" else math.exp(-((np.pi * turns) ** 2) / (4 * math.log(2)))
    error = abs(float(np.sum(weights * np.exp(1j * phase)).real) - true)
    if error > 0.01:
        warnings.warn(
            f"bandwidth.samples: {band.samples} energies leave an error of {error:.2g} in the visibility of speckles "
            f"at the detector's edge, {turns:.3g} turns of phase across the width (limit 0.01); use more samples",
            SamplingWarning,
            stacklevel=4,
        )
    if turns > 0.5:
        warnings.warn(
            f"bandwidth: path differences of {path:.3g} m at the detector's edge against a coherence length "
            f"lambda E/dE of {band.coherence_length(energy):.3g} m smear the speckles (limit one half); use a "
            f"relative width below {0.5 * wavelength(energy) / path:.2g}, or a smaller specimen",
            ValidityWarning,
            stacklevel=4,
        )


def coherence(instrument: Cdi, width: float, energy: float) -> None:
    """Warn where the light is less coherent than twice the specimen is wide."""
    if instrument.coherence_length is None:
        return
    least = min(instrument.coherence_length)
    if least < width:
        visibility = math.exp(-0.5 * (width / least) ** 2)
        warnings.warn(
            f"coherence_length: {least:.3g} m rms against a specimen {width:.3g} m wide: its two sides interfere with "
            f"a visibility of {visibility:.2g} at {energy:.6g} eV (limit 0.6); use {width:.3g} m or more",
            ValidityWarning,
            stacklevel=4,
        )


def born(specimen: Specimen, energy: float) -> None:
    """Warn where a particle changes the wave by too much for the Born amplitude."""
    warn_beyond_born(specimen.populations, energy, 'use model = "auto"')


def lateral_reach(specimen: Specimen) -> float:
    """Largest |x| or |y| [m] that any particle reaches; 0 without particles."""
    return max((abs(float(v)) for pair in _lateral_ranges(specimen) for v in pair), default=0.0)


def lateral_width(specimen: Specimen) -> float:
    """Larger of the specimen's widths along x and y [m], particles alone; 0 without particles."""
    return max((high - low for low, high in _lateral_ranges(specimen)), default=0.0)


def _lateral_ranges(specimen: Specimen) -> list[tuple[float, float]]:
    """Lowest and highest x, then y [m] of any particle: what is deep and narrow counts its width alone."""
    parts = [p for p in specimen.populations if len(p)]
    found = []
    for turn in _ONTO_Z if parts else ():
        ranges = [p.moved(turn, np.zeros(3)).z_range for p in parts]
        found.append((min(low for low, _ in ranges), max(high for _, high in ranges)))
    return found
