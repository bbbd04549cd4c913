"""The dose ledger against closed forms and conservation of energy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xsim.constants import E_CHARGE
from xsim.dose.gathering import on_one_grid
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


def test_a_thin_layer_between_others_follows_beer_lambert_and_the_next_is_lit_by_what_it_leaves():
    stack = (("silicon_nitride", 200e-9), ("gold", 100e-9), ("water", 3e-6))
    energy, fluence = 1800.0, 2e21
    doses = absorbed(slab(*((m, f"{t} m") for m, t in stack)), [light(energy, fluence)])
    for name, t in stack:
        material = library.find(name)
        optics = material.optics(energy)
        surface = skin_dose(optics.mu_photo / material.density, fluence, energy)
        assert doses[name].max == pytest.approx(surface, rel=1e-9)
        assert doses[name].mean == pytest.approx(slab_mean(surface, optics.mu_total * t), rel=1e-9)
        fluence *= np.exp(-optics.mu_total * t)


def test_fields_side_by_side_get_the_dose_of_one_and_fields_on_one_place_add():
    specimen = slab(("protein", "100 nm"))
    one = absorbed(specimen, [light(520.0, 1e18)])["protein"]
    width = GRID.extent[0]
    for step in (width, 2.5 * width):
        apart = absorbed(specimen, [light(520.0, 1e18, shift=(i * step, 0.0)) for i in range(3)])["protein"]
        assert apart.mean == pytest.approx(one.mean, rel=1e-9)
        assert apart.max == pytest.approx(one.max, rel=1e-9)
        assert apart.energy == pytest.approx(3 * one.energy, rel=1e-9)
        assert apart.mass == pytest.approx(3 * one.mass, rel=0.02)
    half = absorbed(specimen, [light(520.0, 1e18, shift=(i * width / 2, 0.0)) for i in range(2)])["protein"]
    assert half.max == pytest.approx(2 * one.max, rel=1e-9)
    assert half.mean == pytest.approx(2 / 1.5 * one.mean, rel=1e-9)


@given(st.floats(-1e-6, 1e-6), st.floats(-1e-6, 1e-6), st.sampled_from([1e-9, 10e-9, 1e-6]))
def test_bringing_fields_together_conserves_photons_and_their_centre(x, y, far):
    rng = np.random.default_rng(3)
    one = Illumination(520.0, GRID, rng.random(GRID.shape), shift=(0.0, 0.0))
    other = Illumination(520.0, GRID, rng.random(GRID.shape), shift=(x * far / 1e-9, y))
    third = Illumination(520.0, GRID, one.fluence, shift=(1e-7, 0.0))
    lights = [one, other, third]
    (both,) = on_one_grid(lights)
    photons = sum(float(i.fluence.sum()) for i in lights) * GRID.pixel**2
    assert both.fluence.sum() * both.grid.pixel**2 == pytest.approx(photons, rel=1e-9)
    within = 1e-6 * GRID.pixel if both.grid.pixel < 1.01 * GRID.pixel else both.grid.pixel / 2
    for axis, of, index in ((0, "y", 1), (1, "x", 0)):
        places = (i.fluence.sum(1 - axis) * (getattr(i.grid, of) - i.shift[index]) for i in lights)
        want = sum(float(p.sum()) for p in places) * GRID.pixel**2 / photons
        found = float((both.fluence.sum(1 - axis) * getattr(both.grid, of)).sum()) * both.grid.pixel**2 / photons
        assert found == pytest.approx(want, rel=1e-9, abs=within)


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
