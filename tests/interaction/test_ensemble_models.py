"""Orientation and size averages and hard spheres against an independent code (sasmodels) and closed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sasmodels import core
from sasmodels.direct_model import call_kernel

from xsim.errors import RangeError
from xsim.interaction.ensemble import Packing, cross_section
from xsim.interaction.hard_spheres import structure_factor
from xsim.specimen.size_laws import nodes
from xsim.specimen.sizes import Size
from xsim.specimen.specimen import Specimen

Q = np.linspace(2e7, 2e9, 60)


def model(name: str, q: np.ndarray, **parameters: Any) -> np.ndarray:
    kernel = core.build_model(core.load_model_info(name), platform="dll").make_kernel([q * 1e-10])
    lengths = {"sld": 1, "sld_solvent": 0} if name not in ("core_shell_sphere", "hardsphere") else {}
    return np.asarray(call_kernel(kernel, {**lengths, **parameters, "background": 0, "scale": 1}))


def body(shape: dict[str, Any], **more: Any) -> Specimen:
    population = {"name": "p", "material": "gold", "shape": shape, "placement": {"kind": "random"}, **more}
    layers = [{"material": "water", "thickness": "2 um"}]
    return Specimen.from_table({"extent": ["4 um", "4 um"], "layers": layers, "population": [population]}, 1)


def agreement(specimen: Specimen, other: np.ndarray, **how: Any) -> float:
    """Largest relative difference after one common factor."""
    ratio = cross_section(specimen, specimen.populations, Q, 12e3, **how) / other
    return float(np.abs(ratio / np.median(ratio) - 1).max())


# fmt: off
SHAPES = [
    ({"kind": "ellipsoid", "semi_axes": ["6 nm", "6 nm", "15 nm"]}, "ellipsoid",
     {"radius_polar": 150, "radius_equatorial": 60}),
    ({"kind": "ellipsoid", "semi_axes": ["12 nm", "5 nm", "8 nm"]}, "triaxial_ellipsoid",
     {"radius_equat_minor": 50, "radius_equat_major": 80, "radius_polar": 120}),
    ({"kind": "cylinder", "diameter": "8 nm", "length": "40 nm"}, "cylinder", {"radius": 40, "length": 400}),
    ({"kind": "box", "sides": ["10 nm", "14 nm", "20 nm"]}, "parallelepiped",
     {"length_a": 100, "length_b": 140, "length_c": 200}),
    ({"kind": "core_shell", "radius": "15 nm", "shell": "4 nm"}, "core_shell_sphere",
     {"radius": 110, "thickness": 40, "sld_core": 0, "sld_shell": 1, "sld_solvent": 0}),
]
# fmt: on


@pytest.mark.parametrize(("shape", "name", "parameters"), SHAPES, ids=[name for _, name, _ in SHAPES])
def test_shapes_in_every_orientation_agree_with_an_independent_code(shape, name, parameters) -> None:
    assert agreement(body(shape), model(name, Q, **parameters)) < 1e-4


def test_an_octahedron_and_the_prism_of_the_same_corners_need_no_common_symmetry() -> None:
    """A box as a general prism, whose outline has no symmetric name: the average is that of the box."""
    corners = [["0 nm", "0 nm"], ["10 nm", "0 nm"], ["10 nm", "14 nm"], ["0 nm", "14 nm"]]
    prism = body({"kind": "prism", "corners": corners, "height": "20 nm"})
    box = body({"kind": "box", "sides": ["10 nm", "14 nm", "20 nm"]})
    assert agreement(prism, cross_section(box, box.populations, Q, 12e3)) < 1e-6


@pytest.mark.parametrize(
    ("law", "width"), [("lognormal", 0.15), ("schulz", 0.2), ("normal", 0.12), ("boltzmann", 0.05)]
)
def test_laws_of_size_agree_with_an_independent_code(law: str, width: float) -> None:
    size = {"distribution": law, "relative_width": width}
    specimen = body({"kind": "sphere", "radius": "10 nm"}, count=3, size=size)
    sigma = np.sqrt(np.log1p(width**2))
    same = {
        "lognormal": {"radius": 100 * np.exp(-(sigma**2) / 2), "radius_pd": sigma, "radius_pd_nsigma": 10},
        "schulz": {"radius_pd": width, "radius_pd_nsigma": 8},
        "normal": {"radius_pd": width, "radius_pd_nsigma": 8},
        "boltzmann": {"radius_pd": width / np.sqrt(2), "radius_pd_nsigma": 18},
    }[law]
    kind = {"normal": "gaussian"}.get(law, law)
    other = model("sphere", Q, **{"radius": 100, "radius_pd_n": 3000, "radius_pd_type": kind, **same})
    assert agreement(specimen, other) < 1e-4


@pytest.mark.parametrize("law", ["lognormal", "normal", "schulz", "uniform", "triangular", "boltzmann"])
def test_a_law_has_the_mean_and_the_width_it_states_and_its_draws_follow_it(law: str) -> None:
    size = Size.model_validate({"distribution": law, "relative_width": 0.1})
    scales, weights = nodes(size, 30.0)
    mean = weights @ scales
    assert mean == pytest.approx(1, abs=1e-5)  # the cut at 0.05 takes a millionth of the boltzmann law
    assert np.sqrt(weights @ (scales - mean) ** 2) == pytest.approx(0.1, rel=1e-4)
    drawn = size.draw(20_000, np.random.default_rng(5))
    assert (drawn**6).mean() == pytest.approx(weights @ scales**6, rel=4 * (drawn**6).std() / np.sqrt(20_000))


def test_the_law_is_the_limit_of_many_drawn_particles() -> None:
    size = {"distribution": "lognormal", "relative_width": 0.1}
    specimen = body({"kind": "sphere", "radius": "4 nm"}, count=4000, size=size)
    law = cross_section(specimen, specimen.populations, Q[:20], 12e3)
    drawn = cross_section(specimen, specimen.populations, Q[:20], 12e3, sizes="drawn")
    np.testing.assert_allclose(drawn, law, rtol=4 * 0.6 / np.sqrt(4000))


@pytest.mark.parametrize("fraction", [0.05, 0.3, 0.45])
def test_the_structure_factor_is_that_of_percus_and_yevick(fraction: float) -> None:
    ours = structure_factor(Q, 8e-9, fraction)
    np.testing.assert_allclose(ours, model("hardsphere", Q, radius_effective=80, volfraction=fraction), rtol=1e-9)
    zero = (1 - fraction) ** 4 / (1 + 2 * fraction) ** 2  # the compressibility of the closure
    assert structure_factor(0.0, 8e-9, fraction) == pytest.approx(zero, rel=1e-12)


@pytest.mark.parametrize("width", [0.0, 0.2])
def test_decoupling_agrees_with_an_independent_code(width: float) -> None:
    size = {"distribution": "schulz", "relative_width": width} if width else {}
    specimen = body({"kind": "sphere", "radius": "10 nm"}, count=3, size=size)
    spread = (
        {"radius_pd": width, "radius_pd_n": 400, "radius_pd_nsigma": 8, "radius_pd_type": "schulz"} if width else {}
    )
    other = model(
        "sphere@hardsphere", Q, radius=100, volfraction=0.2, radius_effective_mode=1, structure_factor_mode=1, **spread
    )
    assert agreement(specimen, other, packing=Packing("decoupling", 1.0, fraction=0.2)) < 1e-4


def test_local_monodisperse_is_the_sum_over_sizes_each_among_its_equals() -> None:
    specimen = body(
        {"kind": "sphere", "radius": "10 nm"}, count=3, size={"distribution": "schulz", "relative_width": 0.2}
    )
    ours = cross_section(specimen, specimen.populations, Q, 12e3, packing=Packing("local_monodisperse", 1.0, 0.2))
    s, w = nodes(Size.model_validate({"distribution": "schulz", "relative_width": 0.2}), 40.0)
    x = Q[:, None] * 10e-9 * s
    form = (3 * (np.sin(x) - x * np.cos(x)) / x**3) ** 2
    factor = model("hardsphere", (Q[:, None] * s).ravel(), radius_effective=100, volfraction=0.2).reshape(x.shape)
    other = (w * s**6 * form * factor).sum(axis=1)
    ratio = ours / other
    np.testing.assert_allclose(ratio / ratio[0], 1, rtol=1e-4)


def test_equal_spheres_do_not_tell_the_two_approximations_apart() -> None:
    specimen = body({"kind": "sphere", "radius": "10 nm"}, count=3)
    both = [cross_section(specimen, specimen.populations, Q, 12e3, packing=Packing(a, 1.0, 0.25))
            for a in ("decoupling", "local_monodisperse")]  # fmt: skip
    np.testing.assert_allclose(both[0], both[1], rtol=1e-10)


def test_the_volume_fraction_follows_from_the_particles_and_stops_at_freezing() -> None:
    specimen = body({"kind": "sphere", "radius": "10 nm"}, count=3)
    taken = 3 * 4 / 3 * np.pi * 1e-24
    given = cross_section(specimen, specimen.populations, Q, 12e3, packing=Packing("decoupling", 1.0, 0.2))
    found = cross_section(specimen, specimen.populations, Q, 12e3, packing=Packing("decoupling", taken / 0.2))
    np.testing.assert_allclose(found, given, rtol=1e-12)
    with pytest.raises(RangeError, match=r"volume fraction.*0\.6.*0\.494.*thicker"):
        cross_section(specimen, specimen.populations, Q, 12e3, packing=Packing("decoupling", taken / 0.6))
