"""Test patterns: their outlines, form factors against independent sums, and how they nest and overlap."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.spatial.transform import Rotation

from xsim.errors import OverlapError
from xsim.specimen import overlap
from xsim.specimen.population import at
from xsim.specimen.shapes._polygon import Polygon
from xsim.specimen.shapes.box import Box
from xsim.specimen.shapes.cylinder import Cylinder
from xsim.specimen.shapes.ellipsoid import Ellipsoid
from xsim.specimen.shapes.grating import Grating
from xsim.specimen.shapes.multilayer import Multilayer
from xsim.specimen.shapes.prism import Prism
from xsim.specimen.shapes.siemens_star import SiemensStar
from xsim.specimen.shapes.sphere import Sphere
from xsim.specimen.specimen import Specimen
from xsim.waves.grid import Grid

NM = 1e-9
TURN = Rotation.from_euler("zyx", [20, 35, -50], degrees=True).as_matrix()
GRATING = Grating(period="20 nm", bars=5, length="80 nm", height="30 nm")
STAR = SiemensStar(spokes=9, inner_radius="10 nm", outer_radius="50 nm", height="20 nm")
LETTER = Prism.example()


def raster(shape: Any, poses: Any, grid: Grid, z0: float = -np.inf, z1: float = np.inf) -> np.ndarray:
    out = np.zeros(grid.shape)
    shape.add_thickness(out, poses, grid, z0, z1)
    return out


def outlines() -> st.SearchStrategy[np.ndarray]:
    """Star-shaped outlines with re-entrant corners."""
    radii = st.lists(st.floats(0.2, 1.0), min_size=5, max_size=12)
    return radii.map(
        lambda r: np.array(
            [(x * np.cos(a), x * np.sin(a)) for x, a in zip(r, 2 * np.pi * np.arange(len(r)) / len(r), strict=True)]
        )
    )


@settings(max_examples=60, deadline=None)
@given(corners=outlines())
def test_the_pieces_of_a_polygon_fill_it_and_its_pockets_fill_its_hull(corners: np.ndarray) -> None:
    polygon = Polygon(corners)
    assert polygon.crossing() is None
    areas = [piece.area for piece in polygon.pieces]
    assert min(areas) > 0
    assert sum(areas) == pytest.approx(polygon.area, rel=1e-12)
    beside = sum(pocket.area for pocket in polygon.pockets)
    assert polygon.area + beside == pytest.approx(Polygon(polygon.hull).area, rel=1e-9)
    assert all(piece.convex for piece in (*polygon.pieces, *polygon.pockets))


def test_a_comb_whose_teeth_end_on_its_hull_has_a_pocket_for_every_gap() -> None:
    teeth = [(5, 3), (4, 3), (4, 1), (3, 1), (3, 3), (2, 3), (2, 1), (1, 1), (1, 3), (0, 3)]
    comb = Polygon(np.array([(0, 0), (5, 0), *teeth], float))
    assert comb.area == pytest.approx(11)
    assert sum(pocket.area for pocket in comb.pockets) == pytest.approx(4)


@pytest.mark.parametrize("shape", [GRATING, Grating(period="14 nm", bars=4, duty=0.3, length="50 nm", height="9 nm")])
def test_a_grating_is_the_sum_of_its_bars(shape: Grating) -> None:
    width = shape.duty * shape.period
    bar = Box(sides=(f"{width!r} m", f"{shape.length!r} m", f"{shape.height!r} m"))
    places = (np.arange(shape.bars) - (shape.bars - 1) / 2) * shape.period
    q = np.random.default_rng(1).normal(size=(300, 3)) / (10 * NM)
    q[:4] = [[2 * np.pi * m / shape.period, 0, 0] for m in range(4)]
    direct = bar.form_factor(q) * np.exp(-1j * np.outer(q[:, 0], places)).sum(axis=1)
    np.testing.assert_allclose(shape.form_factor(q), direct, atol=1e-13 * shape.volume)
    grid = Grid((60, 61), 2 * NM)
    where = at(np.column_stack([places, np.zeros((len(places), 2))]) @ TURN.T, rotations=TURN)
    np.testing.assert_allclose(
        raster(shape, at([[0, 0, 0]], rotations=TURN), grid, -4 * NM, 9 * NM),
        raster(bar, where, grid, -4 * NM, 9 * NM),
        atol=1e-13 * NM,
    )


def test_a_siemens_star_is_half_open_at_every_radius() -> None:
    grid = Grid((220, 220), 0.5 * NM)
    image = raster(STAR, at([[0, 0, 0]]), grid) / STAR.height
    r, phi = np.hypot(grid.x[None, :], grid.y[:, None]), np.arctan2(grid.y[:, None], grid.x[None, :])
    for radius in (15, 25, 40):
        ring = np.abs(r - radius * NM) < 0.5 * NM
        assert image[ring].mean() == pytest.approx(0.5, abs=0.02)
        spokes = 2 * np.mean(image[ring] * np.cos(9 * phi[ring]))  # the first harmonic of a square wave is 2/pi
        assert spokes == pytest.approx(2 / np.pi, abs=0.03)
    assert STAR.half_period(30 * NM) == pytest.approx(np.pi / 9 * 30 * NM)
    assert image[r < 9 * NM].max() == 0
    assert image[110, 110 + 60] == pytest.approx(1)  # the first spoke lies along +x


def test_both_parts_of_a_multilayer_fill_a_box() -> None:
    first = Multilayer(first="15 nm", second="10 nm", pairs=4, length="80 nm", height="40 nm")
    box = Box(sides=("100 nm", "80 nm", "40 nm"))
    grid, pose = Grid((70, 70), 2 * NM), at([[3 * NM, 1 * NM, 0]], rotations=TURN)
    together = raster(first, pose, grid, -8 * NM) + raster(first.core(), pose, grid, -8 * NM)
    np.testing.assert_allclose(together, raster(box, pose, grid, -8 * NM), atol=1e-12 * NM)
    q = np.random.default_rng(2).normal(size=(200, 3)) / (10 * NM)
    total = first.form_factor(q) + first.core().form_factor(q)
    np.testing.assert_allclose(total, box.form_factor(q), atol=1e-13 * box.volume)
    assert first.core().core() == first
    flat = raster(first, at([[0, 0, 0]]), Grid((1, 200), 0.5 * NM))[0]
    assert flat[[2, 28]] == pytest.approx(40 * NM)  # the first film begins at the lowest x
    assert flat[[32, 48]] == pytest.approx(0, abs=1e-18)


def test_a_letter_is_the_union_of_its_strokes_whichever_way_its_outline_runs() -> None:
    strokes = [((20, 90), (10, 45)), ((25, 20), (32.5, 45)), ((40, 20), (40, 80))]
    middle = np.average([c for _, c in strokes], axis=0, weights=[a * b for (a, b), _ in strokes])
    grid, poses = Grid((70, 70), 2 * NM), at([[3 * NM, 0, 0]], rotations=TURN)
    apart = np.zeros(grid.shape)
    for (width, length), centre in strokes:
        where = poses.positions + TURN @ np.array([*(np.array(centre) - middle), 0]) * NM
        stroke = Box(sides=(f"{width} nm", f"{length} nm", "40 nm"))
        stroke.add_thickness(apart, at(where, rotations=TURN), grid, -10 * NM, np.inf)
    for corners in (LETTER.model_dump()["corners"], LETTER.model_dump()["corners"][::-1]):
        letter = Prism(corners=corners, height="40 nm")
        np.testing.assert_allclose(raster(letter, poses, grid, -10 * NM), apart, atol=1e-12 * NM)


@pytest.mark.parametrize(
    ("corners", "text"),
    [
        ([(0, 0), (10, 10), (10, 0), (0, 10)], "crosses or touches itself.*corner 0 to 1 and 2 to 3"),
        ([(0, 0), (10, 0)], "corners of an outline; got 2"),
        ([(0, 0), (10, 0), (20, 0)], "without area"),
        ([(0, 0), (10, 0), (10, 10), (5, 0), (0, 10)], "touches itself"),
    ],
)
def test_an_outline_that_is_not_simple_is_refused(corners: list[tuple[float, float]], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        Prism(corners=[(f"{x} nm", f"{y} nm") for x, y in corners], height="5 nm")


def verdict(inner: Any, where: Any, outer: Any, turn: Any = None) -> int:
    """Of `inner` at `where` [nm] in the frame of `outer`, both turned together."""
    turn = np.eye(3) if turn is None else turn
    found, _ = overlap.judge(
        inner, at([turn @ np.array(where, float) * NM], rotations=turn), outer, at([[0, 0, 0]], rotations=turn)
    )
    return int(found[0])


BALL = Sphere(radius="4.9 nm")
ROD = Cylinder(diameter="9.8 nm", length="60 nm")


@pytest.mark.parametrize("turn", [None, TURN])
@pytest.mark.parametrize(
    ("inner", "where", "outer", "expected"),
    [
        (BALL, (10, 0, 0), GRATING, overlap.APART),
        (BALL, (20, 30, 5), GRATING, overlap.FIRST_INSIDE),
        (BALL, (20, 30, 12), GRATING, overlap.OVERLAP),
        (BALL, (15, 0, 0), GRATING, overlap.OVERLAP),
        (Box(sides=("10 nm", "80 nm", "30 nm")), (10, 0, 0), GRATING, overlap.APART),
        (Box(sides=("10 nm", "80 nm", "30 nm")), (20, 0, 0), GRATING, overlap.FIRST_INSIDE),
        (Box(sides=("10.1 nm", "70 nm", "20 nm")), (10, 0, 0), GRATING, overlap.OVERLAP),
        (GRATING, (0, 0, 0), Box(sides=("90 nm", "80 nm", "30 nm")), overlap.FIRST_INSIDE),
        (GRATING, (0.1, 0, 0), Box(sides=("90 nm", "80 nm", "30 nm")), overlap.OVERLAP),
        (GRATING, (10, 0, 0), GRATING, overlap.APART),
        (GRATING, (12, 0, 0), GRATING, overlap.OVERLAP),
        (STAR, (0, 0, 0), Cylinder(diameter="100.01 nm", length="20 nm"), overlap.FIRST_INSIDE),
        (STAR, (0, 0, 3), Cylinder(diameter="110 nm", length="20 nm"), overlap.OVERLAP),
        (BALL, (30, 0, 0), STAR, overlap.FIRST_INSIDE),
        (BALL, (0, 0, 0), STAR, overlap.APART),
        (BALL, (-30, 0, 0), STAR, overlap.APART),  # nine spokes: a gap lies opposite to a spoke
        (Ellipsoid(semi_axes=("4 nm", "30 nm", "15 nm")), (-11, -9, 0), LETTER, overlap.FIRST_INSIDE),
        (BALL, (12, 3, 0), LETTER, overlap.OVERLAP),
        (BALL, (12, 8.5, 0), LETTER, overlap.APART),
        (BALL, (18, -30, 0), LETTER, overlap.APART),
        (BALL, (-13, 5, 0), LETTER, overlap.FIRST_INSIDE),
    ],
)
def test_patterns_are_apart_or_nested_or_overlap_by_their_true_outline(
    inner: Any, where: Any, outer: Any, expected: int, turn: Any
) -> None:
    assert verdict(inner, where, outer, turn) == expected


def build(*population: dict[str, Any]) -> Specimen:
    return Specimen.from_table({"population": list(population)})


def test_a_multilayer_fills_itself_with_its_second_material_and_holds_dots() -> None:
    films = {"first": "20 nm", "second": "20 nm", "pairs": 8}
    shape = {"kind": "multilayer", **films, "length": "200 nm", "height": "60 nm"}
    lamella = {"name": "films", "material": "chromium", "core_material": "silicon", "shape": shape}
    dot = {"name": "dot", "material": "gold", "shape": {"kind": "sphere", "radius": "9 nm"}}
    where = {"kind": "at", "positions": [["10 nm", "0 nm", "0 nm"], ["30 nm", "5 nm", "0 nm"]]}
    specimen = build(lamella, dot | {"placement": where})
    hosts = {p.index[0]: p.host.name for p in specimen.population("dot") if p.host is not None}
    assert hosts == {0: "chromium", 1: "silicon"}
    maps = specimen.thickness(Grid((100, 100), 2 * NM))
    total = sum(m[10:90, 25:75] for m in maps.values())
    np.testing.assert_allclose(total, 60 * NM, rtol=1e-12)
    across = dot | {"placement": {"kind": "at", "positions": [["20 nm", "0 nm", "0 nm"]]}}
    with pytest.raises(OverlapError, match=r"dot\[0\]"):
        build(lamella, across)


def test_dots_are_placed_in_the_grooves_and_bars_of_a_grating_without_touching_its_walls() -> None:
    lines = {"name": "lines", "material": "gold", "shape": GRATING.model_dump()}
    dots = {
        "name": "dots",
        "material": "carbon",
        "shape": {"kind": "sphere", "radius": "3 nm"},
        "count": 12,
        "host": "lines",
        "placement": {"kind": "random"},
    }
    specimen = build(lines, dots)
    assert {p.host.name for p in specimen.population("dots") if p.host is not None} == {"gold"}
    assert sum(len(p) for p in specimen.population("dots")) == 12


@pytest.mark.parametrize("shape", [GRATING, STAR, LETTER], ids=lambda shape: shape.kind)
def test_the_depth_of_a_point_is_its_distance_from_the_surface(shape: Any) -> None:
    rng = np.random.default_rng(5)
    points = rng.uniform(-1, 1, (300, 3)) * shape.radius * [1, 1, 0.4]
    depth = shape.depth(points)
    assert np.array_equal(depth > 0, shape.contains(points))
    surface, _ = shape.surface_points(40_000, rng)
    inside = depth > 0
    nearest = np.array([np.sqrt(((surface - p) ** 2).sum(axis=1).min()) for p in points[inside]])
    assert np.all(nearest >= depth[inside] - 1e-12 * NM)
    assert np.abs(nearest - depth[inside]).max() < 0.02 * shape.radius
