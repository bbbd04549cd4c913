"""Resolution by lines, stars and edges, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import erf

from xsim.errors import RangeError
from xsim.metrics.edge import edge_profile, edge_response
from xsim.metrics.modulation import dominant_period, modulation, resolved, star_contrast
from xsim.specimen.population import at
from xsim.specimen.shapes.siemens_star import SiemensStar
from xsim.waves.grid import Grid

NM = 1e-9


def across(grid: Grid, angle: float) -> np.ndarray:
    return grid.x[None, :] * np.cos(angle) + grid.y[:, None] * np.sin(angle)


@pytest.mark.parametrize("angle", [0.0, 0.4, np.pi / 2, -1.2])
@pytest.mark.parametrize("contrast", [1.0, 0.3, 0.0])
def test_modulation_of_a_cosine_is_its_contrast_whatever_its_phase_and_number_of_periods(
    angle: float, contrast: float
) -> None:
    grid = Grid((61, 73), 2 * NM)
    image = 5 * (1 + contrast * np.cos(2 * np.pi * across(grid, angle) / (23.7 * NM) + 0.7))
    found = modulation(image, grid.pixel, 23.7 * NM, angle)
    assert found.value == pytest.approx(contrast, abs=1e-4)
    assert found.mean == pytest.approx(5)
    assert found.error < 1e-10
    assert abs(found.amplitudes[0]) == pytest.approx(2.5 * contrast, abs=1e-9)


def test_modulation_counts_the_extremes_of_a_profile_with_harmonics() -> None:
    grid = Grid((8, 600), 1 * NM)
    u = 2 * np.pi * across(grid, 0.0) / (30 * NM)
    image = 1 + 0.6 * np.cos(u) + 0.2 * np.cos(2 * u)
    high, low = 1.8, 1 + (0.6 * np.cos(t := np.linspace(0, 2 * np.pi, 100_001)) + 0.2 * np.cos(2 * t)).min()
    assert modulation(image, grid.pixel, 30 * NM).value == pytest.approx((high - low) / (high + low), abs=1e-4)


def test_the_error_of_a_modulation_is_that_of_many_trials() -> None:
    grid, rng = Grid((40, 40), 1 * NM), np.random.default_rng(1)
    clean = 100 * (1 + 0.2 * np.cos(2 * np.pi * across(grid, 0.3) / (9 * NM)))
    found = [modulation(clean + rng.normal(0, 10, clean.shape), NM, 9 * NM, 0.3, harmonics=1) for _ in range(200)]
    values = np.array([f.value for f in found])
    assert values.mean() == pytest.approx(0.2, abs=0.002)
    assert np.std(values) == pytest.approx(np.mean([f.error for f in found]), rel=0.2)


@pytest.mark.parametrize(("period", "angle"), [(17.3, 0.3), (9.1, -1.0), (31.0, 1.5)])
def test_the_period_and_direction_of_lines_are_found(period: float, angle: float) -> None:
    grid, rng = Grid((96, 110), 1 * NM), np.random.default_rng(2)
    image = 10 + np.cos(2 * np.pi * across(grid, angle) / (period * NM) + 1) + rng.normal(0, 0.5, grid.shape)
    found, direction = dominant_period(image, grid.pixel)
    assert found == pytest.approx(period * NM, rel=0.01)
    assert direction == pytest.approx(angle, abs=0.01)


def test_lines_that_an_image_cannot_show_are_refused() -> None:
    with pytest.raises(RangeError, match="period of lines"):
        modulation(np.ones((20, 20)), 1 * NM, 1.9 * NM)
    with pytest.raises(RangeError, match="period of lines"):
        modulation(np.ones((20, 20)), 1 * NM, 21 * NM)
    with pytest.raises(RangeError, match="mean"):
        modulation(np.zeros((20, 20)), 1 * NM, 5 * NM)
    with pytest.raises(RangeError, match="without structure"):
        dominant_period(np.full((20, 20), 3.0), 1 * NM)


def test_the_contrast_of_a_blurred_star_is_the_transfer_function_of_the_blur() -> None:
    star = SiemensStar(spokes=18, inner_radius="60 nm", outer_radius="600 nm", height="10 nm")
    grid, sigma = Grid((640, 640), 2 * NM), 9 * NM
    image = np.zeros(grid.shape)
    star.add_thickness(image, at([[0, 0, 0]]), grid, -np.inf, np.inf)
    qy, qx = grid.frequencies()
    blurred = np.fft.ifft2(np.fft.fft2(image) * np.exp(-(qx**2 + qy**2) * sigma**2 / 2)).real
    radii = np.linspace(120, 500, 20) * NM
    half, sharp = star_contrast(image, grid.pixel, 18, radii)
    assert sharp == pytest.approx(1, abs=0.02)
    half, contrast = star_contrast(blurred, grid.pixel, 18, radii)
    theory = np.exp(-((np.pi / half) ** 2) * sigma**2 / 2)
    assert np.abs(contrast - theory).max() < 0.03
    # where the closed form falls to a half
    expected = np.pi * sigma / np.sqrt(2 * np.log(2))
    assert resolved(half, contrast, 0.5) == pytest.approx(expected, rel=0.03)
    assert resolved(half, contrast, 0.999) is None
    assert resolved(half, sharp, 0.5) == half.min()
    with pytest.raises(RangeError, match="radius of a circle"):
        star_contrast(image, grid.pixel, 18, [10 * NM])


@pytest.mark.parametrize("angle", [0.0, 0.1, 2.0])
@pytest.mark.parametrize("sigma", [3.0, 6.0])
def test_an_edge_blurred_by_a_gaussian_has_its_width(angle: float, sigma: float) -> None:
    grid = Grid((120, 121), 1 * NM)
    place = 4.3 * NM
    image = 7 + 50 * (1 + erf((across(grid, angle) - place) / (np.sqrt(2) * sigma * NM)))
    found = edge_response(*edge_profile(image, grid.pixel, angle))
    assert found.sigma == pytest.approx(sigma * NM, rel=0.01)
    assert found.width == pytest.approx(2.5631 * sigma * NM, rel=0.02)
    assert found.position == pytest.approx(place, abs=0.1 * NM)
    assert (found.low, found.high) == pytest.approx((7, 107), abs=0.1)


def test_the_width_of_an_edge_is_that_of_the_diffraction_limit() -> None:
    """Incoherent light through a slit of half-width q0: the line spread is sinc^2, without a second moment."""
    from scipy.special import sici

    u = np.linspace(-600, 600, 40_001)  # q0 u; the levels are reached as slowly as 1/u
    edge = 0.5 + (sici(2 * u)[0] - np.sin(u) ** 2 / np.where(u == 0, 1, u)) / np.pi
    found = edge_response(u * NM, edge)
    lo, hi = np.interp([0.1, 0.9], edge[np.abs(u) < 3], u[np.abs(u) < 3])
    assert found.width == pytest.approx((hi - lo) * NM, rel=0.003)


def test_a_falling_edge_and_a_profile_without_one() -> None:
    u = np.linspace(-20, 20, 81) * NM
    falling = 3 - 2 * np.tanh(u / (4 * NM))
    assert edge_response(u, falling).width == pytest.approx(2 * np.arctanh(0.8) * 4 * NM, rel=0.01)
    with pytest.raises(RangeError, match="without an edge"):
        edge_response(u, np.ones(81))
