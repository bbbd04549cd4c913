"""How far along the beam a specimen reaches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from xsim.interaction.validity import required_slabs, structured_depth
from xsim.matter.material import Material
from xsim.registry import discover
from xsim.specimen.population import Population, at
from xsim.specimen.shapes.box import Box
from xsim.specimen.specimen import Specimen

GOLD = Material("Au", density="19.3 g/cm^3")
SHAPES = {kind: cls.example() for kind, cls in discover("shapes").items()}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_each_copy_reaches_as_far_along_z_as_its_surface(shape: Any) -> None:
    turns = Rotation.random(3, random_state=3).as_matrix()
    poses = at(np.random.default_rng(3).normal(size=(3, 3)) * shape.radius, [0.5, 1.0, 2.0], turns)
    population = Population("bodies", shape, GOLD, None, poses)
    low, high = population.z_extents
    points, _ = shape.surface_points(20_000, np.random.default_rng(4))
    for n in range(3):
        z = poses.positions[n, 2] + poses.scales[n] * (points @ turns[n].T)[:, 2]
        slack = 0.05 * poses.scales[n] * shape.radius
        assert low[n] - 1e-9 * shape.radius <= z.min() <= low[n] + slack
        assert high[n] - slack <= z.max() <= high[n] + 1e-9 * shape.radius
    assert population.z_range == (low.min(), high.max())


def test_a_flat_box_reaches_half_its_height_and_half_its_width_once_turned_on_edge() -> None:
    flat = Population("film", Box(sides=("2 um", "1 um", "10 nm")), GOLD, None, at([[0.0, 0.0, 3e-9]]))
    specimen = Specimen(populations=(flat,))
    assert specimen.z_range == pytest.approx((-2e-9, 8e-9), abs=1e-18)
    on_edge = specimen.rotated(Rotation.from_euler("y", 90, degrees=True).as_matrix())
    assert on_edge.z_range == pytest.approx((-1e-6, 1e-6), rel=1e-12)


def test_a_population_without_copies_reaches_nowhere() -> None:
    nobody = Population("nobody", Box(sides=("1 nm", "1 nm", "1 nm")), GOLD, None, at(np.zeros((0, 3))))
    assert nobody.z_range == (np.inf, -np.inf)
    assert Specimen(populations=(nobody,)).z_range == (0.0, 0.0)


def test_a_wide_thin_pattern_is_projected_not_cut_into_slabs() -> None:
    flat = Population("film", Box(sides=("5 um", "5 um", "100 nm")), GOLD, None, at([[0.0, 0.0, 0.0]]))
    specimen = Specimen(populations=(flat,))
    assert structured_depth(specimen) == pytest.approx(100e-9)
    assert required_slabs(specimen, 815.0, 10.87e-9) == 1
    tilted = specimen.rotated(Rotation.from_euler("y", 60, degrees=True).as_matrix())
    assert structured_depth(tilted) == pytest.approx((5e-6 * np.sin(np.pi / 3) + 100e-9 / 2), rel=1e-9)
    assert required_slabs(tilted, 815.0, 10.87e-9) > 20
