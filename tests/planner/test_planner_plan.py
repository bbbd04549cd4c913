"""The comparison of techniques against closed forms of the ideal observer."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from xsim.cli import main
from xsim.dose.required import HOWELLS
from xsim.errors import UnknownNameError
from xsim.instruments.fluorescence import Fluorescence
from xsim.instruments.saxs import Saxs
from xsim.instruments.stxm import Stxm
from xsim.planner.detectability import _snr_squared, detectability, without
from xsim.planner.plan import nearest_to_axis, plan, smallest
from xsim.specimen.specimen import Specimen

LAYERS = [{"material": "vitreous_ice", "thickness": "500 nm"}]
BALL = {"name": "ball", "material": "gold", "shape": {"kind": "sphere", "radius": "60 nm"}}
DOTS = {
    "name": "dots",
    "material": "gold",
    "shape": {"kind": "sphere", "radius": "5 nm"},
    "placement": {"kind": "at", "positions": [["200 nm", "0 nm", "0 nm"], ["-150 nm", "0 nm", "0 nm"]]},
}
SCENARIO = """
seed = 1
[specimen]
extent = ["1 um", "1 um"]
layers = [{ material = "vitreous_ice", thickness = "500 nm" }]
[[specimen.population]]
name = "ball"
material = "gold"
shape = { kind = "sphere", radius = "60 nm" }
[[instrument]]
name = "scan"
kind = "stxm"
field = ["300 nm", "300 nm"]
step = "50 nm"
"""


def specimen() -> Specimen:
    return Specimen.from_table({"extent": ["1 um", "1 um"], "layers": LAYERS, "population": [BALL, DOTS]})


def test_taking_a_particle_out_gives_its_place_back_to_the_host() -> None:
    from xsim.waves.grid import Grid

    whole = specimen()
    rest = without(whole, "ball", 0)
    ice = whole.layers.materials[0]
    grid = Grid((64, 64), 5e-9)
    np.testing.assert_allclose(rest.thickness(grid)[ice][32, 32], 500e-9, rtol=1e-9)
    assert whole.thickness(grid)[ice][32, 32] < 400e-9
    assert sum(len(p) for p in rest.populations) == 2


def test_the_observer_sums_squared_differences_over_the_background() -> None:
    assert _snr_squared(np.array([110.0, 95.0]), np.array([100.0, 95.0])) == pytest.approx(1.0)
    assert _snr_squared(np.array([4.0]), np.array([0.0])) == pytest.approx(4.0)


def test_snr_grows_as_the_square_root_of_the_time_and_the_needed_dose_stays() -> None:
    short = plan(specimen(), {"a": Stxm(field=("300 nm", "300 nm"), step="30 nm")}, "ball").outlooks[0]
    four = Stxm(field=("300 nm", "300 nm"), step="30 nm", exposure_time="4 ms")
    longer = plan(specimen(), {"a": four}, "ball").outlooks[0]
    assert longer.snr == pytest.approx(2 * short.snr, rel=1e-9)
    assert longer.needed_dose == pytest.approx(short.needed_dose, rel=1e-9)
    assert longer.dose == pytest.approx(4 * short.dose, rel=1e-9)


def test_scattering_of_one_of_two_equal_particles_is_half_of_all_the_signal() -> None:
    dots = Specimen.from_table({"extent": ["1 um", "1 um"], "layers": LAYERS, "population": [DOTS]})
    saxs = Saxs(background="0 1/m")
    found = detectability(dots, saxs, "dots", 0)
    total = saxs.prepare(dots).expose(saxs.frames()).expected.sum()
    # with n and n / 2 photons expected: (n - n/2)^2 / (n/2) = n / 2
    assert found.snr**2 == pytest.approx(total / 2, rel=1e-3)


def test_the_feature_is_the_smallest_population_and_the_particle_nearest_the_axis() -> None:
    assert smallest(specimen()) == "dots"
    assert nearest_to_axis(specimen(), "dots").index[0] == 1
    found = plan(specimen(), {})
    assert found.feature == "dots[1]"
    assert found.size == pytest.approx(10e-9)


def test_the_tolerable_dose_is_the_law_at_the_feature_s_size() -> None:
    outlook = plan(specimen(), {"a": Stxm(field=("300 nm", "300 nm"), step="30 nm")}, "ball").outlooks[0]
    assert outlook.tolerable == HOWELLS(120e-9) == pytest.approx(1.2e10)
    assert outlook.share == pytest.approx(outlook.needed_dose / outlook.tolerable)


def test_an_unknown_feature_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r'did you mean "dots"'):
        plan(specimen(), {}, "dot")


def test_the_command_compares_and_prints_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "one.toml"
    path.write_text(SCENARIO)
    assert main(["plan", str(path), "--json", "--quiet"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["feature"] == "ball[0]"
    assert answer["instruments"][0]["snr"] > 0
    assert main(["plan", str(path), "--feature", "bal", "--quiet"]) == 2


def test_a_particle_that_alone_holds_an_element_is_seen_by_the_lines_that_go_with_it() -> None:
    # without the gold there are no gold lines at all, so the two exposures differ in their photon groups
    scan = Fluorescence(field=("200 nm", "200 nm"), step="50 nm", detector_angle="120 deg")
    alone = Specimen.from_table({"extent": ["1 um", "1 um"], "layers": LAYERS, "population": [BALL]})
    frames = scan.frames()
    seen = scan.prepare(alone).expose(frames)
    bare = scan.prepare(without(alone, "ball", 0)).expose(frames)
    assert seen.group_energy.shape[1] > bare.group_energy.shape[1]
    column = {energy: i for i, energy in enumerate(bare.group_energy[0])}
    expected = 0.0
    for group, energy in enumerate(seen.group_energy[0]):
        with_ball = seen.expected[:, group]
        background = bare.expected[:, column[energy]] if energy in column else np.zeros_like(with_ball)
        expected += float(np.sum((with_ball - background) ** 2 / np.where(background > 0, background, with_ball)))
    assert detectability(alone, scan, "ball").snr == pytest.approx(np.sqrt(expected), rel=1e-9)


def test_a_beam_aimed_at_a_particle_stays_there_when_the_particle_is_taken_out() -> None:
    from xsim.instruments.absorption import Absorption
    from xsim.scans.energies import Energies

    aim = {"energy": "12 keV", "beam": "100 nm"}
    scan = Energies.model_validate({"values": ["11.9 keV", "12 keV"]})
    by_target = plan(specimen(), {"a": scan.apply(Absorption(target="dots", target_index=1, **aim))}, "dots")
    by_place = plan(specimen(), {"a": scan.apply(Absorption(position=("-150 nm", "0 nm"), **aim))}, "dots")
    assert by_target.outlooks[0].snr == pytest.approx(by_place.outlooks[0].snr, rel=1e-9)
    assert by_target.outlooks[0].snr > 0.1  # off the dot it is below 1e-6


def test_what_does_not_show_is_told_by_a_dash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = SCENARIO.replace('kind = "stxm"\nfield = ["300 nm", "300 nm"]\nstep = "50 nm"',
                            'kind = "absorption"\nposition = ["400 nm", "400 nm"]')  # fmt: skip
    (tmp_path / "s.toml").write_text(text)
    assert main(["plan", str(tmp_path / "s.toml"), "--quiet"]) == 0
    row = capsys.readouterr().out.splitlines()[-1]
    assert "does not show" in row
    assert " - " in row
    assert not any(bad in row for bad in ("inf", "nan"))
