"""Images by Hopkins' modes against Abbe's sum, and both against cross-coefficients of gratings worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from xsim.constants import wavelength
from xsim.errors import RangeError, SamplingError, ValidityWarning
from xsim.optics.condenser import Condenser
from xsim.optics.hopkins import Setting, hopkins_modes
from xsim.optics.imaging import abbe_image
from xsim.optics.partial_coherence import partially_coherent_image
from xsim.optics.phase_ring import PhaseRing, RingedLens
from xsim.optics.zone_plate import ZonePlate
from xsim.threads import use_threads
from xsim.waves.grid import Grid

ENERGY = 800.0
GRID = Grid((144, 120), 7e-9)
LENS = ZonePlate(outermost_zone="20 nm", material="opaque")
WRONG = ZonePlate(
    outermost_zone="25 nm", material="opaque", central_stop=0.3,
    aberrations={"coma": 0.25, "coma_angle": "40 deg", "spherical": 0.2},
)  # fmt: skip


def setting(lens: object = LENS, defocus: float = 0.0, grid: Grid = GRID, **light: float) -> Setting:
    return Setting(grid, ENERGY, lens, Condenser(**light), defocus)


def objects(grid: Grid = GRID) -> list[np.ndarray]:
    """Not those that the error was estimated on."""
    x, y = grid.x[None, :] / 40e-9, grid.y[:, None] / 40e-9
    rng = np.random.default_rng(5)
    return [
        np.exp(1j * rng.normal(size=grid.shape) * 0.5) * rng.random(grid.shape),
        (np.floor((x + 0.3 * y) / 0.55) % 2) * np.exp(0.3j * np.sin(y)),
        1 - 0.9 * ((np.hypot(x - 2, y + 3) < 1.1) | (np.hypot(x + 1, y) < 0.5)),
        np.exp(-1.5j * (np.abs(x) + np.abs(y) < 3)),
    ]


def abbe(one: Setting, wave: np.ndarray) -> np.ndarray:
    return abbe_image(wave, one.grid, one.energy, one.objective, *one.condenser.directions(), defocus=one.defocus)


@pytest.mark.parametrize(
    "one",
    [
        setting(sigma=0.38),
        setting(sigma=0.5, inner=0.45, points=60),
        setting(sigma=0.7, points=60),
        setting(sigma=0.4, defocus=7e-7),
        setting(WRONG, sigma=0.4, points=50),
        setting(sigma=0.3, points=300, grid=Grid((90, 131), 9e-9)),
    ],
    ids=["disk", "annulus", "wide", "defocus", "aberrations", "many"],
)
def test_images_by_modes_are_within_their_stated_error_of_abbes_sum(one):
    modes = hopkins_modes(one, 2e-3, False)
    assert len(modes.kernels) < min(len(one.condenser.directions()[1]), 64)
    assert modes.error <= 2e-3
    worst = 0.0
    for wave in objects(one.grid):
        exact = abbe(one, wave)
        worst = max(worst, np.max(np.abs(modes.image(wave) - exact)))
        assert modes.image(wave).mean() == pytest.approx(exact.mean(), rel=1e-10)  # the missing light is all there
    assert 0.02 * modes.error < worst < modes.error


def test_the_light_of_the_missing_modes_matters():
    one = setting(sigma=0.38)
    wave = objects()[1]
    modes = hopkins_modes(one, 2e-3, False)
    exact, got = abbe(one, wave), modes.image(wave)
    # the same modes without what they leave out
    bare = type(modes)(modes.lattice, modes.box, modes.kernels, 0 * modes.missing, 0.0).image(wave)
    assert np.max(np.abs(bare - exact)) > 2 * np.max(np.abs(got - exact))


def test_all_modes_together_are_abbes_sum():
    one = setting(WRONG, sigma=0.8, points=24, defocus=4e-7)
    modes = hopkins_modes(one, 1e-5, False)
    for wave in objects():
        assert np.max(np.abs(modes.image(wave) - abbe(one, wave))) < (1e-11 if len(modes.kernels) == 24 else 1e-5)
    assert len(modes.kernels) >= 20


def test_a_stricter_tolerance_takes_more_modes():
    counts = [len(hopkins_modes(setting(sigma=0.3, points=60), t, False).kernels) for t in (1e-2, 2e-3, 5e-4)]
    assert counts == sorted(set(counts))


def test_nothing_passes_beyond_the_cut_off_by_modes_either():
    cut = float(wavelength(ENERGY) / (LENS.numerical_aperture(ENERGY) * 1.38))  # period
    for factor, passes in ((0.995, False), (1.1, True)):
        grid = Grid((120, 120), factor * cut / 12)
        wave = (1.0 + np.cos(2 * np.pi * np.arange(120) / 12)) * np.ones((120, 1)) / 2
        for image in (hopkins_modes(setting(sigma=0.38, grid=grid), 2e-3, False).image(wave),
                      abbe(setting(sigma=0.38, grid=grid), wave)):  # fmt: skip
            assert (np.ptp(image) > 1e-3) if passes else (np.ptp(image) < 1e-12)


def test_modes_and_images_have_the_same_bits_for_any_number_of_threads():
    one, wave = setting(sigma=0.38, points=80), objects()[0].astype(np.complex64)
    images = []
    for threads in (1, 2, 3):
        hopkins_modes.cache_clear()
        with use_threads(threads):
            images.append((hopkins_modes(one, 2e-3).image(wave), partially_coherent_image(wave, one, "abbe")))
    for one_way, other_way in images[1:]:
        assert np.array_equal(one_way, images[0][0])
        assert np.array_equal(other_way, images[0][1])


def test_single_precision_is_good_to_a_millionth():
    one = setting(sigma=0.5, points=60, defocus=5e-7)
    for wave in objects():
        exact = abbe(one, wave)
        assert np.max(np.abs(abbe(one, wave.astype(np.complex64)) - exact)) < 2e-6 * exact.max()


def test_auto_takes_abbes_sum_for_little_work_and_thick_specimens():
    one, wave = setting(sigma=0.4, points=30), objects()[2]
    assert np.array_equal(partially_coherent_image(wave, one), abbe(one, wave))
    assert np.array_equal(partially_coherent_image(lambda tilt: wave, one), abbe(one, wave))
    assert np.max(np.abs(partially_coherent_image(wave, one, "hopkins", 1e-2) - abbe(one, wave))) > 1e-9


def test_light_that_few_modes_do_not_carry_is_told_with_the_error_and_summed():
    wave = objects()[2]
    with pytest.raises(RangeError, match="imaging"):
        partially_coherent_image(lambda tilt: wave, setting(), "hopkins")
    far = setting(defocus=1.8e-5, sigma=0.5, grid=Grid((200, 200), 9e-9))
    with pytest.raises(RangeError, match="lambda/NA off the axis"):
        hopkins_modes(far)
    ring = RingedLens(LENS, PhaseRing().fitted(0.25, 0.6))
    ringed = setting(ring, sigma=0.6, inner=0.25, points=200)
    with pytest.raises(RangeError, match=r"64 modes.*allowed: >= 0\.0"):
        hopkins_modes(ringed, 1e-4)
    with pytest.warns(ValidityWarning, match="Abbe's sum is used"):
        assert np.array_equal(partially_coherent_image(wave, ringed, "hopkins", 1e-4), abbe(ringed, wave))
    with pytest.raises(SamplingError):
        hopkins_modes(setting(grid=Grid((64, 64), 12e-9)))


def by_cross_coefficients(orders: np.ndarray, shift: float, light: tuple[float, float], rim: object) -> np.ndarray:
    """Fourier coefficients of the image of a grating: sums over a fine square raster of the source.

    orders: amplitudes -m .. m; shift: of one order, in units of the aperture; rim(px, py): phase of the pupil.
    """
    outer, inner = light
    side = (np.arange(301) - 150) / 150 * outer
    sx, sy = np.meshgrid(side, side)
    lit = (np.hypot(sx, sy) <= outer) & (np.hypot(sx, sy) >= inner)
    sx, sy = sx[lit], sy[lit]
    m = len(orders) // 2
    waves = []
    for order, amplitude in zip(range(-m, m + 1), orders, strict=True):
        px = sx + order * shift
        waves.append(amplitude * (np.hypot(px, sy) <= 1) * np.exp(1j * rim(px, sy)))
    coefficients = np.zeros(4 * m + 1, np.complex128)
    for i, one in enumerate(waves):
        for j, other in enumerate(waves):
            coefficients[i - j + 2 * m] += np.mean(one * other.conj())
    return coefficients


@pytest.mark.parametrize(
    ("energy", "zone", "half_period", "light", "defocus", "spherical", "astigmatism"),
    [
        (815.0, 15, 17.0, (0.38, 0.0), 0.0, 0.0, 0.0),
        (520.0, 25, 31.0, (0.7, 0.0), 0.8, 0.0, 0.0),
        (2000.0, 40, 33.0, (0.6, 0.5), 0.0, 0.3, 0.0),
        (400.0, 30, 26.0, (1.0, 0.0), 0.0, 0.0, 0.0),
        (1500.0, 20, 45.0, (0.5, 0.2), -0.5, 0.25, 0.2),
        (700.0, 25, 14.0, (0.9, 0.8), 0.3, 0.0, -0.15),
    ],
)
def test_images_of_gratings_follow_their_cross_coefficients(
    energy, zone, half_period, light, defocus, spherical, astigmatism
):
    aberrations = {"spherical": spherical, "astigmatism": astigmatism}
    lens = ZonePlate(outermost_zone=f"{zone} nm", material="opaque", aberrations=aberrations)
    aperture, lam = float(lens.numerical_aperture(energy)), float(wavelength(energy))
    period, samples, n = 2 * half_period * 1e-9, 32, 160
    grid = Grid((n, n), period / samples)
    line = np.where(np.arange(n) % samples < samples * 3 // 8, 0.2 * np.exp(-0.9j), 1.0)
    spectrum = np.fft.fft(line[:samples]) / samples
    m = 6
    orders = spectrum[np.arange(-m, m + 1)]
    z = defocus * lam / aperture**2

    def rim(px, py):  # in waves: -z NA^2 rho^2/2 lambda for a flight z
        r2 = px**2 + py**2
        return 2 * np.pi * (-defocus / 2 * r2 + spherical * r2**2 + astigmatism * (px**2 - py**2))

    coefficients = by_cross_coefficients(orders, lam / period / aperture, light, rim)
    x = 2 * np.pi * np.arange(n) / samples
    want = sum(c * np.exp(1j * k * x) for k, c in zip(range(-2 * m, 2 * m + 1), coefficients, strict=True))
    condenser = Condenser(sigma=light[0], inner=light[1], points=1000)
    got = abbe_image(np.tile(line, (n, 1)), grid, energy, lens, *condenser.directions(), defocus=z)
    assert np.max(np.abs(got - got[:1])) < 1e-12
    assert np.max(np.abs(want.imag)) < 1e-12
    assert np.max(np.abs(got[0] - want.real)) < 6 * condenser.error * np.abs(orders[m]) * np.abs(orders[m + 1]) + 1e-3
    one = Setting(grid, energy, lens, Condenser(sigma=light[0], inner=light[1], points=200), z)
    few = hopkins_modes(one, 1e-2, False)
    assert np.max(np.abs(few.image(np.tile(line, (n, 1))) - abbe(one, np.tile(line, (n, 1))))) < few.error
