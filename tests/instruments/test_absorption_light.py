"""Absorption spectra in real light: resolution, harmonics, a monitor that counts, and fluorescence yield."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from pydantic import ValidationError

import xsim
from xsim.constants import E_CHARGE
from xsim.dose.ledger import absorbed
from xsim.errors import RangeError, SamplingWarning
from xsim.exposure import Axis, FrameTable, incident_photons, one_channel
from xsim.instruments.absorption import Absorption
from xsim.instruments.stxm import Stxm
from xsim.matter import library
from xsim.matter.lines import emission
from xsim.reconstruct.energy_fit import EnergyFit
from xsim.scans.energies import Energies
from xsim.specimen.specimen import Specimen

KA = {"window": ["6.2 keV", "6.6 keV"]}


def table_of(energies) -> FrameTable:
    energies = np.asarray(energies, float)
    return FrameTable.single(1.0, 1.0).outer(Axis("energy", energies, "eV"), {"energy": energies}, {"energy": "eV"})


def slab(material="hematite", thickness="2 um"):
    return Specimen.from_table({"layers": [{"material": material, "thickness": thickness}]})


def total(exposure, channel=None):
    values = exposure.expected if channel is None else exposure.expected[..., channel]
    return values.sum(axis=1)


@pytest.mark.parametrize("kind", ["gaussian", "rectangular"])
def test_a_spectrum_is_the_transmission_convolved_with_the_resolution(kind):
    width = 2e-4  # 1.4 eV
    energies = np.array([7100.0, 7121.0, 7125.0, 7131.0])
    table = {"relative_width": width, "shape": kind, "samples": 61}
    seen = Absorption(bandwidth=table, flux="1e8 1/s").prepare(slab("iron")).expose(table_of(energies))
    fine = np.arange(7060.0, 7180.0, 0.02)
    passed = np.exp(-library.find("iron").optics(fine).mu_total * 2e-6)
    for energy, found in zip(energies, total(seen), strict=True):
        away, fwhm = fine - energy, width * energy
        spectrum = np.exp(-4 * math.log(2) * (away / fwhm) ** 2) if kind == "gaussian" else abs(away) <= fwhm / 2
        assert found / 1e8 == pytest.approx(spectrum @ passed / spectrum.sum(), rel=3e-4)


def test_harmonics_fill_up_strong_absorption_as_mixed_transmissions_do():
    share, metres = 3e-3, 10e-6
    instrument = Absorption(flux="1e8 1/s", harmonics={"third": share})
    energies = np.array([7080.0, 7131.0])
    exposure = instrument.prepare(slab(thickness="10 um")).expose(table_of(energies))
    mu, mu3 = (library.find("hematite").optics(n * energies).mu_total for n in (1, 3))
    read = -np.log(total(exposure) / 1e8)
    np.testing.assert_allclose(read, -np.log((1 - share) * np.exp(-mu * metres) + share * np.exp(-mu3 * metres)))
    np.testing.assert_allclose(exposure.group_energy, np.stack([energies, 3 * energies], axis=1))
    assert np.diff(read) < 0.995 * np.diff(mu * metres)  # the step of the edge looks smaller


def test_harmonics_put_their_own_dose_on_the_specimen():
    specimen = slab("vitreous_ice", "100 nm")
    ice = library.find("vitreous_ice")

    def energy_absorbed(**table) -> float:
        one = Absorption(energy="7 keV", **table)
        return absorbed(specimen, one.prepare(specimen).illuminate(one.frames()))["vitreous_ice"].energy

    at = [E_CHARGE * e * float(ice.optics(e).mu_photo) for e in (7e3, 21e3)]
    ratio = energy_absorbed(harmonics={"third": 0.1}) / energy_absorbed()
    assert ratio == pytest.approx(0.9 + 0.1 * at[1] / at[0], rel=1e-3)


def spectrum(count=400, **table):
    scan = Energies.model_validate({"values": [f"{7000 + 0.25 * k} eV" for k in range(count)]})
    return xsim.simulate(slab("iron", "1 um"), scan.apply(Absorption(**table)), seed=3)


def test_the_monitor_counts_i0_and_its_noise_joins_that_of_the_spectrum():
    measured = spectrum(flux="1e6 1/s", monitor={"efficiency": 0.1})
    photons, variance = incident_photons(measured)
    assert np.std(photons / 1e6) == pytest.approx(math.sqrt(9e-6), rel=0.12)  # 1/9 counts per photon
    assert np.mean(photons) == pytest.approx(1e6, rel=5e-4)
    np.testing.assert_allclose(variance, 9e-6, rtol=0.02)
    found = EnergyFit()(measured)
    true = np.log(measured.incident / measured.expected[:, 0] if measured.expected.ndim > 1 else measured.expected)
    del true
    ideal = -np.log(np.ravel(measured.expected) / measured.incident)
    assert np.mean(((found.values - ideal) / found.error) ** 2) == pytest.approx(1, abs=0.2)
    blind = spectrum(flux="1e6 1/s", monitor={"efficiency": 0.1})
    np.testing.assert_array_equal(incident_photons(blind)[0], photons)


def test_without_a_monitor_i0_is_known():
    measured = spectrum(20, monitor=None)
    np.testing.assert_array_equal(incident_photons(measured)[0], measured.incident)


def test_a_chamber_of_gas_counts_what_it_absorbs_and_harmonics_mislead_it():
    air = library.find("air")
    table = {"efficiency": {"material": "air", "thickness": "100 cm"}}
    clean = spectrum(50, flux="1e9 1/s", monitor=table)
    counts = np.asarray(clean.geometry["monitor_counts"])
    optics = air.optics(np.asarray(clean.frames["energy"]))
    taken = np.expm1(optics.mu_total) * optics.mu_photo / optics.mu_total
    np.testing.assert_allclose(counts, 1e9 * taken, rtol=1e-3)
    fouled = spectrum(50, flux="1e9 1/s", monitor=table, harmonics={"third": 0.2})
    assert np.mean(incident_photons(fouled)[0]) < 0.85e9
    with pytest.raises(ValidationError, match="monitor takes"):
        Absorption(monitor={"efficiency": 1.0})


@pytest.mark.parametrize("angle", [101, 135, 160])
def test_a_thick_sample_shows_the_over_absorption_of_the_closed_form(angle):
    """N_f/N_0 = Omega/4pi sum_lines Y / (mu(E) + mu(E_f) / |cos(exit)|) for a thickness without end."""
    # a window clear of Compton's tail
    instrument = Absorption(fluorescence={**KA, "angle": f"{angle} deg", "window": ["6.38 keV", "6.42 keV"]})
    energies = np.array([7118.0, 7131.0, 7150.0, 7400.0])
    found = total(instrument.prepare(slab(thickness="300 um")).expose(table_of(energies)), 1)
    hematite = library.find("hematite")
    slant = 1 / abs(math.cos(math.radians(angle)))
    for energy, value in zip(energies, found, strict=True):
        deep = sum(
            rate / (hematite.optics(float(energy)).mu_total + slant * hematite.optics(line.energy).mu_total)
            for line, rate in emission(hematite, float(energy))
            if 6380 <= line.energy <= 6420
        )
        assert value == pytest.approx(1e9 * instrument.fluorescence.solid_angle / (4 * np.pi) * deep, rel=1e-3)


def test_a_thin_sample_yields_what_its_absorption_is_and_a_thick_one_flattens_it():
    energies = np.array([7131.0, 7300.0])
    mu = np.array([float(library.find("hematite").factors("Fe", e)[1] / e) for e in energies])
    contrast = {
        d: np.divide(*total(Absorption(fluorescence=KA).prepare(slab(thickness=d)).expose(table_of(energies)), 1))
        for d in ("10 nm", "100 um")
    }
    f2_below = library.find("hematite").factors("Fe", np.array([7050.0]))[1] / energies  # outer shells yield no K line
    assert contrast["10 nm"] == pytest.approx(np.divide(*(mu - f2_below)), rel=0.02)
    assert contrast["100 um"] - 1 < 0.5 * (contrast["10 nm"] - 1)


def test_a_measured_edge_shows_in_fluorescence_before_the_tabulated_one():
    """Half of the rise of iron metal lies below 7112 eV."""
    energies = np.array([7060.0, 7110.0, 7111.0, 7111.9, 7113.0, 7120.0, 7200.0])
    found = total(Absorption(fluorescence=KA).prepare(slab("iron", "10 nm")).expose(table_of(energies)), 1)
    f2 = library.find("iron").factors("Fe", energies)[1]
    step = (f2 - f2[0]) / energies
    assert found[0] < 0.01 * found[-1]
    assert 0.05 < found[2] / found[-1] < found[3] / found[-1] < 0.2
    np.testing.assert_allclose(found[1:-1] / found[-1], step[1:-1] / step[-1], atol=0.01)


@pytest.mark.parametrize("material", ["gold", "gold_chloride", "gold_sulphide"])
def test_a_thin_sample_fluoresces_at_an_l_edge_as_it_absorbs(material):
    """Partial cross sections of L3 rise over 20 eV; the measured edge and its white line must not be lost in that."""
    energies = np.array([11890.0, 11915.0, 11919.5, 11922.0, 11925.0, 11935.0, 11950.0, 12010.0])
    window = {"window": ["9.4 keV", "10 keV"]}
    instrument = Absorption(energy="11.92 keV", fluorescence=window)
    found = total(instrument.prepare(slab(material, "10 nm")).expose(table_of(energies)), 1)
    f2 = library.find(material).factors("Au", energies)[1]
    absorbed_more = (f2 - f2[0] * (1 - 1.25 * (energies / energies[0] - 1))) / energies  # outer shells fall slowly
    np.testing.assert_allclose(found[1:] / found[-1], absorbed_more[1:] / absorbed_more[-1], atol=0.02)


def test_total_yield_holds_more_than_a_window_and_a_dark_window_nothing():
    def seen(**table) -> float:
        return float(total(Absorption(fluorescence=table).prepare(slab()).expose(table_of([7200.0])), 1)[0])

    assert seen(**KA) < seen() < 2 * seen(**KA)
    assert seen(window=["1 keV", "2 keV"]) == 0


def test_both_channels_are_recorded_and_fitted():
    scan = Energies.model_validate({"values": "7080 eV .. 7180 eV / 5 eV"})
    measured = xsim.simulate(slab(), scan.apply(Absorption(fluorescence=KA)))
    assert measured.counts.shape == (21, 2)
    np.testing.assert_array_equal(one_channel(measured, "fluorescence").counts, measured.counts[:, 1])
    assert EnergyFit()(measured).values.shape == (21,)
    with pytest.raises(RangeError, match="not recorded"):
        one_channel(measured, "electrons")
    dose = measured.dose["hematite"]
    assert 0 < dose.mean <= dose.max


def test_mistakes_of_the_light_are_told():
    with pytest.warns(SamplingWarning, match=r"set bandwidth\.samples = \d+"):
        Absorption(bandwidth={"relative_width": 2e-3}).prepare(slab())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Absorption(bandwidth={"relative_width": 1.4e-4}).prepare(slab())
    with pytest.raises(RangeError, match="energy of a harmonic"):
        Absorption(energy="60 keV", harmonics={"third": 0.01}).prepare(slab())
    with pytest.raises(ValidationError, match="rising pair"):
        Absorption(fluorescence={"window": ["7 keV", "6 keV"]})
    with pytest.raises(RangeError, match="along the layers"):
        Absorption(fluorescence={"angle": "90 deg"}).prepare(slab())


def test_a_scanning_microscope_follows_harmonics_and_its_monitor():
    share, specimen = 0.01, slab("iron", "20 um")
    table = {"energy": "7.2 keV", "field": ["200 nm", "200 nm"], "step": "50 nm"}
    plain = Stxm.model_validate({**table, "harmonics": {"third": share}, "monitor": {}})
    exposure = plain.prepare(specimen).expose(plain.frames())
    mu, mu3 = (library.find("iron").optics(n * 7200.0).mu_total for n in (1, 3))
    mixed = (1 - share) * np.exp(-mu * 20e-6) + share * np.exp(-mu3 * 20e-6)
    np.testing.assert_allclose(total(exposure) / exposure.incident, mixed, rtol=1e-4)
    measured = xsim.simulate(specimen, plain)
    assert len(measured.geometry["monitor_counts"]) == len(measured.frames)
    with pytest.raises(RangeError, match="harmonics in the wave picture"):
        plain.model_copy(update={"model": "multislice"}).prepare(specimen)


def test_mirrors_blur_all_lines_of_a_narrow_spectrum_alike(monkeypatch):
    dot = {"name": "dot", "material": "iron", "shape": {"kind": "sphere", "radius": "150 nm"}}
    specimen = Specimen.from_table({"extent": ["1 um", "1 um"], "population": [dot]})
    table = {"energy": "7.125 keV", "field": ["600 nm", "400 nm"], "step": "50 nm", "mirrors": {}}
    instrument = Stxm.model_validate({**table, "bandwidth": {"relative_width": 1e-3, "samples": 5}})
    together = total(instrument.prepare(specimen).expose(instrument.frames()))
    monkeypatch.setattr("xsim.instruments._stxm_convolved.NARROW", 0.0)
    apart = total(instrument.prepare(specimen).expose(instrument.frames()))
    np.testing.assert_allclose(together, apart, rtol=2e-6)
    assert np.ptp(apart) > 0.02 * apart.max()
