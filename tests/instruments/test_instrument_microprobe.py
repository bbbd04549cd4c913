"""The mirror microprobe: a focus that stays over a decade of energy, flux as the mirrors reflect, both signals."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from pydantic import ValidationError

from xsim.constants import wavelength
from xsim.detectors.photon_counter import PhotonCounter
from xsim.errors import RangeError, ValidityWarning, XsimWarning
from xsim.exposure import FrameTable, incident_photons
from xsim.instruments.fluorescence import Fluorescence
from xsim.instruments.microprobe import Microprobe
from xsim.matter.library import find
from xsim.matter.lines import fluorescence_lines
from xsim.reconstruct.lcf import LinearCombination
from xsim.scans.energies import Energies
from xsim.simulate import simulate
from xsim.specimen.specimen import Specimen

PAIR = {"horizontal": {"source_size": "5 um"}, "vertical": {"source_size": "5 um"}}
FILM = Specimen.from_table({"extent": ["1 um", "1 um"], "layers": [{"material": "hematite", "thickness": "50 nm"}]})


def test_fluorescence_is_that_of_the_fluorescence_microscope_with_the_same_mirrors():
    settings = {"field": ("300 nm", "300 nm"), "step": "100 nm", "mirrors": PAIR}
    found = [one.prepare(FILM).expose(one.frames()) for one in (Microprobe(**settings), Fluorescence(**settings))]
    assert np.array_equal(found[0].expected, found[1].expected)
    assert np.array_equal(found[0].incident, found[1].incident)


def test_several_detectors_see_what_each_sees_alone():
    places = [{"name": "left", "angle": "105 deg"}, {"name": "above", "angle": "130 deg", "azimuth": "90 deg"}]
    settings = {"field": ("300 nm", "300 nm"), "step": "100 nm", "mirrors": PAIR}
    one = Microprobe(**settings, detectors=places)
    found = one.prepare(FILM).expose(one.frames())
    assert found.expected.shape[2:] == (2,)
    alone = Microprobe(**settings, detector_angle="105 deg")
    iron = np.isclose(found.group_energy[0], 6403.9, atol=1)
    seen = alone.prepare(FILM).expose(alone.frames())
    assert found.expected[:, iron, 0] == pytest.approx(
        seen.expected[:, np.isclose(seen.group_energy[0], 6403.9, atol=1)]
    )
    assert one.geometry()["detector_azimuth [rad]"] == pytest.approx([0, np.pi / 2])


def test_the_focus_stays_and_shrinks_as_the_wavelength_until_the_source_limits_it():
    """Over a decade at one setting: the peak of the spot is that of sinc^2 with the source's image, at every energy."""
    one = Microprobe(energy="30 keV", field=("200 nm", "200 nm"), step="100 nm", mirrors={
        **{axis: {"source_size": "10 um", "angle": "2 mrad"} for axis in ("horizontal", "vertical")}})  # fmt: skip
    lit = one.prepare(FILM).voxels
    areas = {}
    for energy in (3e3, 10e3, 30e3):
        parts = lit.spot(energy, 0)
        assert sum(part.share for part in parts) == pytest.approx(1, rel=1e-9)
        areas[energy] = 1 / (parts[0].kernel.max() / parts[0].grid.pixel ** 2)
        mirror = one.mirrors.horizontal
        # the line's peak: integral of (1 - |v|/2) times the Gaussian of the source over the band, by quadrature
        q = np.linspace(-2, 2, 4001) * 2 * np.pi / wavelength(energy) * mirror.numerical_aperture
        peak = np.trapezoid(np.abs(mirror.transfer(q, energy)), q) / (2 * np.pi)
        assert areas[energy] == pytest.approx(1 / peak**2, rel=0.01)
    assert areas[3e3] / areas[10e3] == pytest.approx((10 / 3) ** 2, rel=0.15)
    assert areas[10e3] / areas[30e3] < 7  # 9 without the source


