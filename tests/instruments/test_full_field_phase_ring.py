"""Zernike phase contrast of a full-field microscope against its closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from full_field_images import boxes, exposed, image, microscope
from pydantic import ValidationError

from xsim.constants import wavenumber
from xsim.errors import ValidityWarning
from xsim.matter.library import find
from xsim.specimen.specimen import Specimen
from xsim.waves.fft import fft2, ifft2

#: light along the axis alone, and a ring that nothing but the direct light passes
AXIAL = {"condenser": {"sigma": 0, "points": 1}}
DOT = {"inner": 0.0, "outer": 0.02}
#: a hollow cone
CONE = {"condenser": {"sigma": 0.5, "inner": 0.45, "points": 60}}


def weak_slab(thickness: str = "3 nm", sides: tuple[str, str] = ("120 nm", "90 nm")) -> Specimen:
    return boxes("protein", [*sides, thickness], [["24 nm", "12 nm", "0 nm"]])


def phase(material: str, metres: float, energy: float = 815.0) -> float:
    return float(wavenumber(energy) * find(material).optics(energy).delta) * metres


@pytest.mark.parametrize("advance", [90, 270, 45])
@pytest.mark.parametrize("transmission", [1.0, 0.3])
def test_a_weak_phase_object_has_twice_its_phase_for_contrast_on_the_weakened_background(advance, transmission):
    ring = {**DOT, "advance": f"{advance} deg", "transmission": transmission}
    with_ring = microscope(**AXIAL, phase_ring=ring, pixel="4 nm", field="400 nm")
    prepared = with_ring.prepare(weak_slab())
    found = exposed(prepared)
    # the same phase and loss through the objective's aperture, the direct light (zero frequency) taken out
    grid = prepared.slabs.grid
    metres = sum(prepared.slabs.thickness().values())
    qy, qx = grid.frequencies()
    radius = wavenumber(815.0) * with_ring.objective.numerical_aperture(815.0)
    inside = (qx**2 + qy**2 <= radius**2) & (qx**2 + qy**2 > 0)
    pixel = np.sinc(qx * 2e-9 / np.pi) * np.sinc(qy * 2e-9 / np.pi)
    seen = ifft2(fft2(metres) * inside * pixel).real
    a, b = (math.sqrt(transmission) * f(math.radians(advance)) for f in (math.sin, math.cos))
    per_metre = phase("protein", 1.0), float(wavenumber(815.0) * find("protein").optics(815.0).beta)
    theory = transmission + 2 * (a * per_metre[0] - b * per_metre[1]) * seen
    bins = prepared.bins
    centres = grid.shape[0] // 2 + (np.arange(100) - 50) * bins
    assert found == pytest.approx(theory[np.ix_(centres, centres)], abs=0.01 * np.ptp(theory))


@pytest.mark.parametrize(("advance", "sign"), [(90, 1), (270, -1)])
def test_denser_matter_is_bright_in_negative_and_dark_in_positive_contrast(advance, sign):
    ring = {"advance": f"{advance} deg", "transmission": 0.25}
    found = image(microscope(**CONE, phase_ring=ring), weak_slab("10 nm", ("60 nm", "60 nm")))
    inside, outside = found[52, 54], np.median(found)
    assert outside == pytest.approx(0.25, abs=2e-3)
    ideal = 2 * phase("protein", 10e-9) / math.sqrt(0.25)  # less the part of its light that the ring advances too
    assert 0.75 * ideal < sign * (inside - outside) / outside < 1.05 * ideal


def test_without_a_ring_a_thin_object_in_focus_shows_its_absorption_alone():
    bare = image(microscope(**CONE), weak_slab("10 nm", ("90 nm", "90 nm")))
    loss = 2 * float(wavenumber(815.0) * find("protein").optics(815.0).beta) * 10e-9
    assert 1 - bare[48:57, 50:59].mean() == pytest.approx(loss, rel=0.05)
    assert loss < 0.25 * 2 * phase("protein", 10e-9)


def test_a_large_object_fades_from_the_middle_and_has_a_halo_of_the_other_sign():
    wide = microscope(**CONE, phase_ring={"advance": "90 deg"}, field="1500 nm", pixel="10 nm", wave_pixel="2.5 nm")
    small, large = (weak_slab("10 nm", (side, side)) for side in ("60 nm", "900 nm"))
    one, other = image(wide, small) - 1, image(wide, large) - 1
    signal, middle = one[76, 77], other[66:86, 67:87].mean()
    assert signal > 0.03
    assert abs(middle) < 0.1 * signal  # the ring is 0.05 NA wide: features above 30 nm / 0.05 = 600 nm fade
    inside, outside = other[76, 77 + 45 - 3], other[76, 77 + 45 + 3]
    assert inside - outside == pytest.approx(signal, rel=0.25)  # but not their edges
    assert outside < -0.3 * signal


def test_the_ideal_ring_collects_the_whole_signal_of_a_sphere():
    # SNR^2 = sum (I - I_b)^2/I_b = 8 pi a^4 (k delta)^2 F for a sphere of radius a that the lens resolves
    radius, lens = 60e-9, {"outermost_zone": "5 nm", "diameter": "30 um", "material": "opaque"}
    table = {"name": "ball", "material": "protein", "shape": {"kind": "sphere", "radius": "60 nm"}}
    ball = Specimen.from_table({"extent": ["1 um", "1 um"], "population": [table]})
    setup = {"energy": "2 keV", "objective": lens, "field": "250 nm", "pixel": "2 nm", "model": "projection"}
    found = exposed(
        microscope(
            **AXIAL, **setup, phase_ring={**DOT, "outer": 0.008, "advance": "90 deg"}, wave_pixel="1 nm"
        ).prepare(ball)
    )
    background = np.median(np.concatenate([found[:6].ravel(), found[-6:].ravel()]))
    signal = ((found - background) ** 2 / background).sum() * 2e-9**2
    k_delta = phase("protein", 1.0, 2000.0)
    assert signal == pytest.approx(8 * math.pi * radius**4 * k_delta**2, rel=0.02)


def test_a_ring_of_material_advances_and_absorbs_as_its_optical_constants_say_at_every_energy():
    gold = find("gold").optics(815.0)
    quarter = math.pi / (2 * wavenumber(815.0) * gold.delta)
    ring = {"material": "gold", "thickness": f"{quarter!r} m"}
    instrument = microscope(**CONE, phase_ring=ring)
    assert instrument.ring().factor(815.0) == pytest.approx(-1j * math.exp(-math.pi / 2 * gold.beta / gold.delta))
    empty = image(instrument, Specimen())
    assert empty == pytest.approx(math.exp(-math.pi * gold.beta / gold.delta), rel=1e-5)
    assert instrument.ring().quarter_wave(815.0) == pytest.approx(quarter)
    other = find("gold").optics(1200.0)
    assert -np.angle(instrument.ring().factor(1200.0)) == pytest.approx(wavenumber(1200.0) * other.delta * quarter)


@pytest.mark.parametrize(
    ("ring", "told"),
    [
        ({"inner": 0.2, "outer": 0.4}, r"100\.0% of the condenser's light misses the ring .* 0\.45 to 0\.5"),
        ({"inner": 0.475}, r"4\d\.\d% of the condenser's light misses"),
        ({"inner": 0.0, "outer": 0.6}, r"covers 36\.0% of the objective's pupil"),
        ({"advance": "180 deg"}, r"815 eV by 180 deg, which gives 0% .* 90 deg or 270 deg"),
        ({"material": "gold", "thickness": "10 nm"}, r"use thickness 1\.36e-07 m"),
    ],
)
def test_a_ring_that_does_not_fit_is_told_with_numbers(ring, told):
    with pytest.warns(ValidityWarning, match=told):
        microscope(**CONE, phase_ring=ring).prepare(Specimen())


def test_a_scan_over_energies_tells_where_the_ring_no_longer_serves():
    prepared = microscope(**CONE, phase_ring={"material": "gold", "thickness": "136 nm"}).prepare(Specimen())
    with pytest.warns(ValidityWarning, match="3000 eV by .* of the phase contrast"):
        prepared.check_energy(3000.0)


def test_a_ring_serves_thick_specimens_in_broad_light_as_it_does_projections():
    thin = weak_slab("4 nm", ("60 nm", "60 nm"))
    setup = {**CONE, "phase_ring": {"advance": "90 deg", "transmission": 0.5}, "bandwidth": {"relative_width": 1.5e-3}}
    flat, cut = (image(microscope(**setup, model=m, wave_pixel="1.5 nm"), thin) for m in ("projection", "multislice"))
    assert np.ptp(flat) > 0.01
    assert np.abs(cut - flat).max() < 0.01 * np.ptp(flat)


@pytest.mark.parametrize(
    "wrong",
    [
        {"material": "gold"},
        {"thickness": "10 nm"},
        {"material": "gold", "thickness": "10 nm", "advance": "90 deg"},
        {"inner": 0.5, "outer": 0.4},
        {"transmission": 0.0},
    ],
)
def test_contradictory_rings_are_refused(wrong):
    with pytest.raises(ValidationError):
        microscope(phase_ring=wrong)


def test_a_ring_comes_back_from_its_scenario_form():
    instrument = microscope(**CONE, phase_ring={"material": "gold", "thickness": "100 nm"})
    assert type(instrument).model_validate(instrument.model_dump(exclude_none=True)) == instrument
