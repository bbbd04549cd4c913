"""Laws of aberrated lenses: Strehl, line foci, coma's centre of mass, best focus, and what a grid can carry."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.integrate import quad_vec

from xsim.constants import wavelength
from xsim.errors import SamplingError
from xsim.optics.aberrations import Aberrations
from xsim.optics.imaging import abbe_image
from xsim.optics.zone_plate import ZonePlate
from xsim.waves.fft import fft2, ifftshift
from xsim.waves.grid import Grid

ENERGY = 700.0
GRID = Grid((512, 480), 12e-9)


def plate(stop: float = 0.0, **aberrations: object) -> ZonePlate:
    return ZonePlate(outermost_zone="25 nm", material="opaque", central_stop=stop, aberrations=aberrations)


def spot(defocus: float = 0.0, stop: float = 0.0, **aberrations: object) -> np.ndarray:
    return plate(stop, **aberrations).probe(GRID, ENERGY, defocus)


NA = float(plate().numerical_aperture(ENERGY))
LAM = float(wavelength(ENERGY))
Z = 2 * LAM / NA**2  # the defocus that cancels rho^2 of one wave


def peak_at(probe: np.ndarray, x: float = 0.0, y: float = 0.0) -> float:
    """Intensity at any point, by the probe's Fourier series."""
    qy, qx = GRID.frequencies()
    spectrum = fft2(ifftshift(probe)) / probe.size
    return float(np.abs(np.sum(spectrum * np.exp(1j * (qx * x + qy * y)))) ** 2)


@pytest.mark.parametrize("size", [0.05, -0.1, 0.2])
@pytest.mark.parametrize(
    ("name", "variance", "defocus", "shift"),
    [("spherical", 1 / 180, Z, 0.0), ("astigmatism", 1 / 6, 0.0, 0.0), ("coma", 1 / 72, 0.0, -2 / 3 * LAM / NA)],
)
def test_small_aberrations_dim_the_peak_by_their_variance(name, size, variance, defocus, shift):
    rms = 2 * np.pi * abs(size) * np.sqrt(variance)
    dimmed = peak_at(spot(defocus * size, **{name: size}), x=shift * size) / peak_at(spot())
    assert dimmed == pytest.approx(1 - rms**2, abs=0.6 * rms**4 + 2e-3 * rms**2 + 1e-6)


@pytest.mark.parametrize("size", [0.6, -1.1])
def test_an_astigmatic_lens_is_sharp_in_one_direction_at_each_of_its_line_foci(size):
    sharp = np.abs(spot()) ** 2
    first, second = (np.abs(spot(z * size * Z, astigmatism=size)) ** 2 for z in (1, -1))
    for axis, focused, blurred in ((0, first, second), (1, second, first)):
        line = sharp.sum(axis)
        assert np.max(np.abs(focused.sum(axis) - line)) < 2e-3 * line.max()
        assert blurred.sum(axis).max() < 0.55 * line.max()


def test_the_line_foci_turn_with_the_angle_of_astigmatism():
    turned = spot(0.6 * Z, astigmatism=0.6, astigmatism_angle="90 deg")
    assert np.allclose(turned, spot(0.6 * Z, astigmatism=-0.6), atol=1e-12)
    tilted = np.abs(spot(0.6 * Z, astigmatism=0.6, astigmatism_angle="30 deg")) ** 2
    y, x = (GRID.y[:, None], GRID.x[None, :])
    near = np.hypot(x, y) < 150e-9
    moments = [np.sum(tilted * near * a * b) for a, b in ((x, x), (y, y), (x, y))]
    assert np.arctan2(2 * moments[2], moments[0] - moments[1]) / 2 == pytest.approx(-np.pi / 3, abs=0.01)


@pytest.mark.parametrize("angle", [0.0, 70.0, -160.0])
def test_coma_moves_the_centre_of_mass_along_its_angle(angle):
    intensity = np.abs(spot(coma=0.8, coma_angle=f"{angle} deg")) ** 2
    near = np.hypot(GRID.x[None, :], GRID.y[:, None]) < 2.8e-6
    mass = np.sum(intensity * near)
    centre = np.array([np.sum(intensity * near * GRID.x[None, :]), np.sum(intensity * near * GRID.y[:, None])]) / mass
    want = -0.8 * LAM / NA * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    assert np.hypot(*(centre - want)) < 0.02 * np.hypot(*want)


