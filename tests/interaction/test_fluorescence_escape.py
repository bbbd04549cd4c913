"""Fluorescence leaving a specimen: closed forms, an exact integral over a sphere, and an independent code."""

from functools import cache

import fisx
import numpy as np
import pytest
from scipy.stats import qmc

from xsim.constants import N_A
from xsim.errors import RangeError
from xsim.interaction._exit import exit_paths
from xsim.interaction.fluorescence import Voxels, escapes, escaping, incoming, sample
from xsim.matter import library
from xsim.matter.lines import emission
from xsim.specimen.specimen import Specimen
from xsim.threads import use_threads
from xsim.waves.grid import Grid

GRID = Grid((6, 7), 100e-9)


def towards(degrees):
    """Unit vector at this angle from the beam, in the horizontal plane."""
    angle = np.deg2rad(degrees)
    return float(np.sin(angle)), 0.0, float(np.cos(angle))


def layers(*table):
    """A specimen of (material, thickness) layers."""
    return Specimen.from_table(
        {"extent": ["1 um", "1 um"], "layers": [{"material": m, "thickness": t} for m, t in table]}
    )


def test_a_thin_film_emits_atoms_times_cross_section():
    gold = library.find("gold")
    line = next(line for line, _ in emission(gold, 12e3) if line.name == "L3M5")
    atoms = 19.3e6 / 196.967 * N_A * 1e-9
    voxels = sample(layers(("gold", "1 nm")), GRID, 4, towards(120))
    photons = escaping(voxels, 12e3, line.energy, np.array([dict(emission(gold, 12e3))[line] / (4 * np.pi)]))
    # 1 nm of gold takes 3e-4 of beam and line
    assert photons == pytest.approx(np.full(GRID.shape, atoms * line.cross_section / (4 * np.pi)), rel=2e-3)


@pytest.mark.parametrize("degrees", [100.5, 120, 150, 79, 60, 30])
@pytest.mark.parametrize("slabs", [1, 7])
def test_a_thick_slab_absorbs_its_own_light_as_sherman_says(degrees, slabs):
    thickness, hematite = 20e-6, library.find("hematite")
    d = towards(degrees)
    into = hematite.optics(12e3).mu_total
    out = hematite.optics(6404.0).mu_total / abs(d[2])
    if d[2] < 0:
        want = (1 - np.exp(-(into + out) * thickness)) / (into + out)
    else:
        want = (np.exp(-out * thickness) - np.exp(-into * thickness)) / (into - out)
    voxels = sample(layers(("hematite", "20 um")), GRID, slabs, d)
    assert escaping(voxels, 12e3, 6404.0, np.ones(1)) == pytest.approx(np.full(GRID.shape, want), rel=1e-9)


@pytest.mark.parametrize(("material", "thickness"), [("silicon", "500 um"), ("gold", "1 mm"), ("hematite", "8 um")])
def test_layers_however_opaque_send_out_the_light_of_their_lit_face(material, thickness):
    d, found = towards(120), library.find(material)
    slope = found.optics(5e3).mu_total + found.optics(525.0).mu_total / abs(d[2])
    voxels = sample(layers((material, thickness)), GRID, 1, d)
    assert escaping(voxels, 5e3, 525.0, np.ones(1)) == pytest.approx(np.full(GRID.shape, 1 / slope), rel=1e-9)


def test_light_of_many_lines_at_once_is_that_of_each_summed_with_library_functions():
    rng = np.random.default_rng(5)
    gold, hematite = library.find("gold"), library.find("hematite")
    shape = (2, 5, 37, 6)
    inside, after = rng.uniform(0, 60e-9, shape), rng.uniform(0, 2e-6, shape)
    inside[1, 2:] = 0
    after[0, :, 4] *= 40  # rows that are thin and rows that are not
    before = np.cumsum(inside, axis=1) - inside / 2
    voxels = Voxels((gold, hematite), inside, np.zeros((2, 37, 6)), after, towards(120), np.linspace(0, 3e-7, 6))
    energies, made = [700.0, 2.1e3, 6.4e3, 9.7e3], rng.uniform(0, 1, (4, 2))
    made[2, 0] = 0
    with use_threads(2):
        ours = escapes(voxels, incoming(voxels, 12e3), energies, made)
    slant = 1 / voxels.direction[2]
    for line, energy in enumerate(energies):
        half = (voxels.depth(inside, 12e3) - slant * voxels.depth(inside, energy)) / 2
        light = np.einsum("m,mkyx->kyx", made[line], inside) * np.sinh(half) / half
        light *= np.exp(-voxels.depth(before, 12e3) - voxels.depth(after, energy))
        assert ours[line] == pytest.approx(light.sum(axis=0), rel=1e-9)
    with use_threads(1):
        assert np.array_equal(escapes(voxels, incoming(voxels, 12e3), energies, made), ours)


