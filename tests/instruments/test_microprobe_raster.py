"""What a raster of spots leaves unseen is told before anything runs."""

import warnings

import pytest

from xsim.errors import SamplingWarning
from xsim.instruments.fluorescence import Fluorescence
from xsim.instruments.microprobe import Microprobe
from xsim.specimen.specimen import Specimen

BALL = {"name": "ball", "material": "iron", "shape": {"kind": "sphere", "radius": "200 nm"}}
SPECIMEN = Specimen.from_table({"extent": ["400 nm", "400 nm"], "population": [BALL]})
MIRRORS = Fluorescence(energy="9 keV", field=["3 um", "3 um"], step="100 nm")
PROBES = {
    "fluorescence": MIRRORS,
    "microprobe": Microprobe(energy="9 keV", field=["3 um", "3 um"], step="100 nm"),
    "microprobe in transmission": Microprobe(
        energy="9 keV", field=["3 um", "3 um"], step="100 nm", signal="transmission"
    ),
}


def told(probe, **changes) -> list[str]:
    """The sampling warnings of `probe` with `changes`."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        probe.model_copy(update=changes).prepare(SPECIMEN)
    return [str(one.message) for one in found if issubclass(one.category, SamplingWarning)]


@pytest.mark.parametrize("name", PROBES)
def test_steps_over_four_spots_are_told_with_the_largest_step_that_leaves_no_gaps(name):
    probe = PROBES[name]
    widest = 4 * probe.focus.width(probe.energy)
    field = [50 * widest, 50 * widest]
    assert not [text for text in told(probe, field=field, step=0.99 * widest) if "gaps" in text]
    (text,) = [text for text in told(probe, field=field, step=1.1 * widest) if "gaps" in text]
    assert text.startswith("step:")
    assert f"at most {widest:.3g} m" in text


@pytest.mark.parametrize("name", PROBES)
def test_a_particle_larger_than_the_scan_is_told_but_not_one_under_a_single_point(name):
    probe = PROBES[name]
    (text,) = [text for text in told(probe, field=(300e-9, 300e-9)) if "cut" in text]
    assert text.startswith("field:")
    assert not told(probe, field=(probe.step, probe.step))
