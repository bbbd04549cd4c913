"""The grid that a full-field microscope's wave needs, and the limits of its settings, told before anything runs."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

import numpy as np

from xsim.errors import RangeError, SamplingError, SamplingWarning, ValidityWarning
from xsim.instruments._full_field_harmonics import check_harmonics, sharpest
from xsim.instruments._seam import fitting
from xsim.interaction.standing import GUIDED
from xsim.interaction.validity import structured_middle
from xsim.optics.hopkins import Setting, least_error
from xsim.optics.partial_coherence import TOLERANCE
from xsim.optics.phase_ring import PhaseRing
from xsim.specimen.specimen import Specimen
from xsim.waves.fft import good_size
from xsim.waves.grid import Grid

if TYPE_CHECKING:
    from xsim.instruments.full_field import FullField

#: samples per finest period that passes the objective, and how large a side the wave may become with them
SAMPLES = {"projection": ((32, 1024), (16, 3072), (8, math.inf)), "multislice": ((16, 640), (8, math.inf))}
#: margin round the field in outermost zone widths, against light that wraps round the periodic grid
MARGIN = 8
#: how far to either side of the wave's border matter goes over into that on the other side [outermost zone widths]
CLOSING = 7
#: difference of the field from a whole number of pixels, over the field, that is not worth telling
ROUNDED = 1e-6
#: width of the grid over what light of the widest angle crosses in a thick specimen, to either side
REACH = 1.1
#: the largest number of samples of the wave
MOST = 6144**2
#: share of the condenser's light that may miss the phase ring
MISSED = 0.01
#: share of the objective's pupil that a phase ring may cover before it advances much of the diffracted light too
COVERED = 0.2
#: sine of a ring's advance below which little is left of the phase contrast
SHIFT = 0.7


def widest_angle(instrument: FullField, energy: float, critical: float) -> float:
    """The angle [rad] up to which light is kept inside a thick specimen.

    5/3 of what makes the image, and what walls guide that reflect all light up to the angle `critical` [rad].
    """
    cone = float(instrument.objective.numerical_aperture(energy)) * (1 + instrument.cone().sigma)
    return max(5 / 3 * cone, cone + GUIDED * critical)


def wave_grid(instrument: FullField, slabs: int, specimen: Specimen, critical: float = 0.0) -> tuple[Grid, int]:
    """The grid of the wave with its margin, and how many of its pixels make one of the camera's.

    critical: the largest angle [rad] at which walls of a thick specimen reflect all light.
    """
    pixel, lens, energy = instrument.pixel, instrument.objective, instrument.energy
    opening = float(lens.numerical_aperture(energy)) * (1 + instrument.cone().sigma)
    low, high = specimen.z_range
    spread = (high - low) * opening if slabs > 1 else 0.0
    planes = [
        (float(e), instrument.focus_shift(float(e), energy) - structured_middle(specimen))
        for e in instrument.bandwidth.lines(energy)[0]
    ]
    reach = max(max(abs(z) * opening, lens.blur(e, z)) for e, z in planes)
    margin = MARGIN * lens.outermost_zone + spread + 2 * reach
    if slabs > 1:  # the wave's transforms carry light of the widest angle through all of it
        across = REACH * 2 * (high - low) * widest_angle(instrument, energy, critical)
        margin = max(margin, (across - instrument.field) / 2)
    cells = good_size(instrument.image_grid().shape[0] + 2 * math.ceil(margin / pixel - 1e-6))
    cells = fitting(specimen, cells, pixel, CLOSING * lens.outermost_zone)
    finest = instrument.finest_period(energy)
    # what carries the light, and the image, of the shortest wavelength that is focused
    coarsest = min(finest / 2, lens.outermost_zone / 2) / sharpest(instrument)
    for samples, largest in SAMPLES["projection" if slabs == 1 else "multislice"]:
        bins = max(1, math.ceil(pixel / (instrument.wave_pixel or min(finest / samples, coarsest)) - 1e-9))
        if cells * bins <= largest:
            break
    if pixel / bins > coarsest * (1 + 1e-9):
        raise SamplingError(
            "the samples of the wave are too coarse for this objective and condenser",
            field="wave_pixel",
            value=f"{pixel / bins:.3g} m",
            allowed=f"<= {coarsest:.3g} m",
            cure="leave wave_pixel out, or make it smaller",
        )
    if (cells * bins) ** 2 > MOST:
        raise SamplingError(
            "the field needs too large a wave grid",
            field="field",
            value=f"{cells * bins} x {cells * bins} samples",
            allowed=f"<= {MOST} samples",
            cure="use a smaller field, a thinner specimen, or a larger wave_pixel",
        )
    return Grid((cells * bins, cells * bins), pixel / bins), bins


def check(instrument: FullField) -> None:
    """Raise or warn, with numbers, where the settings of a microscope do not fit each other."""
    instrument.objective.check(instrument.energy, "objective")
    check_harmonics(instrument)
    instrument.cone().check(instrument.energy, instrument.objective.numerical_aperture(instrument.energy))
    _check_direct(instrument)
    _check_camera(instrument)
    _check_bandwidth(instrument)
    _check_ring(instrument)


def check_modes(instrument: FullField, slabs: int, specimen: Specimen, grid: Grid) -> None:
    """Raise RangeError where images by modes are asked of a thick specimen; warn where no modes are good enough."""
    if instrument.imaging != "hopkins":
        return
    if slabs > 1:
        raise RangeError(
            "a specimen of several slabs has no modes that serve all directions of the light",
            field="imaging",
            value="hopkins",
            allowed="auto, abbe",
            cure='use imaging = "abbe", or model = "projection" where that holds',
        )
    defocus = instrument.focus_shift(instrument.energy) - structured_middle(specimen)
    try:
        error = least_error(Setting(grid, instrument.energy, instrument.lens(), instrument.cone(), defocus))
        text = f"are wrong by up to {error:.2g}, more than {TOLERANCE:.2g}" if error > TOLERANCE else ""
    except RangeError as mistake:
        text = f"do not serve: {mistake}"
    if text:
        _warn(ValidityWarning, f'imaging "hopkins": the modes of this light and objective {text}; use "abbe"')


def _check_direct(instrument: FullField) -> None:
    """Warn where none of the condenser's light passes the objective unscattered: what does not scatter is black."""
    cone, stop = instrument.cone(), instrument.objective.central_stop
    directions, weights = cone.directions()
    radius = np.hypot(directions[:, 0], directions[:, 1])
    if weights[(radius >= stop) & (radius <= 1)].sum() > 0:
        return
    if cone.inner > 1:
        cure = "condenser.inner below 1"
    else:
        cure = f"objective.central_stop below {cone.sigma:.3g}, or condenser.sigma above {stop:.3g}"
    _warn(
        ValidityWarning,
        f"condenser: its light, {cone.inner:.3g} to {cone.sigma:.3g} of the objective's aperture, meets no opening "
        f"(the objective is open from {stop:.3g} to 1), so that all that does not scatter is black (dark field); for a "
        f"bright field use {cure}",
    )


