"""The full-field microscope against Hopkins' theory, flat fields, defocus and the validity ladder."""

from __future__ import annotations

import numpy as np
import pytest
from full_field_images import boxes, image, microscope

from xsim.errors import SamplingError, SamplingWarning, ValidityWarning
from xsim.matter.library import find
from xsim.specimen.specimen import Specimen


def grating(half_period: float, bars: int = 25) -> Specimen:
    """Opaque bars of 1 um of gold, as wide as the gaps [nm], along y."""
    places = [[f"{(i - bars // 2) * 2 * half_period!r} nm", "0 nm", "0 nm"] for i in range(bars)]
    return boxes("gold", [f"{half_period!r} nm", "3 um", "1 um"], places)


def hopkins(half_period: float, outermost_zone: float, sigma: float) -> float:
    """Modulation of a 1:1 opaque grating: Abbe's sum over a densely filled condenser, orders of the grating by hand."""
    cutoff, side = 1 / (2 * outermost_zone), np.linspace(-1, 1, 201)
    sx, sy = (s.ravel() * sigma * cutoff for s in np.meshgrid(side, side))
    sx, sy = sx[np.hypot(sx, sy) <= sigma * cutoff], sy[np.hypot(sx, sy) <= sigma * cutoff]
    order = np.arange(-6, 7)
    passed = np.hypot(order / (2 * half_period) + sx[:, None], sy[:, None]) <= cutoff
    x = np.linspace(0, 1, 65)
    waves = (passed * np.sinc(order / 2) / 2) @ np.exp(2j * np.pi * np.outer(order, x))
    intensity = (np.abs(waves) ** 2).mean(axis=0)
    return float(np.ptp(intensity) / (intensity.max() + intensity.min()))


