"""A finite source blurs the intensity by its image, and nothing else: modes are orthogonal and hold all the light."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from xsim.errors import RangeError
from xsim.optics.kirkpatrick_baez import KirkpatrickBaez
from xsim.optics.source_modes import hermitian_modes, source_modes
from xsim.optics.zone_plate import ZonePlate
from xsim.waves.coherence import mode_shares
from xsim.waves.far_field import fraunhofer
from xsim.waves.grid import Grid

GRID = Grid((96, 96), 8e-9)
PLATE = ZonePlate(outermost_zone="30 nm", diameter="60 um", central_stop=0.3)
FWHM = float(np.sqrt(8 * np.log(2)))


def probe(defocus: float = 4e-6) -> np.ndarray:
    return PLATE.probe(GRID, 2000.0, defocus)


def light(modes: np.ndarray) -> np.ndarray:
    return np.sum(np.abs(modes) ** 2, axis=(1, 2))


@pytest.mark.parametrize("widths", [(60e-9, 0.0), (25e-9, 90e-9), (5e-9, 5e-9)])
def test_the_intensity_is_that_of_the_point_source_convolved_with_the_source_image(widths: tuple[float, float]) -> None:
    modes = source_modes(probe(), GRID, widths, loss=1e-6)
    # the same convolution in the Fourier domain, periodic like the modes
    q = [2 * np.pi * np.fft.fftfreq(n, GRID.pixel) for n in GRID.shape]
    transfer = np.exp(-((widths[1] / FWHM * q[0][:, None]) ** 2 + (widths[0] / FWHM * q[1][None, :]) ** 2) / 2)
    wanted = np.fft.ifft2(np.fft.fft2(np.abs(probe()) ** 2) * transfer).real
    found = np.sum(np.abs(modes) ** 2, axis=0)
    assert np.abs(found - wanted).sum() < 2e-5
    blurred = gaussian_filter(np.abs(probe()) ** 2, [w / FWHM / GRID.pixel for w in widths[::-1]], mode="wrap")
    if min(w for w in widths if w > 0) > 3 * GRID.pixel:
        assert np.abs(found - blurred).sum() < 1e-3


def test_the_far_field_of_a_shifted_source_point_is_the_same_so_all_modes_together_fill_the_same_cone() -> None:
    modes = source_modes(probe(), GRID, (60e-9, 40e-9), loss=1e-6)
    far = np.sum(np.abs(fraunhofer(modes)) ** 2, axis=0)
    assert np.abs(far - np.abs(fraunhofer(probe())) ** 2).sum() < 1e-5


def test_modes_are_orthogonal_strongest_first_and_hold_all_the_light() -> None:
    modes = source_modes(probe(), GRID, (50e-9, 30e-9), loss=1e-3)
    overlaps = np.einsum("myx,nyx->mn", np.conj(modes), modes)
    shares = light(modes)
    assert np.abs(overlaps - np.diag(np.diagonal(overlaps))).max() < 1e-9
    assert (np.diff(shares) <= 1e-12).all()
    assert float(np.sum(np.abs(modes) ** 2)) == pytest.approx(1.0, rel=1e-12)
    assert len(modes) < len(source_modes(probe(), GRID, (50e-9, 30e-9), loss=1e-5))


def test_a_point_source_has_one_mode_the_probe_itself() -> None:
    modes = source_modes(probe(), GRID, (0.0, 0.0))
    assert modes.shape == (1, 96, 96)
    assert np.abs(modes[0] - probe()).max() < 1e-12


def test_a_gaussian_beam_from_a_gaussian_source_has_the_shares_of_the_gaussian_schell_model() -> None:
    """Beam of rms s and no phase, blurred by t: a Schell model of size sqrt(s^2 + t^2) and known coherence length."""
    s, t = 40e-9, 30e-9
    y, x = GRID.y[:, None], GRID.x[None, :]
    beam = np.exp(-(x**2 + y**2) / (4 * s**2)).astype(complex)
    beam /= np.sqrt(np.sum(np.abs(beam) ** 2))
    modes = source_modes(beam, GRID, (t * FWHM, 0.0), loss=1e-8)
    size = np.hypot(s, t)
    coherence = 2 * s * size / t  # J ~ exp(-(x1+x2)^2/8 size^2 - (x1-x2)^2/8 s^2)
    wanted = mode_shares(size, coherence, 1e-8)
    assert light(modes)[:5] == pytest.approx(wanted[:5], rel=1e-5)


def test_the_more_source_the_less_light_in_the_first_mode() -> None:
    first = [light(source_modes(probe(), GRID, (w, w), 1e-3))[0] for w in (1e-9, 10e-9, 40e-9)]
    assert first[0] > first[1] > first[2]
    assert first[0] > 0.999


def test_mirrors_may_be_blurred_too() -> None:
    grid = Grid((64, 64), 20e-9)
    modes = source_modes(KirkpatrickBaez().probe(grid, 10_000.0), grid, (100e-9, 20e-9), 1e-3)
    assert len(modes) > 3


def test_rotations_diagonalise_as_lapack_does() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=(40, 12)) + 1j * rng.normal(size=(40, 12))
    matrix = a @ np.conj(a.T)
    values, vectors = hermitian_modes(matrix)
    assert values == pytest.approx(np.clip(np.linalg.eigvalsh(matrix)[::-1], 0, None), abs=1e-10 * values[0])
    assert np.abs(vectors * values @ np.conj(vectors.T) - matrix).max() < 1e-10 * values[0]


def test_a_source_image_wider_than_the_grid_is_refused() -> None:
    with pytest.raises(RangeError, match="half the grid"):
        source_modes(probe(), GRID, (500e-9, 0.0))
    with pytest.raises(RangeError, match="left out"):
        source_modes(probe(), GRID, (0.0, 0.0), loss=0.0)
