"""The scanning microscope against direct integrals over its spot, Lambert-Beer, and a stack of energies."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator
from scipy.ndimage import gaussian_filter

from xsim.constants import wavelength
from xsim.errors import RangeError, SamplingError, ValidityWarning
from xsim.instruments.stxm import Stxm
from xsim.matter.library import find
from xsim.optics.kirkpatrick_baez import KirkpatrickBaez
from xsim.optics.order_sorting import OrderSortingAperture
from xsim.optics.zone_plate import ZonePlate
from xsim.scans.energies import Energies
from xsim.sources.bandwidth import Bandwidth
from xsim.specimen.specimen import Specimen
from xsim.waves.grid import Grid


def microscope(**changes: Any) -> Stxm:
    table: dict[str, Any] = {
        "energy": "700 eV", "field": ["600 nm", "300 nm"], "step": "10 nm",
        "zone_plate": {"outermost_zone": "25 nm", "diameter": "150 um"},
    }  # fmt: skip
    return Stxm.model_validate({**table, **changes})


def box(material: str, sides: list[str], place: list[str]) -> Specimen:
    part = {"name": "box", "material": material, "shape": {"kind": "box", "sides": sides}}
    table = {"extent": ["9 um", "9 um"], "population": [{**part, "placement": {"kind": "at", "positions": [place]}}]}
    return Specimen.from_table(table)


def scanned(instrument: Any, specimen: Specimen) -> np.ndarray[Any, Any]:
    """Share of the photons transmitted, folded into the scan axes."""
    frames = instrument.frames()
    exposure = instrument.prepare(specimen).expose(frames)
    return np.asarray((exposure.expected[:, 0] / exposure.incident).reshape(frames.shape))


def test_without_specimen_every_point_gets_flux_times_time() -> None:
    instrument = microscope()
    exposure = instrument.prepare(Specimen()).expose(instrument.frames())
    assert exposure.expected == pytest.approx(instrument.flux * instrument.exposure_time, rel=1e-12)
    assert exposure.axes == ()


def test_a_film_follows_lambert_beer_for_its_total_attenuation() -> None:
    film = Specimen.from_table({"extent": ["1 um", "1 um"], "layers": [{"material": "silicon", "thickness": "200 nm"}]})
    assert scanned(microscope(), film) == pytest.approx(np.exp(-float(find("silicon").optics(700.0).mu_total) * 200e-9))


@pytest.mark.parametrize("optic", ["zone_plate", "mirrors"])
def test_an_edge_is_the_running_integral_of_the_spot(optic: str) -> None:
    """An opaque half plane ending between two samples: the one-dimensional integral of the spot's own line profile."""
    settings: dict[str, Any] = {"mirrors": KirkpatrickBaez().model_dump()} if optic == "mirrors" else {}
    if settings:
        settings |= {"energy": "8 keV", "field": ["1.2 um", "300 nm"], "step": "20 nm"}
    instrument = microscope(model="projection", **settings)
    edge = instrument.prepare(Specimen()).grid.pixel / 2
    half = box("gold", ["8 um", "8.9 um", "60 um"], [f"{edge - 4e-6!r} m", "0 um", "0 um"])
    with pytest.warns(ValidityWarning, match="projection of a specimen") if optic == "zone_plate" else nullcontext():
        found = scanned(instrument, half)
    x = instrument.frames().axes[1].values
    fine = Grid((2048, 2048), instrument.step / 5)
    mirrors, plate = instrument.mirrors, instrument.zone_plate
    if mirrors is not None:
        spot = mirrors.probe_intensity(fine, instrument.energy).sum(axis=0)
    else:
        spot = (np.abs(plate.probe(fine, instrument.energy)) ** 2).sum(axis=0)
    # cumulative sums end at pixel edges: transmitted is all of the spot that lies beyond the edge
    beyond = 1 - np.interp(edge - x, fine.x + fine.pixel / 2, np.cumsum(spot))
    assert found[found.shape[0] // 2] == pytest.approx(beyond, abs=0.006)


def test_the_sum_over_the_map_is_the_absorbed_area_whatever_the_spot() -> None:
    """Convolution with a spot that sums to 1 keeps the integral of 1 - transmission."""
    dot = box("gold", ["80 nm", "60 nm", "50 nm"], ["30 nm", "-20 nm", "0 nm"])
    absorbed = 1 - np.exp(-float(find("gold").optics(700.0).mu_total) * 50e-9)
    for defocus in ("0 nm", "2 um"):
        missing = 1 - scanned(microscope(defocus=defocus, field=["1.2 um", "1.2 um"]), dot)
        assert missing.sum() * 100e-18 == pytest.approx(absorbed * 80e-9 * 60e-9, rel=0.02)


def test_the_map_stands_upright() -> None:
    dot = box("gold", ["80 nm", "60 nm", "50 nm"], ["90 nm", "-40 nm", "0 nm"])
    missing = 1 - scanned(microscope(), dot)
    y, x = (axis.values for axis in microscope().frames().axes)
    missing[missing < 0.1 * missing.max()] = 0
    assert (missing.sum(0) @ x) / missing.sum() == pytest.approx(90e-9, abs=4e-9)
    assert (missing.sum(1) @ y) / missing.sum() == pytest.approx(-40e-9, abs=4e-9)


def test_lines_finer_than_the_cut_off_vanish_and_coarser_ones_follow_the_transfer_function() -> None:
    """Incoherent imaging: the modulation transfer of a full circular aperture at spatial frequency f."""

    def transfer(f: float) -> float:
        s = f * 25e-9
        return float(2 / np.pi * (np.arccos(s) - s * np.sqrt(1 - s * s))) if s < 1 else 0.0

    for period in (40e-9, 60e-9, 120e-9):
        places = [[f"{i * period * 1e9!r} nm", "0 nm", "0 nm"] for i in range(-25, 26)]
        bars = {"name": "bars", "material": "carbon", "placement": {"kind": "at", "positions": places},
                "shape": {"kind": "box", "sides": [f"{period * 5e8!r} nm", "4 um", "20 nm"]}}  # fmt: skip
        specimen = Specimen.from_table({"extent": ["9 um", "9 um"], "population": [bars]})
        step = period / 8
        instrument = microscope(field=[f"{4 * period!r} m", f"{2 * step!r} m"], step=f"{step!r} m")
        row = scanned(instrument, specimen)[0]
        deep = 1 - np.exp(-float(find("carbon").optics(700.0).mu_total) * 20e-9)
        amplitude = 2 * abs(np.mean(row * np.exp(2j * np.pi * np.arange(len(row)) / 8)))
        assert amplitude / deep == pytest.approx(2 / np.pi * transfer(1 / period), abs=0.006)


def test_a_stack_equals_single_maps_at_its_energies_and_shows_the_edge() -> None:
    dot = box("iron", ["200 nm", "200 nm", "60 nm"], ["0 nm", "0 nm", "0 nm"])
    stack = Energies.model_validate({"values": ["700 eV", "720 eV"]}).apply(microscope(energy="710 eV"))
    found = scanned(stack, dot)
    for row, energy in enumerate(("700 eV", "720 eV")):
        assert found[row] == pytest.approx(scanned(microscope(energy=energy), dot), rel=1e-6)
    assert found[1].min() < found[0].min() - 0.1


def test_a_fixed_zone_plate_loses_focus_away_from_its_energy_and_mirrors_do_not() -> None:
    dot = box("gold", ["40 nm", "40 nm", "50 nm"], ["0 nm", "0 nm", "0 nm"])
    sharp = 1 - scanned(microscope(energy="702 eV"), dot).min()
    blurred = 1 - scanned(microscope(energy="702 eV", focus_energy="700 eV"), dot).min()
    assert blurred < 0.8 * sharp
    # at more energy the focus lies farther downstream; put back by that much, it is sharp again
    focal = microscope().zone_plate.focal_length
    back = float(focal(702.0) - focal(700.0))
    restored = scanned(microscope(energy="702 eV", focus_energy="700 eV", defocus=f"{back!r} m"), dot)
    assert 1 - restored.min() == pytest.approx(sharp, rel=1e-3)


@pytest.mark.parametrize("angle", [0.0, 90.0])
def test_a_spot_with_coma_shows_a_dot_as_far_off_as_the_spots_middle_lies_to_the_other_side(angle: float) -> None:
    """The spot's centre of mass lies (lambda/NA) A_c against the direction of coma, so the beam must go along it."""
    plate = {
        "outermost_zone": "25 nm",
        "diameter": "150 um",
        "aberrations": {"coma": 0.3, "coma_angle": f"{angle} deg"},
    }
    instrument = microscope(field=["600 nm", "600 nm"], zone_plate=plate)
    lost = 1 - scanned(instrument, box("gold", ["30 nm", "30 nm", "50 nm"], ["0 nm", "0 nm", "0 nm"]))
    y, x = (np.asarray(instrument.frames()[name]).reshape(lost.shape) for name in "yx")
    found = complex((lost * x).sum(), (lost * y).sum()) / lost.sum()
    shift = 0.3 * float(wavelength(700.0) / instrument.zone_plate.numerical_aperture(700.0))
    assert abs(found - shift * np.exp(1j * np.deg2rad(angle))) < 0.1 * shift


def test_the_spot_of_the_fluence_map_has_the_size_of_an_airy_disk() -> None:
    instrument = microscope(field=["2.5 nm", "2.5 nm"], step="2.5 nm")
    (light,) = instrument.prepare(Specimen()).illuminate(instrument.frames())
    peak = float(light.fluence.max())
    airy = np.pi / 4 * (2 * float(instrument.zone_plate.numerical_aperture(700.0)) / wavelength(700.0)) ** 2
    assert peak == pytest.approx(airy * instrument.flux * instrument.exposure_time, rel=0.01)


def test_a_thin_specimen_off_the_plane_of_focus_is_met_by_the_spot_as_wide_as_it_is_there() -> None:
    def dot(z: str) -> Specimen:
        return box("gold", ["40 nm", "40 nm", "50 nm"], ["0 nm", "0 nm", z])

    there = scanned(microscope(), dot("4 um"))
    assert there == pytest.approx(scanned(microscope(defocus="4 um"), dot("0 nm")), abs=1e-6)
    assert (1 - there).max() < 0.5 * (1 - scanned(microscope(), dot("0 nm"))).max()
    assert there == pytest.approx(scanned(microscope(defocus="-8 um"), dot("4 um")), abs=0.003)  # either side


def test_a_source_blurs_the_image_as_a_gaussian_does() -> None:
    dot = box("gold", ["40 nm", "40 nm", "50 nm"], ["10 nm", "0 nm", "0 nm"])
    settings: dict[str, Any] = {"field": ["800 nm", "800 nm"]}
    sharp = scanned(microscope(**settings), dot)
    blurred = scanned(microscope(source_image=["60 nm", "25 nm"], **settings), dot)
    sigma = np.array([25.0, 60.0]) / np.sqrt(8 * np.log(2)) / 10
    assert blurred == pytest.approx(gaussian_filter(sharp, sigma, truncate=6), abs=2e-3)
    assert sharp.min() < blurred.min() - 0.1


def test_a_spectrum_averages_images_at_its_energies_each_with_its_own_focus() -> None:
    dot = box("iron", ["60 nm", "60 nm", "60 nm"], ["0 nm", "0 nm", "0 nm"])
    small: dict[str, Any] = {"field": ["300 nm", "300 nm"]}
    width = {"relative_width": 0.002, "shape": "rectangular", "samples": 5}
    with pytest.warns(ValidityWarning, match=r"limit 1/N = 0.000667"):
        found = scanned(microscope(energy="707 eV", bandwidth=width, **small), dot)
    lines, weights = Bandwidth.model_validate(width).lines(707.0)
    each = [scanned(microscope(energy=f"{float(e)!r} eV", focus_energy="707 eV", **small), dot) for e in lines]
    assert found == pytest.approx(np.tensordot(weights, each, 1), abs=1e-4)
    assert scanned(microscope(energy="707 eV", **small), dot).min() < found.min() - 0.01
    # no width is one energy alone, to the bit
    none = scanned(microscope(energy="707 eV", bandwidth={"relative_width": 0.0}), dot)
    assert np.array_equal(none, scanned(microscope(energy="707 eV"), dot))


def test_flying_averages_over_the_step_and_drift_moves_the_picture() -> None:
    dot = box("gold", ["40 nm", "40 nm", "50 nm"], ["10 nm", "0 nm", "0 nm"])
    fine = scanned(microscope(step="2 nm", field=["360 nm", "100 nm"]), dot)
    flown = scanned(microscope(step="20 nm", field=["300 nm", "100 nm"], motion={"fly": 10}), dot)
    rows = np.arange(fine.shape[0])[fine.shape[0] // 2 % 10 :: 10]
    # points 20 nm apart; each is the mean over the ten places on its way, 1 nm off those of the fine scan
    middle = fine.shape[1] // 2 + 10 * (np.arange(15) - 7)
    want = np.stack(
        [(fine[rows, m - 5] + fine[rows, m + 5] + 2 * fine[rows, m - 4 : m + 5].sum(axis=1)) / 20 for m in middle],
        axis=1,
    )
    assert flown == pytest.approx(want, abs=2e-3)
    still = microscope(field=["300 nm", "200 nm"])
    moving = microscope(field=["300 nm", "200 nm"], motion={"drift": ["0.4 um/s", "0 um/s"]})
    frames = moving.frames()
    true = moving.prepare(dot).truth()["positions"].values
    assert true[:, 0] == pytest.approx(frames["x"] + 0.4e-6 * 1e-3 * np.arange(len(frames)), abs=1e-15)
    seen, y = scanned(moving, dot), frames.axes[0].values
    fine = microscope(field=["600 nm", "120 nm"], step="2 nm")
    map_ = RegularGridInterpolator(
        tuple(axis.values for axis in fine.frames().axes), scanned(fine, dot), method="cubic"
    )
    inside = (np.abs(true[:, 0]) < 290e-9) & (np.abs(true[:, 1]) < 55e-9)
    assert inside.sum() > 100
    assert len(y) == 20
    assert seen.ravel()[inside] == pytest.approx(map_(true[inside][:, ::-1]), abs=2e-3)
    assert still.frames().shape == frames.shape


def test_jitter_keeps_commanded_positions_in_the_table_and_true_ones_in_truth() -> None:
    dot = box("gold", ["40 nm", "40 nm", "50 nm"], ["10 nm", "0 nm", "0 nm"])
    shaky = microscope(field=["140 nm", "140 nm"], motion={"jitter": "8 nm", "seed": 3})
    fine = microscope(field=["200 nm", "200 nm"], step="2 nm")
    true = shaky.prepare(dot).truth()["positions"].values
    assert np.array_equal(shaky.frames()["x"], microscope(field=["140 nm", "140 nm"]).frames()["x"])
    y, x = (axis.values for axis in fine.frames().axes)
    map_ = RegularGridInterpolator((y, x), scanned(fine, dot), method="cubic")
    assert scanned(shaky, dot).ravel() == pytest.approx(map_(true[:, ::-1]), abs=2e-3)


def test_an_order_sorting_aperture_that_leaks_adds_a_halo_to_counts_incident_light_and_dose() -> None:
    dot = box("gold", ["40 nm", "40 nm", "50 nm"], ["10 nm", "0 nm", "0 nm"])
    good = {"diameter": "50 um", "distance": "500 um"}
    plate = {"outermost_zone": "25 nm", "diameter": "150 um", "central_stop": 0.4}
    ideal = microscope(zone_plate=plate)
    assert np.array_equal(scanned(microscope(zone_plate=plate, order_sorting=good), dot), scanned(ideal, dot))
    leaky = microscope(zone_plate=plate, order_sorting={"diameter": "72 um", "distance": "500 um"})
    with pytest.warns(ValidityWarning, match="order 0"):
        prepared = leaky.prepare(dot)
    (halo,) = OrderSortingAperture(diameter="72 um", distance="500 um").halos(leaky.zone_plate, 700.0)
    exposure = prepared.expose(leaky.frames())
    assert exposure.incident == pytest.approx(1e5 * (1 + halo.share))
    # the annulus of 60..72 um looks past the dot: its light arrives undiminished, and dims the contrast
    clean = ideal.prepare(dot).expose(ideal.frames()).expected
    assert exposure.expected == pytest.approx(clean + 1e5 * halo.share, rel=1e-9)
    spot, around = prepared.illuminate(leaky.frames())
    photons = 1e5 * len(leaky.frames())
    assert around.fluence.sum() * around.grid.pixel**2 == pytest.approx(photons * halo.share)
    assert spot.fluence.sum() * spot.grid.pixel**2 == pytest.approx(photons)
    film = Specimen.from_table({"extent": ["1 um", "1 um"], "layers": [{"material": "silicon", "thickness": "200 nm"}]})
    with pytest.warns(ValidityWarning, match="order 0"):
        through = scanned(leaky, film)
    assert through == pytest.approx(scanned(ideal, film))  # a film dims all orders alike
    with pytest.raises(RangeError, match="clips the first order"):
        microscope(zone_plate=plate, order_sorting={"diameter": "10 um", "distance": "500 um"}).prepare(dot)


def test_parts_of_a_zone_plate_do_not_go_with_mirrors() -> None:
    for part in ({"order_sorting": {}}, {"source_image": ["10 nm", "0 nm"]}):
        with pytest.raises(ValueError, match="belongs to a zone plate"):
            microscope(mirrors={}, **part)


def test_mistakes_of_sampling_and_depth_are_told() -> None:
    with pytest.raises(RangeError, match="step"):
        microscope(step="400 nm").frames()
    with pytest.raises(SamplingError, match="smaller field"):
        microscope(field=["60 um", "60 um"]).prepare(Specimen())


def test_the_true_optical_density_of_a_layer_is_the_logarithm_of_what_is_measured():
    specimen = Specimen.from_table({"layers": [{"material": "polystyrene", "thickness": "30 um"}]})
    prepared = Stxm(energy="12 keV").prepare(specimen)
    exposure = prepared.expose(Stxm(energy="12 keV").frames().take(slice(0, 1)))
    measured = np.log(exposure.incident[0] / exposure.expected[0, 0])
    assert prepared.truth()["optical_density"].values[0, 0] == pytest.approx(measured, rel=1e-9)
    # a quarter of what the beam loses at 12 keV is scattered, not absorbed
    optics = specimen.materials[0].optics(12e3)
    assert measured == pytest.approx(float(optics.mu_total) * 30e-6, rel=1e-9)
    assert float(optics.mu_total) > 1.2 * float(optics.mu_photo)


@pytest.mark.parametrize("optic", ["mirrors", "zone_plate"])
def test_the_light_in_the_spot_follows_what_the_optic_passes(optic):
    """Rhodium at 3 mrad reflects to 22 keV: of what arrives at 10 keV, less than 1 % is left at 28 keV."""
    lens = {"mirrors": KirkpatrickBaez()} if optic == "mirrors" else {"zone_plate": ZonePlate(thickness="1 um")}
    one = Stxm(energy="10 keV", field=("200 nm", "200 nm"), step="50 nm", **lens)
    frames = one.frames().take(slice(0, 3)).with_columns(energy=np.array([10e3, 15e3, 28e3]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = one.prepare(Specimen()).expose(frames)
    first = one.flux * one.exposure_time
    share = one.mirrors.reflectivity if optic == "mirrors" else one.zone_plate.transmitted
    assert found.incident == pytest.approx([first * float(share(e)) / float(share(1e4)) for e in (1e4, 15e3, 28e3)])
    assert found.expected[:, 0] == pytest.approx(found.incident, rel=1e-6)
    if optic == "mirrors":
        assert found.incident[2] < 0.01 * found.incident[0]


def test_mirrors_beyond_their_cut_off_are_refused():
    one = Stxm(energy="90 keV", field=("200 nm", "200 nm"), step="50 nm", mirrors=KirkpatrickBaez())
    with pytest.raises(RangeError, match="hardly any light"):
        one.prepare(Specimen())
