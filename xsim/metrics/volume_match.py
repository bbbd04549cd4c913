"""Brings a complex volume onto another by what diffraction leaves open: a shift, the twin and a constant phase.

The shift is one of whole voxels, at the peak of the cross-correlation; the phase is that of the peak. Works for images
too. Reference: Fienup, Appl. Opt. 36, 8352 (1997), doi 10.1364/AO.36.008352.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from xsim.errors import RangeError
from xsim.exposure import Array
from xsim.metrics.complex_match import twin_of
from xsim.waves.fft import fftn, ifftn


@dataclass(frozen=True, eq=False)
class VolumeMatch:
    """aligned: the estimate moved, turned and phased, its scale kept; correlation 0..1; shift [voxels]; twin."""

    aligned: Array = field(repr=False)
    correlation: float
    shift: tuple[int, ...]
    twin: bool


def volume_match(estimate: Array, reference: Array) -> VolumeMatch:
    """The best of estimate and twin, periodic. Raises RangeError if the shapes differ."""
    if estimate.shape != reference.shape:
        raise RangeError("shapes of two volumes", value=(estimate.shape, reference.shape), allowed="equal")
    spectrum = fftn(np.asarray(reference, np.complex128))
    size = float(np.linalg.norm(reference) * np.linalg.norm(estimate))
    axes = tuple(range(estimate.ndim))
    best = VolumeMatch(estimate, -1.0, (0,) * estimate.ndim, False)
    for twin, one in ((False, estimate), (True, twin_of(estimate))):
        overlap = ifftn(spectrum * np.conj(fftn(np.asarray(one, np.complex128))))
        at = tuple(int(k) for k in np.unravel_index(int(np.argmax(np.abs(overlap))), overlap.shape))
        peak = complex(overlap[at])
        correlation = abs(peak) / size if size > 0 else 0.0
        if correlation > best.correlation:
            phase = peak / abs(peak) if abs(peak) > 0 else 1.0
            shift = tuple((k + n // 2) % n - n // 2 for k, n in zip(at, overlap.shape, strict=True))
            best = VolumeMatch(np.roll(one, at, axes) * phase, correlation, shift, twin)
    return best
