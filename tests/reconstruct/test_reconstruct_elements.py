"""Fluorescence tomography by tilts: the density of each element in the volume, un-flipped, against the truth."""

from __future__ import annotations

import numpy as np
import pytest

import xsim
from xsim.errors import FileError
from xsim.exposure import Measurement
from xsim.instruments.fluorescence import Fluorescence
from xsim.metrics.against_truth import Estimate, compare
from xsim.reconstruct.fbp import Fbp
from xsim.reconstruct.sirt import Sirt
from xsim.scans.tilts import Tilts
from xsim.specimen.specimen import Specimen


def ball(name: str, material: str, radius: str, place: list[str]) -> dict[str, object]:
    shape = {"kind": "sphere", "radius": radius}
    return {"name": name, "material": material, "shape": shape, "placement": {"kind": "at", "positions": [place]}}


@pytest.fixture(scope="module")
def series() -> Measurement:
    """No plane of symmetry: iron, zinc and gold at three unequal places."""
    parts = [
        ball("iron", "hematite", "250 nm", ["-300 nm", "-100 nm", "100 nm"]),
        ball("zinc", "zinc", "160 nm", ["350 nm", "250 nm", "-300 nm"]),
        ball("gold", "gold", "90 nm", ["150 nm", "-300 nm", "400 nm"]),
    ]
    specimen = Specimen.from_table({"extent": ["2 um", "2 um"], "population": parts})
    one = Fluorescence.model_validate({
        "energy": "12.6 keV", "flux": "1e11 1/s", "exposure_time": "100 ms", "field": ["1.6 um", "1.2 um"],
        "step": "100 nm", "mirrors": {axis: {"source_size": "5 um"} for axis in ("horizontal", "vertical")},
        "detector": "sdd_ideal", "slabs": 6,
    })  # fmt: skip
    tilts = Tilts.model_validate({"start": "-90 deg", "stop": "75 deg", "count": 12})
    return xsim.simulate(specimen, tilts.apply(one), seed=5)


@pytest.mark.parametrize("method", [Fbp, Sirt])
@pytest.mark.parametrize(("element", "place"), [("Fe", (-3, -1, 1)), ("Zn", (3.5, 2.5, -3)), ("Au", (1.5, -3, 4))])
def test_each_element_is_found_where_it_is_and_weighs_what_it_weighs(series, method, element, place):
    found = method(element=element, labels=False, halves=False)(series)
    assert (found.unit, found.estimates) == ("kg/m^3", f"density_{element}")
    z, y, x = (np.asarray(axis.values) for axis in found.axes)
    strong = np.where(found.values > 0.4 * found.values.max(), found.values, 0)
    centre = [
        float((strong.sum(axis=tuple({0, 1, 2} - {k})) * v).sum() / strong.sum()) for k, v in ((2, x), (1, y), (0, z))
    ]
    # pixels of 100 nm; turned or mirrored, the balls would lie several of them away
    assert centre == pytest.approx([p * 1e-7 for p in place], abs=60e-9)
    compared = {
        c.name: c.numbers
        for c in compare(Estimate(found.values, found.axes, found.unit, found.estimates), series.truth)
    }
    assert compared[f"density_{element}"]["correlation"] > 0.8
    if element != "Au":  # Zn K-beta, 140 eV from Au L-alpha, adds to its window
        true = series.truth[f"density_{element}"].values.sum()
        assert found.values.sum() / true == pytest.approx(found.numbers["survived"], abs=0.06)


def test_an_element_that_is_not_there_is_refused_with_those_that_are(series):
    with pytest.raises(FileError, match="no standard of Pb, only of"):
        Fbp(element="Pb")(series)
    assert Fbp(labels=False, halves=False)(series).estimates == "density_Fe"
