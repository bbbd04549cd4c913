"""`xsim reconstruct RUN INSTRUMENT`: what the recorded counts tell of the specimen, and its score against the truth."""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xsim.cli._output import add_json, prefixed, print_json

if TYPE_CHECKING:
    from xsim.exposure import Measurement
    from xsim.metrics.against_truth import Comparison
    from xsim.reconstruct._protocol import Reconstruction


#: what a method may estimate that only the scores of chemical maps know
_CHEMICAL = ("classes", "region_density", "amount")


def add(commands: Any) -> argparse.ArgumentParser:
    """The command's parser."""
    command: argparse.ArgumentParser = commands.add_parser(
        "reconstruct", help="reconstruct an instrument of a finished run and score it against the truth"
    )
    command.add_argument("run", metavar="RUN", type=Path, help="a run directory")
    command.add_argument("instrument", metavar="INSTRUMENT", help="the name of one of its instruments")
    command.add_argument("--method", metavar="M", help="see `xsim list reconstructions` (default: by technique)")
    command.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="a knob of the method, e.g. iterations=200"
    )
    command.add_argument("--modes", metavar="N", type=int, help="modes of a ptychographic probe, as --set modes=N")
    command.add_argument(
        "-o", "--out", metavar="DIR", type=Path, help="folder (default: reconstructions/RUN-INSTRUMENT)"
    )
    command.add_argument("--force", action="store_true", help="replace existing files")
    add_json(command)
    return command


def execute(arguments: argparse.Namespace) -> int:
    """Reconstruct from the instrument's own file; the truth is opened for the score only."""
    from xsim.formats.run_reader import read_instrument
    from xsim.reconstruct._choose import choose

    measurement = read_instrument(arguments.run, arguments.instrument)
    modes = [] if arguments.modes is None else [f"modes={arguments.modes}"]
    method = choose(measurement, arguments.method, knobs(arguments.set + modes))
    out = arguments.out or Path("reconstructions") / f"{arguments.run.resolve().name}-{measurement.name}"
    files = _free(out, f"{measurement.name}-{method.kind}", arguments.force)
    found = method(measurement)
    compared, why = score(arguments.run, measurement, found)
    scores = {one.name: one.numbers for one in compared}
    shared = found.extras.get("half_set_resolution")
    if shared is not None:
        scores["half sets"] = {"resolution [m]": float(shared.values)}
    write(files, found, compared, _notes(arguments, measurement, method, scores))
    if arguments.json:
        told = {"method": method.kind, "title": found.title, "unit": found.unit, "shape": list(found.values.shape)}
        ends = {name: float(curve[-1]) for name, curve in found.history.items() if len(curve)}
        more = {"numbers": found.numbers, "history_end": ends, "scores": scores, "not_scored": why}
        print_json({**told, **more, "files": [str(f) for f in files]})
        return 0
    size = " x ".join(map(str, found.values.shape))
    print(f"{measurement.name} ({measurement.kind}) by {method.kind}: {found.title}, {size}")
    if found.numbers:
        print(", ".join(_number(key, value) for key, value in found.numbers.items()))
    for name, numbers in scores.items():
        print(f"{name}: " + ", ".join(_number(key, value) for key, value in numbers.items()))
    if why:
        print(f"not scored: {why}")
    print("\n".join(str(path) for path in files))
    return 0


