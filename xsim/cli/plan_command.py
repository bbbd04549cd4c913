"""`xsim plan SCENARIO`: the techniques compared for one feature, before any noise is drawn."""

from __future__ import annotations

import argparse
import math
import warnings
from typing import Any

from xsim.cli._output import add_json, columns, prefixed, print_json, progress


def add(commands: Any) -> argparse.ArgumentParser:
    """The command's parser."""
    command: argparse.ArgumentParser = commands.add_parser(
        "plan", help="compare the techniques of a scenario: what is seen, at what dose, limited by what"
    )
    command.add_argument("scenario", metavar="SCENARIO", help="a .toml file, or the name of a shipped scenario")
    command.add_argument(
        "--feature", metavar="POPULATION", help="what has to be seen: one particle of it (default: the smallest)"
    )
    command.add_argument("--quiet", action="store_true", help="no progress bar")
    add_json(command)
    return command


def execute(arguments: argparse.Namespace) -> int:
    """Print the comparison."""
    from xsim.errors import XsimWarning
    from xsim.planner.plan import HIDDEN, plan
    from xsim.scenario.build import build, located
    from xsim.scenario.loader import load

    scenario = load(arguments.scenario)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XsimWarning)
        specimen, instruments = build(scenario, scenario.seed)
        with progress(arguments.quiet) as tell, located(scenario, ""):
            found = plan(specimen, instruments, arguments.feature, tell)
    if arguments.json:
        print_json(found.as_dict())
        return 0
    print(f"to see {found.feature}, {prefixed(found.size, 'm')} across, with SNR 5 (ideal observer, photon noise):")
    header = ("instrument", "kind", "SNR", "dose now", "dose needed", "of tolerable", "time needed", "verdict")
    rows = [
        (
            o.instrument,
            o.kind,
            f"{o.snr:.3g}",
            f"{_finite(o.dose, 'Gy')} ({o.material})",
            _finite(o.needed_dose, "Gy") if o.verdict != HIDDEN else "-",
            f"{100 * o.share:.3g} %" if o.verdict != HIDDEN and math.isfinite(o.share) else "-",
            _finite(o.needed_time, "s") if o.verdict != HIDDEN else "-",
            o.verdict,
        )
        for o in found.outlooks
    ]
    print(columns([header, *rows]))
    limits = [(o.instrument, one) for o in found.outlooks for one in o.limits]
    if limits:
        print("detection limits of one frame, 5 % false alarms and misses (Currie, exact for few counts):")
        head = ("instrument", "line", "background", "counts", "area density [kg/m^2]", "atoms in the spot")
        table = [
            (name, one.line.replace("_", " "), f"{one.counts.background:.3g}", f"{one.counts.detection:.3g}",
             f"{one.area_density:.3g}", f"{one.atoms:.3g}")
            for name, one in limits
        ]  # fmt: skip
        print(columns([head, *table]))
    return 0


def _finite(value: float, unit: str) -> str:
    """A number with its unit; a dash for what cannot be told because the particle does not show or takes no dose."""
    return prefixed(value, unit) if math.isfinite(value) else "-"
