"""The shipped materials, the errors of wrong files, and the description of a material."""

from __future__ import annotations

import json

import numpy as np
import pytest

from xsim.constants import E_CHARGE
from xsim.errors import FileError, UnknownNameError
from xsim.matter import library
from xsim.matter.describe import describe

WANTED = """
    vitreous_ice water protein lipid dna pmma polystyrene carbon silicon silica silicon_nitride silicon_carbide
    aluminium titanium titania
    chromium iron wustite hematite goethite ferrihydrite nickel copper zinc silver tungsten platinum
    gold lead air polyimide rhodium gold_chloride gold_sulphide gold_thiosulphate
"""


def test_the_wanted_materials_are_there_and_all_give_constants():
    assert set(WANTED.split()) <= set(library.names())
    assert len(library.names()) >= 40
    for name, entry in library.entries().items():
        assert entry.title
        assert len(entry.material.source) > 10, name
        optics = entry.material.optics(np.array([250.0, 7130.0, 11930.0, 100e3]))
        assert (optics.beta > 0).all()
        assert (optics.mu_total > optics.mu_photo).all()


def test_names_aliases_symbols_and_formulas_find_the_same_thing():
    assert library.find("Fe2O3") == library.find("hematite") == library.find("Haematite")
    assert library.find("vitreous ice") == library.find("vitreous-ice") == library.find("ice")
    assert library.find("Co").composition == (("Co", 1.0),)
    assert library.find("CO", density="1.2 kg/m^3").composition == (("C", 1.0), ("O", 1.0))
    assert library.find("SiO2", density="2.65 g/cm^3").density == pytest.approx(2650)


def test_another_density_keeps_the_near_edges():
    loose = library.find("hematite", density="2 g/cm^3")
    assert loose.density == pytest.approx(2000)
    assert loose.near_edges == library.find("hematite").near_edges


@pytest.mark.parametrize(
    ("word", "says"), [("hematit", "hematite"), ("golld", "gold"), ("CO", "needs a density"), ("??", "xsim list")]
)
def test_unknown_materials_say_how_to_mend_it(word, says):
    with pytest.raises(UnknownNameError, match=says):
        library.find(word)


GOOD = 'title = "x"\nformula = "Fe2O3"\ndensity = "5 g/cm^3"\nsource = "here"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD.replace("title", "titel"), "titel|title"),
        (GOOD.replace('"5 g/cm^3"', "5.0"), "density.*missing unit"),
        (GOOD.replace("5 g/cm^3", "5 nm"), "wrong unit"),
        (GOOD.replace("Fe2O3", "Fe2Q3"), "Fe2Q3"),
        (GOOD.replace('formula = "Fe2O3"', "mass_fractions = { Fe = 0.5 }"), "do not add up"),
        (GOOD.replace('formula = "Fe2O3"', "mass_fractions = { Xx = 1.0 }"), "Xx"),
        (GOOD.replace('formula = "Fe2O3"\n', ""), "a composition in one way"),
        (GOOD.replace('source = "here"\n', ""), "source"),
        (GOOD.replace('density = "5 g/cm^3"\n', ""), "density"),
        (GOOD.replace('formula = "Fe2O3"', "parts_by_mass = { mine = 0.5, water = 0.5 }"), "parts of a mixture"),
        (GOOD.replace('formula = "Fe2O3"', "parts_by_mass = { gold = 0.5 }"), "shares by mass.*0.5"),
        (GOOD.replace('formula = "Fe2O3"', "parts_by_volume = { goldd = 0.5 }"), "did you mean"),
        ("title = ", "not TOML"),
    ],
)
def test_a_wrong_material_file_names_the_file_and_the_key(tmp_path, text, says):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(FileError, match=says) as caught:
        library.find(str(path))
    assert "mine.toml" in str(caught.value)


def test_a_material_of_ones_own_with_a_measured_edge(tmp_path):
    path = tmp_path / "mine.toml"
    spectrum = library.data_files("materials")[0].parent / "xas" / "goethite.xdi"
    (tmp_path / "edge.xdi").write_text(spectrum.read_text())
    path.write_text(GOOD + '[[near_edge]]\nelement = "Fe"\nedge = "K"\nfile = "edge.xdi"\nenergy_shift = "0.5 eV"\n')
    mine, goethite = library.find(str(path)), library.find("goethite")
    assert mine.near_edges[0].energy_shift == 0.5
    energy = np.array([7127.0])
    assert mine.factors("Fe", energy + 0.5)[1][0] == pytest.approx(goethite.factors("Fe", energy)[1][0], rel=2e-3)


def test_mass_fractions_come_back_from_the_composition():
    shares = library.find("air").mass_fractions
    assert shares["N"] == pytest.approx(0.7553, abs=1e-4)
    assert sum(shares.values()) == pytest.approx(1, abs=1e-12)


def test_dose_to_protein_from_a_million_photons_per_square_micrometre_at_10_kev():
    protein = library.find("protein")
    dose = protein.optics(10e3).mu_photo / protein.density * 1e18 * 10e3 * E_CHARGE
    band = describe(protein, [10e3])["beta band [relative]"][0]
    assert dose == pytest.approx(792, rel=max(band, 0.03))


def test_the_description_is_json_and_agrees_with_the_material():
    gold = library.find("gold")
    text = describe(gold, [8000.0, 11925.0])
    json.dumps(text)
    assert text["delta"][0] == gold.optics(8000.0).delta
    assert text["attenuation length [m]"][1] == pytest.approx(1 / gold.optics(11925.0).mu_total)
    assert text["beta band [relative]"][1] > 0.04 > text["delta band [relative]"][0]
    assert text["near edges"][0]["edge"] == "L3"
    assert "10.1006/adnd.1993.1013" in text["data"]


def test_unmeasured_fine_structure_is_pointed_out():
    assert any("O K" in text for text in describe(library.find("water"), [545.0])["cautions"])
    assert not describe(library.find("water"), [700.0])["cautions"]
    assert not any("Fe K" in text for text in describe(library.find("hematite"), [7130.0])["cautions"])
    assert any("Fe K" in text for text in describe(library.find("magnetite"), [7130.0])["cautions"])


def test_water_in_the_soft_range_agrees_with_henke_within_the_band():
    """delta, beta of water at 520 eV by Henke's tables, H2O 1.0 g/cm^3, through periodictable."""
    xsf = pytest.importorskip("periodictable.xsf")
    water = library.find("water", density="1.0 g/cm^3")
    for energy in (350.0, 520.0, 1000.0, 8000.0, 20e3):
        index = xsf.index_of_refraction("H2O", density=1.0, energy=energy / 1e3)
        text = describe(water, [energy])
        assert text["delta"][0] == pytest.approx(1 - index.real, rel=text["delta band [relative]"][0] + 0.005)
        assert text["beta"][0] == pytest.approx(abs(index.imag), rel=text["beta band [relative]"][0] + 0.01)
