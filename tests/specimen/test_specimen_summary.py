"""Volume and mass by material against arithmetic and against the raster."""

from __future__ import annotations

import numpy as np
import pytest

from xsim.specimen.specimen import Specimen
from xsim.specimen.summary import contents
from xsim.waves.grid import Grid


def test_contents_are_what_the_shapes_displace_and_what_the_raster_finds() -> None:
    specimen = Specimen.from_table(
        {
            "extent": ["400 nm", "400 nm"],
            "layers": [{"material": "water", "thickness": "300 nm"}],
            "population": [
                {"name": "cell", "material": "protein", "shape": {"kind": "sphere", "radius": "120 nm"}},
                {
                    "name": "dots",
                    "material": "gold",
                    "shape": {"kind": "sphere", "radius": "15 nm"},
                    "count": 12,
                    "host": "cell",
                    "placement": {"kind": "random"},
                },
            ],
        }
    )
    found = {c.material.name: c for c in contents(specimen)}
    ball, dots = 4 / 3 * np.pi * 120e-9**3, 12 * 4 / 3 * np.pi * 15e-9**3
    assert found["gold"].volume == pytest.approx(dots, rel=1e-12)
    assert found["protein"].volume == pytest.approx(ball - dots, rel=1e-12)
    assert found["water"].volume == pytest.approx(400e-9**2 * 300e-9 - ball, rel=1e-12)
    assert (found["gold"].parts, found["protein"].parts, found["water"].parts) == (12, 1, 0)
    assert found["gold"].mass == pytest.approx(dots * 19300, rel=5e-3)
    for material, t in specimen.thickness(Grid((100, 100), 4e-9)).items():
        assert t.sum() * 16e-18 == pytest.approx(found[material.name].volume, rel=1e-9)