def _check_camera(instrument: FullField) -> None:
    n, period, pixel = instrument.image_grid().shape[0], instrument.finest_period(instrument.energy), instrument.pixel
    smallest = min(instrument.detector.shape)
    if pixel > instrument.field:
        limit = f"<= the field, {instrument.field:.3g} m"
        raise RangeError("pixel", field="pixel", value=f"{pixel:.3g} m", allowed=limit, cure="magnify more")
    if n > smallest:
        raise SamplingError(
            "the camera is smaller than the image of the field",
            field="field",
            value=f"{n} pixels",
            allowed=f"<= {smallest} pixels of the camera",
            cure=f"use a field of {smallest * pixel:.3g} m or less, a larger pixel or camera",
        )
    seen = n * pixel
    if abs(seen - instrument.field) > ROUNDED * instrument.field:
        _warn(
            SamplingWarning,
            f"field {instrument.field:.6g} m is {instrument.field / pixel:.6g} pixels of {pixel:.6g} m: the image has "
            f"{n} rows and columns and shows {seen:.6g} m, with {(seen / instrument.field) ** 2 - 1:+.2%} of the "
            f"light; use a field of {seen:.6g} m, or a pixel of {instrument.field / n:.6g} m",
        )
    if pixel > period / 2 * (1 + 1e-9):
        _warn(
            SamplingWarning,
            f"pixel {pixel:.3g} m is coarser than half the finest period that passes, {period / 2:.3g} m: "
            "detail aliases; magnify more",
        )


