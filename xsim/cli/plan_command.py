"""`xsim plan SCENARIO`: the techniques compared for one feature, before any noise is drawn."""

from __future__ import annotations

import argparse
import math
import warnings
from pathlib import Path
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
    command.add_argument(
        "--sharing",
        action="store_true",
        help="dose per copy against the number of copies",
    )
    command.add_argument("-o", "--out", metavar="FILE.png", type=Path, help="with --sharing: plot it")
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
        if arguments.sharing:
            energy = float(next(iter(instruments.values())).frames()["energy"][0])
            with located(scenario, ""):
                return _share(arguments, specimen, energy)
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


def _share(arguments: argparse.Namespace, specimen: Any, energy: float) -> int:
    """Print, or plot, the dose of each copy against their number, at the first instrument's photon energy."""
    from xsim.errors import RangeError
    from xsim.planner.sharing import sharing_figure, sharing_plan
    from xsim.report.figures import save

    if arguments.out is not None and arguments.out.suffix != ".png":
        raise RangeError("--out: not a picture", value=str(arguments.out), allowed="a name that ends in .png")
    found = sharing_plan(specimen, energy, arguments.feature)
    if arguments.out is not None:
        save(sharing_figure(found), arguments.out)
    if arguments.json:
        print_json(found.as_dict())
        return 0
    print(f"{found.feature} in {found.background} at {prefixed(energy, 'eV')}: finest detail within 1e8 Gy per nm")
    rows = [
        (f"{s.copies:.0e}", prefixed(s.size, "m"), prefixed(s.dose, "Gy"), prefixed(s.alone, "Gy"),
         f"{s.fluence * 1e-12:.3g}")
        for s in found.shares
    ]  # fmt: skip
    print(columns([("copies", "resolution", "dose of each", "of one alone", "photons/um^2 on each"), *rows]))
    return 0


def _finite(value: float, unit: str) -> str:
    """A number with its unit; a dash for what cannot be told because the particle does not show or takes no dose."""
    return prefixed(value, unit) if math.isfinite(value) else "-"
