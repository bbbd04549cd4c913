"""`xsim check SCENARIO`: what a run would do and cost, without running."""

from __future__ import annotations

import argparse
import warnings
from typing import Any

from xsim.cli._output import MOST_WORKERS, add_json, bytes_text, dose_text, geometry_text, prefixed, print_json


def add(commands: Any) -> argparse.ArgumentParser:
    """The command's parser."""
    command: argparse.ArgumentParser = commands.add_parser(
        "check", help="validate a scenario; tell its photons, dose, memory, time and warnings without running it"
    )
    command.add_argument("scenario", metavar="SCENARIO", help="a .toml file, or the name of a shipped scenario")
    command.add_argument("--workers", type=int, default=1, metavar="N", help="processes that the run will have")
    add_json(command)
    return command


def execute(arguments: argparse.Namespace) -> int:
    """Print what was found; every mistake is an error at the end."""
    from xsim.errors import RangeError, XsimWarning
    from xsim.scenario.check import check
    from xsim.scenario.loader import load
    from xsim.scenario.mistakes import ScenarioMistakes

    if not 1 <= arguments.workers <= MOST_WORKERS:
        raise RangeError("--workers: out of range", value=arguments.workers, allowed=f"1 to {MOST_WORKERS}")
    scenario = load(arguments.scenario)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XsimWarning)
        found, mistakes = check(scenario, arguments.workers)
    if arguments.json:
        print_json({**found, "mistakes": [mistake.line(scenario.file) for mistake in mistakes]})
    elif lines := _lines(found, complete=not mistakes):
        print("\n".join(lines))
    if mistakes:
        raise ScenarioMistakes(scenario.file, mistakes)
    return 0


def _lines(found: dict[str, Any], complete: bool) -> list[str]:
    lines = [f"warning: specimen: {text}" for text in found["warnings"]]
    for name, one in found["instruments"].items():
        shape = " x ".join(map(str, one["frame_shape"])) or "point"
        lines += [
            f"{name} ({one['kind']}): {one['frames']} frames of {shape}",
            f"  photons  {one['incident_photons']:.4g} on the specimen, {one['expected_photons']:.4g} at the detector, "
            f"{one['mean_element']:.4g} in the mean element of a frame, at most {one['largest_element']:.4g}",
            f"  geometry {geometry_text(one['geometry']) or 'none'}",
            f"  dose     {dose_text(one['dose']) or 'none'}",
            f"  needs    about {bytes_text(one['memory'])} of memory, {bytes_text(one['disk'])} of disk, "
            f"{prefixed(one['time'], 's')} to compute, "
            f"{prefixed(one['beam_time'], 's')} of beam",
        ]
        lines += [f"  warning: {text}" for text in one["warnings"]]
    if not complete:
        return lines
    entries = found["instruments"].values()
    memory = max((one["memory"] for one in entries), default=0)
    seconds = sum(one["time"] for one in entries)
    disk = sum(one["disk"] for one in entries)
    lines.append(f"in all: about {prefixed(seconds, 's')}, {bytes_text(memory)} of memory, {bytes_text(disk)} of disk")
    return lines
