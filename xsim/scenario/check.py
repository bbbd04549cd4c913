"""What a run would cost, found without running it: photons, dose, memory, time, and every warning.

Each instrument is prepared as in a run and exposed for some frames (`xsim.scenario.sampling`), from which the whole is
extrapolated; the dose is worked out in full unless there are very many poses or energies.
"""

from __future__ import annotations

import pickle
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from xsim.exposure import Dose, FrameTable, Illumination
from xsim.instruments._protocol import Instrument, Measuring, Prepared
from xsim.scenario import forecast, sampling
from xsim.scenario.build import build, located
from xsim.scenario.mistakes import Mistake, ScenarioMistakes
from xsim.scenario.record import finite
from xsim.scenario.schema import Scenario
from xsim.simulate.pipeline import chunk_rows
from xsim.simulate.recording import collected, condensed
from xsim.specimen.specimen import Specimen
from xsim.spill import total
from xsim.streams import StreamKey

#: neighbouring frames timed together
NEIGHBOURS = 64
#: illuminations whose dose is worked out; of more, an even choice is and the sum is scaled
ILLUMINATIONS = 40


def check(scenario: Scenario, workers: int = 1) -> tuple[dict[str, Any], list[Mistake]]:
    """What each instrument would do, by name, with the specimen's warnings under ""; and the mistakes found.

    Raises ScenarioMistakes if the specimen cannot be built or an instrument is at fault before it meets it.
    """
    said: list[str] = []
    with collected(said):
        specimen, instruments = build(scenario, scenario.seed)
    found: dict[str, Any] = {"warnings": list(dict.fromkeys(said)), "instruments": {}}
    mistakes: list[Mistake] = []
    for name, instrument in instruments.items():
        try:
            with located(scenario, f"instrument[{name}]"):
                found["instruments"][name] = estimate(specimen, instrument, workers)
        except ScenarioMistakes as error:
            mistakes.extend(error.mistakes)
    return found, mistakes


def estimate(specimen: Specimen, instrument: Instrument, workers: int = 1) -> dict[str, Any]:
    """Photons, dose, memory and time of one instrument, extrapolated from a few frames."""
    said: list[str] = []
    with collected(said):
        began = time.perf_counter()
        prepared = instrument.prepare(specimen)
        frames = instrument.frames()
        setup = time.perf_counter() - began
        seen = sampling.sampled(prepared, frames)
        again, reading, counts = _per_frame(prepared, instrument.detector, frames)
        dosing, dose = _timed(lambda: _dose(specimen, prepared, frames))
    if seen.expected < 1:
        said.append(
            f"{seen.expected:.2g} photons are expected at the detector in all frames, less than one; "
            "use more flux or exposure_time, or look for what stops the light"
        )
    element = seen.frames[:1]
    costs = forecast.Costs(prepared, instrument, len(frames), workers, _size(prepared))
    disk, packing = costs.files(counts, seen.frames)
    if disk > (free := shutil.disk_usage(".").free):
        said.append(
            f"the files of {len(frames)} frames take about {disk / 1e9:.3g} GB, more than the {free / 1e9:.3g} GB that "
            "are free here; record fewer frames or smaller ones, or choose an -o with more space"
        )
    exposing = (seen.settings * max(0.0, seen.seconds - again) + len(frames) * (again + reading)) / workers
    seconds = setup + dosing + exposing + packing + costs.references(reading)
    return {
        "kind": instrument.kind,
        "frames": len(frames),
        "frame_shape": list(counts.shape[1:]),
        "incident_photons": seen.incident,
        "expected_photons": seen.expected,
        "mean_element": seen.expected / len(frames) / max(1, element[0].size),
        "largest_element": seen.largest,
        "beam_time": total(frames["time"]),
        "dose": {name: {"mean": finite(d.mean), "max": finite(d.max)} for name, d in dose.items()},
        "memory": costs.memory(counts[:1], element),
        "disk": disk,
        "time": seconds,
        "geometry": _geometry(instrument, prepared),
        "warnings": list(condensed(said)),
    }


def _geometry(instrument: Instrument, prepared: Prepared) -> dict[str, float | str | None]:
    """The numbers and words of the geometry, without its arrays."""
    measured = prepared.measured() if isinstance(prepared, Measuring) else {}
    known = {**instrument.geometry(), **measured}
    return {
        name: value if isinstance(value, str) else finite(float(value))
        for name, value in known.items()
        if isinstance(value, str | int | float | np.number)
    }


def _per_frame(prepared: Prepared, detector: Any, frames: FrameTable) -> tuple[float, float, Any]:
    """Times to expose and to read one frame of many at the same settings [s], and the counts of some."""
    one = frames.take(slice(0, 1))
    detector.read(prepared.expose(one), StreamKey(1, "check"))  # compiles what is compiled
    few = frames.take(slice(0, min(len(frames), chunk_rows(prepared, len(frames)), NEIGHBOURS)))
    again, exposure = _timed(lambda: prepared.expose(few))
    reading, counts = _timed(lambda: detector.read(exposure, StreamKey(1, "check")))
    return again / len(few), reading / len(few), counts


def _timed(call: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = call()
    return time.perf_counter() - began, result


def _size(prepared: Prepared) -> int:
    try:
        return len(pickle.dumps(prepared, protocol=5))
    except Exception:
        return 0


def _dose(specimen: Specimen, prepared: Prepared, frames: FrameTable) -> dict[str, Dose]:
    from xsim.dose.ledger import absorbed

    illuminations = prepared.illuminate(frames)
    if not illuminations:
        return {}
    chosen = illuminations[:: -(-len(illuminations) // ILLUMINATIONS)]
    # by light, not by number: a line of the harmonics in turn with each of the beam has hardly any
    scale = _light(illuminations) / light if (light := _light(chosen)) > 0 else 1.0
    doses = absorbed(specimen, chosen)
    return {name: replace(d, mean=d.mean * scale, max=d.max * scale) for name, d in doses.items()}


def _light(illuminations: Sequence[Illumination]) -> float:
    """Photons that they put on the specimen together."""
    return float(sum(np.sum(one.fluence, dtype=np.float64) * one.grid.pixel**2 for one in illuminations))
