"""Runs a scenario: the specimen once, then every instrument, its files, the truth, the report and the record."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xsim
from xsim.errors import XsimWarning
from xsim.exposure import Measurement
from xsim.scenario import record
from xsim.scenario.build import build, located
from xsim.scenario.directory import RECORD, writing
from xsim.scenario.expect import judge
from xsim.scenario.loader import load
from xsim.scenario.preflight import preflight
from xsim.scenario.result import Result, Run
from xsim.scenario.resume import Kept, finished, remember
from xsim.scenario.schema import Scenario
from xsim.scenario.scores import scored
from xsim.simulate.pipeline import simulate
from xsim.simulate.pool import Workers
from xsim.simulate.recording import collected

Progress = Callable[[str, int, int], None]  # (what is being done, steps done, steps in all)


def run(
    scenario: Scenario | str | Path | Mapping[str, Any],
    out: str | Path | None = None,
    seed: int | None = None,
    workers: int = 1,
    *,
    progress: Progress | None = None,
    force: bool = False,
    resume: bool = False,
) -> Run:
    """Simulate every instrument of a scenario; with `out`, write a run directory there.

    scenario: a `Scenario`, or what `load` takes. out: the run directory; None writes nothing. seed: replaces the
    scenario's. workers: processes. progress: called with (instrument, frames done, frames in all). force: replace an
    existing run; resume: keep those of its instruments whose specimen, settings, seed and xsim version are the same.
    Raises ScenarioMistakes (all mistakes with their key paths), FileError.
    """
    if not isinstance(scenario, Scenario):
        scenario = load(scenario)
    job = _Job(scenario, scenario.seed if seed is None else int(seed), workers, progress or _silent)
    if out is None:
        return job.simulate(None, {})
    out = Path(out)
    with writing(out, force=force, resume=resume) as folder:
        kept = finished(out, folder, scenario, job.seed) if resume else {}
        run = job.simulate(folder, kept)
        job.report(folder, run)
    return Run(run.scenario, run.specimen, run.results, run.record, out)


def _silent(what: str, done: int, total: int) -> None:
    pass


@dataclass
class _Job:
    """One call of `run`."""

    scenario: Scenario
    seed: int
    workers: int
    progress: Progress
    started: float = field(default_factory=time.perf_counter)

    def simulate(self, folder: Path | None, kept: dict[str, Kept]) -> Run:
        said: list[str] = []
        self.progress("specimen", 0, 1)
        with collected(said):
            specimen, instruments = build(self.scenario, self.seed)
        ready = preflight(self.scenario, specimen, {n: i for n, i in instruments.items() if n not in kept})
        self.progress("specimen", 1, 1)
        origin = record.provenance(self.scenario, self.seed)
        results, entries = {}, {}
        with Workers(self.workers, folder) as pool:
            for name in instruments:
                if name in kept:
                    measurement = kept[name].measurement
                else:
                    with located(self.scenario, f"instrument[{name}]"):
                        measurement = simulate(
                            specimen,
                            ready.pop(name),
                            self.seed,
                            name=name,
                            workers=pool,
                            progress=lambda done, total, name=name: self.progress(name, done, total),  # type: ignore[misc]
                            scratch=folder,
                        )
                file, form = self._write(folder, measurement, origin, kept.get(name))
                results[name] = Result(measurement)
                entries[name] = record.of_measurement(measurement, file, form)
                entries[name]["uncertainty"] = record.uncertainty(specimen, measurement.frames["energy"])
                if asked := self.scenario.entry(name).score:
                    entries[name]["scores"], missed = scored(asked, measurement)
                    entries[name]["warnings"] += missed
        summary = self._summary(origin, entries, said)
        return Run(self.scenario, specimen, results, summary, None)

    def _write(
        self, folder: Path | None, measurement: Measurement, origin: dict[str, Any], kept: Kept | None
    ) -> tuple[str, str]:
        """The file of one instrument, with what a later `--resume` needs to know that it is complete."""
        if folder is None:
            return "", ""
        if kept is not None:
            return kept.place(folder)
        from xsim.formats.lookup import default_format

        form = default_format(measurement)
        path = folder / f"{measurement.name}{form.suffix}"
        form.write(measurement, path, origin)
        remember(folder, self.scenario, self.seed, measurement, (path.name, form.kind))
        return path.name, form.kind

    def _summary(self, origin: dict[str, Any], entries: dict[str, Any], said: list[str]) -> dict[str, Any]:
        summary = {
            "xsim": xsim.__version__,
            "title": self.scenario.title,
            "name": self.scenario.name,
            "seed": self.seed,
            "scenario_hash": self.scenario.hash,
            "date": origin["date"],
            "machine": record.machine(),
            "workers": self.workers,
            "wall_time": round(time.perf_counter() - self.started, 3),
            "peak_memory": record.peak_memory(),
            "units": record.UNITS,
            "instruments": entries,
            "warnings": list(dict.fromkeys(said)),
            "scenario": self.scenario.table(),
        }
        summary["expectations"] = judge(self.scenario.expect, entries)
        return summary

    def report(self, folder: Path, run: Run) -> None:
        """Truth, report and record; the record comes last, so a folder that has it is complete."""
        from xsim.formats.truth import write_truth
        from xsim.scenario.page import write_page

        self.progress("report", 0, 2)
        measurements = [result.measurement for result in run.values()]
        origin = record.provenance(self.scenario, self.seed)
        write_truth(folder / "truth.h5", run.specimen.particle_table(), measurements, origin)
        self.progress("report", 1, 2)
        with _own_warnings_off():
            write_page(folder / "report.html", run)
        run.record["wall_time"] = round(time.perf_counter() - self.started, 3)
        run.record["peak_memory"] = record.peak_memory()
        for hidden in folder.glob(".*"):
            hidden.unlink()
        text = json.dumps(run.record, indent=1, default=str, allow_nan=False)
        (folder / RECORD).write_text(text + "\n", encoding="utf-8")
        self.progress("report", 2, 2)


@contextmanager
def _own_warnings_off() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XsimWarning)
        yield
