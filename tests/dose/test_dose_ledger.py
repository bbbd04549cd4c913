"""The dose ledger against closed forms and conservation of energy."""

import numpy as np
import pytest

from xsim.constants import E_CHARGE
from xsim.dose.ledger import absorbed
from xsim.dose.skin import skin_dose, slab_mean
from xsim.errors import RangeError
from xsim.exposure import Illumination
from xsim.matter import library
from xsim.specimen.specimen import Specimen
from xsim.waves.grid import Grid

GRID = Grid((16, 20), 10e-9)


def slab(*layers, **more):
    """A specimen of (material, thickness) layers."""
    table = [{"material": m, "thickness": t} for m, t in layers]
    return Specimen.from_table({"extent": ["200 nm", "160 nm"], "layers": table} | more)


def light(energy, fluence, **more):
    """Uniform light on GRID [1/m^2]."""
    return Illumination(energy, GRID, np.full(GRID.shape, float(fluence)), **more)


@pytest.mark.parametrize("energy", [520.0, 8000.0])
def test_a_thick_slab_takes_the_mean_of_beer_lambert(energy):
    ice = library.find("vitreous_ice")
    optics = ice.optics(energy)
    dose = absorbed(slab(("vitreous_ice", "20 um")), [light(energy, 1e20)])["vitreous_ice"]
    surface = skin_dose(optics.mu_photo / ice.density, 1e20, energy)
    assert dose.max == pytest.approx(surface, rel=1e-12)
    assert dose.mean == pytest.approx(slab_mean(surface, optics.mu_total * 20e-6), rel=1e-9)
    assert dose.mass == pytest.approx(ice.density * 20e-6 * 200e-9 * 160e-9, rel=1e-12)
    assert dose.energy == pytest.approx(dose.mean * dose.mass, rel=1e-12)


def test_the_number_of_slabs_does_not_matter_for_a_uniform_slab():
    specimen = slab(("vitreous_ice", "5 um"))
    means = [absorbed(specimen, [light(520.0, 1.0)], slabs=n)["vitreous_ice"].mean for n in (1, 7, 32)]
    assert means == pytest.approx([means[0]] * 3, rel=1e-10)


def test_absorbed_energy_is_what_the_beam_loses_to_photoabsorption():
    specimen = slab(("vitreous_ice", "2 um"), ("gold", "100 nm"), ("silicon_nitride", "50 nm"))
    energy, flux, area = 2500.0, 3e18, 200e-9 * 160e-9
    doses = absorbed(specimen, [light(energy, flux)], slabs=43)
    fluence, total = flux, 0.0
    for name, t in (("vitreous_ice", 2e-6), ("gold", 100e-9), ("silicon_nitride", 50e-9)):
        optics = library.find(name).optics(energy)
        lost = fluence * -np.expm1(-optics.mu_total * t) * energy * E_CHARGE * area
        # slabs that hold two materials mix them: 1/43 of the depth
        assert doses[name].energy == pytest.approx(lost * optics.mu_photo / optics.mu_total, rel=2e-3)
        fluence *= np.exp(-optics.mu_total * t)
        total += doses[name].energy
    assert total < flux * energy * E_CHARGE * area - fluence * energy * E_CHARGE * area


def test_dose_is_linear_in_fluence_and_adds_over_energies_of_one_pose():
    specimen = slab(("protein", "1 um"))
    one = absorbed(specimen, [light(520.0, 1e18)])["protein"]
    two = absorbed(specimen, [light(520.0, 2e18)])["protein"]
    other = absorbed(specimen, [light(700.0, 5e18)])["protein"]
    both = absorbed(specimen, [light(520.0, 1e18), light(700.0, 5e18)])["protein"]
    assert two.mean == pytest.approx(2 * one.mean, rel=1e-12)
    assert both.mean == pytest.approx(one.mean + other.mean, rel=1e-9)
    assert both.max == pytest.approx(one.max + other.max, rel=1e-12)
    assert both.mass == one.mass


