"""What `xsim check` tells of a ptychographic scan before it runs: sampling, overlap, field, brightness."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavelength
from xsim.errors import RangeError, SamplingError, SamplingWarning
from xsim.instruments._field_of_view import warn_of_cut
from xsim.instruments._saturation import warn_of_saturation
from xsim.instruments._scan_wave import enclosed_diameter
from xsim.specimen.specimen import Specimen
from xsim.waves.fft import fft2
from xsim.waves.grid import Grid

if TYPE_CHECKING:
    from xsim.instruments.ptychography import Ptychography

#: the share of the probe's photons inside what is called its diameter
ENCLOSED = 0.9
#: the greatest step over the probe's diameter for an overlap that reconstructions like
STEP = 0.4


def check_probe(instrument: Ptychography, spot: NDArray[Any], grid: Grid) -> None:
    """The probe against its window (speckles sampled twice), and against the step (overlap). spot: its intensity."""
    diameter = enclosed_diameter(spot, grid, ENCLOSED)
    ratio = grid.extent[0] / diameter
    if ratio < 2:
        wanted = 2 * diameter * instrument.detector.pixel / wavelength(instrument.energy)
        text = f"lambda D/(pixel x probe) = {ratio:.3g}, should be >= 2 (probe {diameter:.3g} m)"
        cure = f"move the detector to {wanted:.3g} m or more, or use a smaller probe"
        if ratio < 1:
            raise SamplingError(f"the probe does not fit its window: {text}", field="distance", cure=cure)
        _warn(f"distance: far-field speckles are undersampled: {text}; {cure}")
    step = instrument.step
    if step >= diameter:
        raise SamplingError(
            "neighbouring spots do not overlap",
            field="step",
            value=f"{step:.3g} m",
            allowed=f"< the probe's diameter, {diameter:.3g} m; {STEP} of it or less is usual",
            cure="scan finer or defocus the probe",
        )
    if step > STEP * diameter:
        _warn(
            f"step: neighbouring spots overlap by {1 - step / diameter:.0%} of their diameter {diameter:.3g} m, "
            f"should be >= {100 * (1 - STEP):.0f} %; use a step of {STEP * diameter:.3g} m or less, or defocus the "
            "probe"
        )
    jitter = instrument.motion.jitter
    if jitter > 0.25 * step:
        _warn(
            f"motion.jitter: positions err by {jitter:.3g} m rms against a step of {step:.3g} m, should be below a "
            f"quarter of it; a reconstruction must find {jitter / instrument.pixel(instrument.energy):.2g} pixels"
        )


def check_fly(instrument: Ptychography, spot: NDArray[Any], grid: Grid) -> None:
    """A fly scan needs rows, and enough places on each frame's path to look continuous."""
    motion = instrument.motion
    if motion.fly == 1:
        return
    if instrument.pattern != "raster":
        raise RangeError(
            "a fly scan moves along rows",
            field="pattern",
            value=f'"{instrument.pattern}" with motion.fly = {motion.fly}',
            allowed='"raster"',
            cure='use pattern = "raster", or motion.fly = 1',
        )
    # places further apart than half the finest detail of the spot show as copies of it
    power = np.abs(fft2(np.asarray(spot, np.float64))).sum(axis=0)
    band = float(np.abs(grid.frequencies()[1].ravel())[power > 1e-3 * power.max()].max())
    limit = np.pi / band
    apart = instrument.step / motion.fly
    if apart > limit:
        _warn(
            f"motion.fly: {motion.fly} places on a path of {instrument.step:.3g} m are {apart:.3g} m apart, should be "
            f"<= {limit:.3g} m for a continuous blur; use fly = "
            f"{int(np.ceil(instrument.step / limit))} or more"
        )


def check_field(instrument: Ptychography, specimen: Specimen) -> None:
    """Tell where a particle is larger than the scanned field, and where none lies in it: only layers would be seen."""
    width, height = instrument.field
    warn_of_cut(specimen, width, height)
    nearest = np.inf
    for population in specimen.populations:
        if len(population.poses):
            reach = population.shape.radius * population.poses.scales
            x, y = (np.abs(population.poses.positions[:, axis]) - reach for axis in (0, 1))
            nearest = min(nearest, float(np.min(np.maximum(x - width / 2, y - height / 2))))
    if 0 < nearest < np.inf:
        _warn(
            f"field: no particle lies within the scanned {width:.3g} x {height:.3g} m, the nearest is {nearest:.3g} m "
            "beyond; move the particles, or scan a larger field"
        )


def check_brightness(instrument: Ptychography, expected: NDArray[Any]) -> None:
    """The brightest pixel of some frames against the detector's limits."""
    warn_of_saturation(instrument.detector, float(expected.max()), instrument.energy, instrument.exposure_time)


def _warn(text: str) -> None:
    warnings.warn(text, SamplingWarning, stacklevel=4)
