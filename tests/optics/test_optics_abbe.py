"""Abbe's sum: what compiled passes over few frequencies give is the plain sum, in either precision, on any threads."""

from __future__ import annotations

import numpy as np
import pytest

from xsim.constants import wavenumber
from xsim.optics.aberrations import Aberrations
from xsim.optics.condenser import Condenser
from xsim.optics.imaging import abbe_image
from xsim.optics.phase_ring import PhaseRing, RingedLens
from xsim.optics.zone_plate import ZonePlate
from xsim.threads import use_threads
from xsim.waves.grid import Grid

ENERGY, ZONE = 815.0, 15e-9
WRONG = Aberrations(spherical=0.2, astigmatism=0.15, astigmatism_angle="20 deg", coma=0.3, coma_angle="70 deg")
LENS = ZonePlate(outermost_zone="15 nm", diameter="30 um", material="opaque", central_stop=0.2, aberrations=WRONG)
RING = PhaseRing(inner=0.35, outer=0.55, transmission=0.4)
DEFOCUS = 4e-7


def plain_pupil(qx, qy):
    """Every factor of the pupil by NumPy, as the modules' own formulae say it."""
    k, radius = float(wavenumber(ENERGY)), np.pi / ZONE
    px, py = qx / radius, qy / radius
    rho, theta = np.hypot(px, py), np.arctan2(py, px)
    waves = WRONG.spherical * rho**4
    waves = waves + WRONG.astigmatism * rho**2 * np.cos(2 * (theta - WRONG.astigmatism_angle))
    waves = waves + WRONG.coma * rho**3 * np.cos(theta - WRONG.coma_angle)
    phase = 2 * np.pi * waves + DEFOCUS * (np.sqrt(k**2 - radius**2 * rho**2) - k)
    ring = np.where((rho >= 0.35) & (rho <= 0.55), np.sqrt(0.4) * np.exp(-0.5j * np.pi), 1)
    return np.where((rho <= 1) & (rho >= 0.2), ring * np.exp(1j * phase), 0)


def plain_sum(wave, grid, directions, weights):
    """One transform of the whole grid per source point."""
    qy, qx = grid.frequencies()
    radius, spectrum = np.pi / ZONE, np.fft.fft2(wave)
    return sum(
        weight * np.abs(np.fft.ifft2(spectrum * plain_pupil(qx + radius * sx, qy + radius * sy))) ** 2
        for (sx, sy), weight in zip(directions, weights, strict=True)
    )


@pytest.mark.parametrize(("dtype", "close"), [(np.complex64, 1e-6), (np.complex128, 1e-12)])
@pytest.mark.parametrize(("shape", "pixel"), [((150, 144), 3e-9), ((100, 63), 7.3e-9)])
def test_every_factor_of_the_pupil_is_in_the_sum(shape, pixel, dtype, close):
    grid = Grid(shape, pixel)
    rng = np.random.default_rng(5)
    wave = (np.exp(1j * rng.normal(size=shape)) * rng.random(shape)).astype(dtype)
    directions, weights = Condenser(sigma=0.55, inner=0.35, points=37).directions()
    got = abbe_image(wave, grid, ENERGY, RingedLens(LENS, RING), directions, weights, defocus=DEFOCUS)
    want = plain_sum(wave.astype(np.complex128), grid, directions, weights)
    assert np.max(np.abs(got - want)) < close * np.max(want)


def test_images_have_the_same_bits_for_any_number_of_threads():
    grid = Grid((240, 216), 7e-9)
    rng = np.random.default_rng(6)
    wave = np.exp(1j * rng.normal(size=grid.shape)).astype(np.complex64)
    directions, weights = Condenser(sigma=0.5, points=37).directions()
    for light in (wave, lambda tilt: wave * np.complex64(np.exp(1e-9j * tilt[0]))):
        images = []
        for threads in (1, 2, 3, 5):
            with use_threads(threads):
                images.append(abbe_image(light, grid, ENERGY, LENS, directions, weights, defocus=DEFOCUS))
        assert all(np.array_equal(images[0], one) for one in images[1:])
