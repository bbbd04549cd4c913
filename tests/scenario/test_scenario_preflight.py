"""No mistake of an instrument comes after another instrument has been simulated, and all come at once."""

from __future__ import annotations

from pathlib import Path

import pytest

import xsim
from xsim.cli import main
from xsim.scenario.mistakes import ScenarioMistakes

TEXT = """
[specimen]
extent = ["2 um", "2 um"]
layers = [{ material = "vitreous_ice", thickness = "500 nm" }]
[[specimen.population]]
name = "ball"
material = "gold"
shape = { kind = "sphere", radius = "60 nm" }
[[instrument]]
name = "good"
kind = "stxm"
field = ["300 nm", "300 nm"]
step = "50 nm"
[[instrument]]
name = "late"
kind = "full_field"
field = "1 cm"
pixel = "10 nm"
[[instrument]]
name = "steep"
kind = "stxm"
scan = [{ kind = "tilts", start = "0 deg", stop = "85 deg", count = 3 }]
"""


def test_mistakes_of_all_instruments_are_told_before_any_is_simulated() -> None:
    begun: list[str] = []
    with pytest.raises(ScenarioMistakes) as caught:
        xsim.run(load(TEXT), progress=lambda what, done, total: begun.append(what))
    keys = {mistake.key for mistake in caught.value.mistakes}
    assert keys == {"instrument[late].field", "instrument[steep].scan"}
    assert set(begun) == {"specimen"}


def test_warnings_of_preparing_are_kept_with_their_instrument() -> None:
    text = TEXT[: TEXT.index('[[instrument]]\nname = "late"')].replace("500 nm", "4 um").replace("60 nm", "900 nm")
    text += 'model = "projection"\n'
    with pytest.warns(UserWarning, match="projection of a specimen structured over"):
        run = xsim.run(load(text))
    assert any("projection of a specimen" in text for text in run["good"].measurement.warnings)


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario, taken = tmp_path / "one.toml", tmp_path / "taken"
    scenario.write_text(TEXT[: TEXT.index('[[instrument]]\nname = "late"')])
    taken.write_text("a file")
    assert main(["show", str(scenario), "-o", str(taken)]) == 2
    assert main(["material", "gold", "--energy", "5 keV..6 keV", "-o", str(tmp_path / "none" / "gold.png")]) == 2
    assert main(["material", "gold", "--energy", "5 keV..6 keV", "-o", str(tmp_path / "gold.qqq")]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len([line for line in lines if line.startswith("xsim: ")]) == 3
    assert "Traceback" not in "\n".join(lines)


def load(text: str) -> xsim.scenario.schema.Scenario:
    import tomllib

    return xsim.load(tomllib.loads(text))
