"""Laws of the far field: Ewald sphere, solid angle, polarisation, Parseval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xsim.constants import wavelength, wavenumber
from xsim.errors import SamplingError
from xsim.waves import far_field
from xsim.waves.grid import Grid


@given(st.integers(1, 9), st.integers(1, 9), st.floats(200, 3e4), st.floats(0.01, 5))
@settings(max_examples=30, deadline=None)
def test_scattering_is_elastic(ny, nx, energy, distance):
    q, _ = far_field.scattering_vectors((ny, nx), 1e-3, distance, energy)
    k = wavenumber(energy)
    outgoing = q + np.array([0, 0, k])
    assert np.allclose(np.linalg.norm(outgoing, axis=-1), k, rtol=1e-12)
    assert np.all(q[ny // 2, nx // 2] == 0)


def test_solid_angles_of_a_huge_detector_fill_half_the_sphere():
    _, omega = far_field.scattering_vectors((4001, 4001), 0.1, 1.0, 8000.0)
    assert omega.sum() == pytest.approx(2 * np.pi, rel=0.01)
    _, omega = far_field.scattering_vectors((200, 200), 1e-3, 0.1, 8000.0, center=(99.5, 99.5))
    # a square of half-width a at distance a covers a sixth of the sphere
    assert omega.sum() == pytest.approx(4 * np.pi / 6, rel=1e-4)


def test_a_detector_is_symmetric_about_its_centre():
    q, omega = far_field.scattering_vectors((7, 9), 75e-6, 0.3, 8000.0)
    assert np.array_equal(q[::-1, ::-1, :2], -q[..., :2])
    assert np.array_equal(omega, omega[::-1, ::-1])
    q, _ = far_field.scattering_vectors((8, 8), 75e-6, 0.3, 8000.0, center=(3.5, 3.5))
    assert np.allclose(q[::-1, ::-1, 2], q[..., 2])


def test_polarised_light_does_not_scatter_along_its_field():
    q, _ = far_field.scattering_vectors((3, 3), 1e3, 1e-3, 8000.0)  # nearly 90 degrees
    factor = far_field.polarisation(q, 8000.0)
    assert factor[1, 2] == pytest.approx(0, abs=1e-5)
    assert factor[2, 1] == pytest.approx(1)
    assert far_field.polarisation(q, 8000.0, degree=0)[1, 2] == pytest.approx(0.5, abs=1e-5)
    assert far_field.polarisation(q, 8000.0, degree=-1)[2, 1] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("shape", [(16, 16), (15, 22), (9, 9)])
def test_the_far_field_keeps_the_photons_and_comes_back(shape):
    rng = np.random.default_rng(2)
    wave = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    far = far_field.fraunhofer(wave)
    assert np.sum(np.abs(far) ** 2) == pytest.approx(np.sum(np.abs(wave) ** 2), rel=1e-12)
    assert np.allclose(far_field.inverse_fraunhofer(far), wave)
    assert far[shape[0] // 2, shape[1] // 2] == pytest.approx(wave.sum() / np.sqrt(wave.size))


def test_a_shifted_object_turns_the_phase_as_exp_minus_iqr():
    wave = np.zeros((16, 16), complex)
    wave[8, 8 + 3] = 1
    far = far_field.fraunhofer(wave)
    assert far[8, 9] / far[8, 8] == pytest.approx(np.exp(-2j * np.pi * 3 / 16))


def test_a_slit_darkens_where_its_path_difference_is_one_wavelength():
    energy, distance = 8000.0, 2.0
    grid = Grid((128, 128), 100e-9)
    slit = np.zeros(grid.shape)
    slit[:, 56:72] = 1
    pattern = np.abs(far_field.fraunhofer(slit, grid)) ** 2
    pitch = far_field.fraunhofer_pitch(grid, energy, distance)
    first_zero = wavelength(energy) * distance / (16 * grid.pixel)
    assert pattern[64, 64 + round(first_zero / pitch)] < 1e-20 * pattern[64, 64]
    assert first_zero / pitch == pytest.approx(8)
    with pytest.raises(SamplingError):
        far_field.fraunhofer_pitch(Grid((4, 8), 1e-6), energy, distance)


def test_the_optical_theorem_gives_the_light_removed_by_an_opaque_disk():
    """A black disk removes twice its area: half absorbed, half diffracted."""
    energy = 2000.0
    grid = Grid((256, 256), 10e-9)
    disk = np.hypot(grid.x[None, :], grid.y[:, None]) <= 500e-9
    f = far_field.scattered_amplitude(np.where(disk, 0.0, 1.0), grid, energy)
    sigma = 4 * np.pi / wavenumber(energy) * f[128, 128].imag
    assert sigma == pytest.approx(2 * disk.sum() * grid.pixel**2, rel=1e-12)
