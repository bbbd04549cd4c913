"""Shapes against closed forms, brute force and an independent code."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.polynomial.legendre import leggauss
from pydantic import ValidationError
from scipy.spatial.transform import Rotation

from xsim.errors import FileError, RangeError
from xsim.specimen.shape import Poses
from xsim.specimen.shapes._polyhedron import Polyhedron
from xsim.specimen.shapes.box import Box, cuboid
from xsim.specimen.shapes.core_shell import CoreShell
from xsim.specimen.shapes.cube import Cube
from xsim.specimen.shapes.cylinder import Cylinder
from xsim.specimen.shapes.ellipsoid import Ellipsoid
from xsim.specimen.shapes.icosahedron import Icosahedron
from xsim.specimen.shapes.octahedron import Octahedron
from xsim.specimen.shapes.sphere import Sphere
from xsim.specimen.shapes.truncated_octahedron import TruncatedOctahedron
from xsim.specimen.shapes.voxels import Voxels
from xsim.waves.grid import Grid

NM = 1e-9


def pose(position: Any = (0.0, 0.0, 0.0), rotation: Any = None, scale: float = 1.0) -> Poses:
    turn = np.eye(3) if rotation is None else rotation
    return Poses(np.array([position], float), np.array([turn]), np.array([scale]))


def raster(shape: Any, poses: Poses, grid: Grid, z0: float = -np.inf, z1: float = np.inf) -> np.ndarray:
    out = np.zeros(grid.shape)
    shape.add_thickness(out, poses, grid, z0, z1)
    return out


def fine_points(grid: Grid, k: int) -> tuple[np.ndarray, np.ndarray]:
    inner = ((np.arange(k) + 0.5) / k - 0.5) * grid.pixel
    return (grid.x[:, None] + inner).ravel(), (grid.y[:, None] + inner).ravel()


def binned(values: np.ndarray, grid: Grid, k: int) -> np.ndarray:
    return values.reshape(grid.shape[0], k, grid.shape[1], k).mean(axis=(1, 3))


@pytest.mark.parametrize("radius", [0.4, 1.0, 2.7, 8.0])
@pytest.mark.parametrize("slab", [(-np.inf, np.inf), (-0.3, 0.9), (0.2, np.inf), (0.0, 0.0001), (-9.0, 0.0)])
def test_sphere_thickness_is_the_pixel_mean_of_the_chord(radius: float, slab: tuple[float, float]) -> None:
    grid, k = Grid((20, 21), NM, (0.2 * NM, 0.0)), 120
    x0, y0, z0 = 0.37 * NM, -0.21 * NM, 0.1 * NM
    low, high = slab[0] * NM + z0, slab[1] * NM + z0
    x, y = fine_points(grid, k)
    square = (radius * NM) ** 2 - (x[None, :] - x0) ** 2 - (y[:, None] - y0) ** 2
    half = np.sqrt(np.maximum(square, 0))
    chord = np.maximum(np.minimum(z0 + half, high) - np.maximum(z0 - half, low), 0)
    image = raster(Sphere(radius=f"{radius} nm"), pose((x0, y0, z0)), grid, low, high)
    assert np.abs(image - binned(chord, grid, k)).max() < 2e-3 * min(2 * radius * NM, high - low)


@pytest.mark.parametrize("slab", [(-np.inf, np.inf), (-1.1, 0.4)])
def test_box_thickness_is_the_pixel_mean_of_the_chord(slab: tuple[float, float]) -> None:
    grid, k = Grid((14, 15), NM), 80
    turn = Rotation.from_rotvec([0.3, -0.5, 0.9]).as_matrix()
    box, origin = Box(sides=("6 nm", "4 nm", "3 nm")), np.array([0.3, -0.2, 0.1]) * NM
    x, y = fine_points(grid, k)
    start = np.stack(np.broadcast_arrays(x[None, :], y[:, None], 0.0), -1) - origin
    a, b = (-np.array(box.sides) / 2 - start @ turn) / turn[2], (np.array(box.sides) / 2 - start @ turn) / turn[2]
    low = np.maximum(np.minimum(a, b).max(axis=-1), slab[0] * NM)
    high = np.minimum(np.maximum(a, b).min(axis=-1), slab[1] * NM)
    image = raster(box, pose(origin, turn), grid, slab[0] * NM, slab[1] * NM)
    assert np.abs(image - binned(np.maximum(high - low, 0), grid, k)).max() < 1e-4 * 4 * NM


@pytest.mark.parametrize("size", [1.0, 2.0, 5.0, 8.0])
def test_tilted_ellipsoid_thickness_is_the_pixel_mean_of_the_chord(size: float) -> None:
    grid, k = Grid((20, 20), NM), 100
    axes = np.array([1.0, 0.6, 0.4]) * size * NM
    turn, origin = Rotation.from_rotvec([0.8, 0.4, -0.6]).as_matrix(), np.array([0.3, -0.2, 0.1]) * NM
    x, y = fine_points(grid, k)
    start = (np.stack(np.broadcast_arrays(x[None, :], y[:, None], 0.0), -1) - origin) @ turn / axes
    along = turn[2] / axes
    a, b, c = along @ along, start @ along, (start**2).sum(axis=-1) - 1
    chord = 2 * np.sqrt(np.maximum(b * b - a * c, 0)) / a
    shape = Ellipsoid(semi_axes=tuple(f"{s!r} m" for s in axes.tolist()))
    image = raster(shape, pose(origin, turn), grid)
    assert np.abs(image - binned(chord, grid, k)).max() < 1.5e-3 * chord.max()


def test_an_ellipsoid_of_equal_axes_is_a_sphere() -> None:
    grid, where = Grid((24, 24), NM), pose((0.3 * NM, 0.2 * NM, 0.4 * NM), Rotation.random(random_state=1).as_matrix())
    ball, same = Sphere(radius="7 nm"), Ellipsoid(semi_axes=("7 nm",) * 3)
    for low, high in ((-np.inf, np.inf), (-2 * NM, 3 * NM)):
        difference = raster(ball, where, grid, low, high) - raster(same, where, grid, low, high)
        assert np.abs(difference).max() < 5e-3 * NM
    q = np.random.default_rng(1).normal(size=(40, 3)) / NM
    np.testing.assert_allclose(same.form_factor(q), ball.form_factor(q), atol=1e-13 * ball.volume)


def test_cylinder_seen_from_its_end_is_a_disc_and_from_its_side_a_chord() -> None:
    grid, rod = Grid((40, 40), NM), Cylinder(diameter="12 nm", length="20 nm")
    end_on = raster(rod, pose(), grid)
    assert end_on[20, 20] == pytest.approx(20 * NM, rel=1e-12)
    assert end_on.sum() * NM**2 == pytest.approx(rod.volume, rel=1e-12)
    side_on = raster(rod, pose(rotation=Rotation.from_euler("x", 90, degrees=True).as_matrix()), grid)
    edges = np.clip(np.arange(41) - 20.5, -6, 6)
    area = edges * np.sqrt(36 - edges**2) + 36 * np.arcsin(edges / 6)
    np.testing.assert_allclose(side_on[20], np.diff(area) * NM, atol=0.05 * NM)


def test_sphere_form_factor_is_rayleighs() -> None:
    shape = Sphere(radius="12.2 nm")
    x = np.array([1e-6, 0.01, 0.49, 0.51, 1.0, 4.493409457909064, 20.0])
    q = np.zeros((len(x), 3))
    q[:, 1] = x / shape.radius
    f = shape.form_factor(q).real / shape.volume
    exact = 3 * (np.sin(x[2:]) - x[2:] * np.cos(x[2:])) / x[2:] ** 3
    np.testing.assert_allclose(f[:2], 1 - x[:2] ** 2 / 10 + x[:2] ** 4 / 280, rtol=1e-14)
    np.testing.assert_allclose(f[2:], exact, rtol=1e-12, atol=1e-15)
    assert abs(f[5]) < 1e-15  # the first zero


def test_porod_law_of_the_sphere() -> None:
    x = np.linspace(200, 200 + 40 * np.pi, 20_000, endpoint=False)
    shape = Sphere(radius="1 nm")
    f = shape.form_factor(np.stack([0 * x, x / NM, 0 * x], axis=-1)).real / shape.volume
    assert np.mean(f**2 * x**4) == pytest.approx(4.5, rel=1e-3)


@pytest.mark.parametrize("shape", [Cube(edge="1 nm"), Octahedron(edge="1 nm"), Icosahedron(edge="0.7 nm")])
def test_porod_law_of_solids_gives_their_surface(shape: Any) -> None:
    """The average of q^4 |F|^2 over directions tends to 2 pi times the surface area."""
    u, weight = leggauss(80)
    phi = np.arange(160) * 2 * np.pi / 160
    s = np.sqrt(1 - u**2)
    directions = np.stack([np.outer(s, np.cos(phi)), np.outer(s, np.sin(phi)), np.outer(u, np.ones(160))], axis=-1)
    values = []
    for q in np.linspace(45, 65, 12) / shape.radius:
        intensity = np.abs(shape.form_factor(q * directions)) ** 2
        values.append(q**4 * (intensity.mean(axis=1) @ weight) / 2)
    area = sum(np.linalg.norm(np.cross(b - a, c - a)) / 2 for a, b, c in shape.body.corners[shape.body.triangles])
    assert np.mean(values) == pytest.approx(2 * np.pi * area * shape.edge**2, rel=0.05)


def test_sum_over_tetrahedra_equals_three_sincs_at_every_q() -> None:
    sides = (1.0, 0.8, 0.7)
    rng = np.random.default_rng(2)
    q = rng.normal(size=(4000, 3)) * np.logspace(-9, 2.5, 4000)[:, None]
    q = np.concatenate(
        [q, np.logspace(-9, 2.5, 200)[:, None] * [0, 0, 1], np.logspace(-6, 2, 200)[:, None] * [1, 1, 0]]
    )
    q = np.concatenate([q, q[::7] * [1, 1e-7, 1e-3]])
    exact = np.prod(sides) * np.sinc(q * sides / (2 * np.pi)).prod(axis=1)
    assert np.abs(cuboid(sides).form_factor(q) - exact).max() < 1e-14 * np.prod(sides)


def test_sum_over_tetrahedra_does_not_need_inversion_symmetry() -> None:
    """A cube moved off its centre: the same modulus, the phase of the move."""
    move = np.array([0.1, -0.2, 0.15])
    centred = cuboid((1.0, 1.0, 1.0))
    moved = Polyhedron(centred.corners + move, centred.faces)
    q = np.random.default_rng(3).normal(size=(500, 3)) * 6
    assert np.abs(moved.form_factor(q) - centred.form_factor(q) * np.exp(-1j * q @ move)).max() < 1e-14


def test_octahedron_form_factor_along_a_corner_is_that_of_its_sections() -> None:
    """Sections at height z have area 2 (h - |z|)^2, so F = 8 (h q - sin h q) / q^3."""
    shape = Octahedron(edge="50 nm")
    h = shape.edge / np.sqrt(2)
    q = np.array([0.3, 2.0, 7.0, 40.0]) / h
    f = shape.form_factor(np.stack([0 * q, 0 * q, q], axis=-1)).real
    np.testing.assert_allclose(f, 8 * (h * q - np.sin(h * q)) / q**3, rtol=1e-12)


def test_truncated_octahedron_is_an_octahedron_without_six_pyramids() -> None:
    a = 30 * NM
    whole, cut = Octahedron(edge=f"{3 * a!r} m"), TruncatedOctahedron(edge=f"{a!r} m")
    pyramid = Polyhedron.hull(np.array([[1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0], [0, 0, 1.0]]) * a / np.sqrt(2))
    inner = np.array([0, 0, 0.2 * a])  # the sum over tetrahedra wants the origin inside
    pyramid = Polyhedron(pyramid.corners - inner, pyramid.faces)
    q = np.random.default_rng(4).normal(size=(200, 3)) * 5 / cut.radius
    expected = whole.form_factor(q)
    for axis in range(3):
        for sign in (1, -1):
            turn = sign * np.roll(np.eye(3), axis, axis=0)  # a mirror image of the pyramid is the pyramid itself
            own = q @ turn
            lift = turn @ np.array([0, 0, np.sqrt(2) * a]) + turn @ inner
            expected = expected - pyramid.form_factor(own) * np.exp(-1j * q @ lift)
    assert np.abs(cut.form_factor(q) - expected).max() < 1e-12 * cut.volume


@pytest.mark.parametrize(
    ("cls", "volume", "faces"),
    [
        (Cube, 1.0, 6),
        (Octahedron, np.sqrt(2) / 3, 8),
        (TruncatedOctahedron, 8 * np.sqrt(2), 14),
        (Icosahedron, 5 * (3 + np.sqrt(5)) / 12, 20),
    ],
)
def test_solids_have_their_volume_and_faces_and_equal_edges(cls: Any, volume: float, faces: int) -> None:
    solid = cls(edge="2 nm")
    assert solid.volume == pytest.approx(8 * NM**3 * volume, rel=1e-12)
    assert len(solid.body.faces) == faces
    for face in solid.body.faces:
        ring = solid.body.corners[list(face)]
        np.testing.assert_allclose(np.linalg.norm(ring - np.roll(ring, 1, axis=0), axis=1), 1, rtol=1e-12)


@pytest.mark.parametrize("name", ["core_shell_sphere", "cylinder", "triaxial_ellipsoid", "parallelepiped"])
def test_orientation_averages_agree_with_sasmodels(name: str) -> None:
    core = pytest.importorskip("sasmodels.core")
    direct = pytest.importorskip("sasmodels.direct_model")
    shape, pars = {
        "core_shell_sphere": (
            CoreShell(radius="60 angstrom", shell="15 angstrom"),
            {"radius": 45, "thickness": 15, "sld_core": 0, "sld_shell": 1, "sld_solvent": 0},
        ),
        "cylinder": (
            Cylinder(diameter="40 angstrom", length="90 angstrom"),
            {"radius": 20, "length": 90, "sld": 1, "sld_solvent": 0},
        ),
        "triaxial_ellipsoid": (
            Ellipsoid(semi_axes=("30 angstrom", "45 angstrom", "60 angstrom")),
            {"radius_equat_minor": 30, "radius_equat_major": 45, "radius_polar": 60, "sld": 1, "sld_solvent": 0},
        ),
        "parallelepiped": (
            Box(sides=("40 angstrom", "60 angstrom", "90 angstrom")),
            {"length_a": 40, "length_b": 60, "length_c": 90, "sld": 1, "sld_solvent": 0},
        ),
    }[name]
    q = np.array([0.001, 0.02, 0.05, 0.1, 0.15])  # 1/angstrom
    model = core.load_model(name, dtype="double", platform="dll")
    theirs = direct.call_kernel(model.make_kernel([q]), {**pars, "scale": 1, "background": 0})
    u, weight = leggauss(40)
    phi = np.arange(80) * 2 * np.pi / 80
    s = np.sqrt(1 - u**2)
    directions = np.stack([np.outer(s, np.cos(phi)), np.outer(s, np.sin(phi)), np.outer(u, np.ones(80))], axis=-1)
    f = np.abs(shape.form_factor(q[:, None, None, None] * 1e10 * directions)) ** 2
    ours = f.mean(axis=2) @ weight / 2
    np.testing.assert_allclose(ours / ours[0], theirs / theirs[0], rtol=2e-3, atol=1e-7)


def test_the_core_fills_the_hollow_of_the_shell() -> None:
    grid, shell = Grid((24, 24), NM), CoreShell(radius="9 nm", shell="3 nm")
    where = pose((0.3 * NM, 0.1 * NM, 0.0))
    together = raster(shell, where, grid, -NM, 5 * NM) + raster(shell.core(), where, grid, -NM, 5 * NM)
    np.testing.assert_allclose(together, raster(shell.outer(), where, grid, -NM, 5 * NM), atol=1e-14 * NM)
    assert shell.volume == pytest.approx(4 / 3 * np.pi * (9**3 - 6**3) * NM**3)


def test_a_child_is_nowhere_thicker_than_the_sphere_that_holds_it() -> None:
    grid = Grid((30, 30), NM)
    turn = Rotation.random(random_state=4).as_matrix()
    host = Sphere(radius="10 nm")
    for child in (Ellipsoid(semi_axes=("9.9 nm", "6 nm", "3 nm")), Cube(edge="11.4 nm"), Sphere(radius="9.99 nm")):
        for low, high in ((-np.inf, np.inf), (-NM, NM), (4 * NM, 6 * NM)):
            gap = raster(host, pose(), grid, low, high) - raster(child, pose(rotation=turn), grid, low, high)
            assert gap.min() > -1e-12 * NM


@pytest.mark.parametrize(
    ("cls", "fields"),
    [
        (Sphere, {"radius": "0 nm"}),
        (Sphere, {"radius": "-3 nm"}),
        (Sphere, {"radius": 3.0}),
        (Box, {"sides": ("1 nm", "0 nm", "1 nm")}),
        (Box, {"sides": ("1 nm", "2 nm")}),
        (Ellipsoid, {"semi_axes": ("1 nm", "2 nm", "-1 nm")}),
        (Cylinder, {"diameter": "1 nm", "length": "0 nm"}),
        (CoreShell, {"radius": "5 nm", "shell": "5 nm"}),
        (Cube, {"edge": "nan nm"}),
        (Icosahedron, {"edge": "1 nm", "colour": "red"}),
    ],
)
def test_a_degenerate_shape_is_refused(cls: Any, fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        cls(**fields)


def test_voxels_of_a_filled_block_are_a_box(tmp_path: Path) -> None:
    np.save(tmp_path / "block.npy", np.ones((3, 4, 6)))  # [z, y, x]
    block = Voxels(file=str(tmp_path / "block.npy"), pitch="2 nm")
    box = Box(sides=("12 nm", "8 nm", "6 nm"))
    grid, turn = Grid((24, 24), NM), Rotation.random(random_state=7).as_matrix()
    where = pose((0.3 * NM, 0.1 * NM, 0.2 * NM), turn, 1.1)
    for low, high in ((-np.inf, np.inf), (-NM, 2 * NM)):
        np.testing.assert_allclose(
            raster(block, where, grid, low, high), raster(box, where, grid, low, high), atol=1e-13 * NM
        )
    q = np.random.default_rng(1).normal(size=(300, 3)) * 3 / NM
    assert np.abs(block.form_factor(q) - box.form_factor(q)).max() < 1e-8 * box.volume
    assert block.volume == pytest.approx(box.volume)
    assert block.radius == pytest.approx(box.radius)


@pytest.mark.parametrize("shape", [(7, 8, 9), (8, 7, 6)])
def test_voxel_form_factor_is_the_direct_sum_of_cubes(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    values = np.random.default_rng(2).uniform(size=shape)
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["entry/data"] = values
    body = Voxels(file=str(tmp_path / "v.h5"), pitch="1 nm", dataset="entry/data")
    z, y, x = (np.arange(n) - (n - 1) / 2 for n in shape)
    where = np.stack(np.broadcast_arrays(x[None, None, :], y[None, :, None], z[:, None, None]), -1).reshape(-1, 3) * NM
    q = np.random.default_rng(3).normal(size=(100, 3)) * 4 / NM
    direct = np.exp(-1j * q @ where.T) @ values.ravel() * np.sinc(q * NM / (2 * np.pi)).prod(axis=1) * NM**3
    assert np.abs(body.form_factor(q) - direct).max() < 1e-8 * body.volume
    grid, turn = Grid((16, 16), NM), Rotation.random(random_state=5).as_matrix()
    cubes = np.zeros(grid.shape)
    cell = Cube(edge="1 nm")
    for position, part in zip(where, values.ravel(), strict=True):
        one = raster(cell, pose(turn @ position, turn), grid, -2 * NM, np.inf)
        cubes += part * one
    np.testing.assert_allclose(raster(body, pose(rotation=turn), grid, -2 * NM), cubes, atol=1e-11 * NM)


@pytest.mark.parametrize("turn", [np.eye(3), np.array([[0, 1.0, 0], [0, 0, 1], [1, 0, 0]])])
def test_an_aligned_voxel_volume_projects_to_its_sum(tmp_path: Path, turn: np.ndarray) -> None:
    values = np.random.default_rng(2).uniform(size=(5, 6, 7))  # [z, y, x]
    np.save(tmp_path / "v.npy", values)
    body = Voxels(file=str(tmp_path / "v.npy"), pitch="1 nm")
    image = raster(body, pose((-0.5 * NM, -0.5 * NM, 0), turn), Grid((12, 12), NM, (0, 0)))
    if turn[0, 0]:  # x 7 voxels (odd) and y 6: only y lies on the pixels
        projected = values.sum(axis=0)
        np.testing.assert_allclose(image[3:9, 2:10].sum(axis=1), projected.sum(axis=1) * NM, rtol=1e-12)
    else:  # the body's x points along the laboratory's z, its y along x, its z along y
        projected = values.sum(axis=2)
        np.testing.assert_allclose(image[:, 3:9].sum(axis=0), projected.sum(axis=0) * NM, rtol=1e-12)
    assert image.sum() == pytest.approx(values.sum() * NM)


def test_wrong_volume_files_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "flat.npy", np.ones((3, 3)))
    np.save(tmp_path / "loud.npy", np.full((3, 3, 3), 7.0))
    np.save(tmp_path / "empty.npy", np.zeros((3, 3, 3)))
    (tmp_path / "text.npy").write_text("not numpy")
    (tmp_path / "v.xyz").write_text("what is this")
    with h5py.File(tmp_path / "two.h5", "w") as file:
        file["a"], file["b"] = np.ones((2, 2, 2)), np.ones((2, 2, 2))
    for name, text in {
        "missing.npy": "no such file", "flat.npy": "2 axes", "loud.npy": "0 to 1", "empty.npy": "empty",
        "text.npy": "cannot read", "v.xyz": ".npy", "two.h5": "which dataset",
    }.items():  # fmt: skip
        with pytest.raises(ValidationError, match=text) as caught:
            Voxels(file=str(tmp_path / name), pitch="1 nm")
        assert isinstance(caught.value.errors()[0]["ctx"]["error"], FileError | RangeError)


def test_slabs_of_a_grey_volume_are_those_of_its_cubes_and_add_up(tmp_path: Path) -> None:
    """Cut into slabs, a grey volume is rastered by the voxels that each slab meets."""
    values = np.random.default_rng(6).uniform(size=(7, 8, 6))
    np.save(tmp_path / "grey.npy", values)
    body = Voxels(file=str(tmp_path / "grey.npy"), pitch="1 nm")
    assert body.data.grey
    grid, turn = Grid((20, 22), NM), Rotation.random(random_state=11).as_matrix()
    where = pose((0.4 * NM, -0.3 * NM, 0.7 * NM), turn, 1.2)
    z, y, x = (np.arange(n) - (n - 1) / 2 for n in values.shape)
    places = np.stack(np.broadcast_arrays(x[None, None, :], y[None, :, None], z[:, None, None]), -1).reshape(-1, 3) * NM
    edges = np.array([-np.inf, -3.1, -1.0, -0.2, 0.7, 2.0, np.inf]) * NM
    total = np.zeros(grid.shape)
    for low, high in itertools.pairwise(edges):
        slab = raster(body, where, grid, low, high)
        cubes = np.zeros(grid.shape)
        for place, part in zip(places, values.ravel(), strict=True):
            spot = pose(where.positions[0] + 1.2 * turn @ place, turn, 1.2)
            cubes += part * raster(Cube(edge="1 nm"), spot, grid, low, high)
        np.testing.assert_allclose(slab, cubes, atol=1e-11 * NM)
        total += slab
    np.testing.assert_allclose(total, raster(body, where, grid), atol=1e-11 * NM)
    assert raster(body, where, grid, 20 * NM, 30 * NM).max() == 0
