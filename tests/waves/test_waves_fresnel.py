"""Laws of the single-transform propagator and of coherent modes."""

from __future__ import annotations

import numpy as np
import pytest

from xsim.constants import wavelength
from xsim.errors import RangeError, SamplingError
from xsim.waves import angular_spectrum, coherence, fresnel
from xsim.waves.grid import Grid

ENERGY = 1000.0
LAMBDA = wavelength(ENERGY)


def _gaussian(grid: Grid, waist: float) -> np.ndarray:
    return np.exp(-(grid.x[None, :] ** 2 + grid.y[:, None] ** 2) / waist**2).astype(complex)


@pytest.mark.parametrize("factor", [1.0, 3.0, -2.0])
def test_a_gaussian_beam_widens_as_it_should(factor):
    grid = Grid((128, 128), 50e-9)
    waist = 12 * grid.pixel
    z = factor * fresnel.shortest_distance(grid, ENERGY)
    far, far_grid = fresnel.propagate(_gaussian(grid, waist), grid, ENERGY, z)
    rayleigh = np.pi * waist**2 / LAMBDA
    x = far_grid.x[None, :] ** 2 + far_grid.y[:, None] ** 2
    q = z - 1j * rayleigh  # complex beam parameter for exp(+ikz)
    exact = -1j * rayleigh / q * np.exp(0.5j * 2 * np.pi / LAMBDA * x / q)
    assert np.max(np.abs(far - exact)) < 1e-6


def test_both_propagators_agree_at_the_distance_where_they_meet():
    grid = Grid((128, 128), 50e-9)
    z = fresnel.shortest_distance(grid, ENERGY)
    assert z == pytest.approx(angular_spectrum.longest_distance(grid, ENERGY))
    wave = _gaussian(grid, 10 * grid.pixel) * np.exp(0.4j * np.sin(grid.x / 5e-7))[None, :]
    single, far_grid = fresnel.propagate(wave, grid, ENERGY, z)
    assert far_grid.pixel == pytest.approx(grid.pixel)
    double = angular_spectrum.propagate(wave, grid, ENERGY, z, paraxial=True)
    assert np.max(np.abs(single - double)) < 1e-4


def test_photons_are_kept_and_short_distances_refused():
    grid = Grid((96, 96), 30e-9)
    wave = _gaussian(grid, 4e-7)
    z = 5 * fresnel.shortest_distance(grid, ENERGY)
    far, far_grid = fresnel.propagate(wave, grid, ENERGY, z)
    before, after = (np.sum(np.abs(w) ** 2) * g.pixel**2 for w, g in ((wave, grid), (far, far_grid)))
    assert after == pytest.approx(before, rel=1e-12)
    with pytest.raises(SamplingError, match="angular_spectrum"):
        fresnel.propagate(wave, grid, ENERGY, z / 6)


@pytest.mark.parametrize(("size", "length"), [(2e-6, 1e-6), (1e-6, 5e-6)])
def test_coherent_modes_rebuild_the_beam_and_its_coherence(size, length):
    x = np.linspace(-9 * size, 9 * size, 601)
    found, shares = coherence.modes(x, size, length, loss=1e-6)
    assert shares.sum() == pytest.approx(1, abs=1e-6)
    gram = found @ found.T * (x[1] - x[0])
    assert np.allclose(gram[:10, :10], np.eye(len(shares))[:10, :10], atol=1e-6)
    mutual = np.einsum("j,jx,jy->xy", shares, found, found)
    beam = np.exp(-(x**2) / (4 * size**2))
    exact = beam[:, None] * beam * np.exp(-((x[:, None] - x) ** 2) / (2 * length**2)) / np.sqrt(2 * np.pi) / size
    assert np.max(np.abs(mutual - exact)) < 1e-4 * exact.max()
    with pytest.raises(RangeError):
        coherence.mode_shares(0.0, length)


def test_coherence_lengths_have_their_closed_forms():
    assert coherence.transverse_coherence(10e-6, 30.0, 1000.0) == pytest.approx(LAMBDA * 30 / (2 * np.pi * 10e-6))
    assert coherence.longitudinal_coherence(1000.0, 1e-3) == pytest.approx(LAMBDA * 500)
