"""Numbers that a scenario asks of an instrument's image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xsim
from xsim.exposure import Axis
from xsim.metrics.scores.edge import EdgeScore
from xsim.metrics.scores.modulation import ModulationScore
from xsim.metrics.scores.siemens_star import StarScore
from xsim.model import Model
from xsim.registry import discover
from xsim.scenario.json_schema import json_schema
from xsim.scenario.mistakes import ScenarioMistakes

LINES = {"kind": "grating", "period": "100 nm", "bars": 30, "length": "3 um", "height": "100 nm"}
LINE_SCORE = {"kind": "modulation", "name": "lines", "period": "100 nm", "size": ["600 nm", "600 nm"]}


def table(score: list[dict[str, Any]], **instrument: Any) -> dict[str, Any]:
    gold = {"name": "lines", "material": "gold", "shape": LINES}
    txm = {"name": "txm", "kind": "full_field", "pixel": "20 nm"} if not instrument.get("kind") else {"name": "txm"}
    txm |= {"score": score, **instrument}
    return {"specimen": {"population": [gold]}, "instrument": [txm]}


def test_a_run_records_its_scores_and_expectations_judge_them(tmp_path: Path) -> None:
    counted = {**LINE_SCORE, "name": "counted", "of": "counts"}
    scenario = table([LINE_SCORE, counted], flux="2e7 1/s")
    expect = {"quantity": "txm.scores.lines", "at_least": 0.5, "at_most": 1.0, "source": "none"}
    xsim.run(xsim.load({**scenario, "expect": [expect]}), out=tmp_path / "run")
    record = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    scores = record["instruments"]["txm"]["scores"]
    assert set(scores) == {"lines", "lines_error", "counted", "counted_error"}
    assert record["expectations"][0]["met"]
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "score: txm.lines" in page
    assert f"{scores['counted']:.4g} ± " in page
    assert record["expectations"][0]["value"] == scores["lines"]
    assert abs(scores["counted"] - scores["lines"]) < 5 * scores["counted_error"] + 0.03
    assert scores["counted_error"] > 3 * scores["lines_error"]


def test_the_image_of_a_scanning_microscope_is_scored_over_its_points() -> None:
    scan = {"kind": "stxm", "field": ["400 nm", "400 nm"], "step": "20 nm"}
    whole = {"kind": "modulation", "name": "lines", "period": "100 nm"}
    scores = xsim.run(table([whole], **scan)).record["instruments"]["txm"]["scores"]
    assert 0.3 < scores["lines"] < 1


def test_what_cannot_be_scored_is_none_and_a_warning() -> None:
    too_fine = {**LINE_SCORE, "name": "fine", "period": "30 nm"}
    beyond = {**LINE_SCORE, "name": "beyond", "frame": 7}
    outside = {**LINE_SCORE, "name": "outside", "at": ["9 um", "0 um"]}
    entry = xsim.run(table([too_fine, beyond, outside])).record["instruments"]["txm"]
    assert entry["scores"] == {"fine": None, "beyond": None, "outside": None}
    assert [w for w in entry["warnings"] if "fine" in w and "3e-08 m" in w and "4e-08 to" in w]
    assert [w for w in entry["warnings"] if "beyond" in w and "0 to 0" in w]
    assert [w for w in entry["warnings"] if "outside" in w and "9e-06 m" in w]


def test_mistakes_in_a_score_are_told_by_their_key() -> None:
    with pytest.raises(ScenarioMistakes) as caught:
        xsim.load(table([{"kind": "modulation", "name": "a", "periode": "3 nm"}, {"kind": "modulatoin", "name": "b"}]))
    text = str(caught.value)
    assert "instrument[txm].score[a].periode" in text
    assert 'did you mean "period"' in text
    assert 'did you mean "modulation"' in text
    with pytest.raises(ScenarioMistakes, match="two scores of the same name"):
        xsim.load(table([LINE_SCORE, LINE_SCORE]))


def test_scores_are_in_the_schema_and_round_trip() -> None:
    assert {f"scores.{kind}" for kind in discover("scores")} <= set(json_schema()["$defs"])
    scenario = xsim.load(table([LINE_SCORE]))
    assert xsim.load(scenario.table()).table() == scenario.table()
    assert all(issubclass(cls, Model) for cls in discover("scores").values())


def test_a_part_of_an_image_is_cut_about_its_middle() -> None:
    x, y = np.arange(-40, 41) * 1e-9, np.arange(-30, 31) * 1e-9
    axes = Axis("y", y, "m"), Axis("x", x, "m")
    image = np.where(x[None, :] < 10e-9, 1.0, 3.0) * np.ones((61, 1))
    image[:5] = 99.0
    found = EdgeScore(name="edge", at=("10 nm", "5 nm"), size=("40 nm", "30 nm"))(image, axes)
    assert found["edge"] < 2e-9
    assert set(found) == {"edge", "edge_sigma"}
    striped = 1 + 0.5 * np.cos(2 * np.pi * y[:, None] / 8e-9) * np.ones((1, 81))
    lines = ModulationScore(name="m", period="8 nm", angle="90 deg")
    assert lines(striped, axes)["m"] == pytest.approx(0.5, abs=1e-6)
    r, phi = np.hypot(x[None, :], y[:, None]), np.arctan2(y[:, None], x[None, :])
    star = np.where((np.cos(12 * phi) > 0) & (r < 90e-9), 1.0, 0.0)
    assert StarScore(name="s", spokes=12, coarsest="7 nm", threshold=0.5)(star, axes)["s"] < 3e-9


def test_bounds_and_values_are_told_in_few_digits():
    from xsim.scenario.expect import told

    assert told({"value": 287125269180.4, "at_least": 2.8e11, "at_most": 2.92e11}) == (
        "2.871e+11",
        "2.8e+11 .. 2.92e+11",
    )
    assert told({"value": None, "at_least": 0.5}) == ("none", "0.5 ..")
