"""Small noisy measurements of asymmetric specimens, read back from the files that a run leaves."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from xsim.errors import XsimWarning
from xsim.exposure import Measurement, Truth
from xsim.formats.lookup import default_format
from xsim.formats.run_reader import read_measurement
from xsim.registry import lookup
from xsim.scans._wrap import apply
from xsim.simulate import simulate
from xsim.specimen.specimen import Specimen


def spheres(material: str, *parts: tuple[str, str, str, str], layer: dict[str, Any] | None = None) -> Specimen:
    """Spheres (radius, x, y, z) of one material."""
    populations = [
        {
            "name": f"s{k}",
            "material": material,
            "shape": {"kind": "sphere", "radius": radius},
            "placement": {"kind": "at", "positions": [list(position)]},
        }
        for k, (radius, *position) in enumerate(parts)
    ]
    table: dict[str, Any] = {"extent": ["2 um", "2 um"], "population": populations}
    return Specimen.from_table({**table, "layers": [layer]} if layer else table)


def recorded(folder: Path, specimen: Specimen, table: dict[str, Any]) -> tuple[Measurement, dict[str, Truth]]:
    """The measurement as its own file tells it, and the truth apart from it."""
    scans = [lookup("scans", one["kind"]).model_validate(one) for one in table.get("scan", [])]
    plain = {key: value for key, value in table.items() if key != "scan"}
    instrument = apply(lookup("instruments", table["kind"]).model_validate(plain), scans)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XsimWarning)
        made = simulate(specimen, instrument, seed=5, name="it")
    form = default_format(made)
    path = folder / f"it{form.suffix}"
    form.write(made, path, {})
    found = read_measurement(path)
    assert not found.truth
    assert found.expected is None
    assert made.expected is not None
    return found, {**made.truth, "expected": Truth(made.folded(made.expected), ())}
