"""Small-angle scattering against closed forms: absolute scale, size averages, orientations, interference."""

from __future__ import annotations

import numpy as np
import pytest

from xsim.constants import R_E
from xsim.errors import RangeError, ValidityWarning
from xsim.instruments.saxs import Saxs
from xsim.interaction.ensemble import cross_section
from xsim.specimen.specimen import Specimen, contrast


def specimen(population: dict, seed: int = 3, extent: str = "4 um") -> Specimen:
    layers = [{"material": "vitreous_ice", "thickness": "2 um"}]
    return Specimen.from_table({"extent": [extent, extent], "layers": layers, "population": [population]}, seed)


def spheres(count: int = 20, **more: object) -> dict:
    shape = {"kind": "sphere", "radius": "12.2 nm"}
    base = {"name": "labels", "material": "gold", "shape": shape, "count": count, "placement": {"kind": "random"}}
    return {**base, **more}


def sphere_amplitude(x: np.ndarray) -> np.ndarray:
    return 3 * (np.sin(x) - x * np.cos(x)) / x**3


def test_forward_scattering_is_number_density_times_squared_contrast_and_volume() -> None:
    body = specimen(spheres())
    prepared = Saxs().prepare(body)
    truth = prepared.truth()["cross_section"]
    gold, ice = body.populations[0].material.optics(12e3), body.populations[0].host.optics(12e3)
    k = 2 * np.pi * 12e3 / 1.239841984e-6
    # scattering-length density rho = k^2 (delta - i beta) / 2 pi; n V^2 |d rho|^2 per volume
    rho = k**2 / (2 * np.pi) * (gold.decrement - ice.decrement)
    volume = 4 / 3 * np.pi * 12.2e-9**3
    density = 20 / (4e-6 * 4e-6 * 2e-6)
    assert truth.values[0] == pytest.approx(density * volume**2 * abs(rho) ** 2, rel=1e-5)


def test_a_sphere_scatters_as_the_closed_form_at_every_q() -> None:
    body = specimen(spheres(count=1))
    q = np.linspace(1e6, 1.5e9, 400)
    curve = cross_section(body, body.populations, q, 12e3)
    zero = cross_section(body, body.populations, np.array([0.0, 1e6]), 12e3)[0]
    np.testing.assert_allclose(curve / zero, sphere_amplitude(q * 12.2e-9) ** 2, rtol=1e-9, atol=1e-12)


def test_lognormal_radii_raise_the_apparent_radius_of_gyration_by_exp_7_sigma_squared() -> None:
    sigma = float(np.sqrt(np.log(1 + 0.2**2)))
    rng_sizes = np.exp(sigma * np.sqrt(2) * _erfinv(np.linspace(-1, 1, 4003)[1:-1]))
    body = specimen(spheres(count=1))
    population = body.populations[0]
    from dataclasses import replace

    from xsim.specimen.shape import Poses

    n = len(rng_sizes)
    poses = Poses(np.zeros((n, 3)), np.tile(np.eye(3), (n, 1, 1)), rng_sizes)
    many = replace(population, poses=poses, index=np.arange(n))
    q = np.array([1e5, 1e6, 2e6])
    curve = cross_section(body, (many,), q, 12e3)
    slope = -3 * np.log(curve[2] / curve[1]) / (q[2] ** 2 - q[1] ** 2)
    moments = (rng_sizes**8).mean() / (rng_sizes**6).mean()
    assert np.sqrt(slope) == pytest.approx(np.sqrt(0.6 * moments) * 12.2e-9, rel=1e-3)
    assert np.sqrt(slope) == pytest.approx(np.sqrt(0.6) * 12.2e-9 * np.exp(7 * sigma**2), rel=0.03)


def _erfinv(x: np.ndarray) -> np.ndarray:
    from scipy.special import erfinv

    return np.asarray(erfinv(x))


def test_cubes_averaged_over_orientations_agree_with_an_independent_model() -> None:
    core = pytest.importorskip("sasmodels.core")
    from sasmodels.direct_model import call_kernel

    q = np.linspace(2e7, 8e8, 25)
    body = specimen({"name": "cube", "material": "gold", "shape": {"kind": "box", "sides": ["20 nm"] * 3}})
    curve = cross_section(body, body.populations, q, 12e3)
    kernel = core.build_model(core.load_model_info("rectangular_prism"), platform="dll").make_kernel([q * 1e-10])
    pars = {"length_a": 200, "b2a_ratio": 1, "c2a_ratio": 1, "sld": 1, "sld_solvent": 0, "background": 0, "scale": 1}
    other = call_kernel(kernel, pars)
    np.testing.assert_allclose(curve / curve[0], other / other[0], rtol=1e-4)


