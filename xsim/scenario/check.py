"""What a run would cost, found without running it: photons, dose, memory, time, and every warning.

Each instrument is prepared as in a run and exposed for a few frames, from which the whole is extrapolated; the dose
is worked out in full unless there are very many poses or energies.
"""

from __future__ import annotations

import pickle
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from xsim.exposure import Dose, Exposure, FrameTable, Illumination
from xsim.instruments._protocol import Instrument, Measuring, Prepared
from xsim.scenario import forecast
from xsim.scenario.build import build, located
from xsim.scenario.mistakes import Mistake, ScenarioMistakes
from xsim.scenario.record import finite
from xsim.scenario.schema import Scenario
from xsim.simulate.pipeline import chunk_rows
from xsim.simulate.recording import collected, condensed
from xsim.specimen.specimen import Specimen
from xsim.spill import total
from xsim.streams import StreamKey

#: frames exposed at most, and the time after which no more are [s]
SAMPLES, SAMPLE_TIME = 16, 2.0
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
        exposures, first = _sampled(prepared, frames)
        again, reading, counts = _per_frame(prepared, instrument.detector, frames)
        dosing, dose = _timed(lambda: _dose(specimen, prepared, frames))
    per_frame = float(np.mean([total(e.expected) for e in exposures]))
    if per_frame * len(frames) < 1:
        said.append(
            f"{per_frame * len(frames):.2g} photons are expected at the detector in all frames, less than one; "
            "use more flux or exposure_time, or look for what stops the light"
        )
    settings = _settings(frames)
    element = exposures[0].expected[:, 0]
    costs = forecast.Costs(prepared, instrument, len(frames), workers, _size(prepared))
    disk, packing = costs.files(counts, np.concatenate([e.expected[:, 0] for e in exposures]))
    if disk > (free := shutil.disk_usage(".").free):
        said.append(
            f"the files of {len(frames)} frames take about {disk / 1e9:.3g} GB, more than the {free / 1e9:.3g} GB that "
            "are free here; record fewer frames or smaller ones, or choose an -o with more space"
        )
    exposing = (settings * max(0.0, first - again) + len(frames) * (again + reading)) / workers
    seconds = setup + dosing + exposing + packing + costs.references(reading)
    return {
        "kind": instrument.kind,
        "frames": len(frames),
        "frame_shape": list(counts.shape[1:]),
        "incident_photons": float(np.mean([e.incident[0] for e in exposures])) * len(frames),
        "expected_photons": per_frame * len(frames),
        "mean_element": per_frame / max(1, element[0].size),
        "largest_element": max(float(e.expected.sum(axis=1).max()) for e in exposures),
        "beam_time": total(frames["time"]),
        "dose": {name: {"mean": finite(d.mean), "max": finite(d.max)} for name, d in dose.items()},
        "memory": costs.memory(counts[:1], element[:1]),
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


def _sampled(prepared: Prepared, frames: FrameTable) -> tuple[list[Exposure], float]:
    """Exposures of a few frames, and the longest time that a frame at new settings took [s]."""
    chosen = np.unique(np.linspace(0, len(frames) - 1, SAMPLES).round().astype(int))
    prepared.expose(frames.take(slice(0, 1)))  # compiles what is compiled
    exposures: list[Exposure] = []
    first = []
    began = time.perf_counter()
    for row in chosen[len(chosen) // 2 :].tolist() + chosen[: len(chosen) // 2].tolist():
        taken = frames.take(slice(row, row + 1))
        seconds, exposure = _timed(lambda taken=taken: prepared.expose(taken))  # type: ignore[misc]
        first.append(seconds)
        exposures.append(exposure)
        if time.perf_counter() - began > SAMPLE_TIME:
            break
    return exposures, float(np.max(first))


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


def _settings(frames: FrameTable) -> int:
    """How many different energies and orientations there are, for which an instrument works afresh."""
    columns = [frames[name] for name in ("energy", "tilt") if name in frames.columns]
    return len(np.unique(np.stack(columns, axis=1), axis=0))


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
