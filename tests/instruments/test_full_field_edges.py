"""Walls inside the samples of a projected specimen: transmission is averaged over a sample, not thickness."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from full_field_images import boxes, exposed, image, microscope

from xsim.constants import wavenumber
from xsim.errors import ValidityWarning
from xsim.instruments._edges import Edges
from xsim.interaction import multislice
from xsim.matter.library import find
from xsim.specimen.specimen import Specimen
from xsim.waves.grid import Grid

GRID = Grid((60, 60), 5e-9)


def averaged(specimen: Specimen, energy: float = 815.0, grid: Grid = GRID) -> np.ndarray:
    slabs = multislice.sample(specimen, grid, 1)
    wave = multislice.exit_wave(slabs, 1.0, energy, planes=(0.0, 0.0))
    through = [m.optics(energy).decrement for m in slabs.materials]
    for edges in Edges.sample(specimen, slabs, energy):
        edges.average(wave, energy, np.exp(-1j * wavenumber(energy) * np.dot(through, slabs.uniform)))
    return wave


@pytest.mark.parametrize("side", [101, 103.75, 106.5])
def test_an_opaque_square_hides_its_own_area_and_no_more(side):
    square = boxes("gold", [f"{side} nm", f"{side} nm", "3 um"], [["1.3 nm", "-0.6 nm", "0 nm"]])
    hidden = (1 - averaged(square).real).sum() * 25
    slabs = multislice.sample(square, GRID, 1)
    blunt = (1 - multislice.exit_wave(slabs, 1.0, 815.0, planes=(0.0, 0.0)).real).sum() * 25
    assert side**2 <= hidden * (1 + 1e-3) < (side + 2 * 5 / 4) ** 2  # at most a fine sample on either side
    assert hidden - side**2 < 0.4 * (blunt - side**2)


@pytest.mark.parametrize("material", ["gold", "polystyrene"])
def test_a_wall_inside_a_sample_mixes_the_waves_on_its_two_sides(material):
    # the wall stands 2 of 4 fine samples into column 40: x = 47.5 nm + 2.5 nm
    wall = boxes(material, ["50 nm", "5 um", "150 nm"], [["25 nm", "0 nm", "0 nm"]])
    optics = find(material).optics(815.0)
    through = np.exp(-1j * wavenumber(815.0) * optics.decrement * 150e-9)
    row = averaged(wall)[30]
    assert row[45] == pytest.approx(1, abs=1e-6)
    assert row[35] == pytest.approx(through, abs=1e-5)
    assert row[40] == pytest.approx((1 + through) / 2, abs=1e-5)


def test_several_materials_in_one_sample_are_averaged_together():
    layers = [{"material": "vitreous_ice", "thickness": "2 um"}]
    wall = boxes("gold", ["50 nm", "5 um", "150 nm"], [["25 nm", "0 nm", "0 nm"]], layers=layers)
    k, gold, ice = wavenumber(815.0), find("gold").optics(815.0), find("vitreous_ice").optics(815.0)
    outside = np.exp(-1j * k * ice.decrement * 2e-6)
    inside = outside * np.exp(-1j * k * (gold.decrement - ice.decrement) * 150e-9)
    assert averaged(wall)[30, 40] == pytest.approx((outside + inside) / 2, abs=1e-5)


@pytest.mark.parametrize("place", ["0 nm", "140 nm", "-147 nm"])
def test_walls_anywhere_inside_samples_mix_by_area(place):
    bar = boxes("gold", ["31 nm", "47 nm", "200 nm"], [[place, "13 nm", "0 nm"], ["-60 nm", place, "0 nm"]])
    covered = bar.thickness(GRID)[find("gold")] / 200e-9
    optics = find("gold").optics(815.0)
    through = np.exp(-1j * wavenumber(815.0) * optics.decrement * 200e-9)
    assert averaged(bar) == pytest.approx(1 + covered * (through - 1), abs=2e-5)


@pytest.mark.parametrize("turn", ["12 deg", "45 deg", "73.4 deg"])
def test_oblique_walls_mix_by_area_but_for_their_corners(turn):
    table = {
        "name": "bar", "material": "gold", "shape": {"kind": "box", "sides": ["90 nm", "150 nm", "200 nm"]},
        "orientation": {"axis": [0, 0, 1], "angle": turn},
    }  # fmt: skip
    bar = Specimen.from_table({"extent": ["1 um", "1 um"], "population": [table]})
    optics = find("gold").optics(815.0)
    through = np.exp(-1j * wavenumber(815.0) * optics.decrement * 200e-9)
    expected = 1 + bar.thickness(GRID)[find("gold")] / 200e-9 * (through - 1)
    wrong = np.abs(averaged(bar) - expected)
    assert np.count_nonzero(wrong > 1e-3) <= 12
    assert wrong.max() < 0.1


def test_slopes_inside_samples_are_those_of_a_grid_that_fine():
    cone = {"name": "ball", "material": "gold", "shape": {"kind": "sphere", "radius": "100 nm"}}
    ball = Specimen.from_table({"extent": ["1 um", "1 um"], "population": [cone]})
    fine = Grid((240, 240), 1.25e-9, (-1.875e-9, -1.875e-9))
    optics = find("gold").optics(815.0)
    index = wavenumber(815.0) * optics.decrement
    waves = np.exp(-1j * index * ball.thickness(fine)[find("gold")])
    assert averaged(ball) == pytest.approx(waves.reshape(60, 4, 60, 4).mean(axis=(1, 3)), abs=5e-3)


def test_gentle_slopes_keep_no_fine_samples():
    table = {"name": "ball", "material": "protein", "shape": {"kind": "sphere", "radius": "30 nm"}}
    ball = Specimen.from_table({"extent": ["1 um", "1 um"], "population": [table]})
    assert [len(e.rows) for e in Edges.sample(ball, multislice.sample(ball, GRID, 1), 815.0)] == [0]
    assert Edges.sample(Specimen(), multislice.sample(Specimen(), GRID, 1), 815.0) == ()


def hopkins(half_period: float, zone: float, sigma: float, points: int) -> float:
    """Modulation of a 1:1 opaque grating on pixels of 1/16 period, cross-coefficients of its orders by hand."""
    directions, weights = microscope(condenser={"sigma": sigma, "points": points}).condenser.directions()
    order = np.arange(-6, 7)
    passed = np.hypot(order * zone / half_period + directions[:, :1], directions[:, 1:]) <= 1
    waves = passed * np.sinc(order / 2) / 2
    cross = np.einsum("s,sm,sn->mn", weights, waves, waves)
    beat = order[:, None] - order
    x = np.arange(16) / 16
    intensity = (cross * np.sinc(beat / 16) * np.exp(2j * np.pi * beat * x[:, None, None])).sum((1, 2)).real
    return float(np.ptp(intensity) / (intensity.max() + intensity.min()))


@pytest.mark.parametrize(
    ("half_period", "zone", "sigma", "energy"),
    [(15.1, 15, 0.38, 815), (19.5, 15, 0.38, 815), (12.0, 15, 0.38, 815), (24.0, 25, 0.6, 520), (40.0, 30, 0.8, 1000)],
)
def test_modulations_of_opaque_gratings_are_those_of_hopkins_theory_at_automatic_sampling(
    half_period, zone, sigma, energy
):
    instrument = microscope(
        energy=f"{energy} eV", pixel=f"{half_period / 8!r} nm", field=f"{half_period * 2 * 7!r} nm",
        objective={"outermost_zone": f"{zone} nm", "diameter": "30 um", "thickness": "80 nm"},
        condenser={"sigma": sigma, "points": 150}, model="projection",
    )  # fmt: skip
    places = [[f"{2 * half_period * i!r} nm", "0 nm", "0 nm"] for i in range(-30, 31)]
    bars = boxes("gold", [f"{half_period!r} nm", "3 um", "1 um"], places)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ValidityWarning)
        prepared = instrument.prepare(bars)
    found = exposed(prepared)[56, 48:64]
    modulation = np.ptp(found) / (found.max() + found.min())
    assert modulation == pytest.approx(hopkins(half_period, zone, sigma, 150), abs=5e-3)


def test_modulations_of_thick_gratings_do_not_depend_on_the_sampling_of_the_wave():
    instrument = {"pixel": "1.8875 nm", "field": "211.4 nm", "condenser": {"sigma": 0.38, "points": 40}}
    places = [[f"{30.2 * i!r} nm", "0 nm", "0 nm"] for i in range(-25, 26)]
    bars = boxes("gold", ["15.1 nm", "1.2 um", "800 nm"], places)
    found = []
    for sample in ({}, {"wave_pixel": "0.5 nm"}):
        prepared = microscope(**instrument, **sample).prepare(bars)
        assert prepared.slabs.count > 3
        period = exposed(prepared)[56, 48:64]
        found.append((np.ptp(period) / (period.max() + period.min()), period.mean()))
    assert found[0][0] == pytest.approx(found[1][0], abs=2e-3)
    assert found[0][1] == pytest.approx(found[1][1], rel=0.02)


@pytest.mark.parametrize("half_period", [27.0, 1350 / 52])  # the wave is 1350 nm wide: no seam
def test_lines_beyond_the_cut_off_leave_nothing_however_they_lie_on_the_samples(half_period):
    bars = {"kind": "grating", "bars": 61, "period": f"{2 * half_period} nm", "length": "3 um", "height": "1 um"}
    lines = {"name": "lines", "material": "gold", "shape": bars}
    specimen = Specimen.from_table({"extent": ["4 um", "4 um"], "population": [lines]})
    lens = {"outermost_zone": "40 nm", "diameter": "60 um", "material": "opaque"}  # cut-off 27.6 nm
    settings = {"field": "700 nm", "pixel": "10 nm", "objective": lens, "condenser": {"sigma": 0.45, "points": 60}}
    seen = image(microscope(energy="800 eV", model="projection", **settings), specimen)[10:-10, 10:-10].mean(axis=0)
    assert np.ptp(seen) < 1e-3 * seen.mean()