def test_a_cover_absorbs_the_light_of_what_lies_below():
    d = towards(135)
    gold, hematite = library.find("gold"), library.find("hematite")
    voxels = sample(layers(("gold", "1 um"), ("hematite", "1 um")), GRID, 16, d)
    made = np.array([0.0, 1.0])
    g, h = gold.optics(np.array([12e3, 6404.0])).mu_total, hematite.optics(np.array([12e3, 6404.0])).mu_total
    cover = np.exp(-(g[0] + g[1] / abs(d[2])) * 1e-6)
    slope = h[0] + h[1] / abs(d[2])
    want = cover * (1 - np.exp(-slope * 1e-6)) / slope
    assert escaping(voxels, 12e3, 6404.0, made) == pytest.approx(np.full(GRID.shape, want), rel=1e-9)


def test_a_tilted_slab_sends_its_light_out_at_90_degrees():
    turn = np.deg2rad(45)
    rotation = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    specimen = layers(("hematite", "1 um")).rotated(rotation)
    grid = Grid((2, 150), 40e-9)
    hematite = library.find("hematite")
    into, out = hematite.optics(8e3).mu_total * np.sqrt(2), hematite.optics(6404.0).mu_total * np.sqrt(2)
    # the same face lit and looked at, or the other one
    want = {
        True: (1 - np.exp(-(into + out) * 1e-6)) / (into + out),
        False: (np.exp(-out * 1e-6) - np.exp(-into * 1e-6)) / (into - out),
    }
    for sign in (1.0, -1.0):
        voxels = sample(specimen, grid, 240, (sign, 0.0, 0.0))
        # the lit face looks to +x where its outward normal, the turned -z, does
        same = (rotation @ np.array([0.0, 0.0, -1.0]))[0] * sign > 0
        photons = escaping(voxels, 8e3, 6404.0, np.ones(1))[0, 75] / np.sqrt(2)
        assert photons == pytest.approx(want[same], rel=5e-3)


@pytest.mark.parametrize(("degrees", "slabs"), [(40, 32), (75, 64), (90, 32), (120, 32), (160, 32)])
def test_a_sphere_absorbs_its_own_light_as_the_exact_integral(degrees, slabs):
    radius, d = 500e-9, np.array(towards(degrees))
    ball = {"name": "s", "material": "hematite", "shape": {"kind": "sphere", "radius": "500 nm"}, "count": 1}
    place = {"placement": {"kind": "at", "positions": [["0 nm", "0 nm", "0 nm"]]}}
    specimen = Specimen.from_table({"extent": ["1.2 um", "1.2 um"], "population": [ball | place]})
    voxels = sample(specimen, Grid((64, 64), 1.2e-6 / 64), slabs, tuple(d))
    points = qmc.Sobol(3, seed=1).random(2**15) * 2 - 1
    points = points[(points**2).sum(1) < 1] * radius
    inwards = points[:, 2] + np.sqrt(radius**2 - points[:, 0] ** 2 - points[:, 1] ** 2)
    along = points @ d
    outwards = -along + np.sqrt(along**2 + radius**2 - (points**2).sum(1))
    into, out = 0.5 / radius, 2.0 / radius
    want = np.exp(-into * inwards - out * outwards).mean()
    before = np.cumsum(voxels.inside[0], axis=0) - voxels.inside[0] / 2
    light = voxels.inside[0] * np.exp(-into * before - out * voxels.after[0])
    assert light.sum() / voxels.inside.sum() == pytest.approx(want, rel=7e-3)


def test_paths_out_of_a_full_block_are_its_chords():
    block = np.ones((5, 4, 6))
    spacing = (2.0, 3.0, 1.0)
    assert exit_paths(block, spacing, (0.0, 0.0, 1.0))[:, 1, 2] == pytest.approx([9, 7, 5, 3, 1])
    assert exit_paths(block, spacing, (0.0, 0.0, -1.0))[:, 1, 2] == pytest.approx([1, 3, 5, 7, 9])
    assert exit_paths(block, spacing, (1.0, 0.0, 0.0))[2, 1] == pytest.approx([5.5, 4.5, 3.5, 2.5, 1.5, 0.5])
    assert exit_paths(block, spacing, (0.0, -1.0, 0.0))[2, :, 3] == pytest.approx([1.5, 4.5, 7.5, 10.5])


