"""Scanning transmission files opened with hyperspy and silx: un-flipped against the truth, and wrong files fail."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import hyperspy.api as hyperspy
import numpy as np
import pytest
from silx.io import nxdata

import xsim
from xsim.exposure import Measurement
from xsim.formats.nxstxm import NXstxm
from xsim.instruments.stxm import Stxm
from xsim.scans.energies import Energies
from xsim.specimen.specimen import Specimen

PROVENANCE = {"version": "1.2.3", "title": "A title", "scenario_hash": "abc", "date": "2026-01-02T03:04:05+00:00"}


@cache
def specimen() -> Specimen:
    def block(name: str, sides: list[int], place: list[int]) -> dict[str, Any]:
        return {"name": name, "material": "iron", "shape": {"kind": "box", "sides": [f"{s} nm" for s in sides]},
                "placement": {"kind": "at", "positions": [[f"{p} nm" for p in place]]}}  # fmt: skip

    parts = [block("bar", [300, 60, 40], [100, -120, 0]), block("dot", [90, 120, 80], [-170, 90, 0])]
    return Specimen.from_table({"extent": ["1 um", "1 um"], "population": parts})


@cache
def stack() -> Measurement:
    instrument = Stxm.model_validate({"energy": "707 eV", "field": ["700 nm", "500 nm"], "step": "20 nm"})
    return xsim.simulate(specimen(), Energies.model_validate({"values": ["700 eV", "707 eV"]}).apply(instrument))


@cache
def quadrants() -> Measurement:
    table = {"energy": "707 eV", "field": ["700 nm", "500 nm"], "step": "50 nm", "segments": {"rings": [0.0, 1.5]}}
    return xsim.simulate(specimen(), Stxm.model_validate({**table, "model": "projection"}))


def written(measurement: Measurement, folder: Path) -> Path:
    path = folder / "scan.nxs"
    NXstxm().write(measurement, path, PROVENANCE)
    return path


def by_hyperspy(path: Path, dataset: str = "/entry/data") -> Any:
    """The signal that hyperspy's own reader makes of one NXdata group."""
    found = hyperspy.load(str(path), file_format="nexus", dataset_key=dataset)
    return found[0] if isinstance(found, list) else found


def optical_density(data: Any, path: Path) -> np.ndarray[Any, Any]:
    """What a user makes of the file alone: -ln of data over the monitor."""
    with h5py.File(path) as file:
        blank = file["entry/control/data"][...]
    return np.asarray(-np.log(np.maximum(np.asarray(data, np.float64), 0.5) / blank))


def agreement(path: Path, measurement: Measurement) -> float:
    """Correlation of the density that hyperspy sees at the truth's energy with the true one, as they stand."""
    density = optical_density(by_hyperspy(path).data, path)[-1]
    true = measurement.truth["optical_density"].values
    return float(np.corrcoef(density.ravel(), true.ravel())[0, 1]) if density.shape == true.shape else 0.0


def test_hyperspy_sees_the_stack_upright_with_its_axes(tmp_path: Path) -> None:
    path = written(stack(), tmp_path)
    signal = by_hyperspy(path)
    assert signal.data.shape == (2, 25, 35)
    np.testing.assert_array_equal(signal.data, stack().folded(stack().counts))
    axes = {axis.name: axis for axis in signal.axes_manager._axes}
    assert set(axes) == {"energy", "sample_y", "sample_x"}
    assert np.allclose(axes["energy"].axis, [700, 707])
    assert str(axes["energy"].units) == "eV"
    assert axes["sample_x"].scale == pytest.approx(20e-9)
    assert axes["sample_x"].axis[0] == pytest.approx(float(stack().frames.axes[-1].values[0]))
    assert agreement(path, stack()) > 0.95


def test_silx_opens_on_the_same_picture(tmp_path: Path) -> None:
    path = written(stack(), tmp_path)
    with h5py.File(path) as file:
        shown = nxdata.get_default(file)
        assert shown.is_valid
        assert list(shown.axes_dataset_names) == ["energy", "sample_y", "sample_x"]
        np.testing.assert_array_equal(shown.signal[()], by_hyperspy(path).data)
        assert np.allclose(shown.axes[1][()], stack().frames.axes[1].values)


