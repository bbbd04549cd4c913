"""A sphere never fills more of a slab than the slab holds, wherever the slab's faces cut it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from xsim.specimen.population import at
from xsim.specimen.shapes.sphere import Sphere
from xsim.waves.grid import Grid


@pytest.mark.parametrize("pixel", [2e-9, 4e-9, 8e-9])
@pytest.mark.parametrize("count", [16, 24, 32])
def test_no_pixel_of_a_large_sphere_is_thicker_than_the_slab(pixel: float, count: int) -> None:
    # faces at round fractions of 1 um put corners of pixels exactly on the circle where the face cuts the sphere
    grid = Grid((640, 640), pixel)
    faces = np.linspace(-1e-6, 1e-6, count + 1)
    for low, high in pairwise(faces):
        out = np.zeros(grid.shape)
        Sphere(radius="580 nm").add_thickness(out, at([[0.0, 0.0, 0.0]]), grid, float(low), float(high))
        assert out.max() - (high - low) < 1e-6 * (high - low)