def _check_bandwidth(instrument: FullField) -> None:
    """A line's phase at the rim turns through N/2 dE/E periods over the width, N the number of zones."""
    band, lens = instrument.bandwidth, instrument.objective
    width, limit = band.relative_width, lens.largest_bandwidth()
    if width > limit:
        _warn(
            ValidityWarning,
            f"bandwidth.relative_width {width:.3g} is above 1/N = {limit:.3g} of the objective's "
            f"{lens.zone_count:.0f} zones: colours lie out of focus; use a narrower bandwidth or fewer, wider zones",
        )
    wanted = band.enough(lens.zone_count * width / 2)
    if width and band.samples < wanted:
        _warn(
            SamplingWarning,
            f"bandwidth.samples {band.samples} energies are too few for a blur of {width / limit:.3g} times the depth "
            f"of focus; use {wanted}",
        )
    lateral, detail = instrument.field / 2 * width, instrument.finest_period(instrument.energy) / 2
    if lateral > detail:
        _warn(
            ValidityWarning,
            f"bandwidth.relative_width {width:.3g} spreads the edge of the field by up to {lateral:.3g} m (lateral "
            f"colour), which is left out; for less than {detail:.3g} m use a field below {2 * detail / width:.3g} m",
        )


def _check_ring(instrument: FullField) -> None:
    """The ring must hold the direct light, leave the diffracted light alone, and shift the phase."""
    ring = instrument.ring()
    if ring is None:
        return
    inner, outer = ring.inner or 0.0, ring.outer or 0.0
    directions, weights = instrument.cone().directions()
    radius = np.hypot(directions[:, 0], directions[:, 1])
    missed = float(weights[(radius < inner * (1 - 1e-9)) | (radius > outer * (1 + 1e-9))].sum())
    lit = f"{instrument.cone().inner:.3g} to {instrument.cone().sigma:.3g}"
    if missed > MISSED:
        _warn(
            ValidityWarning,
            f"phase_ring: {missed:.1%} of the condenser's light misses the ring from {inner:.3g} to {outer:.3g} of the "
            f"aperture, at most {MISSED:.0%} should; match its inner and outer radius to the condenser's, {lit}",
        )
    covered = min(outer, 1.0) ** 2 - min(inner, 1.0) ** 2
    if covered > COVERED:
        _warn(
            ValidityWarning,
            f"phase_ring covers {covered:.1%} of the objective's pupil, more than {COVERED:.0%}: diffracted light is "
            f"advanced with the direct light; use a narrower annulus, condenser (now {lit}) and ring",
        )
    check_advance(ring, instrument.energy)


def check_advance(ring: PhaseRing, energy: float) -> None:
    """Warn where a ring hardly gives phase contrast at `energy` [eV], too far from 90 and 270 deg."""
    factor = ring.factor(energy)
    advance = -math.atan2(factor.imag, factor.real) % (2 * math.pi)
    if abs(math.sin(advance)) < SHIFT:
        quarter = ring.quarter_wave(energy)
        cure = "90 deg or 270 deg" if quarter is None else f"thickness {quarter:.3g} m or {3 * quarter:.3g} m"
        _warn(
            ValidityWarning,
            f"phase_ring advances the direct light of {energy:.6g} eV by {math.degrees(advance):.0f} deg, which gives "
            f"{abs(math.sin(advance)):.0%} of the phase contrast; use {cure}",
        )


def _warn(kind: type[Warning], text: str) -> None:
    warnings.warn(text, kind, stacklevel=5)
