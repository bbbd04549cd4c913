"""The command: files only where asked, a score that needs no help, mistakes told in a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from xsim.cli import main

SCENARIO = """
seed = 3
[specimen]
extent = ["1 um", "1 um"]
[[specimen.population]]
name = "beads"
material = "polystyrene"
shape = { kind = "sphere", radius = "120 nm" }
placement = { kind = "at", positions = [["200 nm", "100 nm", "0 nm"], ["-150 nm", "50 nm", "0 nm"]] }
[[instrument]]
name = "map"
kind = "stxm"
field = ["800 nm", "600 nm"]
step = "40 nm"
[[instrument]]
name = "curve"
kind = "saxs"
detector = { kind = "photon_counter", shape = [64, 64], pixel = "1 mm" }
"""


@pytest.fixture(scope="module")
def pond(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pond")
    (folder / "pond.toml").write_text(SCENARIO)
    assert main(["run", str(folder / "pond.toml"), "-o", str(folder / "run"), "--quiet"]) == 0
    return folder / "run"


def test_it_writes_values_picture_and_score(pond: Path, tmp_path: Path, capsys: Any) -> None:
    before = sorted(pond.rglob("*"))
    assert main(["reconstruct", str(pond), "map", "-o", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["method"] == "energy_fit"
    assert told["scores"]["optical_density"]["correlation"] > 0.95
    assert sorted(p.name for p in tmp_path.iterdir()) == ["map-energy_fit.h5", "map-energy_fit.png"]
    assert (tmp_path / "map-energy_fit.png").read_bytes()[:4] == b"\x89PNG"
    with h5py.File(tmp_path / "map-energy_fit.h5") as file:
        data = file[file.attrs["default"]]["data"]
        values = data[data.attrs["signal"]]
        assert values.shape == (15, 20)
        assert [data[name].attrs["units"] for name in data.attrs["axes"]] == ["m", "m"]
        assert np.all(data["values_errors"][...] > 0)
        assert "exp(+ikz - i omega t)" in file["entry/process/sign_convention"].asstr()[()]
    assert sorted(pond.rglob("*")) == before


def test_it_says_what_the_score_is_for_a_person_too(pond: Path, tmp_path: Path, capsys: Any) -> None:
    assert main(["reconstruct", str(pond), "curve", "-o", str(tmp_path), "--set", "bins=20"]) == 0
    out = capsys.readouterr().out
    assert "cross_section: median ratio" in out
    assert "curve-radial.png" in out


def test_without_the_truth_it_reconstructs_and_says_that_it_cannot_score(
    pond: Path, tmp_path: Path, capsys: Any
) -> None:
    blind = tmp_path / "blind"
    blind.mkdir()
    for path in pond.iterdir():
        if path.name != "truth.h5":
            (blind / path.name).write_bytes(path.read_bytes())
    results = []
    for run in (pond, blind):
        out = tmp_path / f"out-{run.name}"
        assert main(["reconstruct", str(run), "map", "-o", str(out)]) == 0
        with h5py.File(out / "map-energy_fit.h5") as file:
            results.append(file["entry/data/values"][...])
    assert "not scored" in capsys.readouterr().out
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere", "map"], ["not a finished run", "nowhere"]),
        (["RUN", "mapp"], ["mapp", 'did you mean "map"?']),
        (["RUN", "map", "--method", "energy_fits"], ["--method", 'did you mean "energy_fit"?']),
        (["RUN", "map", "--method", "rpie"], ["ptychography", "energy_fit"]),
        (["RUN", "map", "--set", "material=1"], ["--set", 'did you mean "materials"?']),
        (["RUN", "map", "--set", 'materials=["unobtainium", "water"]'], ["2 unknowns"]),
        (["RUN", "map", "--set", "constant"], ["--set iterations=200"]),
        (["RUN", "curve", "--set", "bins=1"], ["bins", "2"]),
    ],
)
def test_mistakes_cost_one_line_and_status_2(
    arguments: list[str], words: list[str], pond: Path, tmp_path: Path, capsys: Any
) -> None:
    given = [str(pond) if a == "RUN" else a for a in arguments]
    assert main(["reconstruct", *given, "-o", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1
    assert all(word in error for word in words), error
    assert not (tmp_path / "out").exists()


def test_existing_files_are_kept_unless_forced(pond: Path, tmp_path: Path, capsys: Any) -> None:
    command = ["reconstruct", str(pond), "map", "-o", str(tmp_path)]
    assert main(command) == 0
    assert main(command) == 2
    assert "exists" in capsys.readouterr().err
    assert main([*command, "--force"]) == 0
