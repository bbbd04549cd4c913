"""`run.json`: what was run, on what, how long it took, and the numbers of every instrument."""

from __future__ import annotations

import math
import os
import platform
import resource
import sys
from datetime import UTC, datetime
from typing import Any

import numpy as np

import xsim
from xsim.exposure import Measurement, Reference
from xsim.matter.elements import table_version
from xsim.matter.uncertainty import bands
from xsim.scenario.schema import Scenario
from xsim.specimen.specimen import Specimen
from xsim.spill import total

#: units of the numbers in `run.json`
UNITS = {"dose": "Gy", "beam_time": "s", "wall_time": "s", "peak_memory": "byte", "incident_photons": "photons",
         "expected_photons": "photons arriving at the detector", "uncertainty": "relative"}  # fmt: skip


def provenance(scenario: Scenario, seed: int) -> dict[str, Any]:
    """What every file of a run says about its origin."""
    return {
        "program": "xsim",
        "version": xsim.__version__,
        "scenario": scenario.name,
        "scenario_title": scenario.title,
        "scenario_hash": scenario.hash,
        "seed": seed,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "references": list(scenario.references),
        "optical_constants": f"element table version {table_version()}",
    }


def machine() -> dict[str, Any]:
    """The computer and the libraries that decide numbers."""
    import scipy

    return {
        "system": platform.platform(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }


def peak_memory() -> int:
    """The largest memory that this process or one of its workers has held [bytes]."""
    unit = 1 if sys.platform == "darwin" else 1024
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(one).ru_maxrss for one in who) * unit


def of_measurement(m: Measurement, file: str = "", form: str = "") -> dict[str, Any]:
    """The entry of one instrument."""
    return {
        "kind": m.kind,
        "file": file,
        "format": form,
        "frames": len(m.frames),
        "incident_photons": total(m.incident),
        "expected_photons": None if m.expected is None else total(m.expected),
        "counts": m.total_counts,
        "counts_unit": m.counts_unit,
        "beam_time": total(m.frames["time"]),
        "geometry": {name: v if isinstance(v, str) else float(v) for name, v in m.geometry.items() if np.ndim(v) == 0},
        "dose": {name: {"mean": finite(d.mean), "max": finite(d.max)} for name, d in m.dose.items()},
        **{name: _of_reference(part) for name, part in (("flats", m.flats), ("darks", m.darks)) if part is not None},
        "warnings": list(m.warnings),
    }


def uncertainty(specimen: Specimen, energies: Any) -> dict[str, Any]:
    """By material the largest relative uncertainty of its delta and beta over `energies` (n,) [eV]."""
    unique = np.unique(np.asarray(energies, np.float64))
    found = {}
    for material in specimen.materials:
        delta, beta = bands(material, unique)
        found[material.name] = {"delta": finite(float(np.max(delta))), "beta": finite(float(np.max(beta)))}
    return found


def _of_reference(reference: Reference) -> dict[str, Any]:
    """Flats or darks: none of their photons meets the specimen."""
    times = total(reference.frames["time"])
    return {"frames": len(reference), "photons": total(reference.incident), "beam_time": times}


def finite(value: float) -> float | None:
    """A number that JSON can hold, or None."""
    return float(value) if math.isfinite(value) else None