@pytest.mark.parametrize("stop", [0.0, 0.5])
@pytest.mark.parametrize("size", [0.3, 1.5])
def test_the_axis_of_a_spherically_aberrated_lens_follows_fresnels_integral(stop, size):
    """On the axis U = int exp 2 pi i (A t^2 - D t) dt over t = rho^2: even about D = (1 + stop^2) A, best focus."""
    lens = plate(stop, spherical=size)
    best = lens.aberrations.best_focus(ENERGY, NA, stop)
    assert best == pytest.approx(size * (1 + stop**2) * Z)
    clear = peak_at(spot(stop=stop)) / (1 - stop**2) ** 2
    for offset in (-0.8, 0.0, 0.8):
        d = best / Z + offset
        axis, _ = quad_vec(lambda t, d=d: np.exp(2j * np.pi * (size * t * t - d * t)), stop**2, 1)
        assert peak_at(lens.probe(GRID, ENERGY, d * Z)) / clear == pytest.approx(abs(axis) ** 2, abs=4e-3)


#: no angle beyond what a scenario may hold: smaller than 1e-12 rad is refused
ANGLES = st.floats(-2, 2).map(lambda angle: round(angle, 9))


@given(*(st.floats(-2, 2) for _ in range(3)), ANGLES, ANGLES, st.floats(-1, 1), st.floats(-1, 1))
def test_rays_follow_the_slope_of_the_phase(spherical, astigmatism, coma, one, two, px, py):
    errors = Aberrations(
        spherical=spherical, astigmatism=astigmatism, coma=coma, coma_angle=f"{one} rad", astigmatism_angle=f"{two} rad"
    )
    h = 1e-5
    gx, gy = errors.gradient(px, py)
    assert gx == pytest.approx((errors.phase(px + h, py) - errors.phase(px - h, py)) / (4 * np.pi * h), abs=1e-6)
    assert gy == pytest.approx((errors.phase(px, py + h) - errors.phase(px, py - h)) / (4 * np.pi * h), abs=1e-6)


def test_the_ray_that_lands_farthest_is_known():
    assert plate(spherical=1.5).blur(ENERGY) == pytest.approx(6 * LAM / NA)
    assert plate(coma=2.0).blur(ENERGY) == pytest.approx(6 * LAM / NA)
    assert plate(astigmatism=0.5).blur(ENERGY, 0.5 * Z) == pytest.approx(2 * LAM / NA)
    assert plate().blur(ENERGY, -3e-6) == pytest.approx(3e-6 * NA)


def test_aberrations_too_steep_for_the_grid_are_refused_with_the_field_they_need():
    limit = min(GRID.extent) / 2 / (4 * LAM / NA)
    plate(spherical=0.99 * limit).probe(GRID, ENERGY)
    with pytest.raises(SamplingError, match=r"aberrated.* field of at least 6.2e-06 m"):
        plate(spherical=6.2e-6 / 2 / (4 * LAM / NA)).probe(GRID, ENERGY)
    with pytest.raises(SamplingError, match="aberrated"):
        abbe_image(np.ones(GRID.shape), GRID, ENERGY, plate(coma=limit * 2), np.zeros((1, 2)), np.ones(1))


def test_a_pinhole_in_coherent_light_looks_like_the_aberrated_spot():
    lens = plate(0.3, coma=0.7, astigmatism=0.4, astigmatism_angle="20 deg", spherical=-0.5)
    hole = np.zeros(GRID.shape)
    hole[GRID.shape[0] // 2, GRID.shape[1] // 2] = 1.0
    image = abbe_image(hole, GRID, ENERGY, lens, np.zeros((1, 2)), np.ones(1), defocus=2e-6)
    sharp = np.abs(np.fft.fftshift(np.fft.ifft2(lens.pupil(GRID, ENERGY, 2e-6)))) ** 2
    assert np.allclose(image, sharp, atol=1e-12 * sharp.max())


def test_an_aberrated_lens_comes_back_from_its_scenario_form_and_mistakes_are_named():
    lens = plate(coma=0.25, coma_angle="30 deg")
    assert ZonePlate.model_validate(lens.model_dump()) == lens
    for wrong in ({"trefoil": 1.0}, {"coma": float("nan")}, {"coma_angle": 3.0}):
        with pytest.raises(ValidationError, match=r"aberrations\."):
            plate(**wrong)
