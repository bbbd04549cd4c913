"""The two views agree, and turn and move with the specimen: Fourier slice, rotations, shifts, tilted layers."""

from __future__ import annotations

import itertools
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xsim import constants
from xsim.errors import RangeError, UnknownNameError
from xsim.matter import library
from xsim.specimen import rotations
from xsim.specimen.amplitude import scattering_volume
from xsim.specimen.layers import Layers
from xsim.specimen.population import Population, at
from xsim.specimen.shapes.box import Box
from xsim.specimen.shapes.sphere import Sphere
from xsim.specimen.specimen import Specimen, contrast
from xsim.waves.grid import Grid

ENERGY = 2000.0
TABLE: dict[str, Any] = {
    "extent": ["400 nm", "400 nm"],
    "layers": [
        {"material": "vitreous_ice", "thickness": "300 nm"},
        {"material": "silicon_nitride", "thickness": "20 nm"},
    ],
    "population": [
        {
            "name": "dots",
            "material": "gold",
            "shape": {"kind": "sphere", "radius": "14 nm"},
            "size": {"distribution": "normal", "relative_width": 0.1},
            "count": 9,
            "placement": {"kind": "random", "layer": "vitreous_ice"},
        },
        {
            "name": "cell",
            "material": "protein",
            "shape": {"kind": "sphere", "radius": "90 nm"},
            "placement": {"kind": "at", "positions": [["30 nm", "-20 nm", "-10 nm"]]},
        },
        {
            "name": "rust",
            "material": "hematite",
            "shape": {"kind": "cube", "edge": "50 nm"},
            "orientation": {"euler": ["10 deg", "35 deg", "-50 deg"]},
            "placement": {"kind": "at", "positions": [["40 nm", "-10 nm", "0 nm"]]},
        },
    ],
}


@pytest.fixture(scope="module")
def specimen() -> Specimen:
    return Specimen.from_table(TABLE, seed=4)


def projected(specimen: Specimen, grid: Grid) -> np.ndarray:
    """Sum of thickness times -(delta - i beta), less that of the layers alone."""
    bare = Specimen(specimen.layers)
    out = np.zeros(grid.shape, np.complex128)
    for source, sign in ((specimen, 1), (bare, -1)):
        for material, t in source.thickness(grid).items():
            out -= sign * contrast(material, None, ENERGY) * t
    return out


def test_projected_contrast_transforms_to_the_amplitude_at_qz_zero(specimen: Specimen) -> None:
    grid = Grid((128, 128), 4e-9)
    image = projected(specimen, grid)
    q = 2 * np.pi * np.fft.fftfreq(128, grid.pixel)
    qy, qx = np.meshgrid(q, q, indexing="ij")
    phase = np.exp(-1j * (qx * grid.x[0] + qy * grid.y[0]))
    transform = np.fft.fft2(image) * phase * grid.pixel**2
    # the image is a mean over pixels, sampled: pixel sinc, and aliases of the spectrum
    expected = np.zeros_like(transform)
    step = 2 * np.pi / grid.pixel
    for i in range(-3, 4):
        for j in range(-3, 4):
            x, y = qx + i * step, qy + j * step
            pixel = np.sinc(x * grid.pixel / 2 / np.pi) * np.sinc(y * grid.pixel / 2 / np.pi)
            # each alias carries the phase of the first pixel's place
            shift = np.exp(1j * (i * step * grid.x[0] + j * step * grid.y[0]))
            expected += pixel * shift * specimen.amplitude(np.stack([x, y, 0 * x], axis=-1), ENERGY)
    expected *= 2 * np.pi / constants.wavenumber(ENERGY) ** 2
    assert np.abs(transform - expected).max() < 3e-5 * np.abs(transform).max()


def test_amplitude_in_the_forward_direction_is_contrast_times_volume() -> None:
    one = Specimen.from_table({"population": [TABLE["population"][1]]})
    protein = library.find("protein").optics(ENERGY)
    k = constants.wavenumber(ENERGY)
    expected = k**2 / 2 / np.pi * -protein.decrement * 4 / 3 * np.pi * 90e-9**3
    assert one.amplitude(np.zeros(3), ENERGY) == pytest.approx(expected, rel=1e-12)


def test_balls_summed_by_the_kernel_are_balls_summed_one_by_one() -> None:
    rng = np.random.default_rng(0)
    poses = at(rng.normal(size=(20, 3)) * 1e-7, rng.uniform(0.5, 2, 20))
    shape = Sphere(radius="20 nm")
    q = rng.normal(size=(50, 3)) * 10 ** rng.uniform(5, 9, (50, 1))
    expected = sum(
        s**3 * shape.form_factor(s * q) * np.exp(-1j * q @ r)
        for s, r in zip(poses.scales, poses.positions, strict=True)
    )
    found = scattering_volume(Population("p", shape, library.find("gold"), None, poses), q)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11 * np.abs(expected).max())
    again = [scattering_volume(Population("p", shape, library.find("gold"), None, poses), one) for one in q]
    assert np.array_equal(np.array(again), found)


