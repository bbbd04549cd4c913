"""Spectra of nearly monochromatic light against closed forms."""

import math

import numpy as np
import pytest
from pydantic import ValidationError

from xsim.sources.bandwidth import Bandwidth

SHAPES = ["gaussian", "rectangular"]


def test_no_width_is_one_line_to_the_bit():
    energies, weights = Bandwidth().lines(815.3)
    assert energies.tolist() == [815.3]
    assert weights.tolist() == [1.0]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("samples", [2, 3, 9, 40, 101])
def test_mean_and_variance_are_those_of_the_spectrum(shape, samples):
    spectrum = Bandwidth(relative_width=0.01, shape=shape, samples=samples)
    energies, weights = spectrum.lines(1000.0)
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert np.all(np.diff(energies) > 0)
    assert weights @ energies == pytest.approx(1000, abs=1e-9)
    width = {"gaussian": 10 / math.sqrt(8 * math.log(2)), "rectangular": 10 / math.sqrt(12)}[shape]
    assert math.sqrt(weights @ (energies - 1000) ** 2) == pytest.approx(width, rel=1e-6)
    assert spectrum.rms(1000.0) == pytest.approx(width)


def test_an_odd_number_of_lines_keeps_the_nominal_energy():
    energies, _ = Bandwidth(relative_width=0.003, samples=5).lines(520.0)
    assert energies[2] == 520.0


@pytest.mark.parametrize(("samples", "close"), [(9, 3e-4), (13, 1e-6)])
@pytest.mark.parametrize("shape", SHAPES)
def test_fringes_lose_the_contrast_of_the_spectrum_s_fourier_transform(shape, samples, close):
    # <cos(a (E - E0))> with a dE = 6 rad, about a whole fringe over the width
    energies, weights = Bandwidth(relative_width=0.01, shape=shape, samples=samples).lines(1000.0)
    contrast = weights @ np.cos(0.6 * (energies - 1000))
    theory = math.exp(-(6**2) / (16 * math.log(2))) if shape == "gaussian" else math.sin(3) / 3
    assert contrast == pytest.approx(theory, abs=close)


def test_half_of_the_peak_lies_half_a_width_away():
    # the weights of a fine Gaussian quadrature over the spacing of its nodes are the spectrum itself
    energies, weights = Bandwidth(relative_width=0.02, samples=101).lines(1000.0)
    density = weights / np.gradient(energies)
    half = np.interp(1010.0, energies, density) / density.max()
    assert half == pytest.approx(0.5, abs=0.01)


def test_coherence_length_is_lambda_over_the_relative_width():
    assert Bandwidth(relative_width=1e-3).coherence_length(1239.841984) == pytest.approx(1e-6)
    assert Bandwidth().coherence_length(500.0) == math.inf


@pytest.mark.parametrize("wrong", [{"relative_width": -1e-3}, {"relative_width": 0.3}, {"samples": 1}])
def test_widths_beyond_reason_are_refused(wrong):
    with pytest.raises(ValidationError):
        Bandwidth(**wrong)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("turns", [0.25, 0.5, 1, 2, 3.5])
def test_enough_lines_meet_a_response_of_that_many_turns(shape, turns):
    spectrum = Bandwidth(relative_width=0.01, shape=shape)
    fewer, enough, plenty = (
        spectrum.model_copy(update={"samples": n})
        for n in (max(2, spectrum.enough(turns) // 2), spectrum.enough(turns), 101)
    )
    response = [
        weights @ np.cos(2 * np.pi * turns * (energies - 1000) / 10)
        for energies, weights in (s.lines(1000.0) for s in (fewer, enough, plenty))
    ]
    assert response[1] == pytest.approx(response[2], abs=1e-3)
    assert abs(response[0] - response[2]) > 1e-3
