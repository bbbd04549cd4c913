"""Gratings finer than the objective resolves, of periods that fit neither the pixels nor the field: an even image."""

from __future__ import annotations

import numpy as np
import pytest
from full_field_images import boxes, image, microscope

from xsim.instruments._seam import Seam, fitting
from xsim.specimen.specimen import Specimen
from xsim.waves.grid import Grid


def grating(period: float, material: str, height: float, along: int = 0) -> Specimen:
    places = [[f"{i * period!r} nm", "0 nm", "0 nm"] for i in range(-60, 61)]
    sides = [f"{period / 2!r} nm", "9 um", f"{height} nm"]
    for vector in (sides, *places):
        vector[0], vector[along] = vector[along], vector[0]
    return boxes(material, sides, places)


@pytest.mark.filterwarnings("ignore::xsim.errors.SamplingWarning")
@pytest.mark.parametrize(
    ("period", "energy", "zone", "sigma", "material", "height", "more"),
    [
        (33.0, 707, 25, 0.38, "gold", 80, {}),
        (21.0, 815, 15, 0.38, "gold", 80, {}),
        (19.3, 815, 15, 0.38, "nickel", 100, {"along": 1}),
        (51.0, 8000, 40, 0.5, "gold", 600, {}),
        (17.3, 520, 20, 0.9, "nickel", 60, {"defocus": "0.5 um"}),
    ],
)
def test_nothing_of_a_grating_beyond_the_cut_off_is_seen_whatever_its_period(
    period, energy, zone, sigma, material, height, more
):
    more = dict(more)
    bars = grating(period, material, height, more.pop("along", 0))
    instrument = microscope(
        energy=f"{energy} eV", field="360 nm", pixel="6 nm", model="projection",
        objective={"outermost_zone": f"{zone} nm", "diameter": "30 um"},
        condenser={"sigma": sigma, "points": 12, "tolerance": 1.0}, **more,
    )  # fmt: skip
    assert period * 1e-9 < instrument.finest_period(energy)
    found = image(instrument, bars)
    assert np.ptp(found) < 1e-3 * found.mean()
    x = instrument.image_grid().x
    window = np.hanning(len(x) + 2)[1:-1]
    flat = found - found.mean()
    row = flat[30] if bars.populations[0].shape.sides[0] < 1e-6 else flat[:, 30]
    harmonic = 2 * abs(np.sum(row * window * np.exp(2j * np.pi * x / (period * 1e-9)))) / window.sum()
    assert harmonic < 1e-4 * found.mean()


def test_a_wave_is_made_as_wide_as_fits_a_grating_and_left_where_nothing_repeats():
    bars = grating(33.0, "gold", 80)
    cells = fitting(bars, 170, 6e-9, 175e-9)
    assert cells > 170
    assert (cells * 6) % 33 == 0
    rng = np.random.default_rng(1)
    uneven = [[f"{x!r} nm", "0 nm", "0 nm"] for x in np.cumsum(rng.uniform(60, 200, 30)).tolist()]
    assert fitting(boxes("gold", ["25 nm", "9 um", "60 nm"], uneven), 170, 6e-9, 175e-9) == 170
    assert fitting(Specimen(), 170, 6e-9, 175e-9) == 170


def test_closing_a_seam_leaves_the_inside_and_what_is_periodic_as_they_are():
    grid = Grid((20, 20), 1e-9)
    seam = Seam(3)
    sampled = seam.sampled(grid)
    assert seam.period(sampled) == grid
    y, x = np.meshgrid(sampled.y, sampled.x, indexing="ij")
    even = np.cos(2 * np.pi * x / 10e-9) + np.sin(2 * np.pi * y / 4e-9)
    np.testing.assert_allclose(seam.closed(even), even[3:-3, 3:-3], atol=1e-12)
    ramp = seam.closed(x + 2 * y)
    np.testing.assert_allclose(ramp[3:-3, 3:-3], (x + 2 * y)[6:-6, 6:-6])
    steps = [np.abs(np.diff(np.append(line, line[:1]))).max() for line in (ramp[10], ramp[:, 10])]
    assert max(steps) < 0.4 * 40e-9  # a sharp seam jumps by 20e-9 and 40e-9
    assert Seam().closed(even) is even