def test_turned_boxes_scatter_as_their_turned_form_factor() -> None:
    rng = np.random.default_rng(1)
    turns = np.repeat(rotations.random_rotations(3, rng), 4, axis=0)
    poses = at(rng.normal(size=(12, 3)) * 1e-7, 1.3, turns)
    shape = Box(sides=["20 nm", "30 nm", "50 nm"])
    q = rng.normal(size=(40, 3)) * 1e8
    expected = sum(
        1.3**3 * shape.form_factor(1.3 * q @ r) * np.exp(-1j * q @ x)
        for r, x in zip(poses.rotations, poses.positions, strict=True)
    )
    found = scattering_volume(Population("p", shape, library.find("gold"), None, poses), q)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * 12 * 1.3**3 * shape.volume)


def test_a_quarter_turn_about_the_beam_swaps_the_axes_of_the_map(specimen: Specimen) -> None:
    grid = Grid((61, 61), 6e-9)
    turned = specimen.rotated(rotations.about("z", np.pi / 2)).thickness(grid)
    for material, t in specimen.thickness(grid).items():
        # x' = -y, y' = x: the row of the new map is the column of the old one
        np.testing.assert_allclose(turned[material], t.T[:, ::-1], rtol=0, atol=1e-9 * t.max())


def test_half_a_turn_about_y_mirrors_the_projection(specimen: Specimen) -> None:
    grid = Grid((61, 61), 6e-9)
    turned = specimen.rotated(rotations.about("y", np.pi)).thickness(grid)
    for material, t in specimen.thickness(grid).items():
        np.testing.assert_allclose(turned[material], t[:, ::-1], rtol=0, atol=1e-9 * t.max())


@settings(max_examples=10, deadline=None)
@given(st.floats(-0.6, 0.6), st.floats(-0.6, 0.6))
def test_rotations_compose_and_turn_the_amplitude(first: float, second: float) -> None:
    specimen = Specimen.from_table(TABLE, seed=4)
    a, b = rotations.about("x", first), rotations.about("y", second)
    one, two = specimen.rotated(a).rotated(b), specimen.rotated(b @ a)
    for p, q in zip(one.populations, two.populations, strict=True):
        np.testing.assert_allclose(p.poses.positions, q.poses.positions, rtol=0, atol=1e-20)
        np.testing.assert_allclose(p.poses.rotations, q.poses.rotations, rtol=0, atol=1e-12)
    np.testing.assert_allclose(one.layers.normal, two.layers.normal, atol=1e-12)
    vectors = np.random.default_rng(3).normal(size=(8, 3)) * 5e7
    np.testing.assert_allclose(
        one.amplitude(vectors @ (b @ a).T, ENERGY), specimen.amplitude(vectors, ENERGY), rtol=1e-8
    )


def test_shifting_the_specimen_shifts_the_map_and_the_phase(specimen: Specimen) -> None:
    moved = specimen.shifted(30e-9, -12e-9)
    here, there = Grid((40, 50), 6e-9), Grid((40, 50), 6e-9, (30e-9, -12e-9))
    for material, t in specimen.thickness(here).items():
        np.testing.assert_allclose(moved.thickness(there)[material], t, rtol=0, atol=1e-9 * t.max())
    q = np.array([[2e7, 5e7, 1e6]])
    phase = np.exp(-1j * (q[0, 0] * 30e-9 - q[0, 1] * 12e-9))
    np.testing.assert_allclose(moved.amplitude(q, ENERGY), phase * specimen.amplitude(q, ENERGY), rtol=1e-10)


@pytest.mark.parametrize("angle", [0.0, 0.4, 1.0, np.pi - 0.4])
def test_a_tilted_layer_lengthens_the_path_by_the_cosine(angle: float) -> None:
    specimen = Specimen(Layers.stack((library.find("water"),), (300e-9,))).rotated(rotations.about("x", angle))
    (t,) = specimen.thickness(Grid((20, 20), 50e-9)).values()
    np.testing.assert_allclose(t, 300e-9 / abs(np.cos(angle)), rtol=1e-12)