def test_a_core_and_its_shell_of_equal_density_scatter_as_one_sphere() -> None:
    shell = {"kind": "core_shell", "radius": "15 nm", "shell": "5 nm"}
    two = specimen({"name": "p", "material": "gold", "core_material": "gold", "shape": shell})
    one = specimen({"name": "p", "material": "gold", "shape": {"kind": "sphere", "radius": "15 nm"}})
    q = np.linspace(0, 1e9, 50)
    values = [cross_section(s, s.populations, q, 12e3) for s in (two, one)]
    np.testing.assert_allclose(values[0], values[1], rtol=1e-8, atol=1e-10 * values[1][0])


def test_expected_photons_are_incident_times_cross_section_times_solid_angle_times_transmission() -> None:
    instrument = Saxs(polarisation=0.0, beam_stop="0 m")
    body = specimen(spheres())
    prepared = instrument.prepare(body)
    exposure = prepared.expose(instrument.frames())
    row, column = 128, 128 + 60
    x = 60 * 344e-6
    two_theta = np.arctan(x / 2.0)
    q = 4 * np.pi * 12e3 / 1.239841984e-6 * np.sin(two_theta / 2)
    sigma = cross_section(body, body.populations, np.array([q, 2 * q]), 12e3)[0] / 16e-12
    attenuation = np.exp(-body.layers.materials[0].optics(12e3).mu_total * 2e-6)
    solid = 344e-6**2 * np.cos(two_theta) ** 3 / 4.0
    photons = 1e11 * sigma * solid * attenuation * (1 + np.cos(two_theta) ** 2) / 2
    assert exposure.expected[0, 0, row, column] == pytest.approx(photons, rel=1e-4)


def test_the_explicit_sum_of_one_particle_is_its_own_curve() -> None:
    body = specimen(spheres(count=1))
    frames = Saxs().frames()
    independent = Saxs().prepare(body).expose(frames).expected
    explicit = Saxs(interference="explicit").prepare(body).expose(frames).expected
    np.testing.assert_allclose(explicit, independent, rtol=1e-4, atol=3e-9 * independent.max())


@pytest.mark.parametrize("interference", ["independent", "explicit"])
def test_a_tilted_film_shows_the_beam_more_particles_by_one_over_the_cosine(interference: str) -> None:
    body = specimen(spheres(count=1))
    saxs = Saxs.model_validate({"interference": interference})
    angle = np.deg2rad(60.0)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    flat, tilted = saxs.prepare(body), saxs.prepare(body.rotated(turn))
    ice = body.layers.materials[0].optics(12e3)
    assert tilted.transmission(12e3) == pytest.approx(np.exp(-float(ice.mu_total) * 4e-6), rel=1e-4)
    photons = [p.expose(saxs.frames()).expected.sum() / p.transmission(12e3) for p in (flat, tilted)]
    assert photons[1] / photons[0] == pytest.approx(2.0, rel=1e-9)
    if interference == "independent":
        curves = [p.truth()["cross_section"].values for p in (flat, tilted)]
        np.testing.assert_allclose(curves[1], curves[0], rtol=1e-9)


def test_particles_in_vacuum_are_as_thick_as_their_volume_over_the_area_whatever_its_shape() -> None:
    place = {"kind": "at", "positions": [["300 nm", "-100 nm", "0 nm"]]}
    population = spheres(count=1, placement=place, shape={"kind": "sphere", "radius": "80 nm"})
    body = Specimen.from_table({"extent": ["1 um", "0.4 um"], "population": [population]})
    volume = 4 / 3 * np.pi * 80e-9**3
    for moved in (body, body.shifted(-0.7e-6, 0.4e-6)):
        prepared = Saxs().prepare(moved)
        assert prepared.matrix_thickness() == pytest.approx(volume / 0.4e-12, rel=1e-3)
        depth = float(body.materials[0].optics(12e3).mu_total) * 160e-9
        through = 2 * (1 - (1 + depth) * np.exp(-depth)) / depth**2  # mean over the disk of a sphere
        absorbed = (1 - through) * np.pi * 80e-9**2 / 0.4e-12
        assert 1 - prepared.transmission(12e3) == pytest.approx(absorbed, rel=1e-3)


