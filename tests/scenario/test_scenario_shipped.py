"""Every scenario shipped with xsim is valid, runs, and reproduces the published numbers written in it."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import xsim
from xsim.cli import main
from xsim.resources import data_files

SHIPPED = [path.stem for path in data_files("scenarios")]

#: scenario -> instrument, method and the scores that its reconstruction must reach at least
RECONSTRUCTED = {"label-tomography": ("tomo", "fbp", {"precision": 0.95, "recall": 0.7, "f1": 0.8})}
#: scenario -> instrument, references, and the scores of its map of species: the largest error, and the least of others
SPECIES = {
    "gold-precipitation": ("stack", ("gold", "gold_sulphide", "gold_chloride"), 0.12, 0.97),
    "iron-oxides": ("stack", ("iron", "wustite", "hematite", "goethite"), 0.06, 0.98),
}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_scenario_runs_and_meets_its_expectations(name: str, tmp_path: Path) -> None:
    scenario = xsim.load(name)
    assert scenario.title
    assert scenario.expect, "a shipped scenario states a published number that it reproduces"
    xsim.run(scenario, out=tmp_path / name)  # on one worker: two cores run two tests, and starting workers takes longer
    record = json.loads((tmp_path / name / "run.json").read_text(encoding="utf-8"))
    for expectation in record["expectations"]:
        assert expectation["met"], expectation
    for instrument, entry in record["instruments"].items():
        assert entry["counts"] > 0, instrument
        assert (tmp_path / name / entry["file"]).is_file()
    if name == "gold-dots-1999":
        letters_come_back(tmp_path / name)
    if name in RECONSTRUCTED:
        instrument, method, scores = RECONSTRUCTED[name]
        found = reconstructed(tmp_path / name, instrument, method)["labels"]
        assert all(found[key] >= least for key, least in scores.items()), found
        assert found["distance [m]"] < 12e-9  # of labels of 15 nm radius in pixels of 20 nm
    if name in SPECIES:
        instrument, references, error, least = SPECIES[name]
        named = f"references={json.dumps(references)}"
        found = reconstructed(tmp_path / name, instrument, "lcf", "--set", named)["speciation"]
        assert found["rms_error"] < error
        assert found["correlation"] > least
        assert found["rightly_classified"] > 0.98
        knob = ("--set", f"classes={len(references)}")
        assert reconstructed(tmp_path / name, instrument, "clusters", *knob)["classes"]["rightly_classified"] > 0.95


def letters_come_back(run: Path) -> None:
    """The first experiment of diffraction microscopy gives its letters though the centre of the pattern is missing."""
    knobs = ("--set", "constraint=real", "--set", "starts=2", "--set", "iterations=200")
    told = answer(run, "cdi", "hio", *knobs)
    score = told["scores"]["exit_wave-1"]
    assert score["correlation"] > 0.97
    # 75 nm of detail are published, a full period; the dots' own transform is zero at 82 nm
    assert 34e-9 < score["resolution [m]"] < 45e-9
    assert told["numbers"]["starts_kept"] == 2
    assert told["numbers"]["modulus_error"] < 0.1
    assert 34e-9 < told["numbers"]["prtf_half_period [m]"] < 45e-9
    with h5py.File(run / "cdi.cxi") as file:
        mask = file["entry_1/instrument_1/detector_1/mask"][...]
        assert file["entry_1/data_1/data"].shape == (20, 512, 512)
    assert 0 < np.count_nonzero(mask) < 16**2


def reconstructed(run: Path, instrument: str, method: str, *more: str) -> dict[str, dict[str, float]]:
    """The scores that `xsim reconstruct` reports."""
    scores: dict[str, dict[str, float]] = answer(run, instrument, method, *more)["scores"]
    return scores


def answer(run: Path, instrument: str, method: str, *more: str) -> dict[str, Any]:
    """All that `xsim reconstruct` reports."""
    out = io.StringIO()
    with redirect_stdout(out):
        options = ["--method", method, "-o", str(run.parent / "found"), "--json", *more]
        assert main(["reconstruct", str(run), instrument, *options]) == 0
    assert (run.parent / "found" / f"{instrument}-{method}.png").is_file()
    told: dict[str, Any] = json.loads(out.getvalue())
    return told