def test_matter_beyond_the_field_absorbs_too():
    wide = {"name": "wall", "material": "gold", "shape": {"kind": "box", "sides": ["1 um", "4 um", "4 um"]}, "count": 1}
    film = {"name": "film", "material": "hematite", "shape": {"kind": "sphere", "radius": "50 nm"}, "count": 1}
    where = [
        {"placement": {"kind": "at", "positions": [[x, "0 nm", "0 nm"]]}, "orientation": "aligned"}
        for x in ("1.5 um", "0 nm")
    ]
    both = Specimen.from_table({"extent": ["8 um", "8 um"], "population": [wide | where[0], film | where[1]]})
    voxels = sample(both, Grid((8, 8), 25e-9), 64, (1.0, 0.0, 0.0))
    gold = voxels.materials.index(library.find("gold"))
    hematite = voxels.materials.index(library.find("hematite"))
    lit = voxels.inside[hematite] > 0
    # each way from the sphere crosses the full micron of gold
    assert voxels.after[gold][lit] == pytest.approx(np.full(lit.sum(), 1e-6), rel=0.02)


def test_a_way_out_along_a_layer_is_refused():
    with pytest.raises(RangeError, match="along the layers"):
        sample(layers(("vitreous_ice", "1 um")), GRID, 4, towards(90))


def test_nothing_gives_nothing():
    voxels = sample(Specimen.from_table({"extent": ["1 um", "1 um"]}), GRID, 4, towards(90))
    assert not escaping(voxels, 12e3, 6404.0, np.zeros(0)).any()


COVERED = [["Au", 19.3, 50e-7, 1.0], ["Fe2O3", 5.24, 2e-4, 1.0], ["ZnS", 4.09, 3e-4, 1.0], ["CaCO3", 2.71, 20e-4, 1.0]]


#: sulphur is looked at without the gold, whose attenuation near its M edges differs by 12 % between tables
BARE = [["ZnS", 4.09, 3e-4, 1.0]]


@cache
def library_of_fisx():
    """The element data of fisx, some seconds to load."""
    constants = fisx.Elements()
    constants.initializeAsPyMca()
    return constants


def independent(sample_layers, family):
    """Primary rates of a family [photons per incident photon into 4 pi] from fisx, 15 keV, in 90, out 30 degrees.

    "rate" is fisx's primary rate times what the layers above let through.
    """
    constants = library_of_fisx()
    xrf = fisx.XRF()
    xrf.setBeam([15.0])
    xrf.setSample(sample_layers)
    xrf.setGeometry(90.0, 30.0)
    found = xrf.getMultilayerFluorescence(
        [family], constants, secondary=0, useGeometricEfficiency=0, useMassFractions=1
    )
    return next(layer for layer in found[family].values() if layer)


@cache
def stack(bare):
    """The same layers in voxels; many slabs, because the gold is thin."""
    table = [
        {"material": {"formula": formula, "density": f"{density} g/cm^3"}, "thickness": f"{thickness * 1e4} um"}
        for formula, density, thickness, _ in (BARE if bare else COVERED)
    ]
    specimen = Specimen.from_table({"extent": ["1 um", "1 um"], "layers": table})
    return sample(specimen, Grid((1, 1), 20e-6), 4 if bare else 400, towards(120.0))


@pytest.mark.parametrize(
    ("family", "line", "bare", "tolerance"),
    [
        ("Fe K", "KL3", False, 0.015),
        ("Fe K", "KM3", False, 0.015),
        ("Zn K", "KL3", False, 0.015),
        ("Ca K", "KL3", False, 0.015),
        ("S K", "KL3", True, 0.015),
        ("Au L", "L3M5", False, 0.03),
        ("Au L", "L2M4", False, 0.07),
    ],
)
def test_layers_agree_with_fisx(family, line, bare, tolerance):
    voxels = stack(bare)
    made, energy = np.zeros(len(voxels.materials)), 0.0
    for i, material in enumerate(voxels.materials):
        for each, rate in emission(material, 15e3):
            if (each.element, each.name) == (family.split()[0], line):
                made[i], energy = rate, each.energy
    ours = escaping(voxels, 15e3, energy, made)[0, 0]
    rate = independent(BARE if bare else COVERED, family)[line]["rate"]
    assert ours == pytest.approx(rate, rel=tolerance)
