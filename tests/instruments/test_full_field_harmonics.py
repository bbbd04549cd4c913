"""Harmonics in a full-field microscope: sharp by the order that focuses them, haze by all others."""

from __future__ import annotations

import math

import numpy as np
import pytest
from full_field_images import boxes, microscope

from xsim.constants import E_CHARGE, wavelength, wavenumber
from xsim.dose.ledger import absorbed
from xsim.errors import RangeError, ValidityWarning
from xsim.instruments.full_field import FullField
from xsim.matter import library
from xsim.optics.zone_order import ZoneOrder
from xsim.optics.zone_plate import ZonePlate
from xsim.specimen.specimen import Specimen

SHARE = 0.1


def photons(instrument: FullField, specimen: Specimen) -> np.ndarray:
    """(orders, ny, nx) over the light on the specimen."""
    exposure = instrument.prepare(specimen).expose(instrument.frames())
    sent = instrument.flux * instrument.exposure_time * (instrument.pixel / instrument.field) ** 2
    energies = instrument.energy * np.array([1, *instrument.harmonics.orders])
    np.testing.assert_allclose(exposure.group_energy, energies[None])
    return np.asarray(exposure.expected[0] / sent)


def test_the_third_order_focuses_the_third_harmonic_where_the_first_focuses_the_wanted_light():
    plate = ZonePlate()
    third = ZoneOrder(plate, 3)
    assert plate.focal_length(2445.0, 3) == pytest.approx(plate.focal_length(815.0))
    assert third.numerical_aperture(2445.0) == pytest.approx(plate.numerical_aperture(815.0))


def test_an_empty_field_holds_the_sharp_third_order_and_the_haze_spread_over_its_disk():
    instrument = microscope(harmonics={"third": SHARE})
    wanted, third = photons(instrument, Specimen())
    lens, sigma = instrument.objective, instrument.condenser.sigma
    assert wanted == pytest.approx((1 - SHARE) * lens.efficiency(815.0), rel=1e-6)
    # the field is small against the disks of radius sigma D/2 |1 - m/3|: all its light, evenly
    haze = sum(
        lens.efficiency(2445.0, m) * 600e-9**2 / (math.pi * (sigma * 15e-6 * abs(1 - m / 3)) ** 2) for m in (1, 5)
    )
    assert third == pytest.approx(SHARE * (lens.efficiency(2445.0, 3) + haze), rel=2e-3)


def test_even_harmonics_are_haze_alone_and_a_hollow_cone_keeps_it_off_the_field():
    even = microscope(harmonics={"second": SHARE})
    second = photons(even, Specimen())[1]
    assert 0 < second.max() < 0.02 * SHARE * even.objective.efficiency(1630.0)
    hollow = microscope(harmonics={"second": SHARE}, condenser={"sigma": 0.5, "inner": 0.4, "points": 60})
    assert np.abs(photons(hollow, Specimen())[1]).max() < 1e-12  # inner D/2 |1 - m/2| = 3 um, the field 0.6 um


def test_the_haze_is_the_shadow_of_the_specimen_at_the_higher_energy():
    # along the axis nothing is spread: the shadow has the specimen's own transmission at twice the energy
    slab = boxes("gold", ["300 nm", "300 nm", "50 nm"], [["0 nm", "0 nm", "0 nm"]])
    setup = {"condenser": {"sigma": 0, "points": 1}, "harmonics": {"second": SHARE}}
    instrument = microscope(**setup)
    with pytest.warns(ValidityWarning, match=r"1630 eV is blurred by 0 m, less than .* condenser\.sigma above 0\.0"):
        second = photons(instrument, slab)[1] / photons(instrument, Specimen())[1]
    passed = math.exp(-2 * wavenumber(1630.0) * float(library.find("gold").optics(1630.0).beta) * 50e-9)
    assert second[50, 50] == pytest.approx(passed, rel=1e-9)
    assert second[5, 5] == pytest.approx(1, rel=1e-9)


