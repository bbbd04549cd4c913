"""Where slabs are cut finely, and what slabs do that bodies stand through."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from xsim.errors import RangeError
from xsim.interaction import multislice
from xsim.interaction.cutting import MOST, Cut, cut
from xsim.interaction.standing import damping
from xsim.interaction.validity import slab_error, wall_error, wall_thickness
from xsim.specimen.specimen import Specimen
from xsim.waves.grid import Grid

LABELS = {
    "name": "labels", "material": "gold", "shape": {"kind": "sphere", "radius": "12 nm"}, "count": 60,
    "placement": {"kind": "random", "minimum_gap": "5 nm"},
}  # fmt: skip
ICE = [{"material": "vitreous_ice", "thickness": "3 um"}]


def pillar(depth: str, z: str = "0 um", material: str = "gold") -> dict[str, object]:
    placed = {"kind": "at", "positions": [["0 um", "0 um", z]]}
    shape = {"kind": "box", "sides": ["100 nm", "100 nm", depth]}
    return {"name": "pillar", "material": material, "shape": shape, "placement": placed}


def specimen(*parts: object, layers: object = ()) -> Specimen:
    return Specimen.from_table({"extent": ["1 um", "1 um"], "layers": layers, "population": list(parts)})


def test_only_the_heights_of_deep_strong_bodies_are_cut_finely():
    found = cut(specimen(pillar("700 nm", "-0.6 um"), LABELS, layers=ICE), 520.0, 12e-9)
    fine = np.diff(found.edges)[found.deep]
    below, above = found.edges[:-1][found.deep].min(), found.edges[1:][found.deep].max()
    assert (below, above) == (pytest.approx(-0.95e-6), pytest.approx(-0.25e-6))
    assert np.diff(found.edges)[~found.deep].min() > 1.5 * fine.max()
    assert found.error(specimen(pillar("700 nm", "-0.6 um"), LABELS, layers=ICE), 520.0, 12e-9) <= 0.0501


def test_small_particles_and_weak_bodies_leave_the_slabs_as_they_are():
    body = {"name": "body", "material": "protein", "shape": {"kind": "sphere", "radius": "600 nm"}}
    for thing in (specimen(LABELS, layers=ICE), specimen(body, layers=ICE)):
        found = cut(thing, 520.0, 16e-9)
        assert found.count > 5
        assert not found.deep.any()
        np.testing.assert_allclose(np.diff(found.edges), 3e-6 / found.count)


def test_a_smaller_error_takes_thinner_slabs_as_the_law_says():
    counts = [cut(specimen(pillar("4 um")), 815.0, 12e-9, error).count for error in (0.08, 0.01)]
    assert counts[1] / counts[0] == pytest.approx(8 ** (2 / 3), rel=0.05)
    assert wall_error(1e7, wall_thickness(1e7, 800.0, 1e-8, 0.03), 800.0, 1e-8) == pytest.approx(0.03)


def test_there_are_never_more_than_so_many_slabs_and_the_error_of_what_is_left_is_told():
    deep = specimen(pillar("900 um"))
    found = cut(deep, 815.0, 12e-9)
    assert found.count == MOST
    assert found.error(deep, 815.0, 12e-9) > 0.5
    with pytest.raises(RangeError):
        Cut.even(0.0, 1.0, 0)


def test_slabs_reach_as_far_as_tilted_layers_do():
    found = cut(specimen(pillar("900 nm")), 815.0, 12e-9).over(-2e-6, 3e-6)
    assert (found.edges[0], found.edges[-1]) == (-2e-6, 3e-6)
    assert np.all(np.diff(found.edges) > 0)
    inside = found.edges[:-1][found.deep].min(), found.edges[1:][found.deep].max()
    assert inside == (pytest.approx(-0.45e-6), pytest.approx(0.45e-6))


def test_a_weak_slab_that_is_spread_scatters_as_many_thin_ones():
    """One slab of the depth of focus, where a thin one is wrong by the slab error, against 32 in its place."""
    energy, half_period = 800.0, 16e-9
    grid = Grid((64, 64), half_period / 4)
    height = 1.2 * half_period**2 / 1.5498e-9
    x = np.cos(np.pi / half_period * grid.x)
    matter = specimen(pillar("1 um", material="protein")).materials[0]
    bars = np.broadcast_to(1e-3 * (1 + x), grid.shape) * height

    def first_order(slabs: int, spread: bool) -> float:
        edges = np.linspace(0, height, slabs + 1)
        made = multislice.from_maps([{matter: bars / slabs}] * slabs, grid, edges, np.float64)
        if spread:
            made = replace(made, slabs=tuple(replace(s, height=height / slabs) for s in made.slabs))
        return float(abs(np.fft.fft2(multislice.exit_wave(made, 1.0, energy, dtype=np.complex128))[0, 8]) ** 2)

    true = first_order(64, False)
    assert first_order(1, False) / true - 1 == pytest.approx(
        1 / (1 - slab_error(height, energy, half_period)) - 1, rel=0.02
    )
    assert first_order(1, True) == pytest.approx(true, rel=1e-3)
    assert first_order(4, True) == pytest.approx(true, rel=1e-4)
    assert damping(grid, energy, 0.0).min() == 1.0


@pytest.mark.parametrize("slabs", [1, 12])
def test_an_opaque_corner_does_not_overflow_in_single_precision(slabs):
    """Half of the field behind 20 um of gold at 800 eV (k beta t > 100): the light of the other half is there."""
    block = {"kind": "box", "sides": ["2 um", "4 um", "20 um"]}
    placed = {"kind": "at", "positions": [["-1 um", "0 um", "0 um"]]}
    wall = specimen({"name": "wall", "material": "gold", "shape": block, "placement": placed})
    grid = Grid((64, 64), 40e-9)
    cut = multislice.sample(wall, grid, slabs, np.float64, 800.0)
    single, double = (multislice.exit_wave(cut, 1.0, 800.0, dtype=d) for d in (np.complex64, np.complex128))
    dark, bright = np.abs(double[:, :32]).mean(), np.abs(double[:, 32:]).mean()
    assert dark < 0.5 < bright
    np.testing.assert_allclose(single, double, atol=2e-5)
    if slabs == 1:
        assert cut.slabs[0].reference != (0, 0)