def test_transmission_of_a_film_is_lambert_beer_and_follows_the_mirrors():
    one = Microprobe(signal="transmission", energy="7.2 keV", field=("200 nm", "200 nm"), step="100 nm", mirrors=PAIR)
    assert isinstance(one.detector, PhotonCounter)
    energies = np.array([7.0e3, 7.2e3, 7.0e3, 7.2e3])
    found = one.prepare(FILM).expose(one.frames().with_columns(energy=energies))
    mu = np.array([float(find("hematite").optics(e).mu_total) for e in energies])
    assert found.expected[:, 0] / found.incident == pytest.approx(np.exp(-mu * 50e-9), rel=1e-9)
    share = float(one.mirrors.reflectivity(7e3) / one.mirrors.reflectivity(7.2e3))
    assert found.incident[0] / found.incident[1] == pytest.approx(share)


def test_a_spectrum_by_fluorescence_yield_follows_the_absorption_at_one_point():
    one = Microprobe(energy="7.2 keV", field=("100 nm", "100 nm"), step="100 nm", mirrors=PAIR)
    scanned = Energies(values=("7.05 keV", "7.10 keV", "7.13 keV", "7.15 keV", "7.2 keV")).apply(one)
    frames: FrameTable = scanned.frames()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XsimWarning)
        found = scanned.prepare(FILM).expose(frames)
    iron = (found.group_energy > 6300) & (found.group_energy < 7100)
    signal = (found.expected * iron).sum(axis=1) / found.incident
    iron_edge = np.asarray(find("hematite").optics(np.asarray(frames["energy"])).mu_photo)
    rise = iron_edge - iron_edge[0] * (np.asarray(frames["energy"]) / 7.05e3) ** -2.8
    assert signal[:2].max() < 0.02 * signal[-1]
    assert signal[2:] / signal[-1] == pytest.approx(rise[2:] / rise[-1], rel=0.02)


def test_mirrors_beyond_their_cut_off_warn_with_the_energy_up_to_which_they_serve():
    one = Microprobe(energy="30 keV", field=("200 nm", "200 nm"), step="100 nm")
    with pytest.warns(ValidityWarning, match=r"rhodium reflects 0\.00\d+ of 30000 eV.*up to 2\.\d+e\+04 eV"):
        one.prepare(FILM)


