"""The width of a bright feature: Gaussians of known width on a ground, flat images, features beyond the rim."""

import numpy as np
import pytest

from xsim.metrics.scores.spot import SpotScore


def image(sigma_x, sigma_y, ground=3.0):
    y, x = np.mgrid[-20:21, -20:21]
    return ground + 10 * np.exp(-(x**2) / (2 * sigma_x**2) - y**2 / (2 * sigma_y**2))


def test_widths_are_those_of_a_gaussian_and_contrast_that_over_the_ground():
    found = SpotScore(name="s").numbers(image(3.0, 4.0), 1e-8)
    assert found[""] == pytest.approx(2.3548 * 3e-8, rel=0.01)
    assert found["_y"] == pytest.approx(2.3548 * 4e-8, rel=0.01)
    assert found["_contrast"] == pytest.approx(10 / 13, rel=1e-3)


def test_flat_images_and_features_beyond_the_rim_have_no_width():
    assert np.isnan(SpotScore(name="s").numbers(np.full((9, 9), 2.0), 1e-8)[""])
    ramp = np.tile(np.linspace(1, 2, 9), (9, 1))
    assert np.isnan(SpotScore(name="s").numbers(ramp, 1e-8)[""])