@pytest.mark.parametrize("spoil", ["flip_y", "flip_x", "transpose", "monitor", "shuffle"])
def test_a_wrong_file_does_not_agree(spoil: str, tmp_path: Path) -> None:
    right = written(stack(), tmp_path)
    wrong = tmp_path / "wrong.nxs"
    shutil.copy(right, wrong)
    with h5py.File(wrong, "a") as file:
        data = file["entry/data/data"]
        values = data[...]
        changed = {
            "flip_y": values[:, ::-1],
            "flip_x": values[:, :, ::-1],
            "transpose": values.transpose(0, 2, 1).reshape(values.shape),
            "shuffle": np.random.default_rng(1).permutation(values.ravel()).reshape(values.shape),
        }.get(spoil)
        if changed is not None:
            data[...] = changed
        else:  # a monitor that counts something else must not give the same density
            file["entry/control/data"][...] *= np.linspace(0.2, 3, values.size).reshape(values.shape)
    assert agreement(right, stack()) > 0.95
    assert agreement(wrong, stack()) < 0.7


def test_energies_in_the_wrong_unit_are_seen_by_the_reader(tmp_path: Path) -> None:
    path = written(stack(), tmp_path)
    with h5py.File(path, "a") as file:
        file["entry/data/energy"].attrs["units"] = "keV"
    axes = {axis.name: axis for axis in by_hyperspy(path).axes_manager._axes}
    assert str(axes["energy"].units) != "eV"


def test_i0_is_the_one_that_the_monitor_counted(tmp_path: Path) -> None:
    table = {"energy": "707 eV", "field": ["200 nm", "200 nm"], "step": "50 nm", "flux": "1e6 1/s"}
    counter = {"kind": "photon_counter", "shape": [1, 1], "efficiency": 0.5}
    one = Stxm.model_validate({**table, "monitor": {"efficiency": 0.2}, "detector": counter})
    measurement = xsim.simulate(specimen(), one)
    with h5py.File(written(measurement, tmp_path)) as file:
        control = file["entry/control"]
        counts = control["monitor_counts"][...].ravel()
        np.testing.assert_array_equal(counts, measurement.geometry["monitor_counts"])
        np.testing.assert_allclose(control["data"][...].ravel(), counts / 0.25 * 0.5)  # in counts of the detector
        assert 0.01 < np.std(counts) / np.mean(counts) < 0.2  # 250 counts in each point: 6 %


def test_segments_are_found_beside_their_sum(tmp_path: Path) -> None:
    path = written(quadrants(), tmp_path)
    counts = quadrants().folded(quadrants().counts)
    np.testing.assert_array_equal(np.squeeze(by_hyperspy(path).data), counts.sum(axis=-1))
    parts = by_hyperspy(path, "/entry/segments")
    assert sorted(parts.data.shape) == sorted((1, *counts.shape))
    np.testing.assert_array_equal(np.sort(parts.data.ravel()), np.sort(counts.ravel()))
    assert agreement(path, quadrants()) > 0.8
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["entry/segments/data"][0], counts)
        shown = nxdata.NXdata(file["entry/segments"])
        assert shown.is_valid
        detector = file["entry/instrument/segments"]
        np.testing.assert_allclose(detector["first_azimuth"][...], np.pi / 2 * np.arange(4) - np.pi / 4)
        assert detector["outer_angle"].attrs["units"] == "rad"


def test_the_file_has_what_mantis_asks_for(tmp_path: Path) -> None:
    """Its reader walks the entries for a definition that is an array of one bytes string, and looks the axes up so."""
    for measurement in (stack(), quadrants()):
        path = written(measurement, tmp_path)
        with h5py.File(path) as file:
            entries = [e for e in file.values() if "definition" in e and e["definition"][0] == b"NXstxm"]
            assert len(entries) == 1
            data = entries[0]["data"]
            assert data["stxm_scan_type"][0].decode().startswith("sample image")
            order = [name.decode() for name in data.attrs["axes"]]
            assert order == ["energy", "sample_y", "sample_x"]
            assert data["data"].shape == tuple(len(data[name]) for name in order)
            assert entries[0]["control/data"].shape == data["data"].shape
            # transmission from these two alone, [x, y, energy] as that program keeps it
            cube = np.asarray(data["data"]).T / np.asarray(entries[0]["control/data"]).T
            assert cube.shape == tuple(len(data[name]) for name in reversed(order))
            assert 0 < cube.min() < 0.9
