"""Tilt series: order, exposure, an axis that is not perfect, and the truth that says what it really did."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from xsim.instruments.full_field import FullField
from xsim.scans.tilts import Tilts, rotation_about
from xsim.specimen.specimen import Specimen

pytestmark = pytest.mark.filterwarnings("ignore::xsim.errors.XsimWarning")
CAMERA: dict[str, Any] = {
    "field": "600 nm", "pixel": "10 nm", "condenser": {"sigma": 0.3, "points": 3}, "model": "projection",
    "wave_pixel": "5 nm", "flats": 0, "darks": 0,
}  # fmt: skip
SHAKEN = {
    "offset": ["15 nm", "-5 nm"], "jitter": ["20 nm", "8 nm"], "drift": ["30 nm", "-20 nm"],
    "wobble": "2 deg", "angle": "1 deg", "seed": 3,
}  # fmt: skip


def series(**changes: Any) -> Tilts:
    return Tilts.model_validate({"start": "-60 deg", "stop": "60 deg", "count": 5, **changes})


def beads() -> Specimen:
    at = {"kind": "at", "positions": [["110 nm", "60 nm", "80 nm"], ["-90 nm", "-70 nm", "-40 nm"]]}
    bead = {"name": "beads", "material": "gold", "shape": {"kind": "sphere", "radius": "25 nm"}, "placement": at}
    return Specimen.from_table({"extent": ["600 nm", "600 nm"], "population": [bead]})


def test_schemes_take_the_same_tilts_in_another_order() -> None:
    even = np.rad2deg(series().angles())
    assert even == pytest.approx([-60, -30, 0, 30, 60])
    assert np.rad2deg(series(scheme="dose_symmetric").angles()) == pytest.approx([0, -30, 30, -60, 60])
    drawn = [series(scheme="random", count=40, seed=s).angles() for s in (1, 1, 2)]
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
    assert np.allclose(np.sort(drawn[0]), series(count=40).angles())


def test_any_beginning_of_a_golden_series_covers_the_range_evenly() -> None:
    angles = np.rad2deg(series(scheme="golden", start="0 deg", stop="180 deg", count=89).angles())
    for n in (13, 34, 89):  # three-gap theorem: at most three different gaps, the largest below 2.7 times the mean
        gaps = np.diff(np.sort(np.append(angles[:n], angles[:n].min() + 180)))
        assert gaps.max() < 2.7 * 180 / n
    assert np.diff(angles[:3]) == pytest.approx([180 * 0.6180339887, 180 * (0.2360679775 - 0.6180339887)])


def test_a_total_exposure_is_shared_evenly_or_as_the_thickness_of_a_slab() -> None:
    inner = FullField.model_validate({**CAMERA, "exposure_time": "2 s"}).frames()
    assert series().frames(inner)["time"] == pytest.approx([2] * 5)
    assert series(total_exposure="20 s").frames(inner)["time"] == pytest.approx([4] * 5)
    secant = series(share="secant").frames(inner)["time"]
    assert secant.sum() == pytest.approx(10)
    assert secant[0] / secant[2] == pytest.approx(2)
    assert series(share="secant", total_exposure="30 s").frames(inner)["time"].sum() == pytest.approx(30)


def test_a_perfect_stage_shows_nothing_but_the_tilt() -> None:
    assert series().errors.perfect
    turn, shift = series().move((0.3,))
    assert np.array_equal(turn, rotation_about("y", 0.3))
    assert shift == (0.0, 0.0)


@pytest.mark.parametrize("axis", ["x", "y"])
def test_particles_are_seen_where_their_tracks_say_and_not_where_the_table_says(axis: str) -> None:
    """Centre of mass of the shadow of one bead alone, in every frame."""
    tilts = series(axis=axis, errors=SHAKEN)
    part = beads()
    single = Specimen(populations=(part.particle("beads", 0),), extent=part.extent)
    wrapped = tilts.apply(FullField.model_validate(CAMERA))
    prepared = wrapped.prepare(single)
    truth = prepared.truth()
    images = prepared.expose(wrapped.frames()).expected[:, 0]
    dark = np.clip(np.median(images, axis=(1, 2))[:, None, None] - images, 0, None)
    y, x = (np.asarray(a.values) for a in truth["optical_density"].axes)
    weight = np.where(dark > 0.2 * dark.max(axis=(1, 2))[:, None, None], dark, 0)
    seen = np.stack([(weight * x).sum((1, 2)), (weight * y[:, None]).sum((1, 2))], axis=1)
    seen /= weight.sum((1, 2))[:, None]
    tracks = truth["tilt_tracks"].values[:, 0, :2]
    assert np.abs(seen - tracks).max() < 1.5e-9
    asked = np.array([(rotation_about(axis, a) @ [110e-9, 60e-9, 80e-9])[:2] for a in tilts.angles()])  # type: ignore[arg-type]
    assert np.abs(seen - asked).max() > 20e-9
    assert wrapped.frames()["tilt"] == pytest.approx(tilts.angles())


def test_jitter_and_drift_have_the_size_that_was_asked_for_and_a_seed_of_their_own() -> None:
    many = series(count=2000, errors={"jitter": ["20 nm", "5 nm"], "drift": ["100 nm", "0 nm"], "seed": 1})
    shifts = np.array([many.errors.shift(k, 2000) for k in range(2000)])
    line = np.linspace(0, 100e-9, 2000)
    assert np.std(shifts[:, 0] - line) == pytest.approx(20e-9, rel=3 / np.sqrt(4000))
    assert np.std(shifts[:, 1]) == pytest.approx(5e-9, rel=3 / np.sqrt(4000))
    again = series(count=2000, errors={"jitter": ["20 nm", "5 nm"], "drift": ["100 nm", "0 nm"], "seed": 2})
    assert abs(np.corrcoef(shifts[:, 1], [again.errors.shift(k, 2000)[1] for k in range(2000)])[0, 1]) < 0.1


def test_every_tilt_has_its_own_error_of_the_angle_and_its_own_lean() -> None:
    errors = series(count=2, errors={"angle": "0.2 deg", "wobble": "0.1 deg", "seed": 1}).errors
    turns = np.array([errors.rotation("y", 0.3, k) for k in range(2000)])
    angle = np.arctan2(turns[:, 0, 2], turns[:, 2, 2])  # R_y turns z towards x
    lean = turns[:, 0, 1], turns[:, 2, 1]  # where the axis points, across itself
    assert angle.mean() == pytest.approx(0.3, abs=np.deg2rad(0.2) * 4 / np.sqrt(2000))
    assert np.std(angle) == pytest.approx(np.deg2rad(0.2), rel=4 / np.sqrt(4000))
    assert [np.std(v) for v in lean] == pytest.approx([np.deg2rad(0.1)] * 2, rel=4 / np.sqrt(4000))
    assert np.abs(np.corrcoef([angle, *lean]) - np.eye(3)).max() < 0.1


def test_a_shaken_series_has_the_same_bits_frame_by_frame_and_after_pickling() -> None:
    wrapped = series(errors=SHAKEN).apply(FullField.model_validate(CAMERA))
    frames, prepared = wrapped.frames(), wrapped.prepare(beads())
    whole = prepared.expose(frames).expected
    copy = pickle.loads(pickle.dumps(prepared))
    for row in (3, 0):
        assert np.array_equal(copy.expose(frames.take(slice(row, row + 1))).expected[0], whole[row])


def test_two_views_at_the_same_tilt_shake_apart() -> None:
    twice = Tilts.model_validate({"values": ["0 deg", "0 deg"], "errors": {"jitter": ["30 nm", "0 nm"]}})
    wrapped = twice.apply(FullField.model_validate(CAMERA))
    images = wrapped.prepare(beads()).expose(wrapped.frames()).expected
    assert not np.allclose(images[0], images[1])


def test_the_true_volume_adds_up_to_the_true_projection_and_holds_each_bead_where_it_is() -> None:
    wrapped = series().apply(FullField.model_validate(CAMERA))
    truth = wrapped.prepare(beads()).truth()
    volume, density = truth["attenuation"], truth["optical_density"]
    assert np.allclose(volume.values.sum(axis=0) * 10e-9, density.values, rtol=1e-5, atol=1e-6 * density.values.max())
    z, y, x = (np.asarray(axis.values) for axis in volume.axes)
    k, j, i = (int(np.argmin(np.abs(v - at))) for v, at in ((z, 80e-9), (y, 60e-9), (x, 110e-9)))
    mu = volume.values.max()
    assert volume.values[k, j, i] == pytest.approx(mu)
    assert volume.values[-k, j, i] == 0


@pytest.mark.parametrize(
    ("table", "word"),
    [
        ({"share": "secant", "stop": "90 deg"}, "even"),
        ({"values": ["0 deg"], "scheme": "golden"}, "an order of tilts"),
        ({"total_exposure": "0 s"}, "> 0"),
        ({"errors": {"jitter": ["-1 nm", "0 nm"]}}, ">= 0"),
        ({"errors": {"shake": "1 nm"}}, "Extra"),
    ],
)
def test_what_cannot_be_is_refused_in_words(table: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=r"(?s).*" + word):
        series(**table)
