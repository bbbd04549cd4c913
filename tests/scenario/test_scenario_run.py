"""Runs: the same bytes for any number of workers, a directory that is complete or absent, resumed honestly."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import xsim
from xsim.cli import main
from xsim.errors import FileError, SamplingError, UnknownNameError
from xsim.instruments.stxm import Stxm
from xsim.scenario import Scenario, ScenarioMistakes, runner
from xsim.scenario import resume as resuming
from xsim.scenario.directory import partial

pytestmark = pytest.mark.filterwarnings("ignore::xsim.errors.XsimWarning")

TABLE: dict[str, Any] = {
    "title": "labels",
    "seed": 5,
    "specimen": {
        "extent": ["400 nm", "400 nm"],
        "layers": [{"material": "vitreous_ice", "thickness": "200 nm"}],
        "population": [
            {
                "name": "labels",
                "material": "gold",
                "shape": {"kind": "sphere", "radius": "12 nm"},
                "count": 6,
                "placement": {"kind": "random", "minimum_gap": "5 nm"},
            }
        ],
    },
    "instrument": [
        {
            "name": "map",
            "kind": "stxm",
            "field": ["300 nm", "250 nm"],
            "step": "50 nm",
            "scan": [{"kind": "energies", "values": ["500 eV", "520 eV"]}],
        },
        {"name": "image", "kind": "full_field", "field": "400 nm", "pixel": "20 nm", "flux": "1e7 1/s"},
    ],
}


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of one word in the place of the report, whose pictures take most of the time of a small run."""
    monkeypatch.setattr("xsim.scenario.page.write_page", lambda path, run: path.write_text("report"))


def table(**changes: Any) -> dict[str, Any]:
    return {**json.loads(json.dumps(TABLE)), **changes}


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_counts_are_the_same_bytes_for_one_and_two_workers() -> None:
    one, two = xsim.run(table()), xsim.run(table(), workers=2)
    for name in one:
        assert one[name].measurement.counts.tobytes() == two[name].measurement.counts.tobytes()
        assert one[name].measurement.expected.tobytes() == two[name].measurement.expected.tobytes()  # type: ignore[union-attr]


def test_another_seed_gives_other_counts_and_other_places() -> None:
    one, two = xsim.run(table()), xsim.run(table(), seed=6)
    assert not np.array_equal(one["map"].counts, two["map"].counts)
    assert not np.array_equal(one["map"].expected, two["map"].expected)
    assert two.record["seed"] == 6


def test_results_carry_axes_and_units() -> None:
    run = xsim.run(table())
    counts = run["map"].counts
    assert counts.dims == ("energy", "y", "x")
    assert counts.sizes == {"energy": 2, "y": 5, "x": 6}
    assert counts.energy.units == "eV"
    assert counts.x.units == "m"
    np.testing.assert_allclose(counts.x.diff("x"), 50e-9)
    assert run["image"].counts.dims == ("y", "x")
    assert run["image"].expected.units == "photons"
    dose = run["image"].dose
    assert set(dose.material.values) == {"vitreous_ice", "gold"}
    assert dose["mean"].units == "Gy"
    assert (dose["max"] >= dose["mean"] * (1 - 1e-9)).all()
    assert len(run["map"].truth.data_vars) > 0
    with pytest.raises(UnknownNameError, match="map"):
        run["mop"]


def test_a_scenario_survives_its_own_form_and_so_does_its_hash() -> None:
    scenario = xsim.load(table())
    again = xsim.load(json.loads(json.dumps(scenario.table())))
    assert again == scenario
    assert again.hash == scenario.hash
    assert xsim.load(table(seed=6)).hash != scenario.hash
    assert isinstance(pickle.loads(pickle.dumps(scenario)), Scenario)


