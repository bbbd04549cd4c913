"""Lengths along the beam: sums, displacement, slabs, tilts."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from xsim.specimen.specimen import Specimen
from xsim.waves.grid import Grid

LABELS = {
    "name": "labels",
    "material": "gold",
    "shape": {"kind": "sphere", "radius": "12.2 nm"},
    "size": {"distribution": "lognormal", "relative_width": 0.103},
    "count": 100,
    "placement": {"kind": "random", "minimum_gap": "5 nm"},
}
TABLE = {
    "extent": ["1 um", "1 um"],
    "layers": [{"material": "vitreous_ice", "thickness": "500 nm"}],
    "population": [
        LABELS,
        {"name": "body", "material": "protein", "shape": {"kind": "sphere", "radius": "200 nm"}},
        {
            "name": "rust",
            "material": "hematite",
            "shape": {"kind": "box", "sides": ["100 nm", "60 nm", "80 nm"]},
            "orientation": {"axis": [1, 2, 0], "angle": "37 deg"},
        },
    ],
}
GRID = Grid((64, 80), 16e-9, (3e-9, -5e-9))


@pytest.fixture(scope="module")
def specimen() -> Specimen:
    return Specimen.from_table(TABLE, seed=3)


def test_all_materials_together_are_as_thick_as_the_layer(specimen: Specimen) -> None:
    total = sum(specimen.thickness(GRID).values())
    np.testing.assert_allclose(total, 500e-9, rtol=1e-12)


def test_mass_of_every_material_follows_from_its_volume() -> None:
    specimen = Specimen.from_table(TABLE, seed=3)
    maps = {m.name: t for m, t in specimen.thickness(Grid((100, 100), 16e-9)).items()}
    volumes = {name: float(t.sum()) * (16e-9) ** 2 for name, t in maps.items()}
    (labels,) = specimen.population("labels")
    box, ball = 100e-9 * 60e-9 * 80e-9, 4 / 3 * np.pi * 200e-9**3
    assert volumes["gold"] == pytest.approx(labels.volumes.sum(), rel=1e-10)
    assert volumes["hematite"] == pytest.approx(box, rel=1e-10)
    assert volumes["protein"] == pytest.approx(ball - box, rel=1e-10)
    ice = (1600e-9) ** 2 * 500e-9 - ball - labels.volumes.sum()
    assert volumes["vitreous_ice"] == pytest.approx(ice, rel=1e-10)


def test_slabs_add_up_to_the_whole(specimen: Specimen) -> None:
    whole = specimen.thickness(GRID)
    edges = [-np.inf, -170e-9, -20e-9, 0.0, 31e-9, 240e-9, np.inf]
    for material, expected in whole.items():
        parts = sum(specimen.thickness(GRID, a, b)[material] for a, b in itertools.pairwise(edges))
        np.testing.assert_allclose(parts, expected, rtol=0, atol=1e-12 * 500e-9)
