"""Densities and compositions of the library against what is known apart: unit cells, NIST's compounds, elements."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest

from xsim.constants import N_A
from xsim.matter import library
from xsim.resources import data_files

#: formula units in a cell of this volume [nm^3], by Wyckoff, Crystal Structures (1963), or the
#: source in the file gives; crystals at room temperature
CUBIC = {
    "gallium_arsenide": (0.56533, 4),
    "indium_phosphide": (0.58687, 4),
    "cadmium_telluride": (0.6482, 4),
    "lead_sulphide": (0.5936, 4),
    "ceria": (0.5411, 4),
    "titanium_nitride": (0.4241, 4),
    "strontium_titanate": (0.3905, 1),
    "magnesium_oxide": (0.4212, 4),
    "nickel_oxide": (0.4177, 4),
    "pyrite": (0.5416, 4),
    "lithium_manganese_oxide": (0.8245, 8),
    "lithium_titanate": (0.8359, 8 / 3),
    "yag": (1.2009, 8),
    "lutetium_aluminium_garnet": (1.1914, 8),
    "bismuth_germanate": (1.0518, 4),
    "calcium_fluoride": (0.5463, 4),
    "uranium_dioxide": (0.5470, 4),
    "silicon": (0.54310, 8),
    "germanium": (0.56579, 8),
    "diamond": (0.35670, 8),
    "gold": (0.40786, 4),
    "copper": (0.36148, 4),
    "silver": (0.40862, 4),
    "platinum": (0.39240, 4),
    "aluminium": (0.40496, 4),
    "nickel": (0.35240, 4),
    "iron": (0.28665, 2),
    "tungsten": (0.31653, 2),
    "molybdenum": (0.31470, 2),
    "chromium": (0.28850, 2),
    "tantalum": (0.33029, 2),
    "iridium": (0.38390, 4),
    "palladium": (0.38907, 4),
    "rhodium": (0.38034, 4),
    "lead": (0.49502, 4),
    "niobium": (0.33004, 2),
    "vanadium": (0.3028, 2),
    "magnetite": (0.8394, 8),
    "zinc_sulphide": (0.54093, 4),
    "sodium_chloride": (0.56402, 4),
    "caesium_iodide": (0.4567, 1),
    "lithium": (0.3510, 2),
}
HEXAGONAL = {
    "quartz": (0.49137, 0.54047, 3),
    "gallium_nitride": (0.3190, 0.5189, 2),
    "cadmium_sulphide": (0.41364, 0.67152, 2),
    "tungsten_carbide": (0.2906, 0.2837, 1),
    "boron_nitride": (0.2504, 0.6661, 2),
    "lithium_cobalt_oxide": (0.2816, 1.4054, 3),
    "nmc": (0.2862, 1.4227, 1),
    "alumina": (0.47589, 1.2991, 6),
    "hematite": (0.5038, 1.3772, 6),
    "graphite": (0.2461, 0.6708, 4),
    "zinc_oxide": (0.32498, 0.52066, 2),
    "zinc": (0.26650, 0.49470, 2),
    "titanium": (0.29506, 0.46788, 2),
    "magnesium": (0.32094, 0.52105, 2),
    "cobalt": (0.2507, 0.4069, 2),
    "hydroxyapatite": (0.9418, 0.6884, 2),
    "calcium_carbonate": (0.49900, 1.7061, 6),
    "beryllium": (0.22860, 0.35830, 2),
    "osmium": (0.27350, 0.43190, 2),
    "ruthenium": (0.27058, 0.42811, 2),
    "rhenium": (0.27608, 0.44583, 2),
    "hafnium": (0.31946, 0.50511, 2),
    "zirconium": (0.32320, 0.51470, 2),
}
OTHER = {
    "zirconia": (0.51505 * 0.52116 * 0.53173 * np.sin(np.radians(99.23)), 4),
    "barium_titanate": (0.3994**2 * 0.4038, 1),
    "lithium_iron_phosphate": (1.0332 * 0.6010 * 0.4692, 4),
    "iron_phosphate": (0.9821 * 0.5792 * 0.4788, 4),
    "perovskite_mapbi3": (0.8849**2 * 1.2642, 4),
    "titania": (0.45937**2 * 0.29587, 2),
    "goethite": (0.4608 * 0.9956 * 0.30215, 4),
    "indium": (0.32523**2 * 0.49461, 2),
    "tin": (0.58315**2 * 0.31814, 4),
}
CELLS = (
    {name: (a**3, n) for name, (a, n) in CUBIC.items()}
    | {name: (a * a * c * np.sqrt(3) / 2, n) for name, (a, c, n) in HEXAGONAL.items()}
    | OTHER
)


@pytest.mark.parametrize("name", sorted(CELLS))
def test_the_density_of_a_crystal_is_that_of_its_cell(name):
    volume, units = CELLS[name]
    material = library.find(name)
    # materials by composition alone count their atoms per 100 g/mol: the file's formula does not
    assert material.density == pytest.approx(units * material.formula_mass / N_A / (volume * 1e-27), rel=0.02)


NIST = {
    "ptfe": "Polytetrafluoroethylene (Teflon)",
    "polyethylene": "Polyethylene",
    "polypropylene": "Polypropylene",
    "mylar": "Polyethylene Terephthalate (Mylar)",
    "polycarbonate": "Polycarbonate (Makrolon, Lexan)",
    "pvc": "Polyvinyl Chloride",
    "nylon": "Nylon, type 6 and type 6/6",
    "polyimide": "Kapton Polyimide Film",
    "pmma": "Polymethyl Methacralate (Lucite, Perspex)",
    "polystyrene": "Polystyrene",
    "paraffin": "Paraffin Wax",
    "boron_carbide": "Boron Carbide",
    "caesium_iodide": "Cesium Iodide",
    "cadmium_tungstate": "Cadmium Tungstate",
    "gadolinium_oxysulphide": "Gadolinium Oxysulfide",
    "air": "Air, Dry (near sea level)",
    "bone": "Bone, Cortical (ICRP)",
    "concrete": "Concrete, Portland",
    "lead_glass": "Glass, Lead",
    "water": "Water, Liquid",
    "gypsum": "Gypsum, Plaster of Paris",
}


@pytest.mark.parametrize("name", sorted(NIST))
def test_compounds_have_the_composition_and_density_of_nists_list(name):
    xraylib = pytest.importorskip("xraylib")
    known, material = xraylib.GetCompoundDataNISTByName(NIST[name]), library.find(name)
    assert material.density == pytest.approx(1e3 * known["density"], rel=0.02)
    shares = material.mass_fractions
    for z, share in zip(known["Elements"], known["massFractions"], strict=True):
        assert shares[xraylib.AtomicNumberToSymbol(z)] == pytest.approx(share, abs=0.006), z


def test_elements_have_the_density_of_xraylib():
    xraylib = pytest.importorskip("xraylib")
    looked = 0
    for name, entry in library.entries().items():
        one = entry.material
        if len(one.composition) > 1 or name in ("carbon", "diamond", "graphite", "nitrogen", "selenium", "sulphur"):
            continue  # carbon has many forms; selenium and sulphur there are others
        z = xraylib.SymbolToAtomicNumber(one.composition[0][0])
        assert one.density == pytest.approx(1e3 * xraylib.ElementDensity(z), rel=0.03), name
        looked += 1
    assert looked > 35


def test_every_material_gives_finite_constants_over_the_whole_range_and_no_two_share_a_word():
    energy = np.geomspace(201.0, 150e3, 300)
    words: dict[str, str] = {}
    for name, entry in library.entries().items():
        optics = entry.material.optics(energy)
        for column in (optics.delta, optics.beta, optics.mu_total):
            assert np.isfinite(column).all(), name
        assert (optics.beta > 0).all(), name
        assert 100 < entry.material.density < 23e3 or name in ("air", "argon", "nitrogen", "helium"), name
        for word in {name, *entry.aliases}:
            assert words.setdefault(word, name) == name, word
    assert len(library.names()) >= 140


def test_every_file_names_a_source_that_can_be_looked_up():
    for path in data_files("materials"):
        source = tomllib.loads(path.read_text(encoding="utf-8"))["source"]
        assert len(source) > 15, path.name


def test_a_formula_in_capitals_is_not_the_metal_of_the_same_letters():
    assert library.find("TiN").composition == (("Ti", 1.0), ("N", 1.0))
    assert library.find("tin").composition == (("Sn", 1.0),)
