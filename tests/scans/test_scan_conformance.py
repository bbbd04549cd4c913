"""Scans around instruments: order of axes, exact poses, fluence, and the same bits however the frames are cut."""

from __future__ import annotations

import pickle
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xsim.errors import RangeError, ScenarioError, UnitError, UnknownNameError
from xsim.instruments.cdi import Cdi
from xsim.instruments.full_field import FullField
from xsim.instruments.stxm import Stxm
from xsim.registry import discover, lookup
from xsim.scans._wrap import Scanned, apply
from xsim.scans.energies import Energies
from xsim.scans.raster import Raster
from xsim.scans.tilts import Tilts, rotation_about
from xsim.specimen.specimen import Specimen
from xsim.units import as_float

EXAMPLES: dict[str, dict[str, Any]] = {
    "energies": {"values": ["515 eV", "520 eV .. 526 eV / 3 eV"]},
    "tilts": {"start": "-20 deg", "stop": "20 deg", "count": 3},
    "raster": {"field": ["200 nm", "400 nm"], "step": "200 nm"},
    "repeats": {"count": 2},
    "pulses": {"durations": ["5 fs", "20 fs"], "energies": ["0.1 mJ", "1 mJ", "2 mJ"]},
}


def scan(kind: str) -> Any:
    return lookup("scans", kind).model_validate({"kind": kind, **EXAMPLES[kind]})


def specimen(**shape: Any) -> Specimen:
    shape = shape or {"kind": "box", "sides": ["200 nm", "120 nm", "60 nm"]}
    at = {"kind": "at", "positions": [["60 nm", "30 nm", "20 nm"]]}
    population = {"name": "part", "material": "gold", "shape": shape, "placement": at}
    return Specimen.from_table({"extent": ["1 um", "1 um"], "population": [population]})


def camera(**changes: Any) -> FullField:
    table = {"field": "800 nm", "pixel": "20 nm", "condenser": {"sigma": 0.3, "points": 4}, "model": "projection"}
    return FullField.model_validate({**table, **changes})


@pytest.mark.parametrize("kind", sorted(discover("scans")))
def test_every_scan_round_trips_and_adds_axes_in_front(kind: str) -> None:
    one = scan(kind)
    assert type(one).model_validate(one.model_dump(exclude_none=True)) == one
    inner = camera()
    wrapped = one.apply(inner)
    frames = wrapped.frames()
    assert np.prod(frames.shape) == len(frames)
    assert np.array_equal(frames.index, np.arange(len(frames)))
    assert all(name in frames.columns for name in (axis.name for axis in frames.axes))
    for axis, column in ((axis, frames.columns[axis.name]) for axis in frames.axes):
        assert sorted(set(axis.values)) == sorted(set(column))
    assert wrapped.kind == "full_field"
    assert wrapped.detector is inner.detector
    assert {str(k): str(v) for k, v in wrapped.geometry().items()} == {
        str(k): str(v) for k, v in inner.geometry().items()
    }


@pytest.mark.filterwarnings("ignore::xsim.errors.XsimWarning")
@pytest.mark.parametrize("order", list(permutations(["energies", "tilts", "repeats"])))
def test_scans_nest_in_any_order_and_the_first_listed_is_the_slowest(order: tuple[str, ...]) -> None:
    wrapped = apply(camera(), [scan(kind) for kind in order])
    frames = wrapped.frames()
    names = {"energies": "energy", "tilts": "tilt", "repeats": "repeat"}
    assert [axis.name for axis in frames.axes] == [names[kind] for kind in order]
    assert [s.kind for s in wrapped.scans] == list(order)
    assert (np.diff(frames[names[order[0]]].reshape(frames.shape), axis=0) != 0).all()