@pytest.mark.parametrize("axis", [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 0.001, 0.0], [0.3, -0.9, 0.0]])
def test_slabs_of_tilted_layers_agree_with_brute_force(axis: list[float]) -> None:
    layers = Layers.stack((library.find("water"), library.find("gold")), (200e-9, 50e-9))
    specimen = Specimen(layers).rotated(rotations.about(np.array(axis), 0.7)).shifted(11e-9, 23e-9)
    grid, (z0, z1) = Grid((9, 8), 60e-9), (-40e-9, 70e-9)
    maps = list(specimen.thickness(grid, z0, z1).values())
    fine = (np.arange(40) + 0.5) / 40 - 0.5
    z = z0 + (z1 - z0) * (np.arange(400) + 0.5) / 400
    x = grid.x[None, :, None, None, None] + grid.pixel * fine[None, None, None, :, None]
    y = grid.y[:, None, None, None, None] + grid.pixel * fine[None, None, :, None, None]
    n = specimen.layers.normal
    height = n[0] * x + n[1] * y + n[2] * z
    for k, t in enumerate(maps):
        inside = (height >= specimen.layers.edges[k]) & (height < specimen.layers.edges[k + 1])
        np.testing.assert_allclose(t, inside.mean(axis=(2, 3, 4)) * (z1 - z0), rtol=0, atol=0.003 * (z1 - z0))
    edges = [-np.inf, -5e-8, 0.0, 3e-8, np.inf]
    whole = list(specimen.thickness(grid).values())
    parts = [list(specimen.thickness(grid, a, b).values()) for a, b in itertools.pairwise(edges)]
    for k, t in enumerate(whole):
        np.testing.assert_allclose(sum(p[k] for p in parts), t, rtol=1e-12)


def test_tilts_at_which_layers_diverge_are_refused_with_the_angle() -> None:
    specimen = Specimen(Layers.stack((library.find("water"),), (300e-9,)))
    with pytest.raises(RangeError, match=r"diverges; got '85 degrees'.*at most 80 degrees"):
        specimen.rotated(rotations.about("y", np.radians(85)))
    free = Specimen.from_table({"population": [TABLE["population"][1]]})
    assert free.rotated(rotations.about("y", np.radians(90))).z_range == pytest.approx((-120e-9, 60e-9))
    with pytest.raises(RangeError, match="not a rotation"):
        free.rotated(2 * np.eye(3))


def test_the_z_range_holds_everything(specimen: Specimen) -> None:
    assert specimen.z_range == pytest.approx((-160e-9, 160e-9))
    tilted, grid = specimen.rotated(rotations.about("x", 0.5)), Grid((30, 30), 40e-9)
    low, high = tilted.z_range_on(grid)
    whole = sum(tilted.thickness(grid).values())
    np.testing.assert_allclose(sum(tilted.thickness(grid, low, high).values()), whole, rtol=1e-12)
    assert sum(tilted.thickness(grid, low + 30e-9, high).values()).sum() < whole.sum() * (1 - 1e-6)  # type: ignore[union-attr]


def test_tilting_keeps_the_volume_of_every_particle(specimen: Specimen) -> None:
    grid = Grid((120, 120), 5e-9)
    tilted = specimen.rotated(rotations.about(np.array([1.0, 0.4, 0.0]), 0.8)).thickness(grid)
    for material, t in specimen.thickness(grid).items():
        if material.name in ("gold", "hematite", "protein"):
            assert tilted[material].sum() == pytest.approx(t.sum(), rel=1e-9)
    total = sum(tilted.values())
    np.testing.assert_allclose(total, 320e-9 / np.cos(0.8), rtol=1e-12)


def test_one_particle_can_be_taken_out_by_name_and_number(specimen: Specimen) -> None:
    table = specimen.particle_table()
    row = list(table["name"]).index("dots[3]")
    one = specimen.particle("dots", 3)
    np.testing.assert_array_equal(one.poses.positions[0], table["position"][row])
    assert one.radii[0] == table["radius"][row]
    turned = rotations.from_quaternion(table["quaternion"])
    np.testing.assert_allclose(turned[-1], specimen.population("rust")[0].poses.rotations[0], atol=1e-14)
    with pytest.raises(UnknownNameError, match="0 to 8"):
        specimen.particle("dots", 9)
    with pytest.raises(UnknownNameError, match='did you mean "dots"'):
        specimen.particle("dotz")


def test_a_specimen_survives_pickling_with_its_bits(specimen: Specimen) -> None:
    again = pickle.loads(pickle.dumps(specimen))
    grid = Grid((30, 30), 10e-9)
    for material, t in specimen.thickness(grid).items():
        assert np.array_equal(again.thickness(grid)[material], t)


def test_an_empty_specimen_has_neither_thickness_nor_amplitude() -> None:
    empty = Specimen()
    assert empty.thickness(Grid((4, 4), 1e-9)) == {}
    assert empty.z_range == (0.0, 0.0)
    assert np.array_equal(empty.amplitude(np.ones((5, 3)), ENERGY), np.zeros(5))
    assert len(empty.particle_table()["name"]) == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_quaternions_and_matrices_say_the_same(seed: int) -> None:
    matrices = rotations.random_rotations(5, np.random.default_rng(seed))
    assert all(rotations.is_rotation(m) for m in matrices)
    np.testing.assert_allclose(rotations.from_quaternion(rotations.to_quaternion(matrices)), matrices, atol=1e-14)
    special = np.stack([rotations.about(a, np.pi) for a in "xyz"])
    np.testing.assert_allclose(rotations.from_quaternion(rotations.to_quaternion(special)), special, atol=1e-14)
    np.testing.assert_allclose(rotations.about("z", np.pi / 2) @ [1, 0, 0], [0, 1, 0], atol=1e-15)