def test_voxels_add_within_a_pose_and_maxima_between_poses():
    left, right = np.zeros(GRID.shape), np.zeros(GRID.shape)
    left[:, :10], right[:, 10:] = 1e18, 1e18
    specimen = slab(("protein", "100 nm"))
    same = absorbed(specimen, [Illumination(520.0, GRID, left), Illumination(520.0, GRID, right)])["protein"]
    apart = absorbed(specimen, [Illumination(520.0, GRID, left, pose="a"), Illumination(520.0, GRID, right, pose="b")])[
        "protein"
    ]
    assert apart.max == pytest.approx(2 * same.max, rel=1e-9)
    assert apart.energy == pytest.approx(same.energy, rel=1e-9)


def test_only_illuminated_mass_counts():
    half = np.zeros(GRID.shape)
    half[:8] = 1e18
    specimen = slab(("protein", "100 nm"))
    dose = absorbed(specimen, [Illumination(520.0, GRID, half)])["protein"]
    full = absorbed(specimen, [light(520.0, 1e18)])["protein"]
    assert dose.mean == pytest.approx(full.mean, rel=1e-9)
    assert dose.mass == pytest.approx(full.mass / 2, rel=1e-9)


def test_faint_tails_of_the_beam_do_not_dilute_the_mean():
    fluence = np.full(GRID.shape, 1e18)
    fluence[:, 5:] = 5e16
    dose = absorbed(slab(("protein", "100 nm")), [Illumination(520.0, GRID, fluence)])["protein"]
    full = absorbed(slab(("protein", "100 nm")), [light(520.0, 1e18)])["protein"]
    assert dose.mean == pytest.approx(full.mean, rel=1e-9)
    assert dose.mass == pytest.approx(full.mass * 5 / 20, rel=1e-9)
    assert dose.energy == pytest.approx(dose.mean * dose.mass, rel=1e-12)


def test_the_maximum_is_at_the_entrance_face_of_the_deeper_material():
    specimen = slab(("vitreous_ice", "1 um"), ("protein", "1 um"))
    ice, protein = (library.find(n).optics(520.0) for n in ("vitreous_ice", "protein"))
    dose = absorbed(specimen, [light(520.0, 1e18)], slabs=32)["protein"]
    want = skin_dose(protein.mu_photo / 1350.0, 1e18 * np.exp(-ice.mu_total * 1e-6), 520.0)
    assert dose.max == pytest.approx(want, rel=1e-9)


def test_a_tilted_slab_absorbs_along_the_longer_path():
    angle = np.deg2rad(60.0)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    specimen = slab(("silicon_nitride", "50 nm"))
    optics = library.find("silicon_nitride").optics(1000.0)
    dose = absorbed(specimen, [light(1000.0, 1e18, rotation=turn, pose="60 deg")], slabs=200)["silicon_nitride"]
    surface = skin_dose(optics.mu_photo / library.find("silicon_nitride").density, 1e18, 1000.0)
    assert dose.mean == pytest.approx(slab_mean(surface, optics.mu_total * 100e-9), rel=1e-3)
    assert dose.mass == pytest.approx(library.find("silicon_nitride").density * 100e-9 * 200e-9 * 160e-9, rel=1e-9)


def test_a_gold_dot_gets_the_local_fluence():
    dot = {"name": "dot", "material": "gold", "shape": {"kind": "sphere", "radius": "20 nm"}, "count": 1}
    place = {"placement": {"kind": "at", "positions": [["0 nm", "0 nm", "0 nm"]]}}
    specimen = slab(("vitreous_ice", "200 nm"), population=[dot | place])
    doses = absorbed(specimen, [light(8000.0, 1e18)], slabs=20)
    gold = library.find("gold")
    optics = gold.optics(8000.0)
    assert doses["gold"].mass == pytest.approx(4 / 3 * np.pi * 20e-9**3 * gold.density, rel=1e-6)
    assert doses["gold"].mean == pytest.approx(skin_dose(optics.mu_photo / gold.density, 1e18, 8000.0), rel=0.02)
    # NIST XCOM at 8 keV, photoelectric: gold 205, water 9.9 cm^2/g
    assert doses["gold"].mean / doses["vitreous_ice"].mean == pytest.approx(205 / 9.9, rel=0.05)


def test_nothing_illuminated_means_no_dose():
    assert absorbed(slab(("protein", "100 nm")), [light(520.0, 0.0)]) == {}
    assert absorbed(slab(), [light(520.0, 1.0)]) == {}


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_an_impossible_fluence_is_refused(bad):
    with pytest.raises(RangeError, match="fluence"):
        absorbed(slab(("protein", "100 nm")), [light(520.0, bad)])
