"""Flats and darks: their own streams, no dose, right means, and the same bits whatever the workers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from xsim.formats.lookup import export_format
from xsim.formats.run_reader import read_measurement
from xsim.instruments.full_field import FullField
from xsim.reconstruct._flat_field import flat_variance, optical_density, transmission
from xsim.scans._wrap import apply
from xsim.scans.energies import Energies
from xsim.scans.tilts import Tilts
from xsim.scenario.runner import run
from xsim.simulate import simulate
from xsim.specimen.specimen import Specimen

BALL = {
    "extent": ["1 um", "1 um"],
    "population": [
        {
            "name": "ball",
            "material": "polystyrene",
            "shape": {"kind": "sphere", "radius": "100 nm"},
            "placement": {"kind": "at", "positions": [["60 nm", "30 nm", "0 nm"]]},
        }
    ],
}
#: charge that leaks in the dark, so that the level depends on the exposure time
CAMERA = {"kind": "camera", "shape": [64, 64], "dark": "200 1/s", "offset": 50.0}
TABLE: dict[str, Any] = {
    "field": "480 nm", "pixel": "20 nm", "flux": "1e7 1/s", "exposure_time": "200 ms", "model": "projection",
    "condenser": {"sigma": 0.5, "points": 4}, "detector": CAMERA, "flats": 6, "darks": 4,
}  # fmt: skip
TILTS = {"values": ["-20 deg", "0 deg", "20 deg"]}
pytestmark = pytest.mark.filterwarnings("ignore::xsim.errors.XsimWarning")


def recorded(*scans: Any, **changes: Any) -> Any:
    instrument = apply(FullField.model_validate({**TABLE, **changes}), scans)
    return simulate(Specimen.from_table(BALL), instrument, seed=2, name="txm")


def test_taking_them_changes_no_bit_of_the_frames_and_no_dose() -> None:
    tilts = Tilts.model_validate(TILTS)
    with_them, without = recorded(tilts), recorded(tilts, flats=0, darks=0)
    assert np.array_equal(with_them.counts, without.counts)
    assert with_them.dose == without.dose
    assert without.flats is None
    assert without.darks is None


def test_flats_have_the_light_of_an_empty_field_and_darks_the_level_of_the_camera() -> None:
    m = recorded()
    flats, darks = m.flats, m.darks
    assert flats.counts.shape == (6, 24, 24)
    assert darks.counts.shape == (4, 24, 24)
    # 2 electrons per ADU: 50 ADU offset and 200/s * 0.2 s / 2 of charge
    level = 50 + 20
    sigma = np.sqrt((40 + 9 + 4 / 12) / 4 / darks.counts.size)
    assert darks.counts.mean() == pytest.approx(level, abs=4 * sigma)
    scale, photons = m.geometry["counts_per_photon"], m.geometry["objective_efficiency"] * 2e6 * (20 / 480) ** 2
    sigma = np.sqrt(photons * 1.01 / flats.counts.size) * scale
    assert flats.counts.mean() - level == pytest.approx(photons * scale, abs=5 * sigma)
    assert flats.incident == pytest.approx(2e6)
    assert not np.any(darks.incident)
    assert len(np.unique(flats.counts.reshape(6, -1), axis=0)) == 6  # every frame draws anew


def test_flats_are_taken_at_every_energy_once_whatever_else_is_scanned() -> None:
    m = recorded(Tilts.model_validate(TILTS), Energies.model_validate({"values": ["500 eV", "520 eV"]}))
    assert sorted(set(m.flats.frames["energy"])) == [500.0, 520.0]
    assert len(m.flats) == 12
    assert len(m.darks) == 4
    assert "tilt" not in m.flats.frames.columns


def test_the_flat_field_correction_gives_the_transmission_and_its_noise_follows_the_number_of_flats() -> None:
    m = recorded()
    blank = m.geometry["objective_efficiency"] * 2e6 * (20 / 480) ** 2
    true = m.expected / blank
    level, scale = m.geometry["counts_offset"], m.geometry["counts_per_photon"]
    read = (9 + 40 + 4 / 12) / (520 / 3.65) ** 2  # read noise, dark charge and rounding, in photons squared
    one = (1 + 0.115 * 3.65 / 520) / blank + read / blank**2
    whole = np.mean((transmission(m) / true)[true > 0.9])
    assert whole == pytest.approx(1, abs=4 * np.sqrt(one * (1 + 1 / 6) / np.sum(true > 0.9)))
    object.__setattr__(m, "counts", m.expected * scale + level)  # no noise but that of the flats is left
    left = transmission(m) / true
    assert np.var(left) == pytest.approx(one / 6, rel=4 * np.sqrt(2 / left.size))
    assert flat_variance(m) == pytest.approx(1 / blank / 6, rel=0.05)


def test_a_pixel_that_is_half_as_sensitive_is_corrected_by_flats_and_not_by_the_ideal_calibration() -> None:
    m = recorded()
    for part in (m, m.flats):
        net = part.counts[:, 3, 5] - 70.0
        part.counts[:, 3, 5] = np.rint(70 + net / 2).astype(part.counts.dtype)
    assert optical_density(m)[0, 3, 5] == pytest.approx(optical_density(m)[0, 3, 4], abs=0.1)
    object.__setattr__(m, "flats", None)
    assert optical_density(m)[0, 3, 5] > 0.5


def test_darks_at_two_times_tell_the_level_between() -> None:
    m = recorded(Tilts.model_validate(TILTS))
    frames = m.frames.with_columns(time=np.array([0.1, 0.2, 0.4]))
    from xsim.simulate.references import _dark_rows, _flat_rows

    assert [t for _, t in _dark_rows(frames)] == [0.1, 0.4]
    assert _flat_rows(frames) == [(520.0, 0.1)]

    def plain(levels: list[float]) -> Any:
        return np.broadcast_to(np.array(levels)[:, None, None], (len(levels), 2, 3))

    # a level of 40 and 200 a second; flats of 5000 a second above it, frames of half of that at three times
    darks = replace(
        m.darks,
        frames=m.darks.frames.with_columns(time=np.repeat([0.1, 0.4], 2)),
        counts=plain([60.0, 60.0, 120.0, 120.0]),
    )
    flats = replace(
        m.flats, frames=m.flats.frames.take(slice(0, 1)).with_columns(time=np.array([0.2])), counts=plain([1080.0])
    )
    series = replace(m, frames=frames, counts=plain([310.0, 580.0, 1120.0]), darks=darks, flats=flats)
    assert transmission(series) == pytest.approx(np.full((3, 2, 3), 0.5), rel=1e-12)


SCENARIO = {
    "seed": 4,
    "specimen": BALL,
    "instrument": [
        {**TABLE, "name": "txm", "kind": "full_field", "scan": [{"kind": "tilts", **TILTS}]},
        {"name": "bare", "kind": "full_field", "field": "300 nm", "pixel": "20 nm", "flats": 0, "darks": 0},
    ],
}


def test_they_come_back_from_the_run_the_same_with_workers_and_after_resuming(tmp_path: Path) -> None:
    one = run(SCENARIO, tmp_path / "one")
    two = run(SCENARIO, tmp_path / "two", workers=2)
    again = run(SCENARIO, tmp_path / "one", resume=True)
    read = read_measurement(tmp_path / "one" / "txm.nxs")
    first = one["txm"].measurement
    for other in (two["txm"].measurement, again["txm"].measurement, read):
        for mine, its in ((first, other), (first.flats, other.flats), (first.darks, other.darks)):
            assert np.array_equal(mine.counts, its.counts)
            assert mine.counts.dtype == its.counts.dtype
            assert np.array_equal(mine.frames["time"], its.frames["time"])
            assert np.array_equal(mine.incident, its.incident)
    told = json.loads((tmp_path / "one" / "run.json").read_text())["instruments"]
    assert told["txm"]["flats"] == {"frames": 6, "photons": pytest.approx(1.2e7), "beam_time": pytest.approx(1.2)}
    assert told["txm"]["darks"] == {"frames": 4, "photons": 0.0, "beam_time": pytest.approx(0.8)}
    assert told["txm"]["incident_photons"] == pytest.approx(6e6)
    assert "flats" not in told["bare"]


def test_a_format_of_another_kind_keeps_them_too(tmp_path: Path) -> None:
    m = recorded()
    export_format(m, "nexus").write(m, tmp_path / "m.nxs", {})
    read = read_measurement(tmp_path / "m.nxs")
    assert np.array_equal(read.counts, m.counts)
    assert np.array_equal(read.flats.counts, m.flats.counts)
    assert np.array_equal(read.darks.counts, m.darks.counts)


def test_in_nxtomo_they_are_frames_with_their_key_round_the_projections(tmp_path: Path) -> None:
    m = recorded(Tilts.model_validate(TILTS))
    export_format(m, "nxtomo").write(m, tmp_path / "m.nxs", {})
    with h5py.File(tmp_path / "m.nxs") as file:
        detector = file["entry/instrument/detector"]
        key, data = detector["image_key"][...], detector["data"][...]
        angle = file["entry/sample/rotation_angle"][...]
    assert key.tolist() == [2] * 4 + [1] * 3 + [0] * 3 + [1] * 3
    assert np.array_equal(data[key == 0], m.counts)
    assert np.array_equal(data[key == 2], m.darks.counts)
    assert sorted(data[key == 1].sum(axis=(1, 2))) == sorted(m.flats.counts.sum(axis=(1, 2)))
    assert angle == pytest.approx([-20] * 7 + [-20, 0, 20] + [20] * 3)
