"""Mistakes that a first user made, and what a scenario may ask for at most; each must be told, not guessed at."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from test_scenario_mistakes import GOOD, LABELS, RADIUS, SCAN, said_of

from xsim.cli import main
from xsim.errors import UnitError
from xsim.units import as_float


@pytest.mark.parametrize(
    "text",
    [
        "nm",
        "12,2 nm",
        "1 2 nm",
        "1 234.5 nm",
        "1 nm + 2 nm",
        "2*3 nm",
        "(3 nm)",
        "1 nm 3",
        "5 nm^99",
        "0x10 nm",
        "1e9 2 nm",
    ],
)
def test_what_is_not_one_number_and_a_unit_is_refused(text: str) -> None:
    with pytest.raises(UnitError, match="cannot read this quantity"):
        as_float(text, "m")


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("8keV", "eV", 8e3),
        ("+.5 um", "m", 5e-7),
        ("1e9/s", "1/s", 1e9),
        ("1e9 photons/s", "1/s", 1e9),
        ("1e6 1/um^2", "1/m^2", 1e18),
        ("19.3 g/cm**3", "kg/m^3", 19300.0),
        ("2 g/cm³", "kg/m^3", 2000.0),
        ("5 cm^-1", "1/m", 500.0),
        ("5 nm^(-1)", "1/m", 5e9),
        ("4 J/(s*cm^2)", "W/m^2", 4e4),
        ("10 µm", "m", 1e-5),
        ("1 Å", "m", 1e-10),
        ("180°", "rad", 3.141592653589793),
    ],
)
def test_units_are_read_as_people_write_them(text: str, unit: str, value: float) -> None:
    assert as_float(text, unit) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("text", ["8**9**9**9 keV", "8 keV**9**9**9", "1 " + "(" * 4000, "8 " + "keV " * 3000])
def test_reading_a_quantity_works_nothing_out(text: str) -> None:
    began = time.perf_counter()
    with pytest.raises(UnitError):
        as_float(text, "eV")
    assert time.perf_counter() - began < 1


def spoiled(*changes: tuple[str, str]) -> str:
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return text


SCANNED = "instrument[probe].scan[0]"
WRONG = {
    "a power that never ends": (('energy = "520 eV"', 'energy = "8**9**9**9 keV"'), "instrument[txm].energy", "cannot"),
    "a decimal comma": ((RADIUS, 'radius = "12,2 nm"'), f"{LABELS}.shape.radius", "12,2 nm"),
    "a step of energies that is far too short": (
        (SCAN, 'scan = [{ kind = "energies", segments = [{ start = "1 keV", stop = "2 keV", step = "1e-9 eV" }] }]'),
        f"{SCANNED}.step", "100000"),
    "no tilts": ((SCAN, 'scan = [{ kind = "tilts", values = [] }]'), f"{SCANNED}.values", "no tilts"),
    "too many repeats": (
        (SCAN, 'scan = [{ kind = "repeats", count = 10000000 }]'), "instrument[probe]", "too many frames"),
    "a step that is far too short": (('step = "50 nm"', 'step = "1 fm"'), "instrument[probe].step", "too many frames"),
    "a field that is far too wide": (
        (SCAN, 'scan = [{ kind = "raster", field = ["1 m", "1 m"], step = "1 nm" }]'), "instrument[probe]", "raster"),
    "a name of two lines": (("name = \"txm\"", "name = \"txm\\n\""), "instrument[txm ].name", "letters"),
    "a name that is far too long": (('name = "txm"', f'name = "{"x" * 300}"'), f"instrument[{'x' * 300}].name", "100"),
    "an expectation of no instrument": (
        ("seed = 3", 'seed = 3\nexpect = [{ quantity = "tmx.counts", at_least = 1, source = "x" }]'),
        "expect[0].quantity", "tmx.counts"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_of_a_first_user_is_told(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change, key, word = WRONG[case]
    (line,) = said_of(spoiled(change), tmp_path, capsys)
    assert line.startswith(f"{tmp_path / 'wrong.toml'}: {key}: "), line
    assert word in line


def test_a_mistake_inside_a_table_that_could_be_a_number_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counter = '{ kind = "photon_counter", efficiency = { materal = "silicon", thickness = "3 um" } }'
    lines = said_of(spoiled(('detector = "scmos_luag"', f"detector = {counter}")), tmp_path, capsys)
    assert {line.split(": ")[1].rsplit(".", 1)[0] for line in lines} == {"instrument[txm].detector.efficiency"}


def test_lists_nested_too_deeply_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = said_of("title = " + "[" * 3000 + "]" * 3000, tmp_path, capsys)
    assert "nested too deeply" in line


@pytest.mark.parametrize("kind", ["cdi", "full_field", "ptychography", "saxs", "single_particle"])
def test_a_detector_without_pixels_is_refused_where_an_image_is_recorded(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = GOOD + f'\n[[instrument]]\nname = "odd"\nkind = "{kind}"\ndetector = "sdd_50mm2"\n'
    (line,) = said_of(text, tmp_path, capsys)
    assert "instrument[odd].detector: " in line
    assert "pixels" in line


@pytest.mark.parametrize("out", ["x" * 300, "a\0b"])
def test_a_folder_that_cannot_have_its_name_is_told(
    out: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "good.toml").write_text(GOOD, encoding="utf-8")
    assert main(["run", str(tmp_path / "good.toml"), "-o", str(tmp_path / out), "--quiet"]) == 2
    assert "choose another -o" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "check"])
def test_more_workers_than_any_machine_has_are_refused(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "gold-labels-in-ice", "--workers", "100000"]) == 2
    assert "1024" in capsys.readouterr().err
