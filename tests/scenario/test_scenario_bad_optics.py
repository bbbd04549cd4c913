"""Optics, light and motion that no microscope could have are told by `xsim check`: one line, at the user's own key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import xsim
from xsim.cli import main
from xsim.errors import XsimError
from xsim.scenario import ScenarioMistakes
from xsim.scenario.check import check

SPECIMEN = {
    "extent": ["1 um", "1 um"],
    "population": [{"name": "ball", "material": "gold", "shape": {"kind": "sphere", "radius": "40 nm"}}],
}
SMALL: dict[str, dict[str, Any]] = {
    "full_field": {"field": "320 nm", "pixel": "20 nm", "flux": "1e4 1/s"},
    "stxm": {"field": ["100 nm", "100 nm"], "step": "50 nm"},
    "ptychography": {"field": ["600 nm", "600 nm"]},
    "absorption": {"energy": "7 keV"},
    "cdi": {"detector": {"kind": "photon_counter", "shape": [64, 64]}},
}
TINY_ZONES = {"outermost_zone": "1 nm"}

#: (instrument, its settings, the key of the mistake, words of the line)
WRONG: dict[str, tuple[str, dict[str, Any], str, tuple[str, ...]]] = {
    "zones finer than half a wavelength": (
        "full_field", {"objective": TINY_ZONES}, "objective.outermost_zone", ("1e-09 m", "1.19e-09 m", "wider zones")),
    "zones finer than half a wavelength, scanning": (
        "stxm", {"zone_plate": TINY_ZONES}, "zone_plate.outermost_zone", ("1.19e-09 m",)),
    "zones finer than half a wavelength, diffracting": (
        "ptychography", {"energy": "520 eV", "zone_plate": TINY_ZONES}, "zone_plate.outermost_zone", ("1.19e-09 m",)),
    "an aberration that sends light a light year away": (
        "full_field", {"defocus": "9e8 m"}, "", ("samples a side", "<= 134217728")),
    "a source as wide as the sun": (
        "full_field", {"condenser": {"critical": {"width": ["1e9 m", "1 um"]}}}, "", ("samples a side",)),
    "a probe so far out of focus that no grid holds it": (
        "stxm", {"defocus": "5 mm"}, "field", ("samples", "<= ", "defocus less")),
    "a length beyond any experiment": ("stxm", {"step": "1e30 m"}, "step", ("1e30 m", "1e+09 m", "exponent")),
    "a length below any experiment": ("cdi", {"distance": "1e-30 m"}, "distance", ("1e-18", "exponent")),
    "an energy beyond any experiment": ("cdi", {"energy": "1e40 eV"}, "energy", ("1e+12 eV",)),
    "a stage faster than light": (
        "ptychography", {"motion": {"drift": ["1e30 m/s", "0 m/s"]}}, "motion.drift[0]", ("3e+08 m/s",)),
    "an angle beyond any turn": (
        "stxm", {"zone_plate": {"aberrations": {"coma": 1, "coma_angle": "1e30 rad"}}},
        "zone_plate.aberrations.coma_angle", ("1e+06 rad",)),
    "a spot larger than the window": (
        "ptychography", {"zone_plate": {"outermost_zone": "50 um"}}, "distance", ("0.0004 m", "detector away")),
    "a pixel too coarse for the cone": (
        "ptychography", {"distance": "40 m"}, "distance", ("lambda", "closer")),
    "a pinhole larger than the window": (
        "ptychography", {"pinhole": {"diameter": "1 mm"}}, "pinhole.diameter", ("0.001 m", "detector away")),
    "a pinhole too close": (
        "ptychography", {"pinhole": {"diameter": "500 nm", "distance": "1 nm"}}, "pinhole.distance", ("fringes",)),
    "a pinhole too close before a lensless camera": (
        "cdi", {"profile": "pinhole", "beam": "500 nm", "beam_distance": "1 nm"}, "beam_distance", ("fringes",)),
    "a beam narrower than its wavelength": (
        "cdi", {"profile": "gaussian", "beam": "0.1 nm"}, "beam", ("2e-10 m", "wider beam")),
    "a camera too close to a lensless specimen": (
        "cdi", {"distance": "0.1 mm"}, "distance", ("undersampled", ">= 2", "move the detector to")),
    "a camera in a scanning microscope": (
        "stxm", {"detector": "ccd_soft_xray"}, "detector", ("camera", "photon_counter", "avalanche_photodiode")),
    "a spectrometer in a scanning microscope": (
        "stxm", {"detector": "sdd_ideal"}, "detector", ("silicon_drift", "photon_counter")),
    "a camera behind a single point": ("absorption", {"detector": "ccd_soft_xray"}, "detector", ("photon_counter",)),
    "energies given twice": (
        "stxm", {"scan": [{"kind": "energies", "values": ["500 eV"],
                           "segments": [{"start": "510 eV", "stop": "520 eV", "step": "5 eV"}]}]},
        "scan[0].segments", ("given twice",)),
    "an unknown coating": (
        "stxm", {"energy": "8 keV", "mirrors": {"coating": "rodium"}}, "mirrors.coating", ('"rhodium"',)),
    "an empty list for two lengths": ("stxm", {"field": []}, "field", ("too short", "a list of 2")),
    "one length for two": ("stxm", {"source_image": ["1 nm"]}, "source_image", ("too short", "a list of 2")),
    "three lengths for two": ("stxm", {"field": ["1 um"] * 3}, "field", ("too long", "a list of 2")),
    "one border of a ring": ("stxm", {"segments": {"rings": [1.0]}}, "segments.rings", ("too short", "at least 2")),
}  # fmt: skip

TURNS = {
    "euler of two angles": ({"euler": ["1 deg", "2 deg"]}, "orientation.euler", "a list of 3"),
    "quaternion of no length": ({"quaternion": [0, 0, 0, 0]}, "orientation", "zero length"),
    "unknown key": ({"axes": [0, 0, 1], "angle": "3 deg"}, "orientation.axes", '"axis"'),
    "bare angle": ({"axis": [0, 0, 1], "angle": 3}, "orientation.angle", "missing unit"),
    "quaternion of three": ({"quaternion": [1, 0, 0]}, "orientation.quaternion", "a list of 4"),
    "a word that is none": ("upside", "orientation", "'aligned'"),
}


def mistakes_of(table: dict[str, Any]) -> list[str]:
    try:
        _, mistakes = check(xsim.load(table))
    except ScenarioMistakes as error:
        return error.lines
    return [mistake.line("scenario") for mistake in mistakes]


@pytest.mark.parametrize("case", WRONG)
def test_light_that_cannot_be_is_told_in_one_line_at_its_key(case: str) -> None:
    kind, settings, key, words = WRONG[case]
    entry = {"name": "one", "kind": kind, **SMALL[kind], **settings}
    (line,) = mistakes_of({"specimen": SPECIMEN, "instrument": [entry]})
    assert line.startswith(f"scenario: instrument[one]{'.' if key else ''}{key}: "), line
    assert all(word in line for word in words), line


@pytest.mark.parametrize("case", TURNS)
def test_a_wrong_orientation_is_told_once(case: str) -> None:
    turn, key, word = TURNS[case]
    ball = {**SPECIMEN["population"][0], "orientation": turn}  # type: ignore[index,dict-item]
    (line,) = mistakes_of({"specimen": {"population": [ball]}, "instrument": [{"name": "one", "kind": "cdi"}]})
    assert line.startswith(f"scenario: specimen.population[ball].{key}: "), line
    assert word in line


def test_the_settings_that_are_spoiled_are_good() -> None:
    entries = [{"name": kind, "kind": kind, **settings} for kind, settings in SMALL.items()]
    assert mistakes_of({"specimen": SPECIMEN, "instrument": entries}) == []


@pytest.mark.parametrize("kind", ["full_field", "stxm", "ptychography"])
def test_a_particle_larger_than_the_field_is_told_with_both_sizes(kind: str) -> None:
    ball = {"name": "ball", "material": "gold", "shape": {"kind": "sphere", "radius": "400 nm"}}
    tables = {"specimen": {"population": [ball]}, "instrument": [{"name": "one", "kind": kind, **SMALL[kind]}]}
    found, mistakes = check(xsim.load(tables))
    assert not mistakes
    told = [text for text in found["instruments"]["one"]["warnings"] if "it is cut" in text]
    assert len(told) == 1
    assert "8e-07 m" in told[0]
    small, _ = check(xsim.load({"specimen": SPECIMEN, "instrument": [{"name": "one", "kind": kind, **SMALL[kind]}]}))
    assert not any("it is cut" in text for text in small["instruments"]["one"]["warnings"])


def test_an_axis_that_shakes_the_specimen_out_of_the_field_is_told() -> None:
    def warned(jitter: str) -> bool:
        errors = {"jitter": [jitter, "0 m"]}
        scan = [{"kind": "tilts", "start": "0 deg", "stop": "60 deg", "count": 3, "errors": errors}]
        entry = {"name": "one", "kind": "full_field", **SMALL["full_field"], "scan": scan}
        found, _ = check(xsim.load({"specimen": SPECIMEN, "instrument": [entry]}))
        return any("out of half the field" in text for text in found["instruments"]["one"]["warnings"])

    assert warned("1 mm")
    assert not warned("2 nm")


def test_less_than_one_photon_is_told() -> None:
    entry = {"name": "one", "kind": "stxm", **SMALL["stxm"], "flux": "1e-6 1/s"}
    found, mistakes = check(xsim.load({"specimen": SPECIMEN, "instrument": [entry]}))
    assert not mistakes
    assert any("less than one" in text and "flux" in text for text in found["instruments"]["one"]["warnings"])


def test_a_check_that_fails_tells_no_total(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text('[specimen]\n[[instrument]]\nname = "one"\nkind = "full_field"\nfield = "1 cm"\npixel = "10 nm"\n')
    assert main(["check", str(file)]) == 2
    assert "in all" not in capsys.readouterr().out


def test_materials_near_an_edge_are_told_with_a_caution(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["material", "SiO2", "--density", "2.2 g/cm^3", "--energy", "545 eV"]) == 0
    assert "caution: 545 eV is near the O K edge" in capsys.readouterr().out
    assert main(["material", "SiO2", "--density", "2.2 g/cm^3", "--energy", "500 eV"]) == 0
    assert "caution" not in capsys.readouterr().out


def test_an_error_of_an_inner_grid_keeps_its_number_at_the_key_that_mends_it() -> None:
    from xsim.errors import SamplingError, told_as

    with pytest.raises(SamplingError) as caught, told_as({"grid": ("distance", "move it")}):
        raise SamplingError("too small", field="grid", value="1 m", allowed=">= 2 m", cure="a finer grid")
    assert (caught.value.field, caught.value.value, caught.value.cure) == ("distance", "1 m", "move it")
    with pytest.raises(XsimError) as other, told_as({"grid": ("distance", "move it")}):
        raise XsimError("else", field="pixel")
    assert other.value.field == "pixel"