@pytest.mark.parametrize(
    "wrong",
    [
        {"signal": "fluorescence", "detector": {"kind": "photon_counter"}},
        {"signal": "transmission", "detector": "sdd_50mm2"},
        {"signal": "phase"},
        {"signal": "transmission", "detectors": [{"name": "a", "angle": "90 deg"}]},
        {"detectors": [{"name": "a", "angle": "90 deg"}, {"name": "a", "angle": "120 deg"}]},
        {"zone_plate": {}},
    ],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        Microprobe(**wrong)


def test_harmonics_and_resolution_fill_up_the_transmission_and_give_their_own_dose():
    light = {"harmonics": {"third": 0.02}, "bandwidth": {"relative_width": 2e-4, "samples": 5}}
    table = {"energy": "7.13 keV", "field": ("200 nm", "200 nm"), "step": "100 nm", "mirrors": PAIR}
    one = Microprobe.model_validate({"signal": "transmission", **table, **light})
    prepared = one.prepare(FILM)
    found = prepared.expose(one.frames())
    offsets, weights = np.polynomial.hermite_e.hermegauss(5)
    lines = 7130 * (1 + 2e-4 / 2.3548200450309493 * offsets)
    hematite = find("hematite")
    wanted = np.sum(weights / weights.sum() * np.exp(-hematite.optics(lines).mu_total * 50e-9))
    third = np.exp(-float(hematite.optics(21390.0).mu_total) * 50e-9)
    share = found.expected / found.incident[:, None]
    assert share == pytest.approx(np.tile([0.98 * wanted, 0.02 * third], (4, 1)), rel=1e-9)
    assert found.group_energy[0] == pytest.approx([7130, 21390])
    lit = prepared.illuminate(one.frames())
    assert {i.energy for i in lit} == {7130.0, 21390.0}
    photons = [sum(float(i.fluence.sum()) * i.grid.pixel**2 for i in lit if i.energy == e) for e in (7130, 21390)]
    assert photons == pytest.approx(found.incident.sum() * np.array([0.98, 0.02]), rel=0.05)


@pytest.mark.parametrize("technique", [Microprobe, Fluorescence])
def test_a_harmonic_excites_what_the_wanted_light_does_not(technique):
    """At 7.0 keV, below its K edge, iron shines by the third harmonic alone, by just its share."""
    table = {"field": ("100 nm", "100 nm"), "step": "100 nm", "mirrors": PAIR, "secondary": False}
    one = technique.model_validate({"energy": "7 keV", "harmonics": {"third": 0.01}, **table})
    above = technique.model_validate({"energy": "21 keV", **table})

    lines = np.unique([line.energy for line in fluorescence_lines("Fe", 21e3)])

    def iron(instrument):
        found = instrument.prepare(FILM).expose(instrument.frames())
        away = np.abs(found.group_energy[0][:, None] - lines).min(axis=1)
        near = (np.abs(found.group_energy[0] - 6404) < 25) & (away < 0.5)  # a bin of Compton's tail is no line
        return float(found.expected[0, near].sum() / found.incident[0]), found

    light, found = iron(one)
    assert light == pytest.approx(0.01 * iron(above)[0], rel=1e-6)
    elastic = found.expected[0, np.abs(found.group_energy[0] - 21e3) < 1]
    assert elastic.sum() > 0


def test_the_monitor_of_a_microprobe_counts_i0_and_a_stack_is_fitted_by_it():
    table = {"signal": "transmission", "energy": "7.25 keV", "field": ("200 nm", "200 nm"), "step": "100 nm"}
    one = Microprobe.model_validate({**table, "mirrors": PAIR, "flux": "1e9 1/s", "monitor": {"efficiency": 0.5}})
    values = ["7050 eV .. 7100 eV / 25 eV", "7110 eV .. 7140 eV / 2 eV", "7160 eV .. 7250 eV / 30 eV"]
    film = Specimen.from_table({"extent": ["1 um", "1 um"], "layers": [
        {"material": "iron", "thickness": "200 nm"}, {"material": "hematite", "thickness": "300 nm"}]})  # fmt: skip
    measured = simulate(film, Energies.model_validate({"values": values}).apply(one), seed=4)
    photons, variance = incident_photons(measured)
    away = (photons - measured.incident) / measured.incident
    assert np.mean(away**2 / variance) == pytest.approx(1, abs=0.25)
    found = LinearCombination(references=("iron", "hematite"))(measured)
    true = np.array([200e-9, 300e-9]).reshape(2, 1, 1)
    assert np.all(np.abs(found.values - true) < 4.5 * found.error)
    assert found.numbers["chi2_per_freedom"] == pytest.approx(1, abs=0.6)
    with pytest.raises(RangeError, match="harmonic"):
        Microprobe.model_validate({"energy": "60 keV", "harmonics": {"third": 0.01}}).prepare(film)


def test_transmission_through_structure_deeper_than_the_focus_warns_with_the_width_of_the_spot():
    post = {
        "name": "p", "material": "silica", "shape": {"kind": "sphere", "radius": "200 um"}, "count": 1,
        "placement": {"kind": "at", "positions": [["0 nm", "0 nm", "0 nm"]]},
    }  # fmt: skip
    deep = Specimen.from_table({"extent": ["1 mm", "1 mm"], "population": [post]})
    with pytest.warns(UserWarning, match=r"0\.0002 m from the plane z = 0, .* m wide"):
        Microprobe(signal="transmission", field=("200 nm", "200 nm")).prepare(deep)
