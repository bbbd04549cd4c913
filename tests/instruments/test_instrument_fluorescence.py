"""The fluorescence microscope: absolute counts of films and dots, thresholds, scatter, truth."""

import numpy as np
import pytest
import xraylib
from pydantic import ValidationError
from scipy.integrate import quad

from xsim.constants import N_A
from xsim.errors import RangeError
from xsim.instruments.fluorescence import Fluorescence
from xsim.interaction.emission import Cone, groups
from xsim.matter import library, scatter
from xsim.matter.lines import emission
from xsim.specimen.specimen import Specimen
from xsim.streams import StreamKey

FILM = Specimen.from_table({"extent": ["1 um", "1 um"], "layers": [{"material": "hematite", "thickness": "2 nm"}]})


def dot(material="gold", radius="10 nm"):
    """One small sphere at the origin, in vacuum."""
    place = {"kind": "at", "positions": [["0 nm", "0 nm", "0 nm"]]}
    shape = {"kind": "sphere", "radius": radius}
    part = {"name": "dot", "material": material, "shape": shape, "count": 1, "placement": place}
    return Specimen.from_table({"extent": ["1 um", "1 um"], "population": [part]})


def line(prepared, exposure, name):
    """Expected photons of one line per frame."""
    from xsim.instruments._fluorescence_prepared import _ordered

    labels = list(_ordered(prepared._emitted(prepared.instrument.energy).groups))
    return exposure.expected[:, labels.index(name)]


def rate(material, energy, element, name):
    """Photons of a line per incident photon and metre."""
    return sum(
        r for each, r in emission(library.find(material), energy) if (each.element, each.name) == (element, name)
    )


def test_a_thin_film_gives_flux_time_solid_angle_atoms_and_cross_section():
    instrument = Fluorescence(field=("200 nm", "200 nm"), step="100 nm", flux="1e9 1/s", exposure_time="0.5 s")
    prepared = instrument.prepare(FILM)
    exposure = prepared.expose(instrument.frames())
    sigma = rate("hematite", 12e3, "Fe", "KL3")
    want = 5e8 * instrument.detector.solid_angle / (4 * np.pi) * sigma * 2e-9
    assert line(prepared, exposure, "Fe KL3") == pytest.approx(np.full(4, want), rel=1e-4)


def test_the_map_of_a_small_dot_is_the_spot():
    instrument = Fluorescence(field=("600 nm", "600 nm"), step="20 nm")
    prepared = instrument.prepare(dot())
    image = line(prepared, prepared.expose(instrument.frames()), "Au L3M5").reshape(30, 30)
    assert np.unravel_index(image.argmax(), image.shape) == (15, 15)
    profile, x = image[15] / image[15].max(), np.arange(30) * 20.0
    left, right = np.interp(0.5, profile[:16], x[:16]), np.interp(-0.5, -profile[15:], x[15:])
    horizontal, _ = instrument.mirrors.fwhm(12e3)
    # the dot adds 4 r^2 / 5 to the second moment, a few per mil of the width
    assert right - left == pytest.approx(horizontal * 1e9, rel=0.03)


def test_a_raster_collects_all_the_light_of_a_dot():
    instrument = Fluorescence(field=("2 um", "2 um"), step="40 nm")
    prepared = instrument.prepare(dot())
    image = line(prepared, prepared.expose(instrument.frames()), "Au L3M5")
    volume = 4 / 3 * np.pi * 10e-9**3
    made = rate("gold", 12e3, "Au", "L3M5") * volume * instrument.detector.solid_angle / (4 * np.pi)
    want = instrument.flux * instrument.exposure_time * made / instrument.step**2
    # the tails of the spot beyond 1 um hold about a percent per axis
    assert image.sum() == pytest.approx(want, rel=0.03)


@pytest.mark.parametrize(
    ("energy", "material", "family", "excited"),
    [
        (7000, "hematite", "K", False),
        (7200, "hematite", "K", True),
        (2100, "gold", "M", False),
        (2400, "gold", "M", True),
    ],
)
def test_lines_below_their_threshold_are_absent(energy, material, family, excited):
    cone = Cone(np.deg2rad(120), 0.05, True)
    element = {"hematite": "Fe", "gold": "Au"}[material]
    found = {g.family for g in groups((library.find(material),), energy, cone) if g.element == element}
    assert (family in found) == excited