@pytest.mark.filterwarnings("ignore::xsim.errors.XsimWarning")
@pytest.mark.parametrize("order", [("tilts", "energies", "repeats"), ("repeats", "raster", "tilts")])
def test_nested_scans_give_the_same_bits_for_any_chunking_and_after_pickling(order: tuple[str, ...]) -> None:
    wrapped = apply(camera(), [scan(kind) for kind in order])
    frames, prepared = wrapped.frames(), wrapped.prepare(specimen())
    whole = prepared.expose(frames)
    assert whole.expected.shape[0] == len(frames)
    copy = pickle.loads(pickle.dumps(prepared))
    for row in (len(frames) - 1, 0, len(frames) // 2):
        one = frames.take(slice(row, row + 1))
        assert np.array_equal(copy.expose(one).expected[0], whole.expected[row])


@pytest.mark.filterwarnings("ignore::xsim.errors.XsimWarning")
def test_the_frames_of_a_nested_scan_are_those_of_the_instrument_set_so_by_hand() -> None:
    wrapped = apply(camera(), [scan("tilts"), scan("energies")])
    frames, part = wrapped.frames(), specimen()
    expected = wrapped.prepare(part).expose(frames).expected
    row = 5
    turned = part.rotated(rotation_about("y", float(frames["tilt"][row])))
    alone = camera(energy=f"{float(frames['energy'][row])!r} eV")
    assert np.allclose(alone.prepare(turned).expose(alone.frames()).expected[0], expected[row], rtol=1e-6)


def test_repeats_share_their_expectation_and_raster_and_tilt_do_not() -> None:
    for kind, equal in (("repeats", True), ("raster", False)):
        wrapped = scan(kind).apply(camera())
        images = wrapped.prepare(specimen()).expose(wrapped.frames()).expected
        assert np.array_equal(images[0], images[1]) is equal


def test_a_raster_moves_the_specimen_against_the_beam() -> None:
    wrapped = Raster.model_validate({"field": ["400 nm", "200 nm"], "step": "200 nm"}).apply(camera())
    frames = wrapped.frames()
    assert [axis.name for axis in frames.axes] == ["y", "x"]
    images = wrapped.prepare(specimen()).expose(frames).expected[:, 0]
    assert frames["x"] == pytest.approx([-200e-9, 0.0])
    left, middle = images
    # with the beam axis 200 nm (10 pixels) to the left, everything appears 10 pixels to the right
    assert np.allclose(left[5:-5, 15:-5], middle[5:-5, 5:-15], rtol=2e-3)


def test_tilting_a_sphere_about_its_centre_changes_nothing() -> None:
    at = {"kind": "at", "positions": [["0 nm", "0 nm", "0 nm"]]}
    ball = {"name": "ball", "material": "gold", "shape": {"kind": "sphere", "radius": "90 nm"}, "placement": at}
    wrapped = scan("tilts").apply(camera())
    part = Specimen.from_table({"extent": ["1 um", "1 um"], "population": [ball]})
    images = wrapped.prepare(part).expose(wrapped.frames()).expected
    assert np.allclose(images, images[1], rtol=1e-9)


def test_tilting_a_plate_by_a_right_angle_shows_its_other_sides() -> None:
    scan_by = Tilts.model_validate({"axis": "y", "values": ["0 deg", "90 deg"]})
    wrapped = scan_by.apply(camera(model="projection"))
    truth = [wrapped.inner.prepare(specimen().rotated(rotation_about("y", a))).truth() for a in (0.0, np.pi / 2)]
    widths = [np.ptp(np.flatnonzero(t["thickness_gold"].values.any(axis=0))) + 1 for t in truth]
    assert widths[0] == pytest.approx(10, abs=1)
    assert widths[1] == pytest.approx(3, abs=1)
    assert truth[1]["thickness_gold"].values.max() == pytest.approx(200e-9)


def test_a_positive_tilt_about_y_turns_z_towards_x_and_about_x_turns_y_towards_z() -> None:
    assert rotation_about("y", np.pi / 2) @ [0, 0, 1] == pytest.approx([1, 0, 0])
    assert rotation_about("x", np.pi / 2) @ [0, 1, 0] == pytest.approx([0, 0, 1])


@given(st.sampled_from("xy"), st.floats(-1.3, 1.3), st.floats(-1.3, 1.3))
def test_tilts_about_one_axis_add(axis: str, a: float, b: float) -> None:
    turned = rotation_about(axis, a) @ rotation_about(axis, b)  # type: ignore[arg-type]
    assert np.allclose(turned, rotation_about(axis, a + b), atol=1e-14)  # type: ignore[arg-type]


def test_poses_are_named_and_their_rotations_and_shifts_act_on_the_specimen_as_the_scan_did() -> None:
    wrapped = apply(camera(), [scan("raster"), scan("tilts")])
    frames = wrapped.frames()
    maps = wrapped.prepare(specimen()).illuminate(frames)
    assert len(maps) == len(frames)
    assert len({(i.pose, i.shift) for i in maps}) == len(frames)
    assert len({i.pose for i in maps}) == len(set(frames["tilt"]))
    assert "tilt=-20 deg" in maps[0].pose
    incident = float((wrapped.instrument.flux * frames["time"]).sum())
    assert sum(float(i.fluence.sum()) * i.grid.pixel**2 for i in maps) == pytest.approx(incident)
    for row, i in enumerate(maps):
        tilt = rotation_about("y", float(frames["tilt"][row]))
        there = specimen().shifted(-float(frames["x"][row]), -float(frames["y"][row])).rotated(tilt)
        found = specimen().rotated(i.rotation).shifted(*i.shift)
        assert found.populations[0].poses.positions[:, :2] == pytest.approx(there.populations[0].poses.positions[:, :2])


def test_the_fluence_of_repeats_and_energies_adds_up() -> None:
    wrapped = apply(camera(), [scan("repeats"), scan("energies")])
    maps = wrapped.prepare(specimen()).illuminate(wrapped.frames())
    assert [i.energy for i in maps] == [515.0, 520.0, 523.0, 526.0]
    one = camera().prepare(specimen()).illuminate(camera().frames())[0]
    assert all(i.fluence == pytest.approx(2 * one.fluence) for i in maps)


def test_energies_prepare_the_inner_instrument_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    original = Specimen.thickness
    monkeypatch.setattr(Specimen, "thickness", lambda self, *a, **k: (calls.append(a), original(self, *a, **k))[1])
    wrapped = scan("energies").apply(Stxm.model_validate({"field": ["300 nm", "300 nm"]}))
    wrapped.prepare(specimen()).expose(wrapped.frames())
    assert len(calls) == 1


def test_segments_and_ranges_include_both_ends_once() -> None:
    table = {"segments": [{"start": "7.0 keV", "stop": "7.1 keV", "step": "50 eV"},
                          {"start": "7.1 keV", "stop": "7.104 keV", "step": "2 eV"}]}  # fmt: skip
    wanted = [7000.0, 7050.0, 7100.0, 7102.0, 7104.0]
    assert Energies.model_validate(table).energies() == pytest.approx(wanted)
    listed = Energies.model_validate({"values": ["7.0 keV .. 7.1 keV / 50 eV", "7.1 keV..7.104 keV/2 eV"]})
    assert listed.energies() == pytest.approx(wanted)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.floats(0.05, 40))
