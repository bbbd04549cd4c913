"""`xsim material NAME_OR_FORMULA --energy E`: optical constants with their source and uncertainty."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xsim.cli._output import add_json, print_json

if TYPE_CHECKING:
    from xsim.matter.material import Material

#: energies in a range, evenly spaced in their logarithm
POINTS = 600


def add(commands: Any) -> argparse.ArgumentParser:
    """The command's parser."""
    command: argparse.ArgumentParser = commands.add_parser(
        "material", help="delta, beta, mu, attenuation length, f1, f2 of a material, with source and uncertainty"
    )
    command.add_argument(
        "material", metavar="NAME_OR_FORMULA", help="see `xsim list materials`, or a formula like SiO2"
    )
    command.add_argument("--energy", metavar="E", required=True, help='"8 keV", or a range "5 keV..10 keV"')
    command.add_argument("--density", metavar="RHO", help='of a formula, e.g. "19.3 g/cm^3"')
    command.add_argument("-o", "--out", metavar="FILE.png", type=Path, help="plot a range of energies")
    add_json(command)
    return command


def execute(arguments: argparse.Namespace) -> int:
    """Print one energy; print or plot a range."""
    import numpy as np

    from xsim.errors import RangeError
    from xsim.matter.describe import describe
    from xsim.matter.library import find
    from xsim.units import as_float

    material = find(arguments.material, arguments.density)
    ends = [as_float(part.strip(), "eV", field="--energy") for part in arguments.energy.split("..")]
    if len(ends) > 2 or ends[0] <= 0 or (len(ends) == 2 and ends[0] >= ends[1]):
        allowed = "one energy above 0, or LOW..HIGH"
        raise RangeError("--energy: not a range", value=arguments.energy, allowed=allowed)
    energies = np.array(ends) if len(ends) == 1 else np.geomspace(ends[0], ends[1], POINTS)
    if arguments.out is not None:
        _plot(material, energies, arguments.out)
        print(arguments.out, file=sys.stderr)
    found = describe(material, energies)
    if arguments.json:
        print_json(found)
    return 0


def _plot(material: Material, energies: Any, path: Path) -> None:
    """delta and beta, and the attenuation length, over energy."""
    from xsim.report.figures import Curves, Line, draw, save

    optics, axis = material.optics(energies), "photon energy [eV]"
    lines = (Line("delta", energies, optics.delta), Line("beta", energies, optics.beta))
    lengths = (Line("all losses", energies, 1e6 / optics.mu_total), Line("absorption", energies, 1e6 / optics.mu_photo))
    index = Curves(f"{material.name}: n = 1 - delta + i beta", axis, "", lines, log_x=True, log_y=True)
    length = Curves("attenuation length", axis, "µm", lengths, log_x=True, log_y=True)
    save(draw([[index, length]]), path)