def test_polarised_scatter_at_90_degrees_is_the_square_of_the_cone():
    angle = np.deg2rad(5)
    water = (library.find("water"),)
    cones = [Cone(np.pi / 2, 2 * np.pi * (1 - np.cos(angle)), polarised) for polarised in (True, False)]
    with_plane, without = ({g.label: g.made[0] for g in groups(water, 12e3, cone)} for cone in cones)
    assert with_plane["elastic"] / without["elastic"] == pytest.approx(angle**2, rel=0.03)


def test_compton_scatter_of_12_kev_by_90_degrees_lies_at_11_725_kev():
    found = groups((library.find("water"),), 12e3, Cone(np.pi / 2, 0.005, False))
    energy, made = np.array([(g.energy, g.made[0]) for g in found if g.label.startswith("Compton")]).T
    # the profile is even in momentum: as much light in the two bins on either side of an electron at rest
    assert energy @ made / made.sum() < 11725.0  # fast electrons can take energy, but hardly give more than the beam's
    after, before = np.flatnonzero(energy > 11725.0)[:2], np.flatnonzero(energy < 11725.0)[-2:]
    assert made[after].sum() == pytest.approx(made[before].sum(), rel=0.01)
    assert energy[[*before, *after]].mean() == pytest.approx(11725.0, abs=1.0)
    # the profile of water's electrons, 1.6 atomic units of momentum of 122 eV each, in a width of 195 eV
    below = np.interp([0.25, 0.75], np.cumsum(made) / made.sum(), energy)
    assert 80 < below[1] - below[0] < 200


def test_moving_electrons_spread_compton_scatter_and_lose_none_of_it():
    edges = np.linspace(6e3, 12e3, 2001)
    fastest = 12e3**2 / 510998.95 / (np.sqrt(2) * 12e3) * 137.036  # that leaves the photon its energy [atomic units]
    for symbol, electrons in (("H", 1), ("C", 6), ("Fe", 26)):
        share = scatter.doppler(symbol, 12e3, np.pi / 2, edges)
        slower = quad(lambda p, z=electrons: xraylib.ComptonProfile(z, p), 0, fastest, epsrel=1e-4)[0] / electrons
        # faster electrons are bound too deeply: 8 % of those of carbon, 19 % of those of iron
        assert share.sum() == pytest.approx(0.5 + slower, abs=0.01)
        assert edges[share.argmax()] == pytest.approx(11725.0, abs=10.0)
    narrow, wide = (np.sort(scatter.doppler(s, 12e3, np.pi / 2, edges))[-40:].sum() for s in ("H", "Fe"))
    assert wide < narrow


def test_unpolarised_backscatter_of_hydrogen_is_klein_nishinas():
    hydrogen = (library.find("H", density="1 g/cm^3"),)
    theta, alpha = np.pi * 0.9, 60e3 / 510998.95
    found = groups(hydrogen, 60e3, Cone(theta, 1e-4, False))
    compton = sum(g.made[0] for g in found if g.label.startswith("Compton"))
    elastic = sum(g.made[0] for g in found if g.label == "elastic")
    ratio = 1 / (1 + alpha * (1 - np.cos(theta)))
    klein_nishina = 0.5 * 2.8179403e-15**2 * ratio**2 * (ratio + 1 / ratio - np.sin(theta) ** 2)
    atoms = 1e6 / 1.008 * N_A
    assert compton == pytest.approx(atoms * klein_nishina, rel=5e-3)
    assert elastic < 1e-3 * compton


def test_truth_holds_area_densities_and_the_noise_free_maps():
    instrument = Fluorescence(field=("200 nm", "200 nm"), step="100 nm")
    prepared = instrument.prepare(FILM)
    truth = prepared.truth()
    iron, oxygen = truth["area_density_Fe"].values, truth["area_density_O"].values
    density = library.find("hematite").density
    assert iron + oxygen == pytest.approx(np.full((2, 2), density * 2e-9), rel=1e-9)
    assert iron / oxygen == pytest.approx(np.full((2, 2), 2 * 55.845 / (3 * 15.999)), rel=1e-4)
    exposure = prepared.expose(instrument.frames())
    names = [name for name in truth if name.startswith(("line_Fe", "line_O", "scatter"))]
    assert sum(truth[name].values for name in names).ravel() == pytest.approx(exposure.expected.sum(axis=1), rel=1e-12)
    assert len(truth["line_energies"].values) == exposure.expected.shape[1]