def test_a_single_pixel_on_the_axis_records_the_forward_cross_section() -> None:
    body = specimen(spheres(count=4))
    one = Saxs.model_validate({"beam_stop": "0 m", "detector": {"kind": "photon_counter", "shape": [1, 1]}})
    expected = one.prepare(body).expose(one.frames()).expected
    zero = cross_section(body, body.populations, np.array([0.0]), 12e3)[0]
    angle = (75e-6 / one.distance) ** 2
    want = one.flux * zero / 16e-12 * angle * one.prepare(body).transmission(12e3)
    assert expected.sum() == pytest.approx(want, rel=1e-9)


def test_dispersion_lowers_the_scattering_of_gold_at_12_keV() -> None:
    gold = specimen(spheres()).populations[0].material
    k = 2 * np.pi * 12e3 / 1.239841984e-6
    electrons = 79 * gold.density / 0.1969666 * 6.02214076e23
    assert R_E * electrons * 1e-14 == pytest.approx(131.3, abs=0.5)
    assert k**2 / (2 * np.pi) * gold.optics(12e3).delta * 1e-14 == pytest.approx(111, abs=3)


def test_matrix_background_is_flat_and_in_absolute_units() -> None:
    body = specimen(spheres())
    frames = Saxs().frames()
    plain = Saxs(polarisation=0.0).prepare(body).expose(frames).expected[0, 0]
    raised = Saxs(polarisation=0.0, background="1.63 1/m").prepare(body).expose(frames).expected[0, 0]
    extra = (raised - plain)[128, 180]
    depth = body.layers.materials[0].optics(12e3).mu_total * 2e-6
    c = 1 / np.hypot(1, 52 * 344e-6 / 2)
    assert extra == pytest.approx(1e11 * 1.63 * 2e-6 * 344e-6**2 / 4 * c**3 * (1 + c**2) / 2 * np.exp(-depth), rel=1e-3)


def test_a_body_too_large_to_average_is_refused_with_its_number() -> None:
    shape = {"kind": "box", "sides": ["1 um", "1 um", "1 um"]}
    body = specimen({"name": "body", "material": "protein", "shape": shape})
    with pytest.raises(RangeError, match=r"q R = .*allowed: q R <= 120"):
        Saxs().prepare(body).expose(Saxs().frames())


def test_nested_parts_left_out_of_the_average_are_named() -> None:
    table = {
        "extent": ["4 um", "4 um"],
        "layers": [{"material": "vitreous_ice", "thickness": "2 um"}],
        "population": [
            {"name": "body", "material": "protein", "shape": {"kind": "sphere", "radius": "100 nm"}},
            {**spheres(1), "host": "body", "placement": {"kind": "at", "positions": [["40 nm", "0 nm", "0 nm"]]}},
        ],
    }
    body = Specimen.from_table(table, 1)
    with pytest.warns(ValidityWarning, match="labels lies inside body"):
        cross_section(body, body.populations, np.array([0.0, 1e7]), 12e3)


def test_contrast_of_a_particle_with_its_own_host_is_nothing() -> None:
    gold = specimen(spheres(1)).populations[0].material
    assert contrast(gold, gold, 12e3) == 0


def test_counts_reduced_from_the_frame_alone_give_the_true_cross_section_in_absolute_units() -> None:
    from xsim.formats._scattering import radial_curve
    from xsim.simulate import simulate

    measurement = simulate(specimen(spheres(200)), Saxs(exposure_time="10 s"), seed=2)
    truth = measurement.truth["cross_section"]
    curve = radial_curve(measurement)
    assert curve.unit == "1/m"
    expected = np.interp(curve.q, truth.axes[0].values, truth.values)
    # rings several pixels wide average the curve over their width, so the first fringe only, on its smooth flank
    smooth = curve.q < 2.0e8
    pull = (curve.intensity - expected)[smooth] / np.hypot(curve.error, 5e-3 * expected)[smooth]
    assert np.abs(pull).max() < 4
