"""Every scenario shipped with xsim is valid, runs, and reproduces the published numbers written in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import xsim
from xsim.resources import data_files

SHIPPED = [path.stem for path in data_files("scenarios")]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_scenario_runs_and_meets_its_expectations(name: str, tmp_path: Path) -> None:
    scenario = xsim.load(name)
    assert scenario.title
    assert scenario.expect, "a shipped scenario states a published number that it reproduces"
    xsim.run(scenario, out=tmp_path / name, workers=2)
    record = json.loads((tmp_path / name / "run.json").read_text(encoding="utf-8"))
    for expectation in record["expectations"]:
        assert expectation["met"], expectation
    for instrument, entry in record["instruments"].items():
        assert entry["counts"] > 0, instrument
        assert (tmp_path / name / entry["file"]).is_file()
