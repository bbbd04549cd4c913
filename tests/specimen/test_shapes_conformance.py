"""Laws that every discovered shape obeys, in any orientation, size and place."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from xsim.registry import discover
from xsim.specimen.shape import Poses
from xsim.threads import use_threads
from xsim.waves.grid import Grid

SHAPES = {kind: cls.example() for kind, cls in discover("shapes").items()}
#: rasters that are exact up to round-off; the others carry small sampling errors on the outline
EXACT_SLICE = {
    "sphere",
    "core_shell",
    "box",
    "cube",
    "octahedron",
    "truncated_octahedron",
    "icosahedron",
    "voxels",
    "atoms",
    "prism",
    "grating",
    "multilayer",
    "siemens_star",
}
#: bodies whose parts may overlap (balls of bonded atoms), so that they are not of uniform density
UNEVEN = {"atoms"}
UNIFORM = pytest.mark.parametrize("shape", [s for k, s in SHAPES.items() if k not in UNEVEN], ids=lambda s: s.kind)
EVERY = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())


def one_pose(seed: int, spread: float = 0.0, scale: float = 1.0) -> Poses:
    rng = np.random.default_rng(seed)
    rotation = Rotation.random(random_state=seed).as_matrix()
    return Poses(rng.uniform(-spread, spread, (1, 3)), rotation[None], np.array([scale]))


def raster(shape: Any, poses: Poses, grid: Grid, z0: float = -np.inf, z1: float = np.inf) -> np.ndarray:
    out = np.zeros(grid.shape)
    shape.add_thickness(out, poses, grid, z0, z1)
    return out


def lab_form_factor(shape: Any, poses: Poses, q: np.ndarray) -> np.ndarray:
    """The copy's own integral of exp(-i q.r) in the laboratory frame."""
    rotation, scale = poses.rotations[0], poses.scales[0]
    return scale**3 * shape.form_factor(scale * (q @ rotation)) * np.exp(-1j * q @ poses.positions[0])


@EVERY
def test_form_factor_at_zero_is_the_volume(shape: Any) -> None:
    value = shape.form_factor(np.zeros((2, 2, 3)))
    assert value.shape == (2, 2)
    assert value.dtype == np.complex128
    accuracy = 1e-9 if shape.kind == "voxels" else 1e-12  # what the non-uniform FFT is asked for
    np.testing.assert_allclose(value, shape.volume, rtol=accuracy)


@EVERY
def test_form_factor_of_minus_q_is_the_conjugate(shape: Any) -> None:
    q = np.random.default_rng(1).normal(size=(50, 3)) * 5 / shape.radius
    f = shape.form_factor(q)
    np.testing.assert_allclose(shape.form_factor(-q), f.conj(), atol=1e-12 * shape.volume)
    assert np.all(np.abs(f) <= shape.volume * (1 + 1e-12))


@UNIFORM
def test_form_factor_is_the_transform_of_what_contains_says(shape: Any) -> None:
    rng = np.random.default_rng(2)
    points = rng.uniform(-1, 1, (200_000, 3)) * shape.radius
    inside = points[shape.contains(points)]
    box = 8 * shape.radius**3
    sigma = box * np.sqrt(shape.volume / box * (1 - shape.volume / box) / len(points))
    assert abs(len(inside) / len(points) * box - shape.volume) < 4 * sigma
    for q in rng.normal(size=(6, 3)) * 2.5 / shape.radius:
        estimate = np.exp(-1j * inside @ q).mean()
        assert abs(estimate - shape.form_factor(q) / shape.volume) < 5 / np.sqrt(len(inside))


@EVERY
@pytest.mark.parametrize("pixels_per_radius", [1.0, 2.3, 9.0])
def test_thickness_times_pixel_area_is_the_volume(shape: Any, pixels_per_radius: float) -> None:
    scale = 1.3
    pixel = scale * shape.radius / pixels_per_radius
    half = int(2 * pixels_per_radius) + 4
    grid = Grid((2 * half + 1, 2 * half), pixel, (0.3 * pixel, -0.1 * pixel))
    for seed in range(4):
        total = raster(shape, one_pose(seed, pixel, scale), grid).sum() * pixel**2
        assert total == pytest.approx(shape.volume * scale**3, rel=1e-10)


@EVERY
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.floats(0.3, 20.0), cut=st.floats(-0.9, 0.9))
def test_slabs_add_up_to_the_whole_and_never_exceed_their_height(
    shape: Any, seed: int, size: float, cut: float
) -> None:
    pixel = shape.radius / size
    grid = Grid((61, 60), pixel)
    poses = one_pose(seed, 3 * pixel)
    z = poses.positions[0, 2]
    planes = [-np.inf, z - 0.5 * shape.radius, z + cut * 0.5 * shape.radius, z + 0.6 * shape.radius, np.inf]
    parts = [raster(shape, poses, grid, a, b) for a, b in pairwise(planes)]
    whole = raster(shape, poses, grid)
    np.testing.assert_allclose(np.sum(parts, axis=0), whole, atol=2e-7 * shape.radius)
    for part, low, high in zip(parts, planes, planes[1:], strict=False):
        assert part.min() >= 0
        assert part.max() <= (high - low) * (1 + 1e-9) or shape.kind in UNEVEN
    assert raster(shape, poses, grid, z + 1.1 * shape.radius, np.inf).max() == 0


