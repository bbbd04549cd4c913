"""Depth in a full-field image: layers a gap apart, and spheres through a high aperture against Mie theory."""

from __future__ import annotations

import math
import warnings

import miepython
import numpy as np
import pytest
from full_field_images import boxes, exposed, image, microscope
from scipy.special import j0

from xsim.constants import wavelength, wavenumber
from xsim.errors import SamplingWarning
from xsim.matter.library import find
from xsim.specimen.specimen import Specimen

COHERENT = {"sigma": 0, "points": 1}
GAP = 10e-6


def layered(period: float, places: list[float], field: float) -> Specimen:
    count = math.ceil(field / period) // 2 + 1
    bars = [[f"{i * period!r} m", "0 nm", f"{z!r} m"] for i in range(-count, count + 1) for z in places]
    return boxes("gold", [f"{period / 2!r} m", "8 um", "0.6 nm"], bars)


@pytest.mark.parametrize("period", [110e-9, 154.4e-9, 200e-9, 290e-9])
def test_two_weak_layers_a_gap_apart_beat_as_the_cosine_of_their_talbot_phase(period):
    # orders of the two arrive pi lambda L/p^2 apart: seen from their middle, cos(pi lambda L/2p^2) of the contrast that
    # both together have in one plane, nothing at p = sqrt(lambda L) = 154.4 nm, and reversed below
    instrument = microscope(
        energy="520 eV", field=f"{period * 8!r} m", pixel=f"{period / 10!r} m", wave_pixel=f"{period / 40!r} m",
        objective={"outermost_zone": "30 nm", "diameter": "30 um", "material": "opaque"}, condenser=COHERENT,
    )  # fmt: skip

    def order(places):
        row = image(instrument, layered(period, places, 24 * period))[40]
        return row @ np.exp(2j * np.pi * np.arange(80) / 10) / 80

    apart, together = order([-GAP / 2, GAP / 2]), order([-0.4e-9, 0.4e-9])
    theory = math.cos(math.pi * wavelength(520.0) * GAP / (2 * period**2))
    assert (apart / together).real == pytest.approx(theory, abs=0.02)
    assert (apart / together).imag == pytest.approx(0, abs=0.02)


def mie_image(material: str, energy: float, radius: float, aperture: float, x: np.ndarray) -> np.ndarray:
    """|1 + int f(q) i/kz J0(q x) q dq|^2 over the aperture: in focus at the sphere's centre, in coherent light."""
    k, optics = wavenumber(energy), find(material).optics(energy)
    angle = np.linspace(0, math.asin(aperture), 1000)
    s1, s2 = miepython.S1_S2(1 - optics.decrement.conjugate(), k * radius, np.cos(angle), norm="wiscombe")
    f = 1j / k * np.conj((s1 + s2) / 2)
    q = k * np.sin(angle)
    weight = 1j * f / (k * np.cos(angle)) * q
    spread = np.array([np.trapezoid(weight * j0(q * r), q) for r in x])
    return np.abs(1 + spread) ** 2


@pytest.mark.parametrize(
    ("material", "energy", "diameter", "zone"), [("gold", 500.0, 50e-9, 12), ("polystyrene", 520.0, 500e-9, 15)]
)
def test_the_image_of_a_sphere_through_a_high_aperture_is_that_of_mie_theory(material, energy, diameter, zone):
    table = {"name": "ball", "material": material, "shape": {"kind": "sphere", "radius": f"{diameter / 2!r} m"}}
    ball = Specimen.from_table({"extent": ["1 um", "1 um"], "population": [table]})
    instrument = microscope(
        energy=f"{energy!r} eV", field="1 um", pixel="5 nm", condenser=COHERENT, wave_pixel="2.5 nm",
        model="multislice", objective={"outermost_zone": f"{zone} nm", "diameter": "30 um", "material": "opaque"},
    )  # fmt: skip
    row = image(instrument, ball)[100, 100:160]
    theory = mie_image(
        material, energy, diameter / 2, instrument.objective.numerical_aperture(energy), np.arange(60) * 5e-9
    )
    print(np.round(row, 4))
    print(np.round(theory, 4))
    assert row == pytest.approx(theory, abs=0.02 * np.ptp(theory))


def test_images_of_thick_specimens_do_not_depend_on_the_sampling_of_the_wave():
    dots = {
        "name": "dots", "material": "gold", "shape": {"kind": "sphere", "radius": "15 nm"}, "count": 40,
        "placement": {"kind": "random", "minimum_gap": "5 nm"},
    }  # fmt: skip
    ice = [{"material": "vitreous_ice", "thickness": "1.5 um"}]
    specimen = Specimen.from_table({"extent": ["2 um", "2 um"], "layers": ice, "population": [dots]})
    setup = {
        "energy": "520 eV", "field": "400 nm", "pixel": "8 nm", "condenser": {"sigma": 0.5, "points": 12},
        "objective": {"outermost_zone": "25 nm", "diameter": "80 um", "thickness": "120 nm", "material": "nickel"},
    }  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SamplingWarning)  # few points of the condenser: it is the same in both
        usual = microscope(**setup, wave_pixel="4 nm").prepare(specimen)  # 1/8 of the finest period
        fine = microscope(**setup, wave_pixel="1 nm").prepare(specimen)
    assert usual.slabs.count == fine.slabs.count > 3
    images = exposed(usual), exposed(fine)
    assert np.ptp(images[1]) > 0.05
    assert np.abs(images[0] - images[1]).max() < 5e-4  # of the incident light


def test_a_field_of_no_whole_number_of_pixels_is_told_with_what_is_imaged_and_the_cure():
    with pytest.warns(SamplingWarning, match=r"59.4 pixels .* 59 rows .* shows 5.9e-07 m, with -1.34% .* 5.9e-07 m"):
        microscope(field="594 nm", pixel="10 nm", wave_pixel="5 nm").prepare(Specimen())
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        microscope(field="590 nm", pixel="10 nm", wave_pixel="5 nm").prepare(Specimen())
    assert not [w for w in told if "rows" in str(w.message)]


@pytest.mark.filterwarnings("ignore::xsim.errors.SamplingWarning")
def test_a_specimen_deeper_than_its_field_is_imaged_as_in_a_wider_field():
    table = {"name": "ball", "material": "silica", "shape": {"kind": "sphere", "radius": "2 um"}}
    ball = Specimen.from_table({"extent": ["6 um", "6 um"], "population": [table]})
    setup = {"energy": "700 eV", "pixel": "12 nm", "wave_pixel": "6 nm", "condenser": {"points": 1, "tolerance": 1.0}}
    narrow, wide = (image(microscope(**setup, field=field), ball) for field in ("120 nm", "240 nm"))
    assert narrow == pytest.approx(wide[5:15, 5:15], rel=5e-3)