def test_haze_of_a_wide_field_keeps_all_photons_of_its_orders():
    # disks of 0.38 x 3 um x |1 - m/2|, 1.7 um at most, within a field of 5 um: the middle gets light from all of them
    lens = {"outermost_zone": "30 nm", "diameter": "6 um", "material": "opaque"}
    setup = {"objective": lens, "field": "5 um", "pixel": "20 nm", "harmonics": {"second": SHARE}}
    second = photons(microscope(**setup), Specimen())[1]
    efficiency = sum(microscope(**setup).objective.efficiency(1630.0, m) for m in (1, 3, 5))
    assert second[125, 125] == pytest.approx(SHARE * efficiency, rel=5e-3)
    assert second[0, 125] < 0.9 * second[125, 125]  # darker towards the border of the light


@pytest.mark.filterwarnings("ignore:harmonics. the out-of-focus light", "ignore:field. a particle")
def test_a_sharp_third_harmonic_resolves_a_grating_as_a_lens_of_a_third_of_the_wavelength():
    period = 40e-9
    bars = [[f"{i * period!r} m", "0 nm", "0 nm"] for i in range(-60, 61)]
    specimen = boxes("gold", [f"{period / 2!r} m", "6 um", "20 nm"], bars)
    setup = {"condenser": {"sigma": 0, "points": 1}, "field": "600 nm", "pixel": "5 nm", "wave_pixel": "1.25 nm"}
    instrument = microscope(**setup, harmonics={"third": SHARE})
    lens = instrument.objective
    prepared = instrument.prepare(specimen)
    sharp = prepared._line(2445.0, 815.0, 3)
    # every order of the grating below 3 lambda'/2dr = lambda/2dr passes: at 2445 eV, up to the fourth
    assert wavelength(2445.0) / period * 3 < lens.numerical_aperture(815.0)
    gold, k = library.find("gold").optics(2445.0), wavenumber(2445.0)
    inside = np.exp(-k * (1j * gold.delta + gold.beta) * 20e-9)
    x = (np.arange(120) - 60) * 5e-9
    amplitude = np.full(120, (1 + inside) / 2, complex)
    for m in (-3, -1, 1, 3):  # a half-filled grating has no even orders
        amplitude += (inside - 1) * np.sinc(m / 2) / 2 * np.exp(2j * np.pi * m * x / period)
    fine = np.abs(amplitude) ** 2  # averaged over the camera's pixels by its Fourier series
    spectrum = np.fft.fft(fine) * np.sinc(np.fft.fftfreq(120))
    assert sharp[60] == pytest.approx(np.fft.ifft(spectrum).real, abs=3e-3)


def test_harmonics_put_their_own_dose_on_the_specimen():
    specimen = Specimen.from_table({"layers": [{"material": "vitreous_ice", "thickness": "100 nm"}]})
    ice = library.find("vitreous_ice")

    def energy_absorbed(**table) -> float:
        one = microscope(**table)
        return absorbed(specimen, one.prepare(specimen).illuminate(one.frames()))["vitreous_ice"].energy

    at = [E_CHARGE * e * float(ice.optics(e).mu_photo) for e in (815.0, 2445.0)]
    ratio = energy_absorbed(harmonics={"third": SHARE}) / energy_absorbed()
    assert ratio == pytest.approx(0.9 + 0.1 * at[1] / at[0], rel=2e-3)


def test_none_is_the_same_to_the_bit_and_one_beyond_the_tables_is_refused():
    dots = boxes("gold", ["60 nm", "40 nm", "60 nm"], [["60 nm", "0 nm", "0 nm"]])
    assert np.array_equal(photons(microscope(), dots), photons(microscope(harmonics={"third": 0}), dots))
    with pytest.raises(RangeError, match="energy of a harmonic"):
        FullField.model_validate({"energy": "60 keV", "harmonics": {"third": SHARE}}).prepare(Specimen())
