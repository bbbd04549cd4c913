"""Laws of free-space propagation, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import fresnel as fresnel_integrals

from xsim.constants import wavelength
from xsim.errors import SamplingError
from xsim.threads import use_threads as threads
from xsim.waves import angular_spectrum
from xsim.waves.grid import Grid
from xsim.waves.wavefield import Wavefield

ENERGY = 8000.0
LAMBDA = wavelength(ENERGY)


def _rng() -> np.random.Generator:
    return np.random.default_rng(1)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.complex128, 1e-10), (np.complex64, 1e-5)])
def test_two_steps_are_one_step(dtype, tolerance):
    grid = Grid((96, 128), 20e-9)
    wave = (_rng().normal(size=grid.shape) + 1j * _rng().normal(size=grid.shape)).astype(dtype)
    limit = angular_spectrum.longest_distance(grid, ENERGY)
    once = angular_spectrum.propagate(wave, grid, ENERGY, 0.9 * limit)
    half = angular_spectrum.propagate(wave, grid, ENERGY, 0.2 * limit)
    twice = angular_spectrum.propagate(half, grid, ENERGY, 0.7 * limit)
    assert once.dtype == dtype
    assert np.linalg.norm(twice - once) <= tolerance * np.linalg.norm(once)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.complex128, 1e-10), (np.complex64, 1e-5)])
@pytest.mark.parametrize("paraxial", [True, False])
def test_energy_is_conserved(dtype, tolerance, paraxial):
    grid = Grid((64, 90), 20e-9)
    wave = (_rng().normal(size=grid.shape) + 1j * _rng().normal(size=grid.shape)).astype(dtype)
    after = angular_spectrum.propagate(wave, grid, ENERGY, 1e-6, paraxial=paraxial)
    assert np.sum(np.abs(after.astype(complex)) ** 2) == pytest.approx(
        np.sum(np.abs(wave.astype(complex)) ** 2), rel=tolerance
    )


def test_evanescent_waves_are_cut():
    grid = Grid((32, 32), LAMBDA / 4)
    _, qx = grid.frequencies()
    wave = np.exp(1j * qx[0, 12] * grid.x)[None, :] * np.ones((32, 1))  # q = 1.5 k
    assert np.max(np.abs(angular_spectrum.propagate(wave, grid, ENERGY, LAMBDA / 8))) < 1e-12


def test_a_tilted_plane_wave_gains_the_exact_phase():
    grid = Grid((8, 64), LAMBDA)
    kx = grid.frequencies()[1][0, 20]
    k = 2 * np.pi / LAMBDA
    wave = np.exp(1j * kx * grid.x)[None, :] * np.ones((8, 1))
    z = 5 * LAMBDA
    got = angular_spectrum.propagate(wave, grid, ENERGY, z)
    assert np.allclose(got, wave * np.exp(1j * z * (np.sqrt(k**2 - kx**2) - k)), atol=1e-11)
    paraxial = angular_spectrum.propagate(wave, grid, ENERGY, z, paraxial=True)
    assert np.allclose(paraxial, wave * np.exp(-0.5j * z * kx**2 / k), atol=1e-11)


@pytest.mark.parametrize("fresnel_number", [1.0, 1.7, 3.0, 4.4])
def test_light_on_the_axis_behind_a_circular_aperture(fresnel_number):
    n = 1024
    grid = Grid((n, n), 8e-9)
    radius = 0.95 * np.sqrt(n * fresnel_number) * grid.pixel
    z = radius**2 / (fresnel_number * LAMBDA)
    r = np.hypot(grid.x[None, :], grid.y[:, None])
    aperture = np.clip((radius - r) / grid.pixel + 0.5, 0, 1)
    field = Wavefield(aperture.astype(complex), grid, ENERGY).propagated(z)
    on_axis = field.intensity[n // 2, n // 2]
    assert on_axis == pytest.approx(4 * np.sin(np.pi * fresnel_number / 2) ** 2, abs=0.02)


def test_light_behind_a_straight_edge():
    n = 8192
    grid = Grid((1, n), 10e-9)
    z = 1e-3
    edge = ((grid.x >= 0) & (grid.x < n // 4 * grid.pixel)).astype(complex)
    edge[np.argmin(np.abs(grid.x))] = 0.5  # the edge runs through the middle of this pixel
    grid_tall = Grid((n, 1), 10e-9)
    with pytest.raises(SamplingError):
        angular_spectrum.propagate(edge[:, None], grid_tall, ENERGY, z)
    kernel = angular_spectrum.transfer_function(grid, ENERGY, z)
    intensity = np.abs(np.fft.ifft(np.fft.fft(np.fft.ifftshift(edge)) * kernel[0])) ** 2
    intensity = np.fft.fftshift(intensity)
    assert intensity[n // 2] == pytest.approx(0.25, abs=5e-3)
    assert intensity[n // 2 : n // 2 + 400].max() == pytest.approx(1.3704, abs=0.02)
    s, c = fresnel_integrals(grid.x * np.sqrt(2 / (LAMBDA * z)))
    exact = ((0.5 + c) ** 2 + (0.5 + s) ** 2) / 2
    near = slice(n // 2 - 300, n // 2 + 300)
    assert np.max(np.abs(intensity[near] - exact[near])) < 0.03


@pytest.mark.parametrize(("share", "shift"), [(1.0, 0), (0.5, 8)])
def test_a_grating_images_itself_at_the_talbot_distance(share, shift):
    grid = Grid((64, 64), 20e-9)
    period = 16 * grid.pixel
    line = (np.arange(64) // 8) % 2
    wave = np.exp(-0.7j * line)[None, :] * np.ones((64, 1))
    z = share * 2 * period**2 / LAMBDA
    big = Grid((64 * 8, 64 * 8), 20e-9)
    wave = np.tile(wave, (8, 8)).astype(complex)
    got = angular_spectrum.propagate(wave, big, ENERGY, z, paraxial=True)
    assert np.allclose(got, np.roll(wave, shift, 1), atol=1e-9)


def test_propagation_that_would_alias_is_refused_with_the_limit_and_the_cure():
    grid = Grid((128, 256), 50e-9)
    limit = 128 * grid.pixel**2 / LAMBDA
    wave = np.ones(grid.shape, complex)
    angular_spectrum.propagate(wave, grid, ENERGY, -limit)
    with pytest.raises(SamplingError) as caught:
        angular_spectrum.propagate(wave, grid, ENERGY, 1.01 * limit)
    assert f"{limit:.4g}" in str(caught.value)
    assert "130 pixels" in str(caught.value)
    assert "fresnel" in str(caught.value)


def test_two_weak_layers_lose_the_period_root_lambda_l():
    """The contrast of two equal weak layers a gap L apart vanishes first at period sqrt(lambda L)."""
    energy, gap = 520.0, 10e-6
    lam = wavelength(energy)
    assert np.sqrt(lam * gap) == pytest.approx(154.4e-9, abs=0.05e-9)
    epsilon = 1e-4

    def contrast(period: float) -> float:
        n = 64
        grid = Grid((n, n), period * 12 / n)
        layer = 1 + 1j * epsilon * np.cos(2 * np.pi * grid.x / period)[None, :] * np.ones((n, 1))
        field = angular_spectrum.propagate(layer, grid, energy, gap, paraxial=True) * layer
        spectrum = np.abs(np.fft.fft2(field)) / n**2
        return float(spectrum[0, 12] / epsilon)

    null = np.sqrt(lam * gap)
    assert contrast(null) < 1e-3
    assert contrast(10 * null) == pytest.approx(1.0, rel=2e-3)
    assert contrast(null / np.sqrt(2)) == pytest.approx(1.0, rel=1e-3)


@pytest.mark.parametrize("tilt", [(0.0, 0.0), (3e6, -1e7)])
@pytest.mark.parametrize("options", [{}, {"band": 0.6}, {"paraxial": True}])
@pytest.mark.parametrize(("shape", "pixel"), [((64, 75), 5e-9), ((33, 32), 0.8e-9), ((400, 500), 10e-9)])
def test_the_compiled_transfer_function_is_the_exact_one_rounded_once(shape, pixel, options, tilt):
    grid, distance = Grid(shape, pixel), 3e-6
    exact = angular_spectrum.transfer_function(grid, 520.0, distance, tilt=tilt, **options)
    got = angular_spectrum.transfer_function(grid, 520.0, distance, tilt=tilt, dtype=np.complex64, **options)
    assert got.dtype == np.complex64
    assert np.max(np.abs(got - exact)) < 5e-8  # half the last bits of real and imaginary part: 4.2e-8
    assert np.array_equal(got == 0, exact == 0)
    with threads(1):
        again = angular_spectrum.transfer_function(grid, 520.0, distance, tilt=tilt, dtype=np.complex64, **options)
    assert np.array_equal(got, again)
