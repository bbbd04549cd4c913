"""The full-field microscope behind its condensers: hollow cones of zone plates, the source imaged onto the specimen."""

from __future__ import annotations

import numpy as np
import pytest
from full_field_images import boxes, image, microscope

from xsim.errors import RangeError, SamplingWarning, ValidityWarning
from xsim.specimen.specimen import Specimen

EMPTY = Specimen.from_table({"extent": ["1 um", "1 um"]})
BAR = ("gold", ["40 nm", "150 nm", "30 nm"], [["-60 nm", "30 nm", "0 nm"]])


def test_a_condenser_zone_plate_is_the_cone_it_makes():
    plate = {"zone_plate": {"outermost_zone": "30 nm", "central_stop": 0.6}, "points": 60}
    ring = {"sigma": 0.5, "inner": 0.3, "points": 60}
    one, two = (image(microscope(condenser=cone), boxes(*BAR)) for cone in (plate, ring))
    assert np.array_equal(one, two)
    assert microscope(condenser=plate).finest_period(815.0) == microscope(condenser=ring).finest_period(815.0)
    with pytest.raises(RangeError, match=r"condenser\.zone_plate|condenser's aperture"):
        microscope(condenser={"zone_plate": {"outermost_zone": "2 nm"}}).prepare(EMPTY)


@pytest.mark.parametrize("thickness", ["30 nm", "3 um"])
def test_in_critical_illumination_the_source_lights_image_and_dose_alike(thickness):
    critical = {"width": ["400 nm", "900 nm"], "center": ["50 nm", "-100 nm"]}
    instrument = microscope(condenser={"sigma": 0.38, "points": 60, "critical": critical})
    ice = {"layers": [{"material": "vitreous_ice", "thickness": thickness}]}
    specimen = Specimen.from_table({"extent": ["8 um", "8 um"], **ice})
    prepared = instrument.prepare(specimen)
    dose = prepared.illuminate(instrument.frames())[0]
    assert dose.fluence.mean() * instrument.field**2 == pytest.approx(
        instrument.flux * instrument.exposure_time, rel=2e-3
    )
    seen = image(instrument, specimen)
    lit = dose.fluence / dose.fluence.mean()
    assert np.max(np.abs(seen / seen.mean() - lit)) < 2e-3 * lit.max()
    peak = np.unravel_index(np.argmax(seen), seen.shape)
    assert dose.grid.x[peak[1]] == pytest.approx(50e-9, abs=10e-9)
    assert dose.grid.y[peak[0]] == pytest.approx(-100e-9, abs=10e-9)


def test_a_bar_under_the_image_of_a_source_absorbs_what_it_does_in_even_light():
    critical = {"width": ["700 nm", "700 nm"]}
    cone = {"sigma": 0.38, "points": 60}
    even, uneven = microscope(condenser=cone), microscope(condenser={**cone, "critical": critical})
    flat = image(uneven, EMPTY)
    ratio = image(uneven, boxes(*BAR)) / flat
    assert flat.max() / flat.min() > 2
    assert np.max(np.abs(ratio - image(even, boxes(*BAR)))) < 0.01


def test_too_few_source_points_are_told_before_anything_runs():
    with pytest.warns(SamplingWarning, match=r"condenser\.points 8"):
        microscope(condenser={"sigma": 0.5, "points": 8}).prepare(EMPTY)


def test_modes_image_a_thin_specimen_as_abbes_sum_does_and_refuse_a_thick_one():
    cone = {"sigma": 0.38, "points": 100}
    one, two = (image(microscope(condenser=cone, imaging=how), boxes(*BAR)) for how in ("abbe", "hopkins"))
    assert 1e-7 < np.max(np.abs(one - two)) < 1e-3
    assert np.array_equal(one, image(microscope(condenser=cone), boxes(*BAR)))
    with pytest.raises(RangeError, match="several slabs"):
        microscope(imaging="hopkins", model="multislice").prepare(boxes(*BAR))


def test_modes_that_do_not_serve_are_told_before_anything_runs():
    ringed = microscope(
        condenser={"sigma": 0.6, "inner": 0.25, "points": 200}, phase_ring={"advance": "90 deg"}, imaging="hopkins"
    )
    with pytest.warns(ValidityWarning, match=r'imaging "hopkins".*more than 0\.002'):
        ringed.prepare(boxes(*BAR))


@pytest.mark.parametrize(
    ("cone", "stop", "words"),
    [
        ({"sigma": 0.4}, 0.5, r"0 to 0\.4 of .* open from 0\.5 to 1.*central_stop below 0\.4, or .*sigma above 0\.5"),
        ({"sigma": 1.4, "inner": 1.1}, 0.0, r"1\.1 to 1\.4.*condenser\.inner below 1"),
    ],
)
def test_light_that_meets_no_opening_is_told_with_the_opening(cone, stop, words):
    instrument = microscope(condenser={**cone, "points": 60}, objective={"central_stop": stop})
    with pytest.warns(ValidityWarning, match=words):
        prepared = instrument.prepare(EMPTY)
    assert prepared.expose(instrument.frames()).expected.max() < 1e-9 * instrument.flux * instrument.exposure_time
