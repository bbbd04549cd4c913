"""The small-angle camera: smearing, solvent, tilt, anomalous contrast, packing and its warnings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xsim.errors import RangeError, ValidityWarning
from xsim.instruments.saxs import Saxs
from xsim.metrics.against_truth import Estimate, compare
from xsim.reconstruct.radial import Radial
from xsim.simulate import simulate
from xsim.specimen.specimen import Specimen
from xsim.waves.far_field import polarisation, scattering_vectors


def spheres(radius: str = "12 nm", count: int = 20, **more: Any) -> Specimen:
    population = {
        "name": "p", "material": "gold", "shape": {"kind": "sphere", "radius": radius}, "count": count,
        "placement": {"kind": "random"}, **more,
    }  # fmt: skip
    layers = [{"material": "water", "thickness": "2 um"}]
    return Specimen.from_table({"extent": ["2 um", "2 um"], "layers": layers, "population": [population]}, 1)


def seen(specimen: Specimen, **camera: Any) -> np.ndarray:
    one = Saxs.model_validate({"beam_stop": "0 m"} | camera)
    return one.prepare(specimen).expose(one.frames()).expected[0, 0]


def test_smearing_is_the_convolution_with_beam_divergence_and_pixel() -> None:
    camera = {"detector": {"kind": "photon_counter", "shape": [41, 41], "pixel": "600 um"}, "beam": "2 mm",
              "polarisation": 0.0, "divergence": "0.6 mrad", "distance": "3 m"}  # fmt: skip
    body = spheres("60 nm")
    ours = seen(body, smear=True, **camera)[20, 33]
    rng = np.random.default_rng(1)
    n = 400_000
    r, a = 1e-3 * np.sqrt(rng.uniform(size=n)), rng.uniform(0, 2 * np.pi, n)
    blur = np.stack([r * np.cos(a), r * np.sin(a)]) + rng.normal(0, 0.6e-3 * 3 / 2.3548, (2, n))
    x, y = blur + rng.uniform(-300e-6, 300e-6, (2, n)) + np.array([[13 * 600e-6], [0.0]])
    one = Saxs.model_validate({"beam_stop": "0 m", **camera})
    prepared = one.prepare(body)
    angle = np.arctan(np.hypot(x, y) / 3)
    q = 4 * np.pi * 12e3 / 1.239841984e-6 * np.sin(angle / 2)
    table = np.linspace(0, q.max() * 1.001, 4000)
    intensity = np.interp(q, table, prepared.curve(table, 12e3))
    c = 1 / np.hypot(1, 13 * 600e-6 / 3)
    other = intensity.mean() * 1e11 * prepared.transmission(12e3) * (600e-6 / 3) ** 2 * c**3 * (1 + c**2) / 2
    assert ours == pytest.approx(other, rel=5 * intensity.std() / intensity.mean() / np.sqrt(n))
    assert abs(seen(body, **camera)[20, 33] / other - 1) > 0.02  # it is not nothing


def test_bandwidth_averages_the_pattern_over_the_energies() -> None:
    wide = {"bandwidth": {"relative_width": 0.05, "samples": 15, "shape": "rectangular"}}
    got, plain = seen(spheres("20 nm"), **wide), seen(spheres("20 nm"))
    energies = 12e3 * (1 + 0.05 * np.linspace(-0.5, 0.5, 101))
    one = Saxs(beam_stop="0 m")
    prepared = one.prepare(spheres("20 nm"))
    x = 50 * 344e-6 / 2
    q = 4 * np.pi * energies / 1.239841984e-6 * np.sin(np.arctan(x) / 2)
    curve = [prepared.curve(np.array([k, 1.1 * k]), e)[0] for k, e in zip(q, energies, strict=True)]
    assert got[128, 178] / plain[128, 178] == pytest.approx(np.mean(curve) / curve[50], rel=2e-3)


def test_water_scatters_by_its_compressibility() -> None:
    body = Specimen.from_table({"extent": ["2 um", "2 um"], "layers": [{"material": "water", "thickness": "1 mm"}]})
    one = Saxs(solvent=True, polarisation=0.0)
    prepared = one.prepare(body)
    assert prepared.background(np.array([1e8, 2e8]), 12e3)[0] / 1e-3 == pytest.approx(1.63, rel=0.02)
    ice = Specimen.from_table(
        {"extent": ["2 um", "2 um"], "layers": [{"material": "vitreous_ice", "thickness": "1 mm"}]}
    )
    with pytest.warns(ValidityWarning, match="no compressibility is known for vitreous_ice.*background"):
        one.prepare(ice).background(np.array([1e8, 2e8]), 12e3)


def test_a_tilted_detector_sees_the_curve_at_its_own_q_solid_angle_and_polarisation() -> None:
    tilt = (np.deg2rad(20), np.deg2rad(-30))
    image = seen(spheres("2 nm"), tilt=["20 deg", "-30 deg"], distance="100 mm")
    one = Saxs(beam_stop="0 m")
    prepared = one.prepare(spheres("2 nm"))
    q, solid = scattering_vectors((256, 256), 344e-6, 0.1, 12e3, (128.0, 128.0), tilt)
    for pixel in ((10, 20), (200, 250), (128, 40)):
        length = np.sqrt((q[pixel] ** 2).sum())
        curve = prepared.curve(np.array([length, 1.1 * length]), 12e3)[0]
        share = curve * solid[pixel] * polarisation(q[pixel], 12e3, 1.0) * prepared.transmission(12e3) * 1e11
        assert image[pixel] == pytest.approx(float(share), rel=1e-4)


def test_anomalous_scattering_near_the_gold_edge_follows_the_contrast() -> None:
    body = spheres()
    curves = [Saxs(energy=f"{e} eV").prepare(body).curve(np.array([1e7, 1e8]), e)[0] for e in (11500.0, 11917.0)]
    gold, water = body.populations[0].material, body.populations[0].host
    contrast = [abs(e**2 * (gold.optics(e).decrement - water.optics(e).decrement)) ** 2 for e in (11500.0, 11917.0)]
    assert curves[1] / curves[0] == pytest.approx(contrast[1] / contrast[0], rel=1e-9)
    assert curves[1] / curves[0] < 0.85  # f' is not optional


def test_hard_spheres_depress_the_forward_scattering_by_their_compressibility() -> None:
    q = np.array([1e5, 2e5])
    dilute, dense = (
        Saxs.model_validate({"interference": how, "volume_fraction": 0.2}).prepare(spheres()).curve(q, 12e3)[0]
        for how in ("independent", "decoupling")
    )
    assert dense / dilute == pytest.approx(0.8**4 / 1.4**2, rel=1e-4)


def test_too_dense_a_fluid_and_too_coarse_a_detector_are_told_when_prepared() -> None:
    with pytest.raises(RangeError, match=r"volume fraction.*0\.494"):
        Saxs(interference="decoupling", hard_radius="300 nm").prepare(spheres(count=60))
    with pytest.warns(ValidityWarning, match=r"fringes of particles of 4e-07 m.*limit 2.*smear"):
        Saxs().prepare(spheres("400 nm", count=1))


def test_a_frame_with_everything_reduces_to_the_true_cross_section() -> None:
    camera = {"polarisation": 0.9, "solvent": True, "background": "30 1/m", "exposure_time": "100 s",
              "detector": {"kind": "photon_counter", "shape": [256, 256], "pixel": "344 um", "module": [120, 256],
                           "gap": [6, 0]}}  # fmt: skip
    measurement = simulate(spheres("5 nm", 200), Saxs.model_validate(camera), seed=2)
    found = Radial()(measurement)
    spread = found.extras["spread"].values
    estimate = Estimate(found.values, found.axes, found.unit, found.estimates, found.error, spread=spread)
    (score,) = compare(estimate, measurement.truth)
    assert score.numbers["median_ratio"] == pytest.approx(1, abs=0.005)
    assert score.numbers["chi2_per_point"] < 1.6
