"""The commands: fast help, JSON that parses, exit statuses, nothing heavy imported early."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xraydb

from xsim.cli import COMMANDS, main
from xsim.cli._output import columns, prefixed
from xsim.cli.list_command import ROOMS
from xsim.registry import discover
from xsim.resources import data_files

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("numba", "xraylib", "finufft", "matplotlib", "gemmi", "skimage", "pint", "scipy", "h5py", "xarray", "pydantic")

SCENARIO = """
[specimen]
layers = [{ material = "water", thickness = "1 um" }]
[[specimen.population]]
name = "bead"
material = "polystyrene"
shape = { kind = "sphere", radius = "200 nm" }
[[instrument]]
name = "map"
kind = "stxm"
field = ["500 nm", "400 nm"]
step = "50 nm"
[[instrument]]
name = "image"
kind = "full_field"
field = "600 nm"
pixel = "20 nm"
"""


@pytest.fixture
def pond(tmp_path: Path) -> Path:
    path = tmp_path / "pond.toml"
    path.write_text(SCENARIO)
    return path


def answer(capsys: pytest.CaptureFixture[str], *command: str) -> Any:
    assert main([*command, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def fresh(*command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, env=environment, check=False, **options
    )


def test_help_answers_in_under_half_a_second() -> None:
    """Of processor time: what else the machine does is not ours."""
    took = []
    for _ in range(5):
        began = os.times()
        assert fresh("-m", "xsim", "--help").returncode == 0
        ended = os.times()
        took.append(ended.children_user + ended.children_system - began.children_user - began.children_system)
    assert min(took) < 0.5


def test_neither_xsim_nor_its_command_line_imports_anything_heavy() -> None:
    code = f"import sys, xsim, xsim.cli; xsim.cli.parser(); print([m for m in {HEAVY} if m in sys.modules])"
    assert fresh("-c", code).stdout.strip() == "[]"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert f"usage: xsim {command}" in capsys.readouterr().out


@pytest.mark.parametrize("command", [[], ["fly"], ["run"], ["material", "gold"], ["list", "cats"], ["run", "a", "--x"]])
def test_a_command_that_makes_no_sense_exits_with_2(command: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(command)
    assert stop.value.code == 2


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["material", "gould", "--energy", "8 keV"], 'did you mean "gold"?'),
        (["material", "gold", "--energy", "8"], "missing unit"),
        (["material", "gold", "--energy", "8 nm"], "wrong unit"),
        (["material", "gold", "--energy", "8 MeV"], "150 keV"),
        (["material", "gold", "--energy", "9 keV..8 keV"], "LOW..HIGH"),
        (["material", "Xx2", "--energy", "8 keV"], "Xx2"),
        (["material", "U3O8", "--energy", "8 keV"], "density"),
        (["material", "gold", "--energy", "8 keV", "--density", "-1 g/cm^3"], "> 0 kg/m^3"),
        (["run", "no-such.toml"], "no such file"),
        (["check", "no-such.toml"], "no such file"),
        (["show", "no-such.toml"], "no such file"),
        (["export", "no-such-run", "txm", "--to", "cxi"], "no-such-run"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line_and_exit_2(
    command: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert words in captured.err
    assert len(captured.err.splitlines()) == 1


def test_numbers_of_workers_and_seeds_are_checked(pond: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(pond), "--workers", "0"]) == 2
    assert main(["run", str(pond), "--seed", "-1"]) == 2
    assert main(["check", str(pond), "--workers", "0"]) == 2
    assert "--seed" in capsys.readouterr().err
    assert [path.name for path in pond.parent.iterdir()] == ["pond.toml"]


def test_lists_name_every_plugin_and_parse_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "list")
    assert {"scenarios", "materials", *ROOMS} == set(found)
    for room in ROOMS:
        assert set(discover(room)) <= set(found[room])
        assert all(found[room].values()), f"a {room[:-1]} says nothing about itself"
    assert {path.stem for path in data_files("materials")} == set(found["materials"])
    assert {path.stem for path in data_files("scenarios")} == set(found["scenarios"])
    assert main(["list", "shapes"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names == list(found["shapes"])


def test_material_prints_the_same_numbers_as_text_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "material", "SiO2", "--density", "2.2 g/cm^3", "--energy", "8 keV")
    delta, beta, _ = xraydb.xray_delta_beta("SiO2", 2.2, 8000.0)
    assert found["delta"][0] == pytest.approx(delta, rel=0.005)
    assert found["beta"][0] == pytest.approx(beta, rel=0.04)
    assert found["density [kg/m^3]"] == pytest.approx(2200)
    main(["material", "SiO2", "--density", "2.2 g/cm^3", "--energy", "8 keV"])
    text = capsys.readouterr().out
    assert f"{found['delta'][0]:.6g}" in text
    assert f"{found['attenuation length [m]'][0] * 1e6:.6g} um" in text
    assert "+-" in text


def test_a_range_of_energies_is_tabulated_and_plotted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "gold.png"
    assert main(["material", "gold", "--energy", "5 keV..15 keV", "-o", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    rows = capsys.readouterr().out.splitlines()[2:]
    energies = [float(row.split()[0]) for row in rows]
    assert energies == sorted(energies)
    assert energies[0] == 5000


def test_check_foretells_what_the_run_then_does(pond: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = pond.parent / "run"
    foretold = answer(capsys, "check", str(pond))
    assert [path.name for path in pond.parent.iterdir()] == ["pond.toml"]
    done = answer(capsys, "run", str(pond), "-o", str(out))
    for name, entry in done["instruments"].items():
        one = foretold["instruments"][name]
        assert one["frames"] == entry["frames"]
        assert one["incident_photons"] == pytest.approx(entry["incident_photons"], rel=1e-9)
        assert one["expected_photons"] == pytest.approx(entry["expected_photons"], rel=0.1)
        for material, dose in entry["dose"].items():
            assert one["dose"][material]["mean"] == pytest.approx(dose["mean"], rel=1e-6)
        assert one["memory"] > 0
        assert one["time"] > 0
    assert main(["check", str(pond)]) == 0
    assert "of memory" in capsys.readouterr().out


def test_check_tells_the_photons_of_a_pixel_and_the_finest_period_that_passes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "lens.toml"
    path.write_text("""title = "lens"