def test_a_run_directory_holds_what_is_promised(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "labels"
    run = xsim.run(table(), out=out)
    assert files(out) == ["image.nxs", "map.nxs", "report.html", "run.json", "truth.h5"]
    assert files(out.parent) == ["labels"]
    record = json.loads((out / "run.json").read_text())
    assert record["xsim"] == xsim.__version__
    assert record["scenario_hash"] == xsim.load(record["scenario"]).hash
    entry = record["instruments"]["map"]
    assert entry["kind"] == "stxm"
    assert entry["frames"] == 60
    assert entry["counts"] == float(run["map"].counts.sum())
    assert entry["expected_photons"] == pytest.approx(float(run["map"].expected.sum()), rel=1e-12)
    # flux is told for the instrument's own energy; at others the zones pass more or less of the light
    stxm = Stxm()
    share = [stxm.zone_plate.transmitted(e) / stxm.zone_plate.transmitted(stxm.energy) for e in (500.0, 520.0)]
    assert entry["incident_photons"] == pytest.approx(30 * 1e8 * 1e-3 * sum(share))
    assert entry["dose"]["gold"]["max"] >= entry["dose"]["gold"]["mean"] > 0
    assert record["peak_memory"] > 1e7
    assert record["wall_time"] > 0
    with h5py.File(out / "truth.h5") as truth:
        assert {"particles", "map", "image"} <= set(truth)


def test_measured_files_hold_no_truth(tmp_path: Path) -> None:
    run = xsim.run(table(), out=tmp_path / "labels")
    expected = run["map"].measurement.expected
    names: list[str] = []

    def look(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.size == expected.size and item.dtype.kind == "f":  # type: ignore[union-attr]
            assert not np.allclose(item[...].ravel(), expected.ravel(), rtol=1e-9)  # type: ignore[union-attr]
        names.append(name)

    with h5py.File(tmp_path / "labels" / "map.nxs") as file:
        file.visititems(look)
    assert names
    assert not [name for name in names if "truth" in name or "particle" in name]


@pytest.mark.usefixtures("brief")
def test_an_existing_run_is_refused_and_replaced_only_by_force(tmp_path: Path) -> None:
    out = tmp_path / "labels"
    xsim.run(table(), out=out)
    before = (out / "run.json").read_bytes()
    with pytest.raises(FileError, match="--force"):
        xsim.run(table(), out=out)
    assert (out / "run.json").read_bytes() == before
    xsim.run(table(seed=6), out=out, force=True)
    assert json.loads((out / "run.json").read_text())["seed"] == 6
    assert files(tmp_path) == ["labels"]


def test_force_never_replaces_what_is_not_a_run(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("precious")
    with pytest.raises(FileError, match="not a run"):
        xsim.run(table(), out=tmp_path / "thesis", force=True)
    assert (tmp_path / "thesis" / "chapter1.tex").read_text() == "precious"


@pytest.mark.parametrize(
    ("error", "told"),
    [(KeyboardInterrupt, KeyboardInterrupt), (MemoryError, ScenarioMistakes), (RuntimeError, RuntimeError)],
)
def test_whatever_stops_a_run_nothing_is_left(
    error: type[BaseException], told: type[BaseException], tmp_path: Path
) -> None:
    def stop(what: str, done: int, total: int) -> None:
        if what == "image":
            raise error

    with pytest.raises(told):
        xsim.run(table(), out=tmp_path / "labels", progress=stop)
    assert files(tmp_path) == []


@pytest.mark.usefixtures("brief")
def test_a_failed_run_leaves_the_earlier_one_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    xsim.run(table(), out=tmp_path / "labels")
    before = {name: (tmp_path / "labels" / name).read_bytes() for name in files(tmp_path / "labels")}

    def broken(*_: Any, **__: Any) -> None:
        raise SamplingError("too coarse", field="pixel", value=3, allowed="< 2", cure="mend it")

    monkeypatch.setattr(runner, "simulate", broken)
    with pytest.raises(ScenarioMistakes, match=r"instrument\[map\].pixel: too coarse; got 3; allowed: < 2; mend it"):
        xsim.run(table(seed=6), out=tmp_path / "labels", force=True)
    assert {name: (tmp_path / "labels" / name).read_bytes() for name in files(tmp_path / "labels")} == before
    assert files(tmp_path) == ["labels"]


def simulated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the instruments that are really simulated from now on."""
    names: list[str] = []
    original = runner.simulate

    def noted(*args: Any, **options: Any) -> Any:
        names.append(options["name"])
        return original(*args, **options)

    monkeypatch.setattr(runner, "simulate", noted)
    return names


@pytest.mark.usefixtures("brief")
def test_resume_keeps_finished_instruments_and_runs_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = xsim.run(table())
    first = table(instrument=TABLE["instrument"][:1])
    xsim.run(first, out=tmp_path / "labels")
    names = simulated(monkeypatch)
    run = xsim.run(table(), out=tmp_path / "labels", resume=True)
    assert names == ["image"]
    assert files(tmp_path / "labels") == ["image.nxs", "map.nxs", "report.html", "run.json", "truth.h5"]
    for name in whole:
        ours, theirs = run[name].measurement, whole[name].measurement
        assert ours.counts.tobytes() == theirs.counts.tobytes()
        assert ours.counts.dtype == theirs.counts.dtype
        np.testing.assert_array_equal(ours.expected, theirs.expected)
        assert set(ours.truth) == set(theirs.truth)
        assert {m: d.mean for m, d in ours.dose.items()} == {m: d.mean for m, d in theirs.dose.items()}
        assert run[name].counts.dims == whole[name].counts.dims
        assert run.record["instruments"][name]["counts"] == whole.record["instruments"][name]["counts"]


@pytest.mark.usefixtures("brief")
def test_resume_runs_again_what_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    xsim.run(table(), out=tmp_path / "labels")
    changed = table()
    changed["instrument"][1]["flux"] = "2e7 1/s"
    names = simulated(monkeypatch)
    xsim.run(changed, out=tmp_path / "labels", resume=True)
    assert names == ["image"]
    names.clear()
    xsim.run(changed, out=tmp_path / "labels", resume=True)
    assert names == []
    xsim.run(changed, out=tmp_path / "labels", seed=9, resume=True)
    assert names == ["map", "image"]


@pytest.mark.usefixtures("brief")
def test_resume_goes_on_where_a_killed_run_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill cannot be caught: here the clean-up is taken away, which leaves the same files."""
    out = tmp_path / "labels"

    def stop(what: str, done: int, total: int) -> None:
        if what == "image":
            raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(KeyboardInterrupt):
            xsim.run(table(), out=out, progress=stop)
    assert files(tmp_path) == [partial(out).name]
    with pytest.raises(FileError, match="--resume"):
        xsim.run(table(), out=out)
    names = simulated(monkeypatch)
    run = xsim.run(table(), out=out, resume=True)
    assert names == ["image"]
    assert files(out) == ["image.nxs", "map.nxs", "report.html", "run.json", "truth.h5"]
    assert files(tmp_path) == ["labels"]
    assert run["map"].measurement.counts.tobytes() == xsim.run(table())["map"].measurement.counts.tobytes()


@pytest.mark.usefixtures("brief")
def test_resume_links_large_files_rather_than_copying(tmp_path: Path) -> None:
    xsim.run(table(), out=tmp_path / "labels")
    (tmp_path / "new").mkdir()
    kept = resuming.finished(tmp_path / "labels", tmp_path / "new", xsim.load(table()), 5)
    assert set(kept) == {"map", "image"}
    name, form = kept["map"].place(tmp_path / "new")
    assert (name, form) == ("map.nxs", "nxstxm")
    assert os.stat(tmp_path / "new" / name).st_ino == os.stat(tmp_path / "labels" / name).st_ino


def test_expectations_are_judged_and_told(tmp_path: Path) -> None:
    expect = [
        {"quantity": "map.frames", "at_least": 60, "at_most": 60, "source": "5 x 6 points, 2 energies"},
        {"quantity": "map.dose.gold.mean", "at_most": 1e-9, "source": "nobody"},
        {"quantity": "map.nothing", "at_least": 0, "source": "nobody"},
    ]
    record = xsim.run(table(expect=expect)).record
    assert [one["met"] for one in record["expectations"]] == [True, False, False]


def test_files_named_in_a_scenario_are_found_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "p.csv").write_text("x [nm],y [nm],z [nm]\n0,0,0\n50,0,0\n")
    text = """
    [specimen]
    [[specimen.population]]
    name = "labels"
    material = "gold"
    shape = { kind = "sphere", radius = "12 nm" }
    placement = { kind = "file", file = "p.csv" }
    [[instrument]]
    name = "map"
    kind = "stxm"
    """
    (tmp_path / "sub" / "s.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    specimen = xsim.load("sub/s.toml").specimen.build(1)
    assert len(specimen.populations[0].poses) == 2


def test_the_command_line_writes_runs_of_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [
        '[specimen]\nlayers = [{ material = "water", thickness = "1 um" }]',
        '[[instrument]]\nname = "map"\nkind = "stxm"',
    ]
    Path("pond.toml").write_text("\n".join(lines))
    assert main(["run", "pond.toml", "--quiet"]) == 0
    assert files(tmp_path / "runs") == ["pond"]
    assert capsys.readouterr().out == ""
    assert main(["run", "pond.toml", "--force", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["instruments"]["map"]["kind"] == "stxm"
    assert main(["run", "pond.toml"]) == 2
    assert main(["run", "pond.toml", "--force"]) == 0
    out = capsys.readouterr().out
    assert "map (stxm): " in out
    assert "water" in out
    assert "Gy" in out


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = tmp_path / "pond.toml"
    scenario.write_text('[specimen]\n[[instrument]]\nname = "map"\nkind = "stxm"')
    (tmp_path / "file").write_text("")
    assert main(["run", str(scenario), "-o", str(tmp_path / "file" / "run")]) == 2
    assert main(["run", str(scenario), "-o", str(tmp_path / "file")]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert all("-o" in line for line in said)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_leaves_nothing_and_exits_with_1(number: int, tmp_path: Path) -> None:
    scenario = tmp_path / "long.toml"
    scenario.write_text(
        '[specimen]\n[[instrument]]\nname = "map"\nkind = "full_field"\nscan = [{ kind = "repeats", count = 1000 }]'
    )
    command = [sys.executable, "-m", "xsim", "run", str(scenario), "-o", str(tmp_path / "run"), "--workers", "2"]
    environment = {**os.environ, "PYTHONPATH": str(Path(xsim.__file__).parents[1])}

    def listen() -> None:
        """A shell lets what it runs in the background ignore an interrupt, and its children inherit that."""
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, preexec_fn=listen) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("map"):
                break
        process.send_signal(number)
        said = process.stderr.read()
        assert process.wait(60) == 1
    assert "interrupted" in said
    assert "Traceback" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["long.toml"]
