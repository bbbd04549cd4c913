"""`xsim run SCENARIO`: simulate every instrument and write a run directory."""

from __future__ import annotations

import argparse
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xsim.cli._output import MOST_WORKERS, add_json, dose_text, prefixed, print_json, progress


def add(commands: Any) -> argparse.ArgumentParser:
    """The command's parser."""
    command: argparse.ArgumentParser = commands.add_parser(
        "run", help="simulate every instrument of a scenario and write files, truth and a report"
    )
    command.add_argument("scenario", metavar="SCENARIO", help="a .toml file, or the name of a shipped scenario")
    command.add_argument("-o", "--out", metavar="DIR", type=Path, help="run directory (default: runs/NAME)")
    command.add_argument("--seed", type=int, metavar="N", help="seed of all random numbers, in place of the scenario's")
    command.add_argument("--workers", type=int, default=1, metavar="N", help="processes (default 1; same results)")
    command.add_argument("--quiet", action="store_true", help="no progress bar and no summary")
    command.add_argument("--force", action="store_true", help="replace an existing run")
    command.add_argument("--resume", action="store_true", help="keep the finished instruments of an existing run")
    add_json(command)
    return command


def execute(arguments: argparse.Namespace) -> int:
    """Run it; one line per instrument at the end."""
    from xsim.errors import RangeError, XsimWarning
    from xsim.scenario.loader import load
    from xsim.scenario.runner import run

    if arguments.seed is not None and not 0 <= arguments.seed < 2**63:
        raise RangeError("--seed: out of range", value=arguments.seed, allowed="0 to 2^63 - 1")
    if not 1 <= arguments.workers <= MOST_WORKERS:
        raise RangeError("--workers: out of range", value=arguments.workers, allowed=f"1 to {MOST_WORKERS}")
    scenario = load(arguments.scenario)
    out = arguments.out or Path("runs") / scenario.name
    options: dict[str, Any] = {"force": arguments.force, "resume": arguments.resume}
    with warnings.catch_warnings(), _terminable(), progress(arguments.quiet or arguments.json) as report:
        warnings.simplefilter("ignore", XsimWarning)  # they are told below, each with its instrument
        done = run(scenario, out, arguments.seed, arguments.workers, progress=report, **options)
    if arguments.json:
        print_json(done.record)
    elif not arguments.quiet:
        print("\n".join(summary(done.record)))
        print(f"{out}: {prefixed(done.record['wall_time'], 's')}, {prefixed(done.record['peak_memory'], 'B')}")
    return 0


@contextmanager
def _terminable() -> Iterator[None]:
    """A request to end cleans up as Ctrl-C does."""

    def stop(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def summary(record: dict[str, Any]) -> list[str]:
    """A line per instrument, then the warnings and the expectations that were not met."""
    from xsim.scenario.expect import told

    lines = [_line(name, entry) for name, entry in record["instruments"].items()]
    lines += [f"warning: specimen: {text}" for text in record["warnings"]]
    for name, entry in record["instruments"].items():
        lines += [f"warning: {name}: {text}" for text in entry["warnings"]]
    for one in record["expectations"]:
        found, bounds = told(one)
        verdict = "as expected" if one["met"] else "NOT as expected"
        lines.append(f"{one['quantity']} = {found}: {verdict} ({bounds}; {one['source']})")
    return lines


def _line(name: str, entry: dict[str, Any]) -> str:
    frames = f"{entry['frames']} frame{'s' if entry['frames'] != 1 else ''}"
    photons = f"{entry['incident_photons']:.4g} photons on the specimen"
    expected = "" if entry["expected_photons"] is None else f", {entry['expected_photons']:.4g} expected"
    counts = f"{entry['counts']:.4g} {entry['counts_unit']}"
    dose = dose_text(entry["dose"])
    return f"{name} ({entry['kind']}): {frames}, {photons}{expected}, {counts}" + (f", dose {dose}" if dose else "")
