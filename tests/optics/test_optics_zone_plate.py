"""Laws of zone plates: geometry, efficiency, focal spots, apertures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.special import j1

from xsim.constants import wavelength, wavenumber
from xsim.errors import SamplingError
from xsim.matter.library import find
from xsim.optics.pupil import annulus
from xsim.optics.zone_plate import ZonePlate
from xsim.units import quantity
from xsim.waves.grid import Grid

MICRO = ZonePlate(outermost_zone="15 nm", diameter="30 um", material="gold", thickness="80 nm")
ENERGY = 815.0


def test_the_micro_zone_plate_of_the_15_nm_record():
    assert MICRO.zone_count == pytest.approx(500)
    assert wavelength(ENERGY) == pytest.approx(1.52128e-9, rel=1e-5)
    assert MICRO.focal_length(ENERGY) == pytest.approx(295.80e-6, rel=1e-4)
    assert MICRO.numerical_aperture(ENERGY) == pytest.approx(0.05071, rel=1e-4)
    assert MICRO.zones(ENERGY)[0] == pytest.approx(0.67082e-6, rel=1e-5)
    assert 0.064 < MICRO.efficiency(ENERGY) < 0.072  # through optical tables that differ by several percent
    assert MICRO.depth_of_focus(ENERGY) == pytest.approx(2 * 15e-9**2 / 1.52128e-9, rel=1e-5)


@given(st.floats(10e-9, 100e-9), st.floats(20e-6, 500e-6), st.floats(300, 15000))
@settings(max_examples=40, deadline=None)
def test_the_outermost_zone_has_its_width_and_neighbouring_zones_differ_by_half_a_wave(width, diameter, energy):
    plate = ZonePlate(outermost_zone=quantity(width, "m"), diameter=quantity(diameter, "m"), material="opaque")
    r = plate.zones(energy)
    f, lam = plate.focal_length(energy), wavelength(energy)
    path = r**2 / (np.sqrt(r**2 + f**2) + f)  # sqrt(r^2 + f^2) - f
    assert np.allclose(path, np.arange(1, len(r) + 1) * lam / 2, rtol=1e-6)
    assert f * plate.numerical_aperture(energy) == pytest.approx(diameter / 2)


def test_an_opaque_zone_plate_sends_a_tenth_to_its_focus_and_a_quarter_straight_on():
    plate = ZonePlate(material="opaque")
    assert plate.efficiency(ENERGY) == pytest.approx(0.10132, abs=1e-5)
    assert plate.efficiency(ENERGY, 0) == pytest.approx(0.25)
    assert plate.efficiency(ENERGY, 3) == pytest.approx(1 / (9 * np.pi**2))
    assert plate.efficiency(ENERGY, 2) == 0


@pytest.mark.parametrize(("material", "energy", "height"), [("gold", 520.0, 150e-9), ("nickel", 7000.0, 2e-6)])
def test_orders_together_carry_what_the_zones_let_through(material, energy, height):
    plate = ZonePlate(material=material, thickness=quantity(height, "m"))
    orders = sum(plate.efficiency(energy, m) + plate.efficiency(energy, -m) for m in range(1, 4001, 2))
    beta = find(material).optics(energy).beta
    passed = (1 + np.exp(-2 * wavenumber(energy) * beta * height)) / 2
    assert orders + plate.efficiency(energy, 0) == pytest.approx(passed, rel=1e-3)


def test_a_phase_shift_of_pi_gives_four_times_the_opaque_efficiency_at_most():
    energy = 9000.0
    optics = find("gold").optics(energy)
    height = np.pi / (wavenumber(energy) * optics.delta)
    plate = ZonePlate(material="gold", thickness=quantity(height, "m"))
    exact = (1 + np.exp(-wavenumber(energy) * optics.beta * height)) ** 2 / np.pi**2
    assert plate.efficiency(energy) == pytest.approx(exact, rel=1e-9)
    assert exact < 4 / np.pi**2


@pytest.mark.parametrize(("stop", "zero", "lobe"), [(0.0, 1.2197, 0.0175), (0.5, 1.0003, 0.0963)])
def test_focal_spots_have_the_zeros_and_side_lobes_of_airys_pattern(stop, zero, lobe):
    plate = ZonePlate(outermost_zone="15 nm", diameter="30 um", material="opaque", central_stop=stop)
    n = 1024
    grid = Grid((n, n), 0.5e-9)
    line = plate.probe(grid, ENERGY)[n // 2, n // 2 :].real
    cross = np.flatnonzero(np.diff(np.sign(line)))[0]
    radius = (cross + line[cross] / (line[cross] - line[cross + 1])) * grid.pixel
    assert radius / 15e-9 == pytest.approx(zero, rel=2e-3)
    assert np.max(line[cross + 1 : cross + 30] ** 2) / line[0] ** 2 == pytest.approx(lobe, abs=1e-3)


def test_the_probe_follows_airys_formula_and_holds_one_photon():
    n = 512
    grid = Grid((n, n), 2e-9)
    plate = ZonePlate(outermost_zone="20 nm", material="opaque")
    probe = plate.probe(grid, ENERGY)
    assert np.sum(np.abs(probe) ** 2) == pytest.approx(1, rel=1e-12)
    v = np.pi * grid.x[n // 2 + 1 : n // 2 + 60] / 20e-9
    exact = 2 * j1(v) / v
    got = probe[n // 2, n // 2 + 1 : n // 2 + 60].real / probe[n // 2, n // 2].real
    assert np.max(np.abs(got - exact)) < 3e-3


@pytest.mark.parametrize("defocus", [1e-6, -1e-6])
def test_defocus_dims_the_axis_as_sinc_squared(defocus):
    grid = Grid((256, 256), 4e-9)
    plate = ZonePlate(outermost_zone="25 nm", material="opaque")
    peak = np.abs(plate.probe(grid, ENERGY)[128, 128]) ** 2
    dimmed = np.abs(plate.probe(grid, ENERGY, defocus)[128, 128]) ** 2
    turns = defocus * plate.numerical_aperture(ENERGY) ** 2 / (2 * wavelength(ENERGY))
    assert dimmed / peak == pytest.approx(np.sinc(turns) ** 2, abs=5e-3)


def test_a_quarter_wave_at_the_depth_of_focus_costs_a_fifth_of_the_peak():
    plate = ZonePlate(outermost_zone="25 nm", material="opaque")
    grid = Grid((256, 256), 4e-9)
    peak, dimmed = (
        np.abs(plate.probe(grid, ENERGY, z)[128, 128]) ** 2 for z in (0.0, float(plate.depth_of_focus(ENERGY)))
    )
    assert dimmed / peak == pytest.approx(8 / np.pi**2, abs=5e-3)


def test_the_pupil_has_modulus_one_and_the_area_of_the_aperture():
    plate = ZonePlate(outermost_zone="20 nm", material="opaque", central_stop=0.3)
    grid = Grid((400, 300), 4e-9)
    pupil = plate.pupil(grid, ENERGY, defocus=5e-7)
    assert set(np.round(np.abs(pupil), 12).ravel()) == {0.0, 1.0}
    cell = (2 * np.pi) ** 2 / (grid.extent[0] * grid.extent[1])
    exact = np.pi * (np.pi / 20e-9) ** 2 * (1 - 0.3**2)
    assert np.abs(pupil).sum() * cell == pytest.approx(exact, rel=0.02)
    soft = annulus(grid, ENERGY, plate.lens(ENERGY), soft=True)
    assert np.abs(soft).sum() * cell == pytest.approx(exact, rel=0.01)


def test_grids_that_cannot_hold_the_aperture_are_refused_with_the_pixel_needed():
    plate = ZonePlate(outermost_zone="20 nm", material="opaque")
    with pytest.raises(SamplingError, match="2e-08 m"):
        plate.pupil(Grid((128, 128), 21e-9), ENERGY)
    with pytest.raises(SamplingError, match="focal spot"):
        plate.probe(Grid((16, 16), 10e-9), ENERGY)
    with pytest.raises(SamplingError, match="defocus"):
        plate.probe(Grid((128, 128), 10e-9), ENERGY, defocus=1e-3)


@pytest.mark.parametrize(
    ("field", "value"),
    [("outermost_zone", 15e-9), ("diameter", "-3 um"), ("material", "golf"), ("central_stop", 1.0), ("zone", "1 nm")],
)
def test_wrong_zone_plates_are_refused(field, value):
    with pytest.raises(ValidationError):
        ZonePlate(**{field: value})


def test_a_zone_plate_comes_back_from_its_scenario_form():
    assert ZonePlate.model_validate(MICRO.model_dump()) == MICRO
