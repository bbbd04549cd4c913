"""Absorption spectra: Beer-Lambert exactly, the beam's average, the target, and the edge of the table."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.integrate import quad

from xsim.constants import E_CHARGE
from xsim.dose.ledger import absorbed
from xsim.errors import UnknownNameError
from xsim.exposure import Axis, FrameTable
from xsim.instruments.absorption import Absorption
from xsim.matter import library
from xsim.matter.elements import element
from xsim.specimen.specimen import Specimen


def table_of(energies) -> FrameTable:
    energies = np.asarray(energies, float)
    return FrameTable.single(1.0, 1.0).outer(Axis("energy", energies, "eV"), {"energy": energies}, {"energy": "eV"})


def slab(material="hematite", thickness="2 um"):
    return Specimen.from_table({"layers": [{"material": material, "thickness": thickness}]})


def dot(material="gold", radius="300 nm", x="0 nm"):
    place = {"kind": "at", "positions": [[x, "0 nm", "0 nm"]]}
    shape = {"kind": "sphere", "radius": radius}
    return Specimen.from_table(
        {
            "extent": ["4 um", "4 um"],
            "population": [{"name": "dot", "material": material, "shape": shape, "placement": place}],
        }
    )


@pytest.mark.parametrize("profile", ["gaussian", "top_hat"])
@pytest.mark.parametrize("beam", ["50 nm", "3 um"])
def test_a_slab_transmits_by_beer_and_lambert_exactly(profile, beam):
    energies = [6900.0, 7112.5, 7131.0, 7400.0]
    exposure = Absorption(beam=beam, profile=profile, flux="1e8 1/s").prepare(slab()).expose(table_of(energies))
    mu = library.find("hematite").optics(np.array(energies)).mu_total
    np.testing.assert_allclose(exposure.expected[:, 0], 1e8 * np.exp(-mu * 2e-6), rtol=1e-12)
    np.testing.assert_allclose(exposure.incident, 1e8)


def test_the_edge_jump_is_that_of_the_table_times_the_atoms_in_the_beam():
    instrument, iron = Absorption(), library.find("iron")
    exposure = instrument.prepare(slab("iron", "1 um")).expose(table_of([7080.0, 7300.0]))
    depth = -np.log(exposure.expected[:, 0] / exposure.incident)
    f2 = iron.factors("Fe", np.array([7080.0, 7300.0]))[1]
    per_metre = 2 * 2.8179403262e-15 * 1.23984198e-6 * iron.number_densities["Fe"] * f2 / np.array([7080.0, 7300.0])
    rayleigh_compton = sum(element("Fe").scatter(np.array([7080.0, 7300.0]))) * iron.number_densities["Fe"]
    np.testing.assert_allclose(depth, (per_metre + rayleigh_compton) * 1e-6, rtol=1e-6)


def test_the_transmission_not_the_thickness_is_averaged_over_a_sphere():
    """A top hat of radius a inside a sphere of radius R: 1 - T = integral_0^a (1 - exp(-mu t(r))) 2 r dr / a^2."""
    energy, radius, beam = 11950.0, 3e-6, 2.9e-6
    mu = library.find("gold").optics(energy).mu_total
    lost = quad(lambda r: -np.expm1(-2 * mu * math.sqrt(radius**2 - r**2)) * 2 * r / beam**2, 0, beam)[0]
    prepared = Absorption(beam="5.8 um", profile="top_hat").prepare(dot(radius="3 um"))
    assert 1 - prepared.transmission(energy) == pytest.approx(lost, rel=2e-3)
    mean_thickness = 4 / 3 * (radius**3 - (radius**2 - beam**2) ** 1.5) / beam**2
    assert lost < 0.98 * -np.expm1(-mu * mean_thickness)  # what the pinhole effect takes away


def test_a_small_sphere_takes_its_volume_out_of_the_peak_of_a_wide_gaussian_beam():
    energy, fwhm = 11950.0, 2e-6
    prepared = Absorption(beam="2 um").prepare(dot(radius="100 nm"))
    mu, volume = library.find("gold").optics(energy).mu_total, 4 / 3 * np.pi * 1e-7**3
    peak = 4 * math.log(2) / (np.pi * fwhm**2)
    # the sphere is 5 % of the width: (1 - sigma^2-term) and mu t are below 2 %
    assert 1 - prepared.transmission(energy) == pytest.approx(mu * volume * peak, rel=0.03)


def test_the_target_is_followed_through_shifts_and_rotations():
    on_axis = Absorption(beam="100 nm").prepare(dot()).transmission(12e3)
    away = dot(x="700 nm")
    assert Absorption(beam="100 nm").prepare(away).transmission(12e3) == pytest.approx(1.0, abs=1e-6)
    followed = Absorption(beam="100 nm", target="dot")
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    for specimen in (away, away.shifted(3e-7, -2e-7), away.rotated(turn)):
        assert followed.prepare(specimen).transmission(12e3) == pytest.approx(on_axis, rel=1e-9)
    beside = Absorption(beam="100 nm", target="dot", position=("700 nm", "0 nm"))
    assert beside.prepare(away).transmission(12e3) == pytest.approx(1.0, abs=1e-6)


def test_a_missing_target_and_a_wrong_edge_are_named():
    with pytest.raises(UnknownNameError, match="dot"):
        Absorption(target="dots").prepare(dot())
    with pytest.raises(UnknownNameError, match="0 to 0"):
        Absorption(target="dot", target_index=3).prepare(dot())
    with pytest.raises(ValidationError, match="unknown edge of Fe"):
        Absorption(element="Fe", edge="L9")
    with pytest.raises(ValidationError, match="belong together"):
        Absorption(element="Fe")


@pytest.mark.parametrize(
    ("profile", "area"), [("top_hat", np.pi * 0.5e-6**2), ("gaussian", np.pi * 1e-6**2 / (4 * np.log(2)))]
)
def test_the_largest_dose_of_a_slab_is_that_of_the_photons_over_the_area_of_the_beam(profile, area):
    """area: photons over the fluence in the middle, of a disk, and of a Gaussian of that full width at half maximum."""
    instrument = Absorption(beam="1 um", profile=profile, flux="1e10 1/s", exposure_time="0.3 s", energy="7.4 keV")
    specimen = slab("vitreous_ice", "100 nm")
    dose = absorbed(specimen, instrument.prepare(specimen).illuminate(instrument.frames()))["vitreous_ice"]
    ice = library.find("vitreous_ice")
    fluence = 0.3e10 / area
    assert dose.max == pytest.approx(ice.optics(7400.0).mu_photo / ice.density * fluence * 7400 * E_CHARGE, rel=0.01)


def test_the_truth_holds_the_spectrum_that_a_slab_has():
    truth = Absorption(energy="7.13 keV").prepare(slab()).truth()
    energies = truth["optical_density"].axes[0].values
    np.testing.assert_allclose(truth["optical_density"].values, truth["mu_hematite"].values * 2e-6, rtol=1e-9)
    assert np.diff(energies[(energies > 7095) & (energies < 7170)]).max() <= 0.5 + 1e-9
    assert float(truth["mean_thickness_hematite"].values) == pytest.approx(2e-6)


def test_geometry_names_beam_and_edge_for_the_files_and_an_efficiency_that_is_a_number():
    plain = {"kind": "photon_counter", "shape": [1, 1], "efficiency": 0.7}
    geometry = Absorption(element="Au", edge="L3", beam="3 um", detector=plain).geometry()
    assert geometry == {
        "beam [m]": pytest.approx(3e-6),
        "profile": "gaussian",
        "element": "Au",
        "edge": "L3",
        "edge_energy [eV]": pytest.approx(11918.7, abs=1),  # Deslattes et al., doi 10.1103/RevModPhys.75.35
        "detector_efficiency": pytest.approx(0.7),
    }
    sensor = {**plain, "efficiency": {"material": "silicon", "thickness": "450 um"}}
    assert set(Absorption(detector=sensor).geometry()) == {"beam [m]", "profile"}
