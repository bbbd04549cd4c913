"""Secondary fluorescence: closed forms, and an independent code (fisx) over compositions and layers."""

from functools import cache

import fisx
import numpy as np
import pytest
from scipy.integrate import dblquad
from scipy.special import exp1

from xsim.instruments.fluorescence import Fluorescence
from xsim.interaction import enhancement as room
from xsim.interaction.emission import Cone, groups
from xsim.interaction.enhancement import Stack, enhancement_of, graded
from xsim.interaction.fluorescence import escape, incoming, sample
from xsim.matter import library
from xsim.specimen.specimen import Specimen
from xsim.waves.grid import Grid


def specimen(table):
    """Layers of (formula, density [g/cm^3], thickness [cm])."""
    layers = [
        {"material": {"formula": formula, "density": f"{density} g/cm^3"}, "thickness": f"{1e4 * thickness} um"}
        for formula, density, thickness in table
    ]
    return Specimen.from_table({"extent": ["1 um", "1 um"], "layers": layers})


def enhanced(table, kev, out):
    """{"Fe KL3": (primary photons into 4 pi, secondary over primary)} of layers at normal incidence."""
    layers = specimen(table)
    cone = Cone(np.deg2rad(90 + out), 0.05, False)
    voxels = sample(layers, Grid((1, 1), 20e-6), layers.layers.edges, cone.direction)
    found = groups(voxels.materials, 1e3 * kev, cone)
    answer = enhancement_of(
        layers, voxels.materials, cone.direction, [1e3 * kev, *(g.energy for g in found if g.energy > 1e3)]
    )
    beam = incoming(voxels, 1e3 * kev)
    more = answer.added(answer.weights(found, 1e3 * kev), 1e3 * kev, voxels, (np.zeros((1, 1)),) * 2, beam)
    lines = [group for group in found if group.element]
    primary = [escape(voxels, beam, group.energy, group.made)[0, 0] for group in lines]
    return {g.label: (4 * np.pi * p, m[0, 0] / p) for g, p, m in zip(lines, primary, more, strict=True)}


@cache
def constants():
    """The element data of fisx."""
    elements = fisx.Elements()
    elements.initializeAsPyMca()
    return elements


def independent(table, kev, out, families):
    """{"Fe KL3": secondary over primary} by fisx, all lines and elastic scatter as sources."""
    xrf = fisx.XRF()
    xrf.setBeam([kev])
    xrf.setSample([[*row, 1.0] for row in table])
    xrf.setGeometry(90.0, out)
    found = xrf.getMultilayerFluorescence(
        families, constants(), secondary=1, useGeometricEfficiency=0, useMassFractions=1
    )
    return {
        f"{family.split()[0]} {name}": line["secondary"] / line["primary"]
        for family in families
        for layer in found[family].values()
        for name, line in layer.items()
        if name in ("KL3", "L3M5", "L2M4")
    }


@pytest.fixture
def without_compton(monkeypatch):
    """fisx takes elastic scatter as a source, but not Compton scatter."""
    every = room.sources
    monkeypatch.setattr(room, "sources", lambda *a: [s for s in every(*a) if s.label != "Compton"])


STACK = [("Au", 19.3, 50e-7), ("Fe2O3", 5.24, 2e-4), ("ZnS", 4.09, 3e-4), ("CaCO3", 2.71, 20e-4)]
BULK = 0.1


@pytest.mark.parametrize(
    ("table", "kev", "out", "families"),
    [
        (STACK, 15.0, 30.0, ["Au L", "Fe K", "Zn K", "S K", "Ca K"]),
        ([("Fe0.71Ni0.11Mn0.02V0.16", 7.9, BULK)], 19.0, 45.0, ["Fe K", "Ni K", "V K"]),
        ([("Cu0.6Zn0.4", 8.4, BULK)], 12.0, 30.0, ["Cu K", "Zn K"]),
        ([("ZnS", 4.09, BULK)], 15.0, 45.0, ["Zn K", "S K"]),
        ([("CaCO3", 2.71, BULK)], 8.0, 30.0, ["Ca K"]),
        ([("S0.683Cu0.054Si0.262", 7.74, 0.0163)], 15.7, 50.0, ["S K", "Si K", "Cu K"]),
        ([("Ca0.001Ni0.565Se0.434", 7.35, 8.7e-4)], 17.5, 35.0, ["Ca K", "Ni K", "Se K"]),
        ([("K0.392As0.597Ca0.011", 5.96, 1.9e-4)], 19.6, 40.0, ["K K", "As K", "Ca K"]),
        ([("Ni0.288Zn0.499K0.213", 5.95, 0.031)], 18.1, 55.0, ["Ni K", "Zn K", "K K"]),
        ([("As0.306K0.665Zn0.029", 4.36, 0.035)], 16.9, 30.0, ["As K", "K K", "Zn K"]),
        ([("Se0.102Cu0.639K0.259", 7.1, 4.1e-4)], 15.0, 60.0, ["Se K", "Cu K", "K K"]),
        ([("NiO", 3.16, 3.4e-5), ("TiO2", 2.76, 5.5e-5), ("SiO2", 4.96, 1.3e-3)], 19.7, 40.0, ["Ni K", "Ti K", "Si K"]),
        ([("TiO2", 6.0, 2e-4), ("CaCO3", 3.2, 1.7e-4), ("Cu", 2.75, 1.6e-4)], 16.3, 25.0, ["Ti K", "Ca K", "Cu K"]),
    ],
)
def test_enhancement_agrees_with_fisx(without_compton, table, kev, out, families):
    ours = enhanced(table, kev, out)
    for name, want in independent(table, kev, out, families).items():
        found = ours[name][1]
        assert 1 + found == pytest.approx(1 + want, rel=5e-3), name  # the total
        assert found == pytest.approx(want, rel=0.04, abs=2e-5), name  # the small parts themselves