def modulation(half_period: float, outermost_zone: float, sigma: float, energy: str = "815 eV") -> float:
    fine = f"{half_period / 8!r} nm"
    lens = {"outermost_zone": f"{outermost_zone} nm", "diameter": "30 um", "thickness": "80 nm"}
    instrument = microscope(
        energy=energy, field=f"{half_period * 16!r} nm", pixel=fine, objective=lens, model="projection",
        condenser={"sigma": sigma, "points": 150},
    )  # fmt: skip
    with pytest.warns(ValidityWarning, match="multislice"):
        rows = image(instrument, grating(half_period))
    period = rows[len(rows) // 2][56:72]
    return float(np.ptp(period) / (period.max() + period.min()))


@pytest.mark.parametrize(("half_period", "published"), [(15.1, 0.865), (19.5, 0.958)])
def test_modulation_of_an_opaque_grating_is_that_of_hopkins_theory(half_period: float, published: float) -> None:
    assert hopkins(half_period, 15, 0.38) == pytest.approx(published, abs=1e-3)
    assert modulation(half_period, 15, 0.38) == pytest.approx(published, abs=0.02)


@pytest.mark.parametrize(
    ("half_period", "zone", "sigma", "energy"),
    [(24.0, 25, 0.6, "520 eV"), (12.0, 15, 0.38, "815 eV"), (40.0, 30, 0.8, "1 keV")],
)
def test_modulation_agrees_with_hopkins_for_other_lenses(
    half_period: float, zone: float, sigma: float, energy: str
) -> None:
    assert modulation(half_period, zone, sigma, energy) == pytest.approx(hopkins(half_period, zone, sigma), abs=0.02)


def test_nothing_passes_beyond_the_cut_off_of_the_partially_coherent_lens() -> None:
    # a grating that fills the periodic wave grid, half period 10.5 nm < 15 nm / 1.38 = 10.87 nm
    instrument = microscope(field="420 nm", pixel="7 nm", model="projection", wave_pixel="0.875 nm")
    with pytest.warns(ValidityWarning):
        prepared = instrument.prepare(grating(10.5, 101))
    assert prepared.slabs.grid.extent[0] / 21e-9 == pytest.approx(round(prepared.slabs.grid.extent[0] / 21e-9))
    expected = prepared.expose(instrument.frames()).expected
    assert np.ptp(expected) < 1e-5 * expected.mean()


@pytest.mark.parametrize("sigma", [0.0, 0.5, 1.0])
def test_a_flat_field_is_the_fluence_times_the_pixel_and_the_efficiency(sigma: float) -> None:
    instrument = microscope(condenser={"sigma": sigma, "points": 30})
    assert image(instrument, Specimen()) == pytest.approx(1, rel=1e-5)


def test_a_uniform_layer_follows_lambert_beer_for_all_its_losses() -> None:
    layer = Specimen.from_table({"extent": ["1 um", "1 um"], "layers": [{"material": "pmma", "thickness": "700 nm"}]})
    transmitted = np.exp(-float(find("pmma").optics(815.0).mu_total) * 700e-9)
    for model in ("projection", "multislice"):
        assert image(microscope(model=model), layer) == pytest.approx(transmitted, rel=1e-5)


def test_a_central_stop_darkens_the_flat_field_by_the_condenser_points_it_hides() -> None:
    lens = {"outermost_zone": "15 nm", "diameter": "30 um", "thickness": "80 nm", "central_stop": 0.2}
    instrument = microscope(objective=lens, condenser={"sigma": 0.4, "points": 400})
    assert image(instrument, Specimen()).mean() == pytest.approx(1 - (0.2 / 0.4) ** 2, abs=0.03)


def test_the_image_stands_upright_and_unmirrored() -> None:
    dot = boxes("gold", ["60 nm", "40 nm", "80 nm"], [["120 nm", "-60 nm", "0 nm"]])
    dark = 1 - image(microscope(), dot)
    grid = microscope().image_grid()
    assert (dark.sum(0) @ grid.x) / dark.sum() == pytest.approx(120e-9, abs=3e-9)
    assert (dark.sum(1) @ grid.y) / dark.sum() == pytest.approx(-60e-9, abs=3e-9)


def test_multislice_of_a_thin_specimen_gives_the_projection() -> None:
    dots = boxes("gold", ["60 nm", "40 nm", "6 nm"], [["120 nm", "-60 nm", "0 nm"], ["-90 nm", "0 nm", "0 nm"]])
    thin, thick = (image(microscope(model=model, wave_pixel="1.5 nm"), dots) for model in ("projection", "multislice"))
    assert np.abs(thick - thin).max() < 5e-3 * np.ptp(thin)


def test_a_thick_specimen_at_a_depth_is_in_focus_with_that_defocus() -> None:
    """A bar 1.2 um downstream, imaged there, looks as one at the middle does imaged without defocus."""
    layer = [{"material": "vitreous_ice", "thickness": "3 um"}]
    bar = ["40 nm", "200 nm", "30 nm"]
    middle = boxes("gold", bar, [["0 nm", "0 nm", "0 nm"]], layers=layer)
    deep = boxes("gold", bar, [["0 nm", "0 nm", "1200 nm"], ["400 nm", "0 nm", "-1200 nm"]], layers=layer)
    reference = image(microscope(model="projection"), middle)
    focused = image(microscope(model="multislice", defocus="1200 nm"), deep)
    blurred = image(microscope(model="multislice"), deep)
    near = slice(40, 60)
    contrast = np.ptp(reference)
    assert np.abs(focused[near, near] - reference[near, near]).max() < 0.05 * contrast
    assert np.abs(blurred[near, near] - reference[near, near]).max() > 0.3 * contrast


@pytest.mark.parametrize("place", ["1200 nm", "-900 nm"])
def test_a_thin_particle_off_the_middle_plane_is_blurred_as_far_as_it_lies_and_in_focus_with_that_defocus(
    place: str,
) -> None:
    """Thin enough for a projection, which acts where the particle is, not in the middle of the ice around it."""
    layer = [{"material": "vitreous_ice", "thickness": "3 um"}]
    bar = ["40 nm", "200 nm", "30 nm"]
    middle = boxes("gold", bar, [["0 nm", "0 nm", "0 nm"]], layers=layer)
    deep = boxes("gold", bar, [["0 nm", "0 nm", place]], layers=layer)
    reference = image(microscope(), middle)
    contrast = np.ptp(reference)
    away = f"-{place}".replace("--", "")
    assert image(microscope(defocus=place), deep) == pytest.approx(reference, abs=2e-3 * contrast)
    assert image(microscope(), deep) == pytest.approx(image(microscope(defocus=away), middle), abs=2e-3 * contrast)
    assert np.abs(image(microscope(), deep) - reference).max() > 0.3 * contrast


def test_staying_in_focus_for_one_energy_defocuses_the_others_by_the_change_of_focal_length() -> None:
    dots = boxes("gold", ["60 nm", "40 nm", "60 nm"], [["60 nm", "0 nm", "0 nm"]])
    away = microscope(energy="816 eV", focus_energy="815 eV")
    lens = away.objective
    shift = lens.focal_length(815.0) - lens.focal_length(816.0)
    assert shift == pytest.approx(-295.8e-6 / 815, rel=2e-3)
    assert image(away, dots) == pytest.approx(
        image(microscope(energy="816 eV", defocus=f"{shift!r} m"), dots), rel=1e-6
    )
    assert np.abs(image(away, dots) - image(microscope(energy="816 eV"), dots)).max() > 0.02


def test_a_camera_too_small_and_a_pixel_too_coarse_are_told_with_numbers() -> None:
    with pytest.raises(SamplingError, match="256 pixels"):
        microscope(field="4 um").prepare(Specimen())
    with pytest.warns(SamplingWarning, match="magnify"):
        microscope(pixel="20 nm").prepare(Specimen())


def test_a_forced_projection_of_a_thick_specimen_warns_and_auto_takes_slabs() -> None:
    layer = [{"material": "vitreous_ice", "thickness": "2 um"}]
    places = [["0 nm", "0 nm", "-900 nm"], ["0 nm", "0 nm", "900 nm"]]
    thick = boxes("gold", ["60 nm", "60 nm", "60 nm"], places, layers=layer)
    with pytest.warns(ValidityWarning, match="projection of a specimen"):
        microscope(model="projection").prepare(thick)
    assert microscope(model="auto").prepare(thick).slabs.count > 1
