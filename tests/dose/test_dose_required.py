"""Skin dose, required dose and detectability against closed forms and published numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xsim.constants import R_E, wavelength, wavenumber
from xsim.dose.detectability import ideal_snr, label_fluence, sphere_fluence, sphere_snr
from xsim.dose.required import (
    HOWELLS,
    PowerLaw,
    electron_contrast,
    required_dose,
    required_fluence,
    resolution_limit,
    rose_photons,
)
from xsim.dose.skin import skin_dose, slab_mean
from xsim.errors import RangeError
from xsim.matter import library


def test_skin_dose_of_1e6_photons_per_square_micron_at_1000_cm2_per_gram_and_1_kev():
    assert skin_dose(100.0, 1e18, 1000.0) == pytest.approx(1.602176634e4, rel=1e-12)


def test_skin_dose_of_protein_at_10_kev():
    protein = library.find("protein")
    mass_attenuation = protein.optics(1e4).mu_photo / protein.density
    # optical tables and protein compositions differ by some percent
    assert skin_dose(mass_attenuation, 1e18, 1e4) == pytest.approx(792.0, rel=0.03)


def test_mean_over_a_slab_has_its_thin_and_thick_limits():
    assert slab_mean(3.0, 0.0) == 3.0
    assert slab_mean(3.0, 1e-9) == pytest.approx(3.0, rel=1e-8)
    assert slab_mean(3.0, 1.0) == pytest.approx(3 * (1 - np.exp(-1)), rel=1e-12)
    assert slab_mean(3.0, 100.0) == pytest.approx(0.03, rel=1e-12)


@given(st.floats(1e-9, 1e-6), st.floats(1.1, 10.0))
def test_required_dose_falls_with_the_fourth_power_of_size(size, factor):
    protein, water = library.find("protein"), library.find("water")
    ratio = required_dose(protein, water, size, 8000.0) / required_dose(protein, water, factor * size, 8000.0)
    assert ratio == pytest.approx(factor**4, rel=1e-9)


def test_electron_contrast_far_from_edges_is_the_electron_density():
    carbon = library.find("C", density="2.0 g/cm^3")
    electrons = 2000.0 / 12.011e-3 * 6.02214076e23 * 6
    assert electron_contrast(carbon, None, 12e3) == pytest.approx(electrons, rel=2e-3)


def test_required_fluence_is_howells_formula():
    contrast, size, energy = 1.5e29, 12e-9, 700.0
    want = 25 / (R_E**2 * wavelength(energy) ** 2 * contrast**2 * size**4)
    assert required_fluence(contrast, size, energy) == pytest.approx(want, rel=1e-12)
    assert required_fluence(contrast, size, energy, photons=9.0) == pytest.approx(want * 9 / 25, rel=1e-12)


def test_frozen_hydrated_protein_is_limited_to_about_10_nm():
    protein, water = library.find("protein"), library.find("water", density="1 g/cm^3")
    limit = resolution_limit(protein, water, 8000.0)
    assert limit == pytest.approx(10e-9, rel=0.15)
    assert required_dose(protein, water, limit, 8000.0) == pytest.approx(HOWELLS(limit), rel=1e-6)


def test_the_density_of_the_background_moves_the_dose_by_its_contrast_squared():
    protein = library.find("protein")
    ice, water = (library.find("water", density=f"{rho} g/cm^3") for rho in (0.92, 1.0))
    ratio = required_dose(protein, water, 1e-8, 8000.0) / required_dose(protein, ice, 1e-8, 8000.0)
    # H50 C30 N9 O10 S: 389 electrons per 728.8; water: 10 per 18.015
    protein_density, water_density = 1.35 * 389 / 728.8, 10 / 18.015
    want = ((protein_density - 0.92 * water_density) / (protein_density - water_density)) ** 2
    assert want == pytest.approx(1.61, abs=0.005)
    assert ratio == pytest.approx(want, rel=5e-3)


def test_the_law_of_tolerable_dose_can_be_replaced():
    protein, water = library.find("protein"), library.find("water")
    steep = PowerLaw(1e8, 1.7)
    limit = resolution_limit(protein, water, 8000.0, steep)
    assert limit < resolution_limit(protein, water, 8000.0)
    assert required_dose(protein, water, limit, 8000.0) == pytest.approx(steep(limit), rel=1e-6)
    assert HOWELLS(1e-10) == pytest.approx(1e7, rel=1e-12)


def test_a_feature_never_tolerated_is_refused():
    protein = library.find("protein")
    with pytest.raises(RangeError, match="tolerable dose"):
        resolution_limit(protein, None, 8000.0, lambda size: 1e-30)


def test_rose_criterion_counts_25_over_contrast_squared():
    assert rose_photons(1.1, 0.9) == pytest.approx(25 * 2 / 0.04, rel=1e-12)
    with pytest.raises(RangeError):
        rose_photons(1.0, 1.0)


def test_a_5_nm_gold_label_in_10_um_of_ice():
    gold, ice = library.find("gold"), library.find("vitreous_ice")
    fluence = label_fluence(gold, (ice, 10e-6), 2.5e-9, 8000.0)
    assert fluence * 5e-9**2 == pytest.approx(2.0e5, rel=0.03)
    assert fluence == pytest.approx(8e21, rel=0.03)
    dose = skin_dose(ice.optics(8000.0).mu_photo / ice.density, fluence, 8000.0)
    assert dose == pytest.approx(1e7, rel=0.1)
    assert dose / HOWELLS(5e-9) == pytest.approx(0.02, rel=0.1)


def test_the_weak_sphere_formula_agrees_with_the_ideal_observer_on_its_image():
    radius, energy, contrast, fluence = 20e-9, 8000.0, 1e-6, 1e22
    k, pixel = wavenumber(energy), 0.25e-9
    x = (np.arange(-100, 100) + 0.5) * pixel
    r2 = x[:, None] ** 2 + x[None, :] ** 2
    path = 2 * np.sqrt(np.clip(radius**2 - r2, 0, None))
    zernike = ideal_snr(0.8 * (1 + 2 * k * contrast * path), 0.8, fluence, pixel)
    assert zernike == pytest.approx(sphere_snr(contrast, radius, energy, fluence, -np.log(0.8)), rel=2e-3)
    assert sphere_fluence(contrast, radius, energy, zernike, -np.log(0.8)) == pytest.approx(fluence, rel=4e-3)
    absorbing = ideal_snr(0.8 * np.exp(-2 * k * contrast * path), 0.8, fluence, pixel)
    assert absorbing == pytest.approx(zernike, rel=5e-3)


def test_an_absorption_label_is_seen_by_its_losses():
    gold, ice = library.find("gold"), library.find("vitreous_ice")
    phase = label_fluence(gold, (ice, 1e-6), 5e-9, 8000.0)
    absorption = label_fluence(gold, (ice, 1e-6), 5e-9, 8000.0, contrast="absorption")
    n, m = gold.optics(8000.0), ice.optics(8000.0)
    assert absorption / phase == pytest.approx(((n.delta - m.delta) / (n.decrement - m.decrement).imag) ** 2, rel=1e-9)


@pytest.mark.parametrize("arguments", [(-1.0, 1.0, 1.0), (1.0, np.nan, 1.0), (1.0, 1.0, np.inf)])
def test_impossible_numbers_are_refused(arguments):
    with pytest.raises(RangeError):
        skin_dose(*arguments)