def test_compton_scatter_excites_as_elastic_scatter_does():
    # zinc excites none of its own K shell: all that fisx and we find comes from scattered light
    assert 1e-3 < enhanced([("Zn", 7.1, 1e-4)], 12.0, 30.0)["Zn KL3"][1] < 2e-3
    calcium = [("CaCO3", 2.71, BULK)]
    assert enhanced(calcium, 8.0, 30.0)["Ca KL3"][1] > 1.1 * independent(calcium, 8.0, 30.0, ["Ca K"])["Ca KL3"]


def test_metres_passed_are_the_integral_of_e1():
    iron = library.find("iron")
    stack = Stack((iron,), np.array([0.0, 2e-6, 5e-6, 11e-6]), np.zeros(3, np.int64), 1.0, 1.0)
    mu, edges = float(iron.optics(7000.0).mu_total), stack.edges
    for s, r in ((0, 1), (0, 2), (2, 1)):
        total, _ = dblquad(
            lambda a, b: exp1(mu * abs(a - b)) / 2, edges[s], edges[s + 1], edges[r], edges[r + 1], epsabs=1e-18
        )
        assert stack.transfer(7000.0)[s, r] == pytest.approx(total / stack.depths[s], rel=1e-6)


def test_all_light_started_in_a_thick_stack_is_absorbed_in_it():
    iron = library.find("iron")
    stack = Stack((iron,), graded(1e-3, 1e-7), np.zeros(len(graded(1e-3, 1e-7)) - 1, np.int64), 1.0, 1.0)
    middle = len(stack.which) // 2
    absorbed = float(iron.optics(7000.0).mu_total) * stack.transfer(7000.0)[middle].sum()
    assert absorbed == pytest.approx(1.0, abs=1e-6)


def test_the_knob_turns_it_off_and_thin_films_do_not_feel_it():
    film = specimen([("ZnS", 4.09, 1e-7)])
    thick = specimen([("ZnS", 4.09, 3e-3)])
    knobs = {"field": ("100 nm", "100 nm"), "step": "50 nm", "energy": "15 keV"}

    def sulphur(body, on):
        prepared = Fluorescence(**knobs, secondary=on).prepare(body)
        return prepared.truth()["line_S_K"].values.mean()

    assert sulphur(film, True) == pytest.approx(sulphur(film, False), rel=1e-3)
    assert sulphur(thick, True) / sulphur(thick, False) > 1.5


def test_a_tilted_layer_is_enhanced_as_the_flat_one_seen_at_the_same_angles():
    # light in and out at 45 degrees to the normal either way: turned by +-45 degrees, seen at 90
    turn = np.deg2rad(45)
    rotation = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    tilted = specimen([("ZnS", 4.09, 5e-4)]).rotated(rotation)
    cone = Cone(np.pi / 2, 0.05, False)
    d = (-1.0, 0.0, 0.0) if rotation[0] @ [0.0, 0.0, -1.0] < 0 else (1.0, 0.0, 0.0)
    grid = Grid((1, 4), 0.5e-6)
    voxels = sample(tilted, grid, 240, d)
    found = groups(voxels.materials, 15e3, cone)
    answer = enhancement_of(tilted, voxels.materials, d, [g.energy for g in found if g.energy > 1e3])
    beam = incoming(voxels, 15e3)
    j = next(i for i, g in enumerate(found) if g.label == "S KL3")  # lines come before scatter
    more = answer.added(answer.weights(found, 15e3), 15e3, voxels, (grid.y[:, None], grid.x), beam)[j, 0, 2]
    ratio = more / escape(voxels, beam, found[j].energy, found[j].made)[0, 2]
    xrf = fisx.XRF()
    xrf.setBeam([15.0])
    xrf.setSample([["ZnS", 4.09, 5e-4, 1.0]])
    xrf.setGeometry(45.0, 45.0)
    line = xrf.getMultilayerFluorescence(["S K"], constants(), secondary=1, useGeometricEfficiency=0)
    line = next(layer for layer in line["S K"].values() if layer)["KL3"]
    assert ratio == pytest.approx(line["secondary"] / line["primary"], rel=0.03)


def test_third_order_light_is_told():
    steel = specimen([("Cr0.2Fe0.67Ni0.13", 7.9, 0.1)])
    with pytest.warns(UserWarning, match="light excited by light excited by light"):
        Fluorescence(field=("20 nm", "20 nm"), step="10 nm").prepare(steel)
