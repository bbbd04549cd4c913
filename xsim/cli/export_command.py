"""`xsim export RUN INSTRUMENT --to FORMAT`: another file format from a finished run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> argparse.ArgumentParser:
    """The command's parser."""
    command: argparse.ArgumentParser = commands.add_parser(
        "export", help="write another file format from a finished run"
    )
    command.add_argument("run", metavar="RUN", type=Path, help="a run directory")
    command.add_argument("instrument", metavar="INSTRUMENT", help="the name of one of its instruments")
    command.add_argument("--to", metavar="FORMAT", required=True, help="see `xsim list formats`")
    command.add_argument("-o", "--out", metavar="FILE", type=Path, help="file to write (default: beside the run's own)")
    command.add_argument("--force", action="store_true", help="replace an existing file")
    return command


def execute(arguments: argparse.Namespace) -> int:
    """Read the instrument's file and write the other one."""
    from xsim.errors import FileError
    from xsim.formats.lookup import export_format
    from xsim.formats.run_reader import instrument_files, read_instrument, read_provenance

    measurement = read_instrument(arguments.run, arguments.instrument)
    form = export_format(measurement, arguments.to)
    out = arguments.out or arguments.run / f"{measurement.name}.{form.kind}{form.suffix}"
    if out.exists() and not arguments.force:
        raise FileError(f"{out}: the file exists", cure="choose another -o, or give --force")
    if not out.parent.is_dir():
        raise FileError(f"{out.parent}: no such folder", cure="make it first")
    form.write(measurement, out, read_provenance(instrument_files(arguments.run)[arguments.instrument]))
    print(out)
    return 0
