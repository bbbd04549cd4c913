"""Order-sorting apertures against rays drawn one by one, and the limits of text books."""

from __future__ import annotations

import numpy as np
import pytest

from xsim.errors import RangeError
from xsim.optics.order_sorting import OrderSortingAperture
from xsim.optics.zone_plate import ZonePlate
from xsim.units import quantity
from xsim.waves.grid import Grid

ENERGY = 815.0


def plate(stop: float = 0.5) -> ZonePlate:
    return ZonePlate(outermost_zone="25 nm", diameter="100 um", material="opaque", central_stop=stop)


def hole(diameter: float, distance: float) -> OrderSortingAperture:
    return OrderSortingAperture(diameter=quantity(diameter, "m"), distance=quantity(distance, "m"))


def test_an_aperture_narrower_than_the_stop_and_close_to_the_specimen_passes_the_first_order_alone():
    focal = plate().focal_length(ENERGY)
    aperture = hole(40e-6, 0.3 * focal)
    aperture.check(plate(), ENERGY)
    assert aperture.largest_distance(plate(), ENERGY) == pytest.approx(0.4 * focal)
    assert aperture.halos(plate(), ENERGY) == ()
    assert aperture.warning(plate(), ENERGY) == ""


def test_clipping_the_first_order_is_refused_with_limit_and_cure():
    focal = plate().focal_length(ENERGY)
    with pytest.raises(RangeError, match=r"clips the first order.*allowed: <= f d/D = 0.000657"):
        hole(40e-6, 0.41 * focal).check(plate(), ENERGY)
    hole(40e-6, 0.41 * focal).check(plate(), ENERGY, defocus=0.02 * focal)  # the focus is nearer to it
    with pytest.raises(RangeError, match="upstream of the zone plate"):
        hole(40e-6, 1.1 * focal).check(plate(), ENERGY)


def test_an_aperture_wider_than_the_stop_passes_the_zeroth_order_in_the_ring_between_them():
    focal = plate().focal_length(ENERGY)
    (halo,) = hole(60e-6, 0.2 * focal).halos(plate(), ENERGY)
    assert halo.order == 0
    # a quarter of the light straight on against 1/pi^2 into the focus, from rho 25..30 um against 25..50 um
    assert halo.share == pytest.approx(np.pi**2 / 4 * (30**2 - 25**2) / (50**2 - 25**2))
    assert (halo.inner, halo.outer) == (pytest.approx(25e-6), pytest.approx(30e-6))
    assert halo.angles == (0, 0)
    assert "central stop, 5e-05 m" in hole(60e-6, 0.2 * focal).warning(plate(), ENERGY)


def test_without_a_central_stop_the_zeroth_order_always_passes():
    focal = plate().focal_length(ENERGY)
    found = hole(20e-6, 0.1 * focal).halos(plate(0.0), ENERGY)
    assert found[0].order == 0
    assert found[0].share == pytest.approx(np.pi**2 / 4 * 0.2**2)
    assert found[0].inner == 0


@pytest.mark.parametrize(
    ("stop", "diameter", "distance", "defocus"), [(0.3, 45e-6, 0.4, 0.0), (0.2, 30e-6, 0.25, 3e-5)]
)
def test_halos_hold_the_rays_that_find_the_hole(stop: float, diameter: float, distance: float, defocus: float):
    """Rays from random places on the plate, each order by straight lines through its own focus f/m on the axis."""
    lens = plate(stop)
    focal = float(lens.focal_length(ENERGY))
    aperture = hole(diameter, distance * focal)
    rng = np.random.default_rng(1)
    rho = np.sqrt(rng.uniform((stop * 50e-6) ** 2, (50e-6) ** 2, 400_000))
    found = {halo.order: halo for halo in aperture.halos(lens, ENERGY, defocus)}
    assert 0 in found
    for m in (0, -1, 3, -3, 5):
        slope = -m * rho / focal
        at_hole = np.abs(rho + slope * (focal + defocus - distance * focal))
        passed = at_hole < diameter / 2
        share = passed.mean() * float(lens.efficiency(ENERGY, m) / lens.efficiency(ENERGY))
        if m not in found:
            assert share == 0
            continue
        assert found[m].share == pytest.approx(share, rel=0.02)
        landed = np.abs(rho + slope * (focal + defocus))[passed]
        assert found[m].inner == pytest.approx(landed.min(), rel=2e-3, abs=1e-7)
        assert found[m].outer == pytest.approx(landed.max(), rel=2e-3)
        low, high = found[m].angles
        middle = (low + high) / 2
        inside = float((np.abs(slope[passed]) < middle).mean()) if high > low else 1.0
        assert found[m].share_between(0, middle if high > low else 1.0) == pytest.approx(inside, abs=0.01)


def test_a_kernel_is_an_even_annulus_that_sums_to_one():
    (halo,) = hole(60e-6, 2e-4).halos(plate(), ENERGY)
    grid = Grid((200, 200), 0.5e-6)
    kernel = halo.kernel(grid)
    assert kernel.sum() == pytest.approx(1)
    r = np.hypot(grid.y[:, None], grid.x[None, :])
    inside = (r > 25.6e-6) & (r < 29.4e-6)
    assert np.ptp(kernel[inside]) < 1e-15
    assert kernel[inside][0] == pytest.approx(grid.pixel**2 / (np.pi * (30e-6**2 - 25e-6**2)), rel=0.01)
    assert kernel[(r < 24e-6) | (r > 31e-6)].sum() == 0