[specimen]
extent = ["1 um", "1 um"]
[[instrument]]
name = "txm"
kind = "full_field"
flux = "1e8 1/s"
exposure_time = "1 s"
field = "300 nm"
pixel = "10 nm"
objective = { outermost_zone = "30 nm", material = "opaque" }
condenser = { sigma = 0.5, points = 20 }
""")
    txm = answer(capsys, "check", str(path))["instruments"]["txm"]
    assert txm["mean_element"] == pytest.approx(1e8 / 30**2 / np.pi**2, rel=1e-4)
    assert txm["geometry"]["finest_half_period [m]"] == pytest.approx(30e-9 / 1.5)
    assert main(["check", str(path)]) == 0
    said = capsys.readouterr().out
    assert "1.126e+04 in the mean element" in said
    assert "finest half period 20 nm" in said


def test_show_draws_the_specimen_and_every_instrument(pond: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = pond.parent / "pictures"
    assert main(["show", str(pond), "-o", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["image.png", "map.png", "specimen.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in out.iterdir())
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_export_writes_another_format_of_the_same_counts(pond: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = pond.parent / "run"
    assert main(["run", str(pond), "-o", str(run), "--quiet"]) == 0
    copy = pond.parent / "copy.nxs"
    assert main(["export", str(run), "image", "--to", "nexus", "-o", str(copy)]) == 0
    assert h5py.is_hdf5(copy)
    before = sorted(path.name for path in run.iterdir())
    assert main(["export", str(run), "image", "--to", "nexus", "-o", str(copy)]) == 2
    assert main(["export", str(run), "imag", "--to", "nexus", "-o", str(copy)]) == 2
    assert main(["export", str(run), "image", "--to", "nxus", "-o", str(copy)]) == 2
    said = capsys.readouterr().err
    assert 'did you mean "image"?' in said
    assert 'did you mean "nexus"?' in said
    assert sorted(path.name for path in run.iterdir()) == before


def test_the_schema_accepts_what_the_program_accepts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    validator = pytest.importorskip("jsonschema").Draft202012Validator
    validator.check_schema(schema)
    import tomllib

    good = tomllib.loads(SCENARIO)
    assert not list(validator(schema).iter_errors(good))
    for path in data_files("scenarios"):
        assert not [e.message for e in validator(schema).iter_errors(tomllib.loads(path.read_text()))], path
    for change in ({"sed": 1}, {"instrument": [{"name": "a", "kind": "stxm", "pixle": 1}]}, {"seed": "three"}):
        assert list(validator(schema).iter_errors({**good, **change})), change


def test_a_bug_is_exit_1_and_said_to_be_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import xsim.cli.schema_command as command

    def broken(_: Any) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(command, "execute", broken)
    assert main(["schema"]) == 1
    assert "bug in xsim" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_drama() -> None:
    command = [sys.executable, "-m", "xsim", "schema"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
        assert process.wait() == 1


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (16020, "Gy", "16 kGy"),
        (0, "Gy", "0 Gy"),
        (1, "s", "1 s"),
        (999.9, "s", "1 ks"),
        (2.5e-9, "m", "2.5 nm"),
        (3.2e13, "B", "32 TB"),
    ],
)
def test_numbers_take_si_prefixes(value: float, unit: str, text: str) -> None:
    assert prefixed(value, unit) == text


def test_columns_are_aligned_without_trailing_blanks() -> None:
    assert columns([("a", "bbb"), ("cc", "")]) == "a   bbb\ncc"


def test_check_counts_the_dose_by_light_where_harmonics_take_turns_with_the_beam(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario = """
seed = 1
[specimen]
layers = [{ material = "iron", thickness = "200 nm" }]
[[instrument]]
name = "spectrum"
kind = "absorption"
energy = "7.0 keV"
harmonics = { third = 1e-4 }
scan = [{ kind = "energies", segments = [{ start = "6.93 keV", stop = "7.0 keV", step = "1 eV" }] }]
"""
    (tmp_path / "s.toml").write_text(scenario)
    assert main(["check", str(tmp_path / "s.toml"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["instruments"]["spectrum"]["dose"]["iron"]
    assert main(["run", str(tmp_path / "s.toml"), "-o", str(tmp_path / "run"), "--quiet"]) == 0
    found = json.loads((tmp_path / "run" / "run.json").read_text())["instruments"]["spectrum"]["dose"]["iron"]
    assert told["mean"] == pytest.approx(found["mean"], rel=0.01)
    assert told["max"] == pytest.approx(found["max"], rel=0.01)


def test_an_element_that_is_not_under_the_beam_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = '[specimen]\nlayers = [{ material = "iron", thickness = "200 nm" }]\n[[instrument]]\nname = "s"\n'
    keys = 'kind = "absorption"\nenergy = "9.7 keV"\nelement = "Zn"\nedge = "K"\n'
    (tmp_path / "s.toml").write_text(head + keys)
    assert main(["check", str(tmp_path / "s.toml")]) == 0
    assert "no Zn lies under the beam" in capsys.readouterr().out


def test_material_tells_doubtful_energies_in_a_line_and_plots_no_single_energy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["material", "water", "--energy", "100 eV"]) == 0
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1
    assert error[0].startswith("warning: optical constants at 100 eV")
    assert main(["material", "gold", "--energy", "8 keV", "-o", str(tmp_path / "x.png")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "x.png").exists()


def test_mixtures_are_listed_by_mass_and_compounds_by_formula(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "materials"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("olivine") and "Mg1.8Fe0.2SiO4" in line for line in lines)
    assert any(line.startswith("stainless_steel ") and "Fe 69.5 Cr 19 Ni 9.5 Mn 2 % by mass" in line for line in lines)
    assert max(map(len, lines)) < 110