def test_a_range_of_n_steps_has_n_plus_one_energies(steps: int, step: float) -> None:
    stop = 500.0 + steps * step
    values = Energies.model_validate({"values": f"500 eV .. {stop!r} eV / {step!r} eV"}).energies()
    assert len(values) == steps + 1
    assert values[-1] == pytest.approx(stop)


@pytest.mark.parametrize(
    ("kind", "table", "word"),
    [
        ("energies", {}, "no energies"),
        ("energies", {"values": ["520"]}, "unit"),
        ("energies", {"values": ["520 nm"]}, "unit"),
        ("energies", {"values": ["500 eV .. 600 eV"]}, "step"),
        ("energies", {"values": ["600 eV .. 500 eV / 1 eV"]}, "backwards"),
        ("energies", {"values": ["-3 eV"]}, "> 0"),
        ("tilts", {"count": 0}, "greater than or equal to 1"),
        ("tilts", {"start": 30}, "unit"),
        ("tilts", {"axis": "z"}, "'x' or 'y'"),
        ("repeats", {"count": 0}, "greater than or equal to 1"),
        ("repeats", {"counts": 3}, "Extra"),
        ("raster", {"step": "0 nm"}, "> 0"),
    ],
)
def test_wrong_scans_are_refused_in_words(kind: str, table: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=r"(?s).*" + word):
        lookup("scans", kind).model_validate({"kind": kind, **table})


def test_two_scans_over_the_same_thing_are_refused() -> None:
    for kind in ("energies", "tilts", "repeats", "raster"):
        with pytest.raises(ScenarioError, match="scan"):
            apply(camera(), [scan(kind), scan(kind)]).frames()
    second = Tilts.model_validate({"axis": "x", "name": "roll", "count": 2})
    assert apply(camera(), [second, scan("tilts")]).frames().shape == (2, 3)


def test_a_raster_around_an_instrument_that_scans_is_refused() -> None:
    with pytest.raises(ScenarioError, match="own field and step"):
        scan("raster").apply(Stxm()).frames()


def test_a_step_longer_than_the_field_is_refused() -> None:
    with pytest.raises(RangeError, match="step"):
        Raster.model_validate({"field": ["1 um", "1 um"], "step": "2 um"}).apply(camera()).frames()


def test_unknown_scans_and_units_name_the_cure() -> None:
    with pytest.raises(UnknownNameError, match="tilts"):
        lookup("scans", "tilt")
    with pytest.raises(UnitError):
        as_float(12, "rad")


def test_scenario_form_of_a_scanned_instrument_lists_its_scans() -> None:
    wrapped = apply(Cdi(), [scan("tilts"), scan("repeats")])
    assert isinstance(wrapped, Scanned)
    table = wrapped.model_dump(exclude_none=True)
    assert [s["kind"] for s in table["scan"]] == ["tilts", "repeats"]
    assert table["kind"] == "cdi"
