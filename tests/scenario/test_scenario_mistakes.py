"""Every wrong scenario gives one clear line per mistake with its key path, exit 2, no traceback and nothing written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from xsim.cli import main

GOOD = """\
title = "labels"
seed = 3

[specimen]
extent = ["1 um", "1 um"]
layers = [{ material = "vitreous_ice", thickness = "500 nm" }]

[[specimen.population]]
name = "cell"
material = "protein"
shape = { kind = "sphere", radius = "200 nm" }

[[specimen.population]]
name = "labels"
material = "gold"
shape = { kind = "sphere", radius = "12 nm" }
size = { distribution = "lognormal", relative_width = 0.1 }
count = 5
placement = { kind = "random", minimum_gap = "5 nm" }

[[instrument]]
name = "txm"
kind = "full_field"
energy = "520 eV"
field = "800 nm"
pixel = "20 nm"
detector = "scmos_luag"

[[instrument]]
name = "probe"
kind = "stxm"
field = ["200 nm", "200 nm"]
step = "50 nm"
scan = [{ kind = "energies", values = ["500 eV", "520 eV"] }]
"""

LAYERS = 'layers = [{ material = "vitreous_ice", thickness = "500 nm" }]'
RADIUS = 'radius = "12 nm"'
PLACEMENT = 'count = 5\nplacement = { kind = "random", minimum_gap = "5 nm" }'
SCAN = 'scan = [{ kind = "energies", values = ["500 eV", "520 eV"] }]'
LABELS = "specimen.population[labels]"

#: (what is replaced, by what, the key path, words that the line must hold)
WRONG: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    # keys
    "unknown key at the top": ("seed = 3", "sed = 3", "sed", ("unknown key", 'did you mean "seed"?')),
    "unknown table": ("[specimen]", "[specimens]", "specimens", ("unknown key", 'did you mean "specimen"?')),
    "unknown key in the specimen": ("extent =", "extend =", "specimen.extend", ('did you mean "extent"?',)),
    "unknown key in a layer": ("thickness =", "thicknes =", "specimen.layers[0].thicknes", ('"thickness"',)),
    "key of a layer missing": (', thickness = "500 nm"', "", "specimen.layers[0].thickness", ("missing", "12.2 nm")),
    "unknown key in a population": ("count = 5", "cuont = 5", f"{LABELS}.cuont", ('did you mean "count"?',)),
    "name of a population missing": ('name = "labels"', "", "specimen.population[1].name", ("missing",)),
    "unknown key in a shape": (RADIUS, 'raduis = "12 nm"', f"{LABELS}.shape.raduis", ('did you mean "radius"?',)),
    "unknown key in a size": ("relative_width =", "width =", f"{LABELS}.size.width", ("unknown key", "relative_width")),
    "unknown key in a placement": ("minimum_gap", "minimal_gap", f"{LABELS}.placement.minimal_gap", ('"minimum_gap"',)),
    "unknown key in an instrument": ("pixel =", "pixle =", "instrument[txm].pixle", ('did you mean "pixel"?',)),
    "key of another instrument": ('step = "50 nm"', 'pixel = "5 nm"', "instrument[probe].pixel", ("unknown", "step")),
    "unknown key in a detector": (
        'detector = "scmos_luag"', 'detector = { kind = "camera", gian = 2 }', "instrument[txm].detector.gian",
        ('did you mean "gain"?',)),
    "unknown key in an optic": (
        'pixel = "20 nm"', 'objective = { outermost = "20 nm" }', "instrument[txm].objective.outermost",
        ('did you mean "outermost_zone"?',)),
    "unknown key in a scan": ("values = ", "value = ", "instrument[probe].scan[0].value", ('did you mean "values"?',)),
    # units
    "missing unit in a text": (RADIUS, 'radius = "12"', f"{LABELS}.shape.radius", ("missing unit", "'12", '"12.2 nm"')),
    "bare number": (RADIUS, "radius = 12e-9", f"{LABELS}.shape.radius", ("missing unit", "1.2e-08", '"12.2 nm"')),
    "wrong unit": (RADIUS, 'radius = "12 eV"', f"{LABELS}.shape.radius", ("wrong unit", "12 eV", "m;")),
    "unknown unit": (RADIUS, 'radius = "12 nmm"', f"{LABELS}.shape.radius", ("cannot read this quantity", "'12 nmm'")),
    "bare energy": ('energy = "520 eV"', "energy = 520", "instrument[txm].energy", ("missing unit", '"8 keV"')),
    "energy in a length": ('energy = "520 eV"', 'energy = "2 nm"', "instrument[txm].energy", ("wrong unit", "eV")),
    "bare number in a list": ('["1 um", "1 um"]', '["1 um", 1]', "specimen.extent[1]", ("missing unit",)),
    "wrong unit in a scan": ('"500 eV", "520 eV"', '"500 eV", "520"', "instrument[probe].scan[0].values[1]", ("unit",)),
    "infinite length": (RADIUS, 'radius = "inf nm"', f"{LABELS}.shape.radius", ("not a finite number",)),
    # ranges
    "negative size": (RADIUS, 'radius = "-12 nm"', f"{LABELS}.shape.radius", ("out of range", "-12 nm", "> 0 m")),
    "zero thickness": ('"500 nm"', '"0 nm"', "specimen.layers[0].thickness", ("out of range", "0 nm", "> 0 m")),
    "negative energy": ('energy = "520 eV"', 'energy = "-520 eV"', "instrument[txm].energy", ("> 0 eV",)),
    "zero step": ('step = "50 nm"', 'step = "0 nm"', "instrument[probe].step", ("> 0 m",)),
    "negative count": ("count = 5", "count = -5", f"{LABELS}.count", ("-5", ">= 1")),
    "fractional count": ("count = 5", "count = 5.5", f"{LABELS}.count", ("5.5", "whole number")),
    "negative seed": ("seed = 3", "seed = -3", "seed", ("-3", ">= 0")),
    "width below zero": ("relative_width = 0.1", "relative_width = -0.1", f"{LABELS}.size.relative_width", ("-0.1",)),
    "energy below the tables": ('energy = "520 eV"', 'energy = "5 eV"', "instrument[txm].energy", ("5", "30", "eV")),
    "energy above the tables": ('energy = "520 eV"', 'energy = "5 MeV"', "instrument[txm].energy", ("150", "eV")),
    "scan out of the tables": ('"500 eV", "520 eV"', '"5 eV", "520 eV"', "instrument[probe].scan[0]", ("30",)),
    # types
    "number for a text": ('title = "labels"', "title = 3", "title", ("wrong type", "3", "a text in quotes")),
    "text for a number": ("seed = 3", 'seed = "three"', "seed", ("wrong type", "'three'", "a whole number")),
    "text for a table": ('shape = { kind = "sphere", radius = "12 nm" }', 'shape = "sphere"', f"{LABELS}.shape",
                         ("'sphere'", "a table", '{ kind = "sphere"')),
    "table for a list": (LAYERS, 'layers = { material = "water" }', "specimen.layers", ("a list",)),
    "text for a list of layers": (LAYERS, 'layers = "water"', "specimen.layers", ("'water'", "a list")),
    "text for a layer": (LAYERS, 'layers = ["water"]', "specimen.layers[0]", ("'water'", "a table")),
    "number for a detector": ('detector = "scmos_luag"', "detector = 3", "instrument[txm].detector", ("a table", "3")),
    "one length for two": ('["1 um", "1 um"]', '"1 um"', "specimen.extent", ("'1 um'", "a list")),
    "three lengths for two": ('["1 um", "1 um"]', '["1 um", "1 um", "1 um"]', "specimen.extent", ("2",)),
    "table for an instrument list": (SCAN, 'scan = { kind = "repeats" }', "instrument[probe].scan", ("a list",)),
    # names
    "unknown material": ('"gold"', '"gould"', f"{LABELS}.material", ("unknown material", "'gould'", '"gold"')),
    "unknown material of a layer": ('"vitreous_ice"', '"ice_nine"', "specimen.layers[0].material", ("'ice_nine'",)),
    "unknown shape": ('kind = "sphere", radius = "12 nm"', 'kind = "spheer"', f"{LABELS}.shape.kind",
                      ("unknown shape", "'spheer'", 'did you mean "sphere"?', "ellipsoid")),
    "kind of a shape missing": ('kind = "sphere", radius = "12 nm"', RADIUS, f"{LABELS}.shape", ('"kind"', "sphere")),
    "unknown placement": ('kind = "random"', 'kind = "rnadom"', f"{LABELS}.placement.kind", ('"random"',)),
    "unknown instrument": ('"full_field"', '"fullfield"', "instrument[txm].kind", ('did you mean "full_field"?',)),
    "kind of an instrument missing": ('kind = "full_field"', "", "instrument[txm]", ('"kind"', "full_field")),
    "unknown preset": ('"scmos_luag"', '"scmos_lag"', "instrument[txm].detector", ("'scmos_lag'", '"scmos_luag"')),
    "unknown kind of detector": ('detector = "scmos_luag"', 'detector = { kind = "camra" }',
                                 "instrument[txm].detector.kind", ('did you mean "camera"?',)),
    "unknown scan": ('kind = "energies"', 'kind = "energy"', "instrument[probe].scan[0].kind", ('"energies"',)),
    "unknown distribution": ('"lognormal"', '"lognorml"', f"{LABELS}.size.distribution", ("'lognorml'", "'lognormal'")),
    "unknown orientation": ("count = 5", 'orientation = "upside"', f"{LABELS}.orientation", ("upside", "aligned")),
    "unknown host": ("count = 5", 'host = "cel"', f"{LABELS}.host", ("cel", '"cell"')),
    "two instruments of a name": ('name = "probe"', 'name = "txm"', "instrument[1].name", ("twice", "'txm'")),
    "two populations of a name": ('name = "labels"', 'name = "cell"', "specimen.population", ("'cell'", "name")),
    "name of an instrument missing": ('name = "txm"\n', "", "instrument[0].name", ("missing",)),
    "name that is no file's": ('name = "txm"', 'name = "../txm"', "instrument[../txm].name", ("'../txm'", "letters")),
    # files
    "file of positions missing": (PLACEMENT, 'placement = { kind = "file", file = "no.csv" }',
                                  f"{LABELS}.placement.file", ("no such file", "no.csv", "scenario's folder")),
    "file of a material missing": ('"gold"', '"mine.toml"', f"{LABELS}.material", ("no such file", "mine.toml")),
    # building
    "parts that overlap": (PLACEMENT, 'placement = { kind = "at", positions = [["0 nm", "0 nm", "198 nm"]] }',
                           "specimen.population", ("cell[0]", "labels[0]", "minimum_gap")),
    "part out of its layer": (PLACEMENT, 'placement = { kind = "at", positions = [["0 nm", "0 nm", "245 nm"]] }',
                              "specimen.population", ("labels[0]", "layer")),
    "too many parts to place": ("count = 5", "count = 100000", f"{LABELS}.placement", ("100000",)),
    "extent missing": ('extent = ["1 um", "1 um"]', "", "specimen.extent", ("unknown", 'extent = ["')),
    # instruments
    "camera too small": ('field = "800 nm"', 'field = "1 mm"', "instrument[txm].field", ("camera", "pixels")),
    "pixel wider than the field": ('pixel = "20 nm"', 'pixel = "2 um"', "instrument[txm].pixel", ("<=",)),
    "scan over no energies": ('["500 eV", "520 eV"]', "[]", "instrument[probe].scan[0]", ("no energies",)),
    "two scans over one axis": (
        SCAN, SCAN[:-1] + ', { kind = "energies", values = ["1 keV"] }]', "instrument[probe]", ("energy", "two scans")),
}  # fmt: skip


def said_of(text: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines that `xsim run` prints about a wrong scenario; it must exit with 2 and leave nothing."""
    file, out = folder / "wrong.toml", folder / "runs" / "wrong"
    file.write_text(text, encoding="utf-8")
    assert main(["run", str(file), "-o", str(out), "--quiet"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    assert [path.name for path in folder.rglob("*")] in (["wrong.toml"], ["wrong.toml", "runs"], ["runs", "wrong.toml"])
    return captured.err.splitlines()


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_told_with_its_key_path(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new, key, words = WRONG[case]
    assert old in GOOD
    head, tail = GOOD.split(old, 1) if old not in (RADIUS,) else GOOD.rsplit(old, 1)
    lines = said_of(head + new + tail, tmp_path, capsys)
    about = [line for line in lines if line.startswith(f"{tmp_path / 'wrong.toml'}: {key}: ")]
    assert about, lines
    assert all(word in about[0] for word in words), about[0]


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_told_once(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new, key, _ = WRONG[case]
    lines = said_of(GOOD.replace(old, new, 1), tmp_path, capsys)
    assert len(lines) == len(set(lines))
    paths = [line.split(": ")[1] for line in lines]
    assert paths.count(key) <= 1
    assert len(lines) <= 3, "one mistake should not shower the user"


SYNTAX = {
    "quotes missing": ("title = labels", "line 1, column 9", "quotes"),
    "quotes not closed": ('title = "labels\n', "line 1", "close the quotes"),
    "two equal signs": ("title = = 3", "line 1, column 9", "TOML"),
    "no equal sign": ("title 3", "line 1", "="),
    "key given twice": ('title = "a"\ntitle = "b"', "line 2", "once"),
    "list not closed": ('references = ["a", "b"\ntitle = "x"', "line 2", "]"),
    "table not closed": ("[specimen", "line 1", "]"),
    "two values on a line": ("seed = 1 2", "line 1", "line"),
}


@pytest.mark.parametrize("case", SYNTAX)
def test_wrong_toml_is_told_with_line_and_column(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, *words = SYNTAX[case]
    (line,) = said_of(text, tmp_path, capsys)
    assert line.startswith(f"{tmp_path / 'wrong.toml'}: ")
    assert all(word in line for word in words), line


def test_a_file_that_is_not_text_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "wrong.toml"
    file.write_bytes(b"title = \xff\xfe")
    assert main(["check", str(file)]) == 2
    assert "not UTF-8" in capsys.readouterr().err


def test_an_empty_file_names_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = said_of("", tmp_path, capsys)
    assert [line.split(": ")[1] for line in lines] == ["specimen", "instrument"]


def test_a_missing_file_names_the_nearest_shipped_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "gold-label-in-ice"]) == 2
    assert 'did you mean "gold-labels-in-ice"?' in capsys.readouterr().err


def test_a_folder_is_not_a_scenario(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(tmp_path)]) == 2
    assert "folder" in capsys.readouterr().err


def test_all_mistakes_are_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = GOOD
    for case in ("unknown key in a layer", "bare energy", "unknown material", "zero step", "unknown preset"):
        old, new, *_ = WRONG[case]
        text = text.replace(old, new, 1)
    lines = said_of(text, tmp_path, capsys)
    for case in ("unknown key in a layer", "bare energy", "unknown material", "zero step", "unknown preset"):
        assert any(re.search(f": {re.escape(WRONG[case][2])}: ", line) for line in lines), case


def test_mistakes_of_several_instruments_and_the_specimen_are_told_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = GOOD.replace('energy = "520 eV"', 'energy = "5 eV"').replace('"500 eV", "520 eV"', '"6 eV"')
    lines = said_of(text, tmp_path, capsys)
    assert {line.split(": ")[1] for line in lines} == {"instrument[txm].energy", "instrument[probe].scan[0]"}


def test_the_scenario_that_they_all_spoil_is_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "good.toml"
    file.write_text(GOOD, encoding="utf-8")
    assert main(["check", str(file)]) == 0
    assert "txm (full_field)" in capsys.readouterr().out