def knobs(texts: list[str]) -> dict[str, Any]:
    """KEY=VALUE with VALUE as in TOML, or as a text where it is none. Raises ScenarioError for anything else."""
    from xsim.errors import ScenarioError

    found: dict[str, Any] = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign or not key.strip():
            raise ScenarioError(
                "not a knob and its value", field="--set", value=text, cure="write --set iterations=200"
            )
        try:
            found[key.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            found[key.strip()] = value.strip()
    return found


def _free(out: Path, stem: str, force: bool) -> tuple[Path, Path]:
    """The two files to write, in a folder that exists. Raises FileError if one is there already."""
    from xsim.errors import FileError

    files = out / f"{stem}.h5", out / f"{stem}.png"
    for path in files:
        if path.exists() and not force:
            raise FileError("the file exists", value=str(path), cure="choose another -o, or give --force")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError("cannot write here", value=str(out), cure=f"choose another -o ({error.strerror})") from None
    return files


def score(run: Path, measurement: Measurement, found: Reconstruction) -> tuple[list[Comparison], str]:
    """The comparisons with the run's truth, or none and why."""
    from xsim.errors import FileError
    from xsim.formats.truth import read_particles, read_truth
    from xsim.metrics.against_truth import Estimate, compare
    from xsim.metrics.labels import compare_labels
    from xsim.metrics.orientation import compare_orientations
    from xsim.units import as_float

    path = run / "truth.h5"
    if not path.is_file():
        return [], f"{path} is missing"
    light, spread = (found.extras.get(name) for name in ("illumination", "spread"))
    energy = measurement.settings.get("energy")
    estimate = Estimate(
        found.values,
        found.axes,
        found.unit,
        found.estimates,
        found.error,
        None if light is None else light.values,
        as_float(energy, "eV") if isinstance(energy, str) else float(measurement.frames["energy"][0]),
        None if spread is None else spread.values,
    )
    truths = read_truth(path, measurement.name)
    if "orientation" in found.extras:
        sorted_ = compare_orientations(found.extras["orientation"], truths)
        return sorted_, "" if sorted_ else "the truth holds no orientations"
    chemical = _chemical(found, truths)
    try:
        compared = chemical + (compare(estimate, truths) if found.estimates not in _CHEMICAL else [])
    except FileError as error:
        return chemical, "" if chemical else str(error)
    labels = found.extras.get("labels")
    seen = None if labels is None else compare_labels(labels.values, read_particles(path), found.axes)
    return compared + ([] if seen is None else [seen]), ""


def _chemical(found: Reconstruction, truths: dict[str, Any]) -> list[Comparison]:
    """Shares of species, classes and spectra of regions against the truth, where the method found some."""
    from xsim.metrics.speciation import compare_classes, compare_regions, compare_shares

    extras = found.extras
    if "fraction" in extras:
        return compare_shares(extras["fraction"], extras["fraction_error"], extras["atoms_per_volume"], truths)
    if "classes" in extras:
        return compare_classes(extras["classes"], extras["cluster_spectra"].axes[1].values, truths)
    if "mask" in extras and found.error is not None:
        return compare_regions(found.values, found.error, extras["mask"], found.axes[1], truths.get("expected"))
    return []


def write(files: tuple[Path, Path], found: Reconstruction, compared: list[Comparison], notes: dict[str, Any]) -> None:
    """The HDF5 file and the picture."""
    from xsim.exposure import Truth
    from xsim.formats._result import Result, write_result
    from xsim.report.figures import draw, save
    from xsim.report.reconstruction import rows

    values = Truth(found.values, found.axes, found.unit)
    provenance = notes.pop("provenance", {})
    write_result(files[0], Result(found.title, values, found.error, found.history, found.extras, notes), provenance)
    save(draw([row for row in rows(found, compared) if row]), files[1])


def _notes(
    arguments: argparse.Namespace, measurement: Measurement, method: Any, scores: dict[str, Any]
) -> dict[str, Any]:
    from xsim.formats.run_reader import instrument_files, read_provenance

    provenance = read_provenance(instrument_files(arguments.run)[measurement.name])
    dump = method.model_dump() if hasattr(method, "model_dump") else {"kind": method.kind}
    told = {"method": method.kind, "knobs": dump, "instrument": measurement.name, "scores": scores}
    return {**told, "run": arguments.run.resolve().name, "provenance": provenance}


def _number(key: str, value: float) -> str:
    name, _, unit = key.partition(" [")
    return (
        f"{name.replace('_', ' ')} {prefixed(value, unit.rstrip(']'))}"
        if unit and not unit.startswith("kg")  # no nkg
        else f"{name.replace('_', ' ')} {value:.4g} {unit.rstrip(']')}".rstrip()
    )