def test_frames_of_two_energies_are_those_of_each():
    instrument = Fluorescence(field=("100 nm", "100 nm"), step="50 nm")
    prepared = instrument.prepare(FILM)
    frames = instrument.frames()
    both = prepared.expose(frames.with_columns(energy=np.array([7000.0, 7200.0, 7000.0, 7200.0])))
    for row, energy in ((0, 7000.0), (1, 7200.0)):
        one = prepared.expose(frames.take(slice(row, row + 1)).with_columns(energy=np.array([energy])))
        assert sorted(one.expected[one.expected > 0]) == sorted(both.expected[row][both.expected[row] > 0])
        assert instrument.detector.mean(one)[0] == pytest.approx(instrument.detector.mean(both)[row], rel=1e-12)


def test_the_spectrum_peaks_at_the_lines():
    instrument = Fluorescence(field=("100 nm", "100 nm"), step="50 nm", exposure_time="100 s")
    prepared = instrument.prepare(FILM)
    spectrum = instrument.detector.read(prepared.expose(instrument.frames()), StreamKey(1, "x")).sum(axis=0)
    energies = instrument.detector.energies
    window = (energies > 5000) & (energies < 6800)
    assert energies[window][spectrum[window].argmax()] == pytest.approx(6400, abs=20)


@pytest.mark.parametrize(
    "fields",
    [
        {"detector": {"kind": "photon_counter"}},
        {"detector_angle": "0 deg"},
        {"slabs": 0},
        {"step": 50e-9},
        {"energy": "12 nm"},
        {"colour": "red"},
    ],
)
def test_wrong_fields_are_refused(fields):
    with pytest.raises(ValidationError):
        Fluorescence(**fields)


def test_a_step_larger_than_the_field_is_refused():
    with pytest.raises(RangeError, match="step"):
        Fluorescence(field=("10 nm", "10 nm"), step="20 nm").frames()


def test_several_detectors_see_what_each_sees_alone():
    knobs = {"field": ("100 nm", "100 nm"), "step": "50 nm"}
    places = [{"name": "left", "angle": "120 deg"}, {"name": "right", "angle": "130 deg", "azimuth": "180 deg"}]
    places.append({"name": "top", "angle": "120 deg", "azimuth": "90 deg", "distance": "60 mm"})
    both = Fluorescence(**knobs, detectors=places)
    exposure = both.prepare(FILM).expose(both.frames())
    assert [axis.name for axis in exposure.axes] == ["detector"]
    alone = Fluorescence(**knobs, detector_angle="120 deg")
    left = alone.prepare(FILM).expose(alone.frames())
    order = np.argsort(left.group_energy[0])
    here = exposure.expected[0, :, 0] > 0
    mine = np.argsort(exposure.group_energy[0, here])
    assert exposure.expected[:, here, 0][:, mine] == pytest.approx(
        left.expected[:, order][:, left.expected[0, order] > 0]
    )
    # a fluorescent film shines evenly; from above the plane of polarisation scatter is stronger
    fluorescent = np.isclose(exposure.group_energy[0], 6403.9, atol=1)
    elastic = exposure.group_energy[0] == 12e3
    ratio = exposure.expected[0, fluorescent, 2] / exposure.expected[0, fluorescent, 0]
    solid = both.geometry()["solid_angle [sr]"]
    assert ratio == pytest.approx(solid[2] / solid[0], rel=1e-3)
    assert exposure.expected[0, elastic, 2] / solid[2] > 2 * exposure.expected[0, elastic, 0] / solid[0]
    assert both.detector.mean(exposure).shape == (4, 3, 2048)


def test_detectors_of_one_name_are_refused():
    with pytest.raises(ValidationError, match="names of detectors"):
        Fluorescence(detectors=[{"name": "a", "angle": "120 deg"}, {"name": "a", "angle": "60 deg"}])
