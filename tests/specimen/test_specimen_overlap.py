"""Parts that overlap are refused; parts that touch, or lie one in another, are not."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from xsim.errors import OverlapError
from xsim.matter import library
from xsim.specimen import containment, gjk, overlap, rotations
from xsim.specimen.layers import Layers
from xsim.specimen.population import Population, at
from xsim.specimen.shapes.box import Box
from xsim.specimen.shapes.cylinder import Cylinder
from xsim.specimen.shapes.ellipsoid import Ellipsoid
from xsim.specimen.shapes.octahedron import Octahedron
from xsim.specimen.shapes.sphere import Sphere
from xsim.specimen.specimen import Specimen

GOLD = library.find("gold")
SPHERE = Sphere(radius="50 nm")
BOX = Box(sides=["100 nm", "60 nm", "40 nm"])
ELLIPSOID = Ellipsoid(semi_axes=["60 nm", "40 nm", "30 nm"])
OCTAHEDRON = Octahedron(edge="80 nm")
CYLINDER = Cylinder(diameter="50 nm", length="120 nm")
CONVEX = [SPHERE, BOX, ELLIPSOID, OCTAHEDRON, CYLINDER]


def body(
    name: str, shape: dict[str, Any], at_nm: tuple[float, float, float] = (0, 0, 0), **more: Any
) -> dict[str, Any]:
    placement = {"kind": "at", "positions": [[f"{x} nm" for x in at_nm]]}
    return {"name": name, "material": "gold", "shape": shape, "placement": placement, **more}


def ball(name: str, radius: float, *where: float, **more: Any) -> dict[str, Any]:
    x, y, z = (*where, 0, 0, 0)[:3]
    return body(name, {"kind": "sphere", "radius": f"{radius} nm"}, (x, y, z), **more)


def build(*population: dict[str, Any], thickness: str = "1 um") -> Specimen:
    layers = [{"material": "vitreous_ice", "thickness": thickness}]
    return Specimen.from_table({"extent": ["2 um", "2 um"], "layers": layers, "population": population})


def test_overlapping_spheres_are_refused_with_both_names_and_the_depth() -> None:
    with pytest.raises(OverlapError, match=r"first\[0\] and second\[0\] overlap; got '1e-08 m deep'"):
        build(ball("first", 100), ball("second", 50, 140))


@pytest.mark.parametrize("gap", [0.0, 1e-3, 5.0])
def test_touching_and_separate_spheres_are_accepted(gap: float) -> None:
    specimen = build(ball("first", 100), ball("second", 50, 150 + gap))
    assert [p.host.name for p in specimen.populations if p.host] == ["vitreous_ice"] * 2


def test_a_part_within_another_displaces_it_and_the_innermost_counts() -> None:
    specimen = build(
        ball("seed", 10, 100, material="silver"),
        ball("grain", 40, 90, material="hematite"),
        ball("cell", 300, material="protein"),
    )
    hosts = {p.name: p.host.name for p in specimen.populations if p.host}
    assert hosts == {"seed": "hematite", "grain": "protein", "cell": "vitreous_ice"}


def test_a_part_that_sticks_out_of_its_host_is_refused() -> None:
    with pytest.raises(OverlapError, match="overlap"):
        build(ball("grain", 40, 280), ball("cell", 300))
    with pytest.raises(OverlapError, match=r"grain\[0\] does not lie inside its host cell"):
        build(ball("grain", 40, 400, host="cell"), ball("cell", 300))


def test_a_part_through_a_layer_surface_is_refused_by_how_much() -> None:
    with pytest.raises(
        OverlapError, match=r"grain\[0\] sticks through the layer surface at z = 5e-07 m; got 'by 1e-08"
    ):
        build(ball("grain", 40, 0, 0, 470))
    build(ball("grain", 40, 0, 0, 460))
    build(ball("grain", 40, 0, 0, 541))  # outside all layers, in vacuum


def test_the_core_of_a_shell_is_another_part_in_the_hollow() -> None:
    shell = {"kind": "core_shell", "radius": "100 nm", "shell": "20 nm"}
    population = body("pill", shell, material="silica", core_material="hematite")
    specimen = build(population, ball("inside", 10, 0, 0, 90))
    hosts = {p.name: p.host.name for p in specimen.populations if p.host}
    assert hosts == {"pill": "vitreous_ice", "pill_core": "vitreous_ice", "inside": "silica"}
    maps = {m.name: t for m, t in specimen.thickness(_grid()).items()}
    assert maps["hematite"].max() == pytest.approx(160e-9, rel=1e-3)
    with pytest.raises(OverlapError, match="overlap"):
        build(population, ball("cut", 15, 0, 0, 80))


def _grid() -> Any:
    from xsim.waves.grid import Grid

    return Grid((65, 65), 4e-9)


@pytest.mark.parametrize("angle", [0.0, 0.3])
def test_a_crystal_of_touching_cubes_is_accepted_and_a_denser_one_refused(angle: float) -> None:
    def crystal(constant: str) -> Specimen:
        turn = {"axis": [1, 2, 3], "angle": f"{angle} rad"}
        placement = {
            "kind": "lattice",
            "structure": "sc",
            "lattice_constant": constant,
            "repeat": [4, 4, 4],
            "turn": turn,
        }
        cube = {"kind": "cube", "edge": "20 nm"}
        return build(body("cubes", cube, orientation=turn) | {"placement": placement})

    assert len(crystal("20 nm").populations[0]) == 64
    with pytest.raises(OverlapError, match=r"cubes\[\d+\] and cubes\[\d+\] overlap; got '\S+e-11 m deep"):
        crystal("19.98 nm")


@settings(max_examples=25, deadline=None)
@example(BOX, BOX, 16)  # an edge against an edge
@given(st.sampled_from(CONVEX), st.sampled_from(CONVEX), st.integers(0, 10**6))
def test_bodies_are_apart_exactly_when_no_point_is_in_both(one: Any, two: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    turns = rotations.random_rotations(2, rng)
    direction = rng.standard_normal(3)
    offset = direction / np.linalg.norm(direction) * rng.uniform(20e-9, 140e-9)
    a, b = at(np.zeros(3), 1.0, turns[0]), at(offset, rng.uniform(0.5, 1.5), turns[1])
    apart = bool(gjk.apart(one, a, two, b)[0])
    depth = float(containment.penetration(one, a, two, b)[0])
    assert apart == (depth <= 1e-9 * (one.radius + two.radius))
    points = rng.uniform(-1, 1, (40000, 3)) * one.radius
    inside = points[one.contains(points)] @ turns[0].T
    shared = two.contains((inside - offset) @ turns[1] / b.scales[0])
    assert not (apart and shared.any())
    if depth > 0.2 * min(one.radius, two.radius * b.scales[0]):
        assert shared.any()


@settings(max_examples=25, deadline=None)
@example(ELLIPSOID, CYLINDER, 4387)  # through the wall, which is a crease of the support function
@given(st.sampled_from(CONVEX), st.sampled_from(CONVEX), st.integers(0, 10**6))
def test_the_margin_inside_agrees_with_the_points_of_the_surface(inner: Any, outer: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    turns = rotations.random_rotations(2, rng)
    shift = rng.normal(size=3) * 12e-9
    a, b = at(shift, rng.uniform(0.1, 0.7), turns[0]), at(np.zeros(3), 1.0, turns[1])
    margin = float(containment.margin_inside(inner, a, outer, b)[0])
    surface = shift + a.scales[0] * inner.surface_points(20000, rng)[0] @ turns[0].T
    inside = outer.contains(surface @ turns[1])
    assert inside.all() if margin >= 0 else True
    if margin < -0.02 * outer.radius:
        assert not inside.all()


def test_the_margin_of_a_ball_in_a_box_is_the_distance_to_its_nearest_face() -> None:
    turn = rotations.about(np.array([1.0, 2, 3]), 0.7)
    place = turn @ np.array([20e-9, 10e-9, -5e-9])
    margin = containment.margin_inside(SPHERE, at(place, 0.1), BOX, at(np.zeros(3), 1.0, turn))[0]
    assert margin == pytest.approx(20e-9 - 5e-9 - 5e-9, rel=1e-9)


def test_the_depth_of_two_spheres_is_what_their_distance_lacks() -> None:
    place = np.array([30e-9, 40e-9, 20e-9])
    depth = containment.penetration(SPHERE, at(np.zeros(3)), SPHERE, at(place))[0]
    assert depth == pytest.approx(100e-9 - np.linalg.norm(place), rel=1e-6)


def test_pairs_are_found_between_very_different_sizes() -> None:
    rng = np.random.default_rng(2)
    centers = rng.uniform(-1, 1, (600, 3))
    radii = 10 ** rng.uniform(-3, -0.3, 600)
    first, second = overlap.candidate_pairs(centers, radii)
    gap = np.linalg.norm(centers[:, None] - centers[None], axis=2) - radii[:, None] - radii[None]
    expected = np.argwhere(np.triu(gap < 0, 1))
    np.testing.assert_array_equal(np.stack([first, second], axis=1), expected)


def test_a_hundred_thousand_spheres_are_checked_fast() -> None:
    side, radius = 47, 50e-9
    index = np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    many = Population("many", SPHERE, GOLD, None, at(index * 2 * radius))
    start = time.perf_counter()
    (parents,) = overlap.resolve([many], Layers(), {})
    assert time.perf_counter() - start < 6  # about 0.5 s on an idle machine
    assert len(parents.row) == side**3
    assert (parents.population == -1).all()
