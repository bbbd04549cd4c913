"""`xsim material NAME_OR_FORMULA --energy E`: optical constants with their source and uncertainty."""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xsim.cli._output import add_json, columns, print_json

if TYPE_CHECKING:
    from xsim.matter.material import Material

#: energies in a range; every twenty-fifth and the last are printed
POINTS = 601
#: ratio of the ends from which a range is spaced and drawn in its logarithm
WIDE = 3.0
#: steps between those printed
EVERY = 25
#: the relative uncertainties
BANDS = ("delta band [relative]", "beta band [relative]")


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

    from xsim.errors import RangeError, XsimWarning
    from xsim.matter.describe import describe
    from xsim.matter.library import find
    from xsim.units import as_float

    material = find(arguments.material, arguments.density)
    ends = [as_float(part.strip(), "eV", field="--energy") for part in arguments.energy.split("..")]
    if len(ends) > 2 or ends[0] <= 0 or (len(ends) == 2 and ends[0] >= ends[1]):
        allowed = "one energy above 0, or LOW..HIGH"
        raise RangeError("--energy: not a range", value=arguments.energy, allowed=allowed)
    energies = np.array(ends) if len(ends) == 1 else _range(*ends)
    if arguments.out is not None:
        if len(ends) == 1:
            range_text = f"LOW..HIGH, as {0.9 * ends[0]:.4g}eV..{1.1 * ends[0]:.4g}eV"
            raise RangeError("--out: one energy makes no plot", value=arguments.energy, allowed=range_text)
        if arguments.out.suffix != ".png":
            raise RangeError("--out: not a picture", value=str(arguments.out), allowed="a name that ends in .png")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", XsimWarning)
        if arguments.out is not None:
            _plot(material, energies, arguments.out)
            print(arguments.out, file=sys.stderr)
        found = describe(material, energies)
    for told in dict.fromkeys(str(one.message) for one in caught):
        print(f"warning: {told}", file=sys.stderr)
    if arguments.json:
        print_json(found)
    elif len(ends) == 1:
        print("\n".join(_one_energy(found)))
    else:
        print("\n".join(_table(found)))
        for text in found["cautions"]:
            print(f"caution: {text}", file=sys.stderr)
    return 0


def _range(low: float, high: float) -> Any:
    """Even steps across an edge; over a wide range even steps of the logarithm."""
    import numpy as np

    return np.geomspace(low, high, POINTS) if high > WIDE * low else np.linspace(low, high, POINTS)


def _one_energy(found: dict[str, Any]) -> list[str]:
    """Everything about a material at one energy."""
    formula = " ".join(f"{symbol}{count:g}" for symbol, count in found["composition"].items())
    rows = [
        ("energy", f"{found['energy [eV]'][0]:.8g} eV", f"wavelength {found['wavelength [m]'][0] * 1e9:.6g} nm"),
        ("delta", f"{found['delta'][0]:.6g}", f"+- {_percent(found['delta band [relative]'][0])}"),
        ("beta", f"{found['beta'][0]:.6g}", f"+- {_percent(found['beta band [relative]'][0])}"),
        ("mu, absorption", f"{found['mu_photo [1/m]'][0]:.6g} 1/m", "photoelectric alone"),
        ("mu, all losses", f"{found['mu_total [1/m]'][0]:.6g} 1/m", "with Rayleigh and Compton scattering"),
        ("attenuation length", f"{found['attenuation length [m]'][0] * 1e6:.6g} um", "to 1/e, all losses"),
    ]
    for symbol, one in found["elements"].items():
        band = f"+- {one['f1 band [electrons]'][0]:.2g}, +- {_percent(one['f2 band [relative]'][0])}"
        rows.append((f"{symbol}: f1, f2", f"{one['f1 [electrons]'][0]:.6g}, {one['f2 [electrons]'][0]:.6g}", band))
    lines = [f"{found['name']}: {formula}, {found['density [kg/m^3]'] / 1000:.5g} g/cm^3", columns(rows)]
    lines.append(f"composition and density: {found['source'] or 'as given'}")
    lines.append(f"optical constants: {found['data']}")
    for near in found["near edges"]:
        what = near.get("file", "arctangent and peaks by formula")
        reach = f"{near['from [eV]']:.6g} to {near['to [eV]']:.6g} eV"
        atoms = f"{100 * near['share of the atoms']:.3g} % of its atoms"
        text = f"near edge {near['element']} {near['edge']}: {what}, {reach}, {atoms}"
        lines.append(f"{text}; {near['source'] or 'as given'}")
    lines += [f"caution: {text}" for text in found["cautions"]]
    return [*lines, "+- is the spread of the published tables"]


def _table(found: dict[str, Any]) -> list[str]:
    """A line per energy, thinned to what a person reads; --json has them all and -o draws them."""
    keys = ("energy [eV]", "delta", "beta", "mu_photo [1/m]", "mu_total [1/m]", "attenuation length [m]")
    values = zip(*(found[key][::EVERY] for key in (*keys, *BANDS)), strict=True)
    rows = [
        (f"{row[0]:.7g}", *(f"{value:.5g}" for value in row[1:6]), *(_percent(band) for band in row[6:]))
        for row in values
    ]
    head = f"{found['name']}, {found['density [kg/m^3]'] / 1000:.5g} g/cm^3; +- is the spread of the published tables"
    return [head, columns([(*keys, "+- delta", "+- beta"), *rows])]


def _percent(share: float) -> str:
    """Two digits, without an exponent where the tables disagree by more than their value."""
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.0f} %"


def _plot(material: Material, energies: Any, path: Path) -> None:
    """delta and beta, and the attenuation length, over energy."""
    from xsim.report.figures import Curves, Line, draw, save

    optics, axis = material.optics(energies), "photon energy [eV]"
    wide = bool(energies[-1] > WIDE * energies[0])
    lines = (Line("delta", energies, optics.delta), Line("beta", energies, optics.beta))
    bands = (Line("delta", energies, 100 * optics.delta_band), Line("beta", energies, 100 * optics.beta_band))
    lengths = (Line("all losses", energies, 1e6 / optics.mu_total), Line("absorption", energies, 1e6 / optics.mu_photo))
    index = Curves(f"{material.name}: n = 1 - delta + i beta", axis, "", lines, log_x=wide, log_y=True)
    length = Curves("attenuation length", axis, "µm", lengths, log_x=wide, log_y=True)
    spread = Curves("spread of the published tables", axis, "%", bands, log_x=wide, log_y=True)
    save(draw([[index, length, spread]]), path)
