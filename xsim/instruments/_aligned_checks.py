"""What is told before a stream of aligned molecules: molecules too close, laser fields beyond the model, no light."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from xsim.errors import RangeError, ValidityWarning
from xsim.instruments._saturation import warn_of_saturation
from xsim.specimen.specimen import Specimen
from xsim.specimen.turning import reach

if TYPE_CHECKING:
    from xsim.instruments._aligned_prepared import PreparedAlignedStream
    from xsim.instruments.aligned_stream import AlignedStream

#: intensities [W/m^2] beyond which molecules are ionised by many photons, and at which some begin to be
#: (Stapelfeldt & Seideman 2003, doi 10.1103/RevModPhys.75.543)
MOST_INTENSITY, FAIR_INTENSITY = 1e17, 1e16
#: share of the stream's volume above which molecules no longer scatter as if alone: S(0) = 1 - 8 phi
MOST_FILLED = 0.01
#: size over the laser's wavelength up to which the field is the same across the molecule
MOST_SIZE = 0.1
#: photons in a frame below which it holds next to nothing
FEW_PHOTONS = 10.0


def check_alone(specimen: Specimen) -> None:
    """Raise RangeError without molecules; warn of layers, which take light away but hold no molecule fast."""
    if specimen.layers.materials:
        warnings.warn(
            "aligned_stream: molecules turn freely, and layers ("
            + ", ".join(m.name for m in specimen.layers.materials)
            + ") only take light away, limit none; leave specimen.layers out for a stream in vacuum",
            ValidityWarning,
            stacklevel=3,
        )
    if not any(len(p) for p in specimen.populations):
        raise RangeError(
            "no molecule in the stream", field="particle", value=0, allowed="at least one particle",
            cure="give the specimen a population",
        )  # fmt: skip


def warn_if_crowded(one: AlignedStream, specimen: Specimen) -> None:
    """Raise RangeError where molecules of the stream overlap; warn where they scatter no longer as if alone."""
    diameter, apart = 2 * reach(specimen), float(one.density ** (-1 / 3))
    if apart < diameter:
        raise RangeError(
            "overlapping molecules: their mean distance in the stream is below their diameter", field="density",
            value=f"{one.density:.4g} /m^3, {apart:.3g} m apart",
            allowed=f"<= {diameter**-3:.4g} /m^3 for {diameter:.3g} m",
            cure=f"lower density to {0.001 * diameter**-3:.2g} 1/m^3",
        )  # fmt: skip
    filled = one.density * np.pi / 6 * diameter**3
    if filled > MOST_FILLED:
        warnings.warn(
            f"aligned_stream: molecules fill {filled:.2g} of the stream ({apart:.3g} m apart, {diameter:.3g} m wide), "
            f"limit {MOST_FILLED:g} for scattering as if alone; lower density to "
            f"{one.density * MOST_FILLED / filled:.3g} 1/m^3",
            ValidityWarning,
            stacklevel=3,
        )


def warn_of_laser(one: AlignedStream, specimen: Specimen) -> None:
    """Raise RangeError for a field that ionises; warn near it, and of molecules not small against its wavelength."""
    given, size = one.laser.intensity, 2 * reach(specimen)
    if given > MOST_INTENSITY:
        raise RangeError(
            "laser field beyond the model: molecules are ionised by many photons", field="laser.intensity",
            value=f"{given:.4g} W/m^2", allowed=f"<= {MOST_INTENSITY:g} W/m^2",
            cure="lower the intensity and the temperature alike",
        )  # fmt: skip
    if given > FAIR_INTENSITY:
        warnings.warn(
            f"aligned_stream: laser intensity {given:.3g} W/m^2, limit {FAIR_INTENSITY:g} W/m^2 for molecules that "
            "stay whole in the field; lower laser.intensity, or the temperature instead",
            ValidityWarning,
            stacklevel=3,
        )
    if size > MOST_SIZE * one.laser.wavelength:
        warnings.warn(
            f"aligned_stream: a molecule {size:.3g} m wide in light of {one.laser.wavelength:.3g} m, limit "
            f"{MOST_SIZE:g} of it for one field across it; use a longer laser.wavelength",
            ValidityWarning,
            stacklevel=3,
        )


def warn_of_few_photons(one: AlignedStream, prepared: PreparedAlignedStream) -> None:
    """Raise RangeError for a pattern without light; warn of few photons in all, and of saturated pixels."""
    expected = prepared.expose(one.frames()).expected
    total = float(expected.sum())
    if not total > 0:
        raise RangeError(
            "no photon reaches the detector", field="beam_stop", value=one.beam_stop,
            allowed="smaller than the detector",
            cure="shrink the beam stop, or give the particle contrast",
        )  # fmt: skip
    if total < FEW_PHOTONS:
        warnings.warn(
            f"aligned_stream: {total:.2g} photons expected in the frame, limit {FEW_PHOTONS:g} for a pattern; "
            f"raise exposure_time to {one.exposure_time * FEW_PHOTONS / total:.2g} s, or flux or density",
            ValidityWarning,
            stacklevel=3,
        )
    warn_of_saturation(one.detector, float(expected.max()), one.energy, one.exposure_time)
