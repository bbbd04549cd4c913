"""Diffraction imaging against Mie theory and form factors, in absolute photons."""

from __future__ import annotations

from typing import Any

import miepython
import numpy as np
import pytest

from xsim.constants import wavelength, wavenumber
from xsim.errors import SamplingError, ValidityWarning
from xsim.instruments import _cdi_checks as checks
from xsim.instruments.cdi import Cdi
from xsim.matter.library import find
from xsim.scans.tilts import rotation_about
from xsim.specimen.specimen import Specimen


def camera(**changes: Any) -> Cdi:
    return Cdi.model_validate({"polarisation": 0.0, **changes})


def sphere(material: str, radius: str, place: tuple[str, str, str] = ("0 nm", "0 nm", "0 nm"), **more: Any) -> Specimen:
    ball = {"name": "ball", "material": material, "shape": {"kind": "sphere", "radius": radius}}
    placed = {**ball, "placement": {"kind": "at", "positions": [list(place)]}}
    return Specimen.from_table({"extent": ["9 um", "9 um"], "population": [placed], **more})


def pattern(instrument: Cdi, specimen: Specimen) -> np.ndarray[Any, Any]:
    return np.asarray(instrument.prepare(specimen).expose(instrument.frames()).expected[0, 0])


def ray(instrument: Cdi, image: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Scattering angles [rad] and photons along +x from the beam's centre, outside the beam stop."""
    ny, nx = image.shape
    angle = np.arctan(np.arange(nx - nx // 2) * instrument.detector.pixel / instrument.distance)
    shown = ~instrument.stopped()[ny // 2, nx // 2 :]
    return angle[shown], image[ny // 2, nx // 2 :][shown]


def fluence(instrument: Cdi) -> float:
    return float(instrument.flux * instrument.exposure_time / (np.pi * instrument.beam**2 / 4))


def mie(instrument: Cdi, material: str, radius: float, angle: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Photons per pixel by Mie theory for unpolarised light."""
    optics, k = find(material).optics(instrument.energy), wavenumber(instrument.energy)
    index = 1 - complex(optics.decrement).conjugate()
    s1, s2 = miepython.S1_S2(index, float(k * radius), np.cos(angle), norm="wiscombe")
    section = (np.abs(s1) ** 2 + np.abs(s2) ** 2) / (2 * k * k)
    solid = (instrument.detector.pixel / instrument.distance) ** 2 * np.cos(angle) ** 3
    return np.asarray(fluence(instrument) * section * solid)


@pytest.mark.parametrize(("material", "radius"), [("silica", 150), ("gold", 150), ("gold", 60), ("polystyrene", 300)])
@pytest.mark.parametrize(("model", "tolerance"), [("projection", 0.01), ("multislice", 0.005)])
def test_a_sphere_scatters_as_in_mie_theory_in_absolute_photons(
    material: str, radius: float, model: str, tolerance: float
) -> None:
    instrument = camera(model=model)
    angle, found = ray(instrument, pattern(instrument, sphere(material, f"{radius} nm")))
    wanted = mie(instrument, material, radius * 1e-9, angle)
    bright = wanted > 1e-3 * wanted.max()
    assert found[bright] == pytest.approx(wanted[bright], rel=tolerance, abs=2e-5 * wanted.max())


@pytest.mark.parametrize(
    ("material", "radius", "energy", "pixel"), [("iron", 60, 900, 1000), ("silicon", 200, 800, 350)]
)
def test_a_sphere_of_many_depths_of_focus_scatters_as_in_mie_theory(
    material: str, radius: float, energy: float, pixel: float
) -> None:
    detector = {"kind": "photon_counter", "shape": [64, 64], "pixel": f"{pixel} um"}
    beam = f"{2.2 * radius} nm"
    optics = {"energy": f"{energy} eV", "beam": beam, "distance": "0.2 m", "beam_stop": f"{pixel * 1.5} um"}
    instrument = camera(detector=detector, **optics)
    angle, found = ray(instrument, pattern(instrument, sphere(material, f"{radius} nm")))
    wanted = mie(instrument, material, radius * 1e-9, angle)
    bright = wanted > 1e-3 * wanted.max()
    assert found[bright] == pytest.approx(wanted[bright], rel=0.005, abs=1e-3 * wanted.max())


def test_the_born_model_is_the_form_factor_of_the_sphere_on_the_ewald_sphere() -> None:
    detector = {"kind": "photon_counter", "shape": [64, 64], "pixel": "500 um"}
    instrument = camera(model="born", distance="0.3 m", energy="1.2 keV", beam_stop="1 mm", detector=detector)
    angle, found = ray(instrument, pattern(instrument, sphere("silica", "50 nm")))
    optics, k = find("silica").optics(1200.0), wavenumber(1200.0)
    x = 2 * k * np.sin(angle / 2) * 50e-9
    form = 4 / 3 * np.pi * 50e-9**3 * 3 * (np.sin(x) - x * np.cos(x)) / x**3
    amplitude = k * k / (2 * np.pi) * abs(optics.decrement) * form
    solid = (500e-6 / 0.3) ** 2 * np.cos(angle) ** 3
    wanted = fluence(instrument) * amplitude**2 * solid * (1 + np.cos(angle) ** 2) / 2
    assert found == pytest.approx(wanted, rel=1e-9)


def test_projection_and_born_agree_for_a_weak_flat_specimen() -> None:
    plate = {"name": "plate", "material": "carbon", "shape": {"kind": "box", "sides": ["400 nm", "250 nm", "20 nm"]},
             "placement": {"kind": "at", "positions": [["90 nm", "-50 nm", "0 nm"]]}}  # fmt: skip
    specimen = Specimen.from_table({"extent": ["2 um", "2 um"], "population": [plate]})
    born, projected = (pattern(camera(model=model), specimen) for model in ("born", "projection"))
    assert np.abs(projected - born).max() < 2e-3 * born.max()


@pytest.mark.parametrize(("axis", "angle"), [("x", 8.0), ("y", -35.0)])
@pytest.mark.parametrize("sides", [("60 nm", "90 nm", "700 nm"), ("90 nm", "60 nm", "350 nm")])
def test_a_deep_weak_body_follows_the_ewald_sphere_to_the_edge_of_the_detector(
    axis: Any, angle: float, sides: tuple[str, str, str]
) -> None:
    """The Born amplitude knows no slabs. At the edge what is left comes from sampling the sharp sides of the bar."""
    foam = {"formula": "C", "density": "0.05 g/cm^3"}  # shifts the phase by 0.02 rad: Born is exact to 1 %
    part = {"name": "bar", "material": foam, "shape": {"kind": "box", "sides": list(sides)}}
    places = {"placement": {"kind": "at", "positions": [["50 nm", "0 nm", "90 nm"]]}}
    flat = Specimen.from_table({"extent": ["2 um", "2 um"], "population": [part | places]})
    specimen = flat.rotated(rotation_about(axis, np.deg2rad(angle)))
    detector = {"kind": "photon_counter", "shape": [160, 160], "pixel": "75 um"}
    setting = {"energy": "3 keV", "distance": "0.27 m", "detector": detector}
    found, born = (pattern(camera(model=model, **setting), specimen) for model in ("auto", "born"))
    radius = np.hypot(*np.mgrid[-80:80, -80:80])
    for low, high, tolerance in ((0, 40, 0.002), (40, 60, 0.02), (60, 80, 0.03)):
        ring = (radius >= low) & (radius < high)
        assert np.abs(found - born)[ring].sum() < tolerance * born[ring].sum()


def test_a_layer_only_attenuates_what_the_particle_scatters_against_it() -> None:
    instrument = camera(model="projection")
    layer = [{"material": "vitreous_ice", "thickness": "1 um"}]
    ice, gold = find("vitreous_ice").optics(6200.0), find("gold").optics(6200.0)
    bare, held = (pattern(instrument, sphere("gold", "40 nm", layers=layers)) for layers in ([], layer))
    contrast = abs(gold.decrement - ice.decrement) / abs(gold.decrement)
    expected = contrast**2 * np.exp(-float(ice.mu_total) * 1e-6)
    assert held.sum() / bare.sum() == pytest.approx(expected, rel=3e-3)
    born = (pattern(camera(model="born"), sphere("gold", "40 nm", layers=layers)) for layers in ([], layer))
    first, second = born
    assert second.sum() / first.sum() == pytest.approx(expected, rel=1e-6)


def test_a_shift_changes_no_intensity_and_a_pair_makes_fringes_of_its_distance() -> None:
    instrument = camera(model="projection")
    places = ("0 nm", "0 nm", "0 nm"), ("310 nm", "-170 nm", "0 nm")
    middle, aside = (pattern(instrument, sphere("gold", "60 nm", place)) for place in places)
    assert np.abs(middle - aside).max() < 2e-4 * middle.max()
    at = {"kind": "at", "positions": [["-250 nm", "0 nm", "0 nm"], ["250 nm", "0 nm", "0 nm"]]}
    pair = {"name": "pair", "material": "gold", "shape": {"kind": "sphere", "radius": "30 nm"}, "placement": at}
    fringes = pattern(instrument, Specimen.from_table({"extent": ["2 um", "2 um"], "population": [pair]}))
    angle, found = ray(instrument, fringes)
    _, single = ray(instrument, pattern(instrument, sphere("gold", "30 nm")))
    q = wavenumber(6200.0) * np.sin(angle)
    assert found == pytest.approx(4 * single * np.cos(q * 250e-9) ** 2, abs=2e-3 * 4 * single.max())


def test_a_centred_specimen_gives_a_centrosymmetric_pattern_about_pixel_n_over_two() -> None:
    image = pattern(camera(), sphere("gold", "80 nm"))
    inner = image[1:, 1:]
    assert np.abs(inner - inner[::-1, ::-1]).max() < 1e-6 * image.max()
    assert np.abs(image - image.T).max() < 1e-6 * image.max()


def test_tilting_a_sphere_leaves_its_pattern() -> None:
    ball = sphere("gold", "80 nm")
    turned = pattern(camera(model="born"), ball.rotated(rotation_about("x", 0.7)))
    assert turned == pytest.approx(pattern(camera(model="born"), ball), rel=1e-9)


def test_the_polarisation_factor_dims_the_plane_of_the_field() -> None:
    geometry = {"distance": "50 mm", "detector": {"kind": "photon_counter", "shape": [64, 64], "pixel": "1 mm"},
                "energy": "1 keV", "beam_stop": "2 mm", "model": "born"}  # fmt: skip
    along = pattern(camera(polarisation=1.0, **geometry), sphere("silica", "10 nm"))
    cosine2 = 1 / (1 + (30 / 50) ** 2)
    assert along[32, 62] / along[62, 32] == pytest.approx(cosine2, rel=1e-6)


def test_photons_behind_the_beam_stop_are_none_and_elsewhere_all() -> None:
    image = pattern(camera(beam_stop="1.5 mm"), sphere("gold", "80 nm"))
    y, x = (np.arange(256) - 128) * 75e-6, (np.arange(256) - 128) * 75e-6
    stopped = np.hypot(y[:, None], x[None, :]) <= 0.75e-3
    assert (image[stopped] == 0).all()
    assert (image[~stopped] > 0).mean() > 0.99


def test_mistakes_of_sampling_are_told_with_numbers() -> None:
    with pytest.raises(SamplingError, match=r"undersampled.*>= 2"):
        camera().prepare(sphere("gold", "700 nm"))
    with pytest.raises(SamplingError, match="wider than the beam"):
        camera(beam="100 nm").prepare(sphere("gold", "80 nm"))
    with pytest.raises(SamplingError, match="beam stop"):
        camera(beam_stop="10 um").prepare(Specimen())
    with pytest.warns(ValidityWarning, match="Born"):
        camera(model="born").prepare(sphere("gold", "300 nm"))


def test_the_oversampling_limit_is_lambda_distance_over_pixel_and_width() -> None:
    limit = float(wavelength(6200.0)) * 1.0 / 75e-6 / 2  # the widest specimen, 1.333 um
    camera().prepare(sphere("silica", f"{0.499 * limit!r} m"))
    with pytest.raises(SamplingError, match="undersampled"):
        camera().prepare(sphere("silica", f"{0.501 * limit!r} m"))


def test_a_deep_narrow_body_counts_its_width_alone() -> None:
    bar = {"name": "bar", "material": "polystyrene", "shape": {"kind": "box", "sides": ["100 nm", "400 nm", "4 um"]}}
    placed = {**bar, "placement": {"kind": "at", "positions": [["90 nm", "0 nm", "0 nm"]]}}
    specimen = Specimen.from_table({"extent": ["9 um", "9 um"], "population": [placed]})
    assert checks.lateral_width(specimen) == pytest.approx(400e-9)
    assert checks.lateral_reach(specimen) == pytest.approx(200e-9)
