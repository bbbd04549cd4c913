"""A small full-field microscope, specimens for it, and its image free of noise, flux and efficiency."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from xsim.instruments._full_field import FullFieldPrepared
from xsim.instruments._recent import Recent
from xsim.instruments.full_field import FullField
from xsim.specimen.specimen import Specimen


def microscope(**changes: Any) -> FullField:
    table: dict[str, Any] = {
        "energy": "815 eV", "field": "600 nm", "pixel": "6 nm",
        "objective": {"outermost_zone": "15 nm", "diameter": "30 um", "thickness": "80 nm"},
        "condenser": {"sigma": 0.38, "points": 60},
    }  # fmt: skip
    return FullField.model_validate({**table, **changes})


def image(instrument: FullField, specimen: Specimen) -> np.ndarray[Any, Any]:
    """Intensity relative to the light on the specimen, the objective's efficiency divided out."""
    return exposed(instrument.prepare(specimen))


def exposed(prepared: FullFieldPrepared, instrument: FullField | None = None) -> np.ndarray[Any, Any]:
    """The same of what is prepared, or of another instrument on the same grid."""
    if instrument is not None:
        prepared = replace(prepared, instrument=instrument, _recent=Recent())
    else:
        instrument = prepared.instrument
    expected = prepared.expose(instrument.frames()).expected[0, 0]
    photons = instrument.flux * instrument.exposure_time * (instrument.pixel / instrument.field) ** 2
    return np.asarray(expected / photons / instrument.objective.efficiency(instrument.energy))


def boxes(material: str, sides: list[str], places: list[list[str]], **more: Any) -> Specimen:
    part = {"name": "bars", "material": material, "shape": {"kind": "box", "sides": sides}}
    placed = {**part, "placement": {"kind": "at", "positions": places}}
    return Specimen.from_table({"extent": ["8 um", "8 um"], "population": [placed], **more})
