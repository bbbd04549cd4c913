"""How wrong slabs are for strong bodies that stand through many of them."""

from __future__ import annotations

import pytest
from full_field_images import image, microscope

import xsim.instruments.full_field as full_field
from xsim.instruments._ladder import wall_error
from xsim.specimen.specimen import Specimen


@pytest.mark.parametrize(("material", "energy", "height"), [("gold", 815.0, 800.0), ("nickel", 700.0, 1000.0)])
def test_the_error_told_for_deep_walls_is_that_of_their_mean_image_within_a_factor_of_two(
    material, energy, height, monkeypatch
):
    bars = {"kind": "grating", "bars": 21, "period": "32 nm", "length": "1 um", "height": f"{height} nm"}
    lines = {"name": "lines", "material": material, "shape": bars}
    specimen = Specimen.from_table({"extent": ["1 um", "1 um"], "population": [lines]})
    cone = {"sigma": 0.4, "points": 12, "tolerance": 1.0}
    instrument = microscope(energy=f"{energy} eV", field="128 nm", pixel="3.2 nm", condenser=cone)
    means = []
    for slabs in (12, 72):
        monkeypatch.setattr(full_field, "slab_count", lambda *args, slabs=slabs, **more: slabs)
        means.append(image(instrument, specimen).mean())
    told = wall_error(specimen, energy, height * 1e-9 / 12)
    assert told / 2 < abs(means[0] / means[1] - 1) < told * 2


def test_bodies_within_a_slab_or_two_have_no_walls():
    ball = {"name": "ball", "material": "gold", "shape": {"kind": "sphere", "radius": "12 nm"}}
    specimen = Specimen.from_table({"extent": ["1 um", "1 um"], "population": [ball]})
    assert wall_error(specimen, 815.0, 20e-9) == 0
    assert wall_error(specimen, 815.0, 4e-9) > 0
