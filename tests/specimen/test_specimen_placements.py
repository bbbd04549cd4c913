"""Where particles go: clear of each other, on surfaces, on lattices, in fractal aggregates, from files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist

from xsim.errors import FileError, PlacementError, ScenarioError, UnknownNameError, XsimError
from xsim.specimen import placements
from xsim.specimen.placements.cluster import grow
from xsim.specimen.placements.lattice import Lattice
from xsim.specimen.specimen import Specimen
from xsim.streams import StreamKey, generator

ICE = [{"material": "vitreous_ice", "thickness": "1 um"}]


def sphere(radius: str) -> dict[str, str]:
    return {"kind": "sphere", "radius": radius}


def dots(placement: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "dots", "material": "gold", "shape": sphere("20 nm"), "placement": placement, **more}


def build(*population: dict[str, Any], layers: Any = ICE, seed: int = 1) -> Specimen:
    return Specimen.from_table({"extent": ["2 um", "1.5 um"], "layers": layers, "population": population}, seed)


def smallest_gap(centers: np.ndarray, radii: np.ndarray) -> float:
    pairs = cKDTree(centers).query_pairs(4 * radii.max(), output_type="ndarray")
    return float((np.linalg.norm(centers[pairs[:, 0]] - centers[pairs[:, 1]], axis=1) - radii[pairs].sum(axis=1)).min())


@pytest.mark.parametrize("count", [300, 3000])
def test_random_particles_keep_their_gap_and_stay_in_the_region(count: int) -> None:
    size = {"distribution": "lognormal", "relative_width": 0.2}
    (p,) = build(dots({"kind": "random", "minimum_gap": "7 nm"}, count=count, size=size)).populations
    assert smallest_gap(p.poses.positions, p.radii) >= 7e-9
    room = np.array([1e-6, 0.75e-6, 0.5e-6]) - np.abs(p.poses.positions) - p.radii[:, None]
    assert room.min() >= 0


def test_dense_random_packing_is_free_of_overlap() -> None:
    count = 4000  # volume fraction 0.45 in 2 x 1.5 x 0.1 um^3
    layer = [{"material": "water", "thickness": "150 nm"}]
    radius = (0.45 * 2e-6 * 1.5e-6 * 150e-9 / count * 3 / 4 / np.pi) ** (1 / 3)
    population = dots({"kind": "random"}, count=count, shape=sphere(f"{radius} m"))
    (p,) = build(population, layers=layer).populations
    assert smallest_gap(p.poses.positions, p.radii) >= -1e-9 * radius
    assert (np.abs(p.poses.positions[:, 2]) + p.radii).max() <= 75e-9 * (1 + 1e-9)


def test_random_positions_are_uniform_in_a_dilute_region() -> None:
    (p,) = build(dots({"kind": "random"}, count=4000, shape=sphere("1 nm"))).populations
    half = np.array([1e-6, 0.75e-6, 0.5e-6]) - 1e-9
    x = p.poses.positions / half
    # mean 0 and variance 1/3 within 3.5 standard errors
    assert np.abs(x.mean(axis=0)).max() < 3.5 * (1 / 3 / 4000) ** 0.5
    assert np.abs((x**2).mean(axis=0) - 1 / 3).max() < 3.5 * (4 / 45 / 4000) ** 0.5


def test_too_many_particles_are_refused_with_the_share_placed_and_a_cure() -> None:
    with pytest.raises(PlacementError, match=r"only \d+ of 900 .*volume fraction .*place fewer") as caught:
        build(
            {"name": "big", "material": "silica", "shape": sphere("300 nm")},
            dots({"kind": "random", "minimum_gap": "50 nm"}, count=900, shape=sphere("50 nm")),
        )
    assert caught.value.field == "population[1].placement"


def test_several_layers_must_be_chosen_from() -> None:
    layers = [{"material": "silicon_nitride", "thickness": "50 nm"}, {"material": "water", "thickness": "500 nm"}]
    with pytest.raises(ScenarioError, match="several layers") as caught:
        build(dots({"kind": "random"}, count=5), layers=layers)
    assert caught.value.field == "population[0].placement.layer"
    (p,) = build(dots({"kind": "random", "layer": "water"}, count=50), layers=layers).populations
    assert p.host is not None
    assert p.host.name == "water"
    with pytest.raises(UnknownNameError, match='did you mean "water"'):
        build(dots({"kind": "random", "layer": "watre"}, count=5), layers=layers)


@pytest.mark.parametrize(
    "shape",
    [
        sphere("300 nm"),
        {"kind": "box", "sides": ["600 nm", "500 nm", "400 nm"]},
        {"kind": "ellipsoid", "semi_axes": ["400 nm", "300 nm", "250 nm"]},
    ],
    ids=lambda s: s["kind"],
)
def test_labels_stand_one_linker_off_the_surface(shape: dict[str, Any]) -> None:
    body = {
        "name": "body",
        "material": "protein",
        "shape": shape,
        "orientation": {"axis": [1, 1, 0], "angle": "25 deg"},
    }
    size = {"distribution": "schulz", "relative_width": 0.1}
    labels = dots(
        {"kind": "surface", "of": "body", "linker": "8 nm", "binding_fraction": 0.75},
        count=80,
        size=size,
        shape=sphere("12 nm"),
    )
    specimen = build(labels, body)
    (p,), (b,) = specimen.population("dots"), specimen.population("body")
    local = np.einsum("ni,ij->nj", p.poses.positions - b.poses.positions[0], b.poses.rotations[0])
    rng = generator(StreamKey(5, "probe"))
    surface = b.shape.surface_points(40000, rng)[0]
    distance = cKDTree(surface).query(local)[0]
    expected = 8e-9 + p.radii
    # nothing nearer than the linker allows, and the bound ones at it, to the density of the probe points
    np.testing.assert_allclose(distance[:60], expected[:60], rtol=0, atol=2.0e-9)
    assert (distance[60:] - p.radii[60:]).min() > 0
    assert (distance[60:] > expected[60:] + 2e-9).mean() > 0.5
    assert smallest_gap(p.poses.positions, p.radii) >= 0
    assert p.host is not None
    assert p.host.name == "vitreous_ice"


def test_labels_on_a_sphere_stand_exactly_one_linker_off_and_all_around() -> None:
    body = {"name": "body", "material": "protein", "shape": sphere("400 nm")}
    labels = dots({"kind": "surface", "of": "body", "linker": "5 nm"}, count=400, shape=sphere("5 nm"))
    (p,) = build(body, labels).population("dots")
    away = np.linalg.norm(p.poses.positions, axis=1)
    np.testing.assert_allclose(away, 410e-9, rtol=1e-12)
    u = p.poses.positions / away[:, None]
    assert np.abs((u**2).mean(axis=0) - 1 / 3).max() < 3.5 * (4 / 45 / 400) ** 0.5


def test_normal_orientation_points_the_z_axis_off_the_surface() -> None:
    body = {"name": "body", "material": "protein", "shape": sphere("200 nm")}
    rods = dots(
        {"kind": "surface", "of": "body", "linker": "2 nm"},
        count=20,
        orientation="normal",
        shape={"kind": "box", "sides": ["8 nm", "8 nm", "40 nm"]},
    )
    (p,) = build(body, rods).population("dots")
    away = np.linalg.norm(p.poses.positions, axis=1)
    np.testing.assert_allclose(away, 222e-9, rtol=1e-12)
    np.testing.assert_allclose(p.poses.rotations[:, :, 2], p.poses.positions / away[:, None], atol=1e-12)


def test_labels_inside_a_cell_stay_in_the_cell() -> None:
    cell = {"name": "cell", "material": "protein", "shape": sphere("450 nm")}
    rust = {"name": "rust", "material": "hematite", "shape": sphere("150 nm")}
    labels = dots({"kind": "surface", "of": "rust", "linker": "4 nm", "binding_fraction": 0.5}, count=100)
    (p,) = build(labels | {"shape": sphere("8 nm")}, rust, cell).population("dots")
    assert p.host is not None
    assert p.host.name == "protein"
    assert (np.linalg.norm(p.poses.positions, axis=1) + p.radii).max() <= 450e-9


def test_more_labels_than_the_surface_carries_are_refused() -> None:
    body = {"name": "body", "material": "protein", "shape": sphere("60 nm")}
    with pytest.raises(PlacementError, match=r"only \d+ of 200 .* on the surface of body"):
        build(body, dots({"kind": "surface", "of": "body"}, count=200))


def test_particles_placed_in_a_host_lie_within_it() -> None:
    cell = {
        "name": "cell",
        "material": "protein",
        "shape": {"kind": "ellipsoid", "semi_axes": ["700 nm", "500 nm", "300 nm"]},
        "orientation": {"axis": [0, 0, 1], "angle": "20 deg"},
    }
    specimen = build(dots({"kind": "random"}, count=150, host="cell"), cell)
    (p,), (c,) = specimen.population("dots"), specimen.population("cell")
    assert {q.host.name if q.host else "" for q in specimen.population("dots")} == {"protein"}
    local = np.einsum("ni,ij->nj", p.poses.positions, c.poses.rotations[0])
    assert ((local / np.array([700e-9, 500e-9, 300e-9])) ** 2).sum(axis=1).max() < 1


@pytest.mark.parametrize(
    ("structure", "nearest", "neighbours"),
    [("sc", 1.0, 6), ("bcc", 3**0.5 / 2, 8), ("fcc", 2**-0.5, 12), ("hcp", 1.0, 12)],
)
def test_lattices_have_their_spacing_and_coordination(structure: str, nearest: float, neighbours: int) -> None:
    lattice = Lattice.model_validate({"structure": structure, "lattice_constant": "30 nm", "cut_radius": "100 nm"})
    sites = lattice.sites()
    centre = int(np.argmin((sites**2).sum(axis=1)))
    away = np.sort(np.linalg.norm(sites - sites[centre], axis=1))
    np.testing.assert_allclose(away[1 : neighbours + 1], nearest * 30e-9, rtol=1e-12)
    assert away[neighbours + 1] > nearest * 30e-9 * 1.01


def test_lattice_repeats_are_centred_and_counted() -> None:
    placement = {"kind": "lattice", "structure": "fcc", "lattice_constant": "60 nm", "repeat": [3, 2, 4]}
    (p,) = build(dots(placement)).populations
    assert len(p) == 4 * 24
    np.testing.assert_allclose(p.poses.positions.min(axis=0), -p.poses.positions.max(axis=0), atol=1e-20)
    with pytest.raises(ScenarioError, match="count disagrees"):
        build(dots(placement, count=5))


def test_a_lattice_by_vectors_is_the_same_as_by_name() -> None:
    a, v = "40 nm", "20 nm"
    zero = "0 nm"
    primitive = {"vectors": [[zero, v, v], [v, zero, v], [v, v, zero]], "cut_radius": "90 nm"}
    one = Lattice.model_validate(primitive).sites()
    two = Lattice.model_validate({"structure": "fcc", "lattice_constant": a, "cut_radius": "90 nm"}).sites()
    assert len(one) == len(two)
    assert cKDTree(one).query(two)[0].max() < 1e-20


@settings(max_examples=8, deadline=None)
@given(st.floats(1.7, 2.3), st.floats(1.1, 1.4), st.integers(30, 150), st.integers(0, 100))
def test_aggregates_obey_the_fractal_law_and_touch(dimension: float, prefactor: float, count: int, seed: int) -> None:
    rng = generator(StreamKey(seed, "test"))
    points = next(p for p, done in (grow(count, dimension, prefactor, rng) for _ in range(10)) if done)
    gyration = ((points - points.mean(axis=0)) ** 2).sum(axis=1).mean() + 1
    assert prefactor * gyration ** (dimension / 2) == pytest.approx(count, rel=1e-6)
    assert pdist(points).min() >= 2 * (1 - 1e-9)
    nearest = cKDTree(points).query(points, k=2)[0][:, 1]
    np.testing.assert_allclose(nearest, 2, rtol=1e-6)


def test_a_law_that_leaves_no_room_is_refused() -> None:
    with pytest.raises(PlacementError, match="leaves no free site") as caught:
        build(dots({"kind": "cluster", "fractal_dimension": 2.9, "prefactor": 3.0}, count=60))
    assert caught.value.field == "population[0].placement.fractal_dimension"


def test_several_aggregates_share_the_monomers() -> None:
    placement = {"kind": "cluster", "clusters": 3, "fractal_dimension": 2.1}
    (p,) = build(dots(placement, count=90, shape=sphere("8 nm"))).populations
    assert smallest_gap(p.poses.positions, p.radii) >= -1e-9 * 8e-9
    with pytest.raises(ScenarioError, match="multiple of clusters"):
        build(dots(placement, count=91))


def test_positions_and_radii_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "dots.csv"
    path.write_text("# measured\nx [nm],y [nm],z [um],radius [nm]\n10,20,-0.1,5\n-100,0,0.2,7.5\n")
    (p,) = build(dots({"kind": "file", "file": str(path)})).populations
    np.testing.assert_allclose(p.poses.positions, [[1e-8, 2e-8, -1e-7], [-1e-7, 0, 2e-7]], atol=1e-22)
    np.testing.assert_allclose(p.radii, [5e-9, 7.5e-9])
    np.save(tmp_path / "dots.npy", p.poses.positions * 1e9)
    (again,) = build(dots({"kind": "file", "file": str(tmp_path / "dots.npy"), "unit": "nm"})).populations
    np.testing.assert_allclose(again.poses.positions, p.poses.positions, rtol=1e-14)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file"),
        ("", "columns"),
        ("x,y,z\n1,2,3\n", "without a unit"),
        ("x [nm],y [nm]\n1,2\n", "columns"),
        ("x [nm],y [nm],z [nm]\n", "no positions"),
        ("x [nm],y [nm],z [nm]\n1,two,3\n", "row 1"),
        ("x [nm],y [nm],z [nm]\n1,2\n", "row 1"),
        ("x [nm],y [nm],z [keV]\n1,2,3\n", "wrong unit"),
        ("x [nm],y [nm],z [nm],radius [nm]\n1,2,3,-4\n", "radius"),
        ("x [nm],y [nm],z [nm]\n1,2,nan\n", "finite"),
    ],
)
def test_wrong_files_of_positions_are_refused(text: str | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "dots.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(XsimError, match=message) as caught:
        build(dots({"kind": "file", "file": str(path)}))
    assert caught.value.field.startswith("population[0].placement")
    assert text is not None or isinstance(caught.value, FileError)


def test_placement_depends_on_the_seed_and_on_nothing_else() -> None:
    table = dots({"kind": "random"}, count=40, orientation="random")
    other = {"name": "other", "material": "silica", "shape": sphere("15 nm")}
    one, same, different = build(table, seed=7), build(table, seed=7), build(table, seed=8)
    assert np.array_equal(one.populations[0].poses.positions, same.populations[0].poses.positions)
    assert np.array_equal(one.populations[0].poses.rotations, same.populations[0].poses.rotations)
    assert not np.array_equal(one.populations[0].poses.positions, different.populations[0].poses.positions)
    more = build(table, other | {"placement": {"kind": "at", "positions": [["0.9 um", "0.7 um", "0.4 um"]]}}, seed=7)
    assert np.array_equal(more.population("dots")[0].poses.rotations, one.populations[0].poses.rotations)


def test_unknown_parts_are_named_with_the_nearest() -> None:
    body = {"name": "body", "material": "protein", "shape": sphere("200 nm")}
    with pytest.raises(UnknownNameError, match='did you mean "body"') as caught:
        build(body, dots({"kind": "surface", "of": "bodi"}, count=3))
    assert caught.value.field == "population[1].placement.of"
    with pytest.raises(UnknownNameError, match='did you mean "body"') as caught:
        build(body, dots({"kind": "random"}, count=3, host="bdy"))
    assert caught.value.field == "population[1].host"


def test_every_placement_is_discovered() -> None:
    from xsim.registry import discover

    assert set(discover("placements")) >= {"random", "at", "file", "surface", "lattice", "cluster"}
    assert placements.__doc__
