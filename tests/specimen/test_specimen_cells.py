"""Fine samples of a few chosen pixels are what a grid that fine would hold there."""

from __future__ import annotations

import numpy as np
import pytest

from xsim.scans.tilts import rotation_about
from xsim.specimen.cells import particle_cells
from xsim.specimen.specimen import Specimen
from xsim.threads import use_threads
from xsim.waves.grid import Grid

GRID = Grid((45, 52), 8e-9, (3e-9, -5e-9))
SHAPES = [
    {"kind": "sphere", "radius": "31 nm"},
    {"kind": "ellipsoid", "semi_axes": ["40 nm", "22 nm", "51 nm"]},
    {"kind": "cube", "edge": "50 nm"},
    {"kind": "core_shell", "radius": "40 nm", "shell": "12 nm"},
]


def filled(shape: dict) -> Specimen:
    dots = {
        "name": "dots", "material": "gold", "shape": shape, "count": 9,
        "placement": {"kind": "random", "minimum_gap": "1 nm"}, "orientation": "random",
    }  # fmt: skip
    layers = [{"material": "vitreous_ice", "thickness": "250 nm"}]
    table = {"extent": ["400 nm", "400 nm"], "layers": layers, "population": [dots]}
    return Specimen.from_table(table).rotated(rotation_about("y", 0.4))


def chosen() -> np.ndarray:
    return np.random.default_rng(3).random(GRID.shape) < 0.4


def finely(specimen: Specimen, material: str, many: int, reach: tuple[float, float]) -> np.ndarray:
    """Length of the particles in the chosen pixels from a whole grid that fine: (n, many^2)."""
    ny, nx = GRID.shape
    p = GRID.pixel / many
    x = GRID.x[0] - GRID.pixel / 2 + (nx * many // 2 + 0.5) * p
    y = GRID.y[0] - GRID.pixel / 2 + (ny * many // 2 + 0.5) * p
    maps = specimen.thickness(Grid((ny * many, nx * many), p, (float(x), float(y))), *reach)
    layers = dict(zip(specimen.layers.materials, specimen.layers.thickness(GRID, *reach), strict=True))
    metres = next(t for m, t in maps.items() if m.name == material)
    for m, t in layers.items():
        if m.name == material:
            metres = metres - np.kron(t, np.ones((many, many)))
    return metres.reshape(ny, many, nx, many).transpose(0, 2, 1, 3)[chosen()].reshape(-1, many * many)


@pytest.mark.parametrize("reach", [(-np.inf, np.inf), (-30e-9, 25e-9)])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s["kind"])
def test_particles_in_fine_samples_are_those_of_a_fine_grid(shape, reach):
    specimen = filled(shape)
    found = particle_cells(specimen, GRID, chosen(), 4, reach)
    assert found.shape == (2, chosen().sum(), 16)
    for index, material in enumerate(specimen.materials):
        whole = finely(specimen, material.name, 4, reach)
        off = np.abs(found[index] - whole)
        # lines through the middles against means: far off at the rim only, where a sphere is steep
        assert np.sqrt((off**2).mean()) < 1e-9
        assert off.max() < 12e-9
        assert found[index].mean() == pytest.approx(whole.mean(), rel=2e-3)


def test_what_is_displaced_is_what_displaces_it():
    found = particle_cells(filled(SHAPES[0]), GRID, chosen(), 4, (-np.inf, np.inf))
    assert np.abs(found).max() > 50e-9
    assert np.array_equal(found[0], -found[1])


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s["kind"])
def test_bits_do_not_depend_on_threads(shape):
    one, two = [], []
    for threads, found in ((1, one), (2, two)):
        with use_threads(threads):
            found.append(particle_cells(filled(shape), GRID, chosen(), 4, (-np.inf, np.inf)))
    assert np.array_equal(one[0], two[0])
