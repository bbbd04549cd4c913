"""Light of finite bandwidth in a full-field microscope: the colours that a zone plate focuses elsewhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
from full_field_images import boxes, exposed, image, microscope
from scipy.special import sici

from xsim.constants import wavelength
from xsim.errors import SamplingWarning, ValidityWarning
from xsim.specimen.specimen import Specimen

#: opaque zones focus all colours alike, so that only the blur differs
LENS = {"outermost_zone": "15 nm", "diameter": "30 um", "material": "opaque"}
COHERENT = {"sigma": 0, "points": 1}


@pytest.mark.filterwarnings("ignore::xsim.errors.ValidityWarning")
@pytest.mark.parametrize("widths", [0.5, 1.0, 2.0])
def test_a_point_loses_contrast_on_axis_as_the_sine_integral_of_the_bandwidth_over_1_n(widths):
    # on axis the amplitude of a point is e^-iu sinc(u), u = k NA^2 z/4, its contrast sinc(2u): averaged over
    # |z| <= f b/2, Si(pi N b/2) / (pi N b/2)
    dot = boxes("gold", ["4 nm", "4 nm", "3 nm"], [["0 nm", "0 nm", "0 nm"]])
    setup = {"objective": LENS, "condenser": COHERENT, "field": "400 nm", "pixel": "2 nm", "wave_pixel": "1 nm"}
    band = {"relative_width": widths / 500, "shape": "rectangular", "samples": 15}
    broad = microscope(**setup, bandwidth=band).prepare(dot)
    images = exposed(broad, microscope(**setup)), exposed(broad)
    centre = [np.median(one) - one[100, 100] for one in images]
    assert centre[0] > 5e-4
    assert centre[1] / centre[0] == pytest.approx(sici(math.pi * widths / 2)[0] / (math.pi * widths / 2), abs=5e-3)


@pytest.mark.parametrize("period", [50e-9, 60e-9, 100e-9])
def test_a_fine_absorption_grating_fades_by_the_spread_of_its_talbot_phase(period):
    # defocus z turns the first orders by pi lambda z/p^2, z = f dE/E: a Gaussian of phases
    bars = [[f"{i * period!r} m", "0 nm", "0 nm"] for i in range(-60, 61)]
    specimen = boxes("gold", [f"{period / 2!r} m", "6 um", "2 nm"], bars)
    setup = {"objective": LENS, "condenser": COHERENT, "field": "600 nm", "pixel": "6 nm", "wave_pixel": "1 nm"}

    def contrast(image):
        row = image[50]
        return abs(row @ np.exp(2j * np.pi * np.arange(100) * 6e-9 / period)) / row.sum()

    width = 1 / 500
    spread = math.pi * wavelength(815.0) * 295.8e-6 * width / math.sqrt(8 * math.log(2)) / period**2
    broad = microscope(**setup, bandwidth={"relative_width": width}).prepare(specimen)
    faded = contrast(exposed(broad)) / contrast(exposed(broad, microscope(**setup)))
    assert faded == pytest.approx(math.exp(-(spread**2) / 2), abs=0.02)


def test_no_bandwidth_is_one_energy_to_the_bit_and_a_narrow_one_comes_near():
    dots = boxes("gold", ["60 nm", "40 nm", "60 nm"], [["60 nm", "0 nm", "0 nm"]])
    one = image(microscope(), dots)
    none = image(microscope(bandwidth={"relative_width": 0, "samples": 5}), dots)
    narrow = exposed(microscope().prepare(dots), microscope(bandwidth={"relative_width": 2e-5, "samples": 4}))
    assert np.array_equal(one, none)
    assert narrow == pytest.approx(one, abs=1e-4)
    assert not np.array_equal(one, narrow)


def test_the_focus_follows_the_energy_of_the_frame_and_not_each_line_of_its_spectrum():
    dots = boxes("gold", ["60 nm", "40 nm", "60 nm"], [["60 nm", "0 nm", "0 nm"]])
    band = {"relative_width": 2e-3, "shape": "rectangular", "samples": 5}
    blurred = image(microscope(bandwidth=band), dots)
    lines, weights = microscope(bandwidth=band).bandwidth.lines(815.0)
    apart = [
        w * image(microscope(energy=f"{e!r} eV", focus_energy="815 eV"), dots) * efficiency
        for e, w in zip(lines.tolist(), weights, strict=True)
        for efficiency in [microscope().objective.efficiency(e) / microscope().objective.efficiency(815.0)]
    ]
    assert blurred == pytest.approx(sum(apart), abs=2e-3)


def test_too_broad_a_band_and_too_few_energies_are_told_with_numbers():
    dots = boxes("gold", ["60 nm", "40 nm", "60 nm"], [["60 nm", "0 nm", "0 nm"]])
    with pytest.warns(ValidityWarning, match=r"1/N = 0\.002 .* 500 zones"):
        microscope(bandwidth={"relative_width": 2.5e-3}).prepare(dots)
    with (
        pytest.warns(SamplingWarning, match=r"samples 3 energies are too few .* use 6"),
        pytest.warns(ValidityWarning, match="1/N"),
    ):
        microscope(bandwidth={"relative_width": 2.2e-3, "samples": 3}).prepare(dots)


def test_lateral_colour_at_the_edge_of_a_wide_field_is_told_with_its_size():
    with (
        pytest.warns(SamplingWarning, match="magnify"),
        pytest.warns(ValidityWarning, match=r"up to 1\.5e-08 m \(lateral colour\).* field below 1\.09e-05 m"),
    ):
        microscope(bandwidth={"relative_width": 2e-3}, field="15 um", pixel="60 nm").prepare(Specimen())
