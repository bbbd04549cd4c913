"""Every scan goes around every instrument, through the whole pipeline, with the same bits for any chunking."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from xsim.errors import XsimWarning
from xsim.registry import discover, lookup
from xsim.scans._wrap import apply
from xsim.simulate import simulate
from xsim.specimen.specimen import Specimen

KINDS = sorted(discover("instruments"))
FREE = {"single_particle"}  # turned every way, so without a support
#: smaller settings where the default would make a slow test
SMALL: dict[str, dict[str, Any]] = {
    "fluorescence": {"field": ["600 nm", "600 nm"], "step": "200 nm"},
    "stxm": {"field": ["400 nm", "400 nm"], "step": "50 nm"},
    "full_field": {"field": "500 nm", "condenser": {"sigma": 0.4, "points": 6}},
}


def specimen(kind: str) -> Specimen:
    at = {"kind": "at", "positions": [["50 nm", "30 nm", "0 nm"]]}
    ball = {"name": "ball", "material": "gold", "shape": {"kind": "sphere", "radius": "40 nm"}, "placement": at}
    layers = [] if kind in FREE else [{"material": "silicon_nitride", "thickness": "120 nm"}]
    return Specimen.from_table({"extent": ["1 um", "1 um"], "layers": layers, "population": [ball]})


def scans(instrument: Any) -> list[Any]:
    energies = [f"{instrument.energy!r} eV", f"{instrument.energy * 1.003!r} eV"]
    tables = [
        {"kind": "tilts", "values": ["0 deg", "12 deg"]},
        {"kind": "energies", "values": energies},
        {"kind": "repeats", "count": 2},
    ]
    return [lookup("scans", t["kind"]).model_validate(t) for t in tables]


@pytest.mark.parametrize("kind", KINDS)
def test_all_scans_at_once_around_an_instrument_give_the_same_counts_for_any_chunk(kind: str) -> None:
    inner = lookup("instruments", kind).model_validate({"kind": kind, **SMALL.get(kind, {})})
    wrapped = apply(inner, scans(inner))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XsimWarning)
        whole = simulate(specimen(kind), wrapped, seed=5, name="one")
        cut = simulate(specimen(kind), wrapped, seed=5, name="one", chunk=max(1, len(whole.frames) // 5))
    assert np.array_equal(whole.counts, cut.counts)
    assert whole.dims[:3] == ("tilt", "energy", "repeat")
    folded = whole.folded(whole.expected)
    assert np.array_equal(folded[:, :, 0], folded[:, :, 1])  # a repeat changes the noise alone
    counts = whole.folded(whole.counts)
    assert not np.array_equal(counts[:, :, 0], counts[:, :, 1])
    assert whole.dose["gold"].mean > 0
    assert [s["kind"] for s in whole.settings["scan"]] == ["tilts", "energies", "repeats"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XsimWarning)
        alone = inner.prepare(specimen(kind)).measured()
    assert alone
    for key, value in alone.items():  # what is measured of the specimen survives its scans
        assert np.array_equal(whole.geometry[key], value), key
