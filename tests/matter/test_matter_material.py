"""Materials: composition, density and the closed forms that tie the optical constants together."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xsim.constants import HC, R_E
from xsim.errors import DataWarning, RangeError, UnitError, UnknownNameError
from xsim.matter import library
from xsim.matter.formula import parse
from xsim.matter.material import Material


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("SiO2", {"Si": 1, "O": 2}),
        ("Ca10(PO4)6(OH)2", {"Ca": 10, "P": 6, "O": 26, "H": 2}),
        ("Fe0.95O", {"Fe": 0.95, "O": 1}),
        ("K4[Fe(CN)6]·3H2O", {"K": 4, "Fe": 1, "C": 6, "N": 6, "H": 6, "O": 3}),
        ("CO", {"C": 1, "O": 1}),
        ("Co", {"Co": 1}),
    ],
)
def test_a_formula_counts_its_atoms(text, counts):
    assert dict(parse(text)) == pytest.approx(counts)


@pytest.mark.parametrize(
    "text", ["", "sio2", "Xx2", "Si(O2", "SiO2)", "2", "Si--O", "O0", "()", "Si()2", "(Si]2", "Si2.3.4"]
)
def test_a_wrong_formula_is_refused(text):
    with pytest.raises((UnknownNameError, RangeError)):
        parse(text)


def test_electron_density_of_water_and_gold_gives_the_known_scattering_length_densities():
    water = library.find("water", density="1.0 g/cm^3")
    assert water.electron_density * R_E == pytest.approx(9.40e14, rel=2e-3)  # 9.40e10 per cm^2
    assert library.find("gold").electron_density * R_E == pytest.approx(131.3e14, rel=2e-3)


def test_sld_of_gold_at_12_keV_carries_the_dispersion():
    sld = Material("Au", "19.3 g/cm^3").scattering_length_density("12 keV")
    assert sld.real == pytest.approx(111e14, rel=0.01)
    assert sld.imag < 0


def test_mu_photo_is_4_pi_beta_over_lambda():
    energy = np.geomspace(210, 1.4e5, 50)
    optics = library.find("hematite").optics(energy)
    np.testing.assert_allclose(optics.mu_photo, 4 * np.pi * optics.beta * energy / HC, rtol=1e-12)


def test_one_energy_and_many_give_the_same_numbers_and_shape():
    gold, energies = library.find("gold"), np.array([[500.0, 8000.0], [11921.3, 12e3]])
    many = gold.optics(energies)
    assert many.delta.shape == (2, 2)
    for index, energy in np.ndenumerate(energies):
        one = gold.optics(float(energy))
        assert isinstance(one.delta, float)
        assert one.delta == many.delta[index]
        assert one.mu_total == many.mu_total[index]


def test_a_material_is_hashable_and_survives_pickling():
    material = library.find("hematite")
    copy = pickle.loads(pickle.dumps(material))
    assert copy == material
    assert hash(copy) == hash(material)
    assert copy.optics(7125.0) == material.optics(7125.0)


def test_a_formula_without_density_is_refused_with_the_cure():
    with pytest.raises(UnitError, match=r"library\.find"):
        Material("SiO2")


def test_bare_numbers_are_refused_at_the_border():
    with pytest.raises(UnitError):
        Material("SiO2", density=2.2)
    with pytest.raises(UnitError):
        library.find("gold").delta(8000)
    with pytest.raises(UnitError):
        library.find("gold").mu("8 nm")


def test_attenuation_length_is_the_inverse_of_the_total_coefficient():
    gold = library.find("gold")
    assert gold.attenuation_length("12 keV") == pytest.approx(1 / gold.optics(12000.0).mu_total, rel=1e-15)


@pytest.mark.parametrize("energy", [29.0, 150001.0, float("nan"), -1.0])
def test_energies_outside_the_tables_name_the_range(energy):
    with pytest.raises(RangeError, match="30 eV to 150 keV"):
        library.find("gold").optics(energy)


def test_doubtful_energies_warn_every_time():
    for _ in range(2):
        with pytest.warns(DataWarning, match="200 eV"):
            library.find("gold").optics(100.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        library.find("gold").optics(201.0)


@settings(max_examples=40, deadline=None)
@given(energy=st.floats(200, 150e3), density=st.floats(0.1, 20), parts=st.tuples(st.floats(0.1, 9), st.floats(0.1, 9)))
def test_attenuation_adds_over_elements_by_mass_and_is_positive(energy, density, parts):
    mixed = Material.build("mixed", (("Fe", parts[0]), ("O", parts[1])), 1e3 * density)
    optics = mixed.optics(energy)
    shares = mixed.mass_fractions
    pure = {s: Material.build(s, ((s, 1.0),), 1e3 * density).optics(energy) for s in ("Fe", "O")}
    for name in ("delta", "beta", "mu_photo", "mu_total"):
        sum_ = sum(shares[s] * getattr(pure[s], name) for s in pure)
        assert getattr(optics, name) == pytest.approx(sum_, rel=1e-11)
    assert 0 < optics.mu_photo < optics.mu_total


@settings(max_examples=20, deadline=None)
@given(energy=st.floats(200, 150e3), factor=st.floats(0.01, 100))
def test_optical_constants_are_linear_in_density(energy, factor):
    gold = library.find("gold")
    other = Material.build("gold", gold.composition, gold.density * factor, gold.near_edges)
    assert other.optics(energy).delta == pytest.approx(factor * gold.optics(energy).delta, rel=1e-12)
    assert other.optics(energy).mu_total == pytest.approx(factor * gold.optics(energy).mu_total, rel=1e-12)