@EVERY
def test_fourier_slice_with_pixel_window_and_aliases(shape: Any) -> None:
    pixel = shape.radius / 8
    grid = Grid((48, 48), pixel)
    poses = one_pose(5, pixel)
    image = raster(shape, poses, grid)
    rng = np.random.default_rng(6)
    q = rng.uniform(-0.5, 0.5, (25, 2)) * np.pi / pixel
    phase = np.exp(-1j * np.outer(q[:, 1], grid.y)), np.exp(-1j * np.outer(q[:, 0], grid.x))
    measured = np.einsum("ny,yx,nx->n", phase[0], image, phase[1]) * pixel**2
    orders = np.arange(-8, 9) * 2 * np.pi / pixel
    shifted = q[:, None, None, :] + np.stack(np.meshgrid(orders, orders), axis=-1)
    window = np.sinc(shifted * pixel / (2 * np.pi)).prod(axis=-1)
    q3 = np.concatenate([shifted, np.zeros((*window.shape, 1))], axis=-1)
    expected = (lab_form_factor(shape, poses, q3) * window).sum(axis=(1, 2))
    tolerance = 1e-5 if shape.kind in EXACT_SLICE else 1e-4
    assert np.abs(measured - expected).max() < tolerance * shape.volume


@EVERY
def test_scale_and_rotation_of_a_pose_equal_those_of_the_form_factor(shape: Any) -> None:
    pixel = shape.radius / 40
    poses = one_pose(8, 0.0, 0.7)
    grid = Grid((96, 96), pixel)
    image = raster(shape, poses, grid)
    q = np.array([0.9 / shape.radius, -0.5 / shape.radius, 0.0])
    phase = np.exp(-1j * (q[0] * grid.x[None, :] + q[1] * grid.y[:, None]))
    window = np.sinc(q * pixel / (2 * np.pi)).prod()
    assert abs((image * phase).sum() * pixel**2 - window * lab_form_factor(shape, poses, q)) < 1e-4 * shape.volume


@EVERY
def test_surface_points_lie_on_the_surface_with_outward_normals(shape: Any) -> None:
    points, normals = shape.surface_points(400, np.random.default_rng(3))
    assert points.shape == normals.shape == (400, 3)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, rtol=1e-12)
    step = 1e-6 * shape.radius
    assert not shape.contains(points + step * normals).any()
    inside = shape.contains(points - step * normals)
    assert inside.all()
    assert np.linalg.norm(points, axis=1).max() <= shape.radius * (1 + 1e-12)


@EVERY
def test_surface_points_are_uniform_in_area(shape: Any) -> None:
    """For a closed surface the area-weighted normal vanishes, and the flux of r through it is three volumes."""
    if shape.kind == "core_shell":
        shape = shape.outer()
    points, normals = shape.surface_points(20_000, np.random.default_rng(4))
    assert np.abs(normals.mean(axis=0)).max() < 5 / np.sqrt(len(normals))
    heights = np.einsum("ij,ij->i", points, normals)
    moments = np.einsum("ij,ij->ij", points**3, normals).mean(axis=0) / heights.mean()
    rng = np.random.default_rng(5)
    inside = rng.uniform(-1, 1, (200_000, 3)) * shape.radius
    inside = inside[shape.contains(inside)]
    second = (inside**2).mean(axis=0)  # div(x^3 e_x) = 3 x^2, div r = 3
    assert np.abs(moments / second - 1).max() < 0.05


@EVERY
def test_support_is_the_farthest_point_and_lies_in_the_closed_body(shape: Any) -> None:
    rng = np.random.default_rng(9)
    directions = rng.normal(size=(100, 3))
    directions = np.concatenate([directions, np.eye(3), -np.eye(3)])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    far = shape.support(directions)
    reach = np.einsum("ij,ij->i", far, directions)
    surface, _ = shape.surface_points(4000, rng)
    assert np.all((surface @ directions.T).max(axis=0) <= reach + 1e-9 * shape.radius)
    assert np.all(np.linalg.norm(far, axis=1) <= shape.radius * (1 + 1e-12))
    assert np.all((surface @ directions.T).max(axis=0) >= reach - 0.15 * shape.radius)


@EVERY
def test_model_round_trips_through_its_scenario_form(shape: Any) -> None:
    assert type(shape).model_validate(shape.model_dump()) == shape


@EVERY
def test_same_bits_for_any_number_of_threads(shape: Any) -> None:
    count = 60 if shape.kind != "voxels" else 3
    rng = np.random.default_rng(11)
    pixel = shape.radius / 12
    poses = Poses(
        rng.uniform(-100, 100, (count, 3)) * pixel,
        Rotation.random(count, random_state=2).as_matrix(),
        rng.uniform(0.5, 1.5, count),
    )
    grid = Grid((200, 190), pixel)
    images = []
    for threads in (1, 2, 3):
        with use_threads(threads):
            images.append(raster(shape, poses, grid, -40 * pixel, 55 * pixel).tobytes())
    assert images[0] == images[1] == images[2]


@EVERY
def test_form_factor_has_the_same_bits_for_any_number_of_threads(shape: Any) -> None:
    q = np.random.default_rng(12).normal(size=(9000, 3)) * 4 / shape.radius
    values = []
    for threads in (1, 2, 2):
        with use_threads(threads):
            values.append(shape.form_factor(q).tobytes())
    assert values[0] == values[1] == values[2]


@EVERY
def test_a_copy_across_or_beyond_the_edge_of_the_grid_is_cut_there(shape: Any) -> None:
    pixel = shape.radius / 6
    wide, narrow = Grid((40, 40), pixel), Grid((12, 10), pixel)
    poses = one_pose(13, 4 * pixel)
    whole = raster(shape, poses, wide)
    np.testing.assert_allclose(raster(shape, poses, narrow), whole[14:26, 15:25], atol=1e-9 * shape.radius)
    far = Poses(poses.positions + 1e3 * shape.radius, poses.rotations, poses.scales)
    assert raster(shape, far, wide).max() == 0
    nobody = Poses(np.zeros((0, 3)), np.zeros((0, 3, 3)), np.zeros(0))
    assert raster(shape, nobody, wide).max() == 0
