"""`xsim schema`: the JSON Schema of a scenario, for editors."""

from __future__ import annotations

import argparse
from typing import Any

from xsim.cli._output import print_json


def add(commands: Any) -> argparse.ArgumentParser:
    """The command's parser."""
    command: argparse.ArgumentParser = commands.add_parser("schema", help="print the JSON Schema of a scenario")
    return command


def execute(arguments: argparse.Namespace) -> int:
    """Print it."""
    from xsim.scenario.json_schema import json_schema

    print_json(json_schema())
    return 0
