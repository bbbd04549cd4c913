"""Laws of condensers: how well points stand for the cone, zone plates' hollow cones, the source's image."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from pydantic import ValidationError

from xsim.constants import wavelength, wavenumber
from xsim.errors import RangeError, SamplingWarning, ValidityWarning
from xsim.optics.condenser import Condenser
from xsim.optics.imaging import abbe_image
from xsim.optics.zone_plate import ZonePlate
from xsim.waves.grid import Grid

ENERGY = 700.0
LENS = ZonePlate(outermost_zone="20 nm", material="opaque")
NA = float(LENS.numerical_aperture(ENERGY))


def overlap(shift: np.ndarray, radius: float) -> np.ndarray:
    """Area that a disk of `radius` shares with the unit disk `shift` away, by integrating chords."""
    if radius == 0:
        return np.zeros_like(shift)
    x = np.linspace(-radius, radius, 8001)
    x = (x[1:] + x[:-1]) / 2
    own = np.sqrt(radius**2 - x**2)
    other = np.sqrt(np.maximum(1 - (x - shift[:, None]) ** 2, 0))
    return 2 * np.minimum(own, other).sum(axis=1) * (2 * radius / 8000)


@pytest.mark.parametrize("points", [24, 100, 400])
@pytest.mark.parametrize(("sigma", "inner"), [(0.38, 0.0), (0.8, 0.0), (0.5, 0.45), (1.0, 0.8)])
def test_the_share_of_the_cone_in_a_shifted_pupil_is_as_wrong_as_the_condenser_says(sigma, inner, points):
    condenser = Condenser(sigma=sigma, inner=inner, points=points)
    directions, weights = condenser.directions()
    shift, angle = np.linspace(0.05, 0.98 + sigma, 40), np.linspace(0, 2 * np.pi, 36, endpoint=False)
    exact = (overlap(shift, sigma) - overlap(shift, inner)) / (np.pi * (sigma**2 - inner**2))
    x, y = shift[:, None, None] * np.cos(angle)[:, None], shift[:, None, None] * np.sin(angle)[:, None]
    inside = np.hypot(directions[:, 0] - x, directions[:, 1] - y) <= 1
    wrong = inside @ weights - exact[:, None]
    assert 0.4 * condenser.error < np.max(np.abs(wrong)) < 1.35 * condenser.error
    assert np.sqrt(np.mean(wrong**2)) < 0.35 * condenser.error


def test_too_few_points_are_warned_of_with_the_number_that_serves():
    with pytest.warns(SamplingWarning, match=r"condenser\.points 12.*up to 0\.16.*use 22 points"):
        Condenser(points=12).check(ENERGY, NA)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for fine in (Condenser(points=22), Condenser(points=12, tolerance=0.2), Condenser(sigma=0, points=1)):
            fine.check(ENERGY, NA)
    with pytest.warns(SamplingWarning, match="use 4636 points"):
        Condenser(points=1000, tolerance=0.00178).check(ENERGY, NA)


@pytest.mark.parametrize("energy", [300.0, 2000.0])
def test_a_condenser_zone_plate_gives_a_hollow_cone_whatever_the_energy(energy):
    plate = ZonePlate(outermost_zone="50 nm", material="opaque", central_stop=0.8)
    cone = Condenser(zone_plate=plate, points=40).before(LENS)
    ratio = float(plate.numerical_aperture(energy) / LENS.numerical_aperture(energy))
    assert (cone.sigma, cone.inner) == (pytest.approx(ratio), pytest.approx(0.8 * ratio))
    assert Condenser(zone_plate=LENS).before(LENS).sigma == pytest.approx(1)
    radius = np.hypot(*cone.directions()[0].T)
    assert radius.min() >= cone.inner
    assert radius.max() <= cone.sigma
    assert cone.before(LENS) == cone


def test_a_condenser_comes_back_from_its_scenario_form():
    for table in (
        {"sigma": 0.38, "points": 60},
        {"zone_plate": {"outermost_zone": "50 nm", "central_stop": 0.5}},
        {"critical": {"width": ["3 um", "1 um"], "shape": "ellipse", "center": ["0.1 um", "0 um"]}},
    ):
        condenser = Condenser.model_validate(table)
        assert Condenser.model_validate(condenser.model_dump()) == condenser


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"zone_plate": {}, "sigma": 0.3}, "given twice"),
        ({"sigma": 0, "critical": {}}, "images the source"),
        ({"critical": {"shape": "star"}}, "shape"),
        ({"critical": {"width": ["1 um", "0 um"]}}, "width"),
        ({"tolerance": 0}, "tolerance"),
        ({"sigma": 5}, "sigma"),
    ],
)
def test_condensers_that_make_no_sense_are_refused(table, message):
    with pytest.raises(ValidationError, match=message):
        Condenser.model_validate(table)


def test_a_condenser_zone_plate_needs_an_objective_it_can_fill():
    condenser = Condenser(zone_plate={"outermost_zone": "4 nm"})
    with pytest.raises(RangeError, match="zones of 5e-09 m or more"):
        condenser.before(LENS)
    with pytest.raises(RangeError, match="before"):
        condenser.directions()


def test_even_light_is_no_map_at_all():
    assert Condenser().light(Grid((8, 8), 1e-8), 1e-7, ENERGY, NA) is None


def by_source_points(image: dict, grid: Grid, cone: tuple[float, float], objects: list, pitch: int) -> list:
    """Light and images of transmissions by the sum over points of the source, each focused by the condenser."""
    qy, qx = grid.frequencies()
    q, k = np.hypot(qx, qy), float(wavenumber(ENERGY))
    spot = np.fft.ifft2((q <= k * cone[1]) & (q >= k * cone[0]))
    spot /= np.sqrt(np.sum(np.abs(spot) ** 2))
    totals = [np.zeros(grid.shape) for _ in objects]
    y, x = np.meshgrid(grid.y[::pitch], grid.x[::pitch], indexing="ij")
    bright = image(x, y)
    for j, i in zip(*np.nonzero(bright > 1e-6), strict=True):
        wave = np.roll(spot, (j * pitch - grid.shape[0] // 2, i * pitch - grid.shape[1] // 2), (0, 1))
        for total, (thing, pupil) in zip(totals, objects, strict=True):
            total += bright[j, i] * np.abs(np.fft.ifft2(np.fft.fft2(np.fft.fftshift(wave) * thing) * pupil)) ** 2
    return totals


@pytest.mark.parametrize(("inner", "within"), [(0.0, 0.015), (0.3, 0.03)])
def test_critical_illumination_is_the_sum_over_the_points_of_the_source(inner, within):
    sigma, n = 0.6, 96
    grid = Grid((n, n), 9.5e-9)
    resolution = float(wavelength(ENERGY)) / (2 * sigma * NA)
    wide, high = 6 * resolution, 4 * resolution

    def gaussian(x, y):
        return np.exp(-4 * np.log(2) * ((x / wide) ** 2 + ((y - 2e-8) / high) ** 2))

    x, y = grid.x[None, :], grid.y[:, None]
    thing = 1 - 0.8 * ((np.hypot(x - 8e-8, y) < 6e-8) | ((abs(x + 1.2e-7) < 1.5e-8) & (abs(y) < 2e-7)))
    thing = thing * np.exp(-0.7j * (np.hypot(x, y - 1.5e-7) < 5e-8))
    qy, qx = grid.frequencies()
    pupil = LENS.pupil_at(qx, qy, ENERGY)
    cone = (inner * NA, sigma * NA)
    lit, seen = by_source_points(gaussian, grid, cone, [(np.ones(grid.shape), 1.0), (thing, pupil)], 3)
    critical = {"width": [f"{wide} m", f"{high} m"], "center": ["0 m", "20 nm"]}
    condenser = Condenser(sigma=sigma, inner=inner, points=500, critical=critical)
    light = condenser.light(grid, n * 9.5e-9, ENERGY, NA)
    scale = lit.max() / light.max()
    middle = np.s_[16:-16, 16:-16]  # the spot's tails come in again at the grid's edge
    # the sum's pupil is made of whole frequencies: 1 % of the area of the hollow one
    assert np.max(np.abs(scale * light - lit)[middle]) < (3e-3 if inner else 2e-3) * lit.max()
    got = abbe_image(thing * np.sqrt(light), grid, ENERGY, LENS, *condenser.directions())
    assert np.max(np.abs(scale * got - seen)[middle]) < within * seen.max()


@pytest.mark.parametrize("shape", ["rectangle", "ellipse", "gaussian"])
def test_the_source_image_keeps_its_size_and_place(shape):
    image = {"width": ["1.2 um", "0.8 um"], "shape": shape, "center": ["-0.2 um", "0.1 um"]}
    condenser = Condenser(sigma=0.9, critical=image)
    grid = Grid((200, 220), 10e-9)
    light = condenser.light(grid, 2.2e-6, ENERGY, NA)
    x, y = grid.x + 0.2e-6, grid.y - 0.1e-6
    row, column = light[110], light[:, 90]  # through the middle of the image
    assert np.ptp(x[row > row.max() / 2]) == pytest.approx(1.2e-6, abs=3e-8)
    assert np.ptp(y[column > column.max() / 2]) == pytest.approx(0.8e-6, abs=3e-8)
    small = condenser.light(grid, 1e-6, ENERGY, NA)
    square = np.s_[50:150, 60:160]
    assert small[square].mean() == pytest.approx(1, abs=0.01)
    assert np.allclose(small[square] / small[square].max(), light[square] / light[square].max(), atol=1e-6)
    if shape == "gaussian":  # no step where the grid begins again
        around = np.concatenate([small, small], axis=1)[:, 210:230]
        assert np.max(np.abs(np.diff(around, axis=1))) < 0.05 * small.max()
    else:  # flat inside, dark outside, half at the edge
        assert light[110, 90] == pytest.approx(light[120, 75], rel=0.02)
        assert light[110, 90 + 80] < 0.02 * light[110, 90]


def test_source_images_too_small_too_large_or_beside_the_field_are_named():
    grid = Grid((64, 64), 10e-9)
    with pytest.warns(ValidityWarning, match=r"critical\.width 5e-08 m is not broad"):
        Condenser(critical={"width": ["50 nm", "2 um"]}).check(ENERGY, NA)
    with pytest.raises(RangeError, match="evenly"):
        Condenser(critical={"width": ["1 mm", "1 mm"], "shape": "ellipse"}).light(grid, 6e-7, ENERGY, NA)
    with pytest.raises(RangeError, match="misses the field"):
        Condenser(critical={"width": ["1 um", "1 um"], "center": ["9 um", "0 um"]}).light(grid, 6e-7, ENERGY, NA)
