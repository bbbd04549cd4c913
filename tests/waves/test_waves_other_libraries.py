"""Kernels give the same answer for arrays of other libraries, and PyTorch can differentiate through them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from xsim.interaction import multislice
from xsim.interaction.transmission import transmission
from xsim.waves import angular_spectrum, far_field, fresnel
from xsim.waves.grid import Grid

GRID = Grid((32, 32), 20e-9)
ENERGY = 1000.0


class Stuff:
    """A material of explicit index."""

    def optics(self, energy: float) -> SimpleNamespace:
        return SimpleNamespace(delta=1e-3, beta=2e-4, decrement=1e-3 - 2e-4j)


def _wave() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=GRID.shape) + 1j * rng.normal(size=GRID.shape)


def _thickness() -> np.ndarray:
    return np.random.default_rng(1).random(GRID.shape) * 1e-7


@pytest.fixture(params=["torch", "array_api_strict"])
def library(request):
    return pytest.importorskip(request.param, exc_type=ImportError)


def test_propagation_and_far_field_agree_with_numpy(library):
    wave = library.asarray(_wave())
    for got, want in (
        (angular_spectrum.propagate(wave, GRID, ENERGY, 2e-6), angular_spectrum.propagate(_wave(), GRID, ENERGY, 2e-6)),
        (far_field.fraunhofer(wave), far_field.fraunhofer(_wave())),
        (fresnel.propagate(wave, GRID, ENERGY, 1e-3)[0], fresnel.propagate(_wave(), GRID, ENERGY, 1e-3)[0]),
    ):
        assert np.allclose(np.asarray(got), want, atol=1e-10)


def test_multislice_and_transmission_agree_with_numpy(library):
    stuff = Stuff()
    maps = [{stuff: _thickness()}, {stuff: _thickness()}]
    slabs = multislice.from_maps(maps, GRID, np.array([0.0, 4e-7, 8e-7]), np.float64)
    got = multislice.exit_wave(slabs, library.asarray(_wave()), ENERGY)
    want = multislice.exit_wave(slabs, _wave(), ENERGY, dtype=np.complex128)
    assert np.allclose(np.asarray(got), want, atol=1e-10)
    thin = transmission({stuff: library.asarray(_thickness())}, ENERGY)
    assert np.allclose(np.asarray(thin), transmission({stuff: _thickness()}, ENERGY, np.complex128), atol=1e-12)


def test_pytorch_differentiates_the_far_field_by_the_thickness():
    torch = pytest.importorskip("torch", exc_type=ImportError)
    thickness = torch.tensor(_thickness(), requires_grad=True)

    def brightness(t):
        wave = angular_spectrum.propagate(transmission({Stuff(): t}, ENERGY), GRID, ENERGY, 2e-6)
        return (abs(far_field.fraunhofer(wave)) ** 2)[10, 12]

    brightness(thickness).backward()
    step = np.zeros(GRID.shape)
    step[5, 7] = 1e-10
    rise = brightness(torch.tensor(_thickness() + step)) - brightness(torch.tensor(_thickness() - step))
    assert float(thickness.grad[5, 7]) == pytest.approx(float(rise) / 2e-10, rel=1e-4)
