"""Dragonfly's photons and detector, read back by what its documentation says of the bytes."""

from __future__ import annotations

import configparser
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest

from xsim.constants import wavenumber
from xsim.errors import FileError
from xsim.exposure import Axis, FrameTable, Measurement
from xsim.formats.dragonfly import DragonflyEmc, DragonflyH5
from xsim.formats.lookup import export_format
from xsim.waves.far_field import polarisation, scattering_vectors

SHAPE, PIXEL, DISTANCE, ENERGY = (20, 24), 500e-6, 0.05, 6000.0


def stream(frames: int = 7) -> Measurement:
    """Sparse frames with one blank among them, a gap and a beam stop."""
    counts = np.random.default_rng(4).poisson(0.3, (frames, *SHAPE)).astype(np.int32)
    counts[2] = 0
    counts[:, 3, :] = -1
    axes = tuple(Axis(name, (np.arange(n) - n // 2) * PIXEL, "m") for name, n in zip("yx", SHAPE, strict=True))
    shots = np.arange(frames)
    table = FrameTable.single(ENERGY, 1.0).outer(Axis("shot", shots), {"shot": shots}, {})
    geometry = {
        "detector_distance [m]": DISTANCE,
        "pixel [m]": PIXEL,
        "beam_center_x [pixel]": float(SHAPE[1] // 2),
        "beam_center_y [pixel]": float(SHAPE[0] // 2),
        "beam_stop_diameter [m]": 2e-3,
        "polarisation": 1.0,
    }
    return Measurement(
        "shots", "single_particle", table, counts, "photons", axes, None, (), np.ones(frames), {}, geometry, {}, 1
    )


def read_emc(path: Path) -> np.ndarray:
    """All frames (frames, pixels) of a `.emc` file: header, ones, multi, places of ones, places of more, counts."""
    words = np.fromfile(path, "<i4")
    count, pixels = words[:2]
    assert not words[2:256].any()
    ones, multi = words[256 : 256 + count], words[256 + count : 256 + 2 * count]
    cuts = np.cumsum([256 + 2 * count, ones.sum(), multi.sum(), multi.sum()])
    assert cuts[-1] == len(words)
    places, more, number = (words[a:b] for a, b in pairwise(cuts))
    found = np.zeros((count, pixels), int)
    np.add.at(found, (np.repeat(np.arange(count), ones), places), 1)
    np.add.at(found, (np.repeat(np.arange(count), multi), more), number)
    assert (number > 1).all()
    return found


def test_the_binary_file_holds_every_photon_where_it_fell(tmp_path: Path) -> None:
    measurement = stream()
    DragonflyEmc().write(measurement, tmp_path / "photons.emc", {})
    assert np.array_equal(read_emc(tmp_path / "photons.emc"), np.maximum(measurement.counts, 0).reshape(7, -1))
    flipped = replace(measurement, counts=measurement.counts[:, :, ::-1])
    DragonflyEmc().write(flipped, tmp_path / "flipped.emc", {})
    assert not np.array_equal(read_emc(tmp_path / "flipped.emc"), read_emc(tmp_path / "photons.emc"))


def test_the_hdf5_file_holds_the_same_lists(tmp_path: Path) -> None:
    measurement = stream()
    DragonflyH5().write(measurement, tmp_path / "photons.h5", {})
    with h5py.File(tmp_path / "photons.h5") as file:
        pixels = int(file["num_pix"][0])
        found = np.zeros((len(file["place_ones"]), pixels), int)
        for d, (ones, more, number) in enumerate(
            zip(file["place_ones"], file["place_multi"], file["count_multi"], strict=True)
        ):
            found[d, ones] = 1
            found[d, more] = number
            assert ones.dtype == np.int32
    assert np.array_equal(found, np.maximum(measurement.counts, 0).reshape(7, -1))


def test_the_detector_lies_on_the_ewald_sphere_in_voxels(tmp_path: Path) -> None:
    DragonflyEmc().write(stream(), tmp_path / "photons.emc", {})
    q, solid_angle = scattering_vectors(SHAPE, PIXEL, DISTANCE, ENERGY)
    voxel = wavenumber(ENERGY) * PIXEL / DISTANCE  # what a pixel near the beam covers
    with h5py.File(tmp_path / "photons.det.h5") as file:
        mine = np.stack([file[name][:] for name in ("qx", "qy", "qz")], axis=-1)
        assert mine.dtype == np.float64
        assert mine == pytest.approx(q.reshape(-1, 3) / voxel, abs=1e-9)
        radius = file["ewald_rad"][()]
        assert np.linalg.norm(mine + np.array([0, 0, radius]), axis=1) == pytest.approx(np.full(len(mine), radius))
        assert file["detd"][()] == pytest.approx(DISTANCE / PIXEL)
        weight = (solid_angle * polarisation(q, ENERGY, 1.0)).ravel()
        assert file["corr"][:] / file["corr"][:].max() == pytest.approx(weight / weight.max(), rel=1e-9)
        mask = file["mask"][:].reshape(SHAPE)
        assert mask.dtype == np.uint8
        assert set(np.unique(mask)) == {0, 2}
        assert (mask[3] == 2).all()
        assert mask[SHAPE[0] // 2, SHAPE[1] // 2] == 2
    config = configparser.ConfigParser()
    config.read(tmp_path / "photons.ini")
    assert config["emc"]["in_photons_file"] == "photons.emc"
    assert (tmp_path / config["emc"]["in_detector_file"]).is_file()
    assert float(config["parameters"]["detd"]) == pytest.approx(DISTANCE * 1e3)
    assert float(config["parameters"]["lambda"]) == pytest.approx(12.39842e3 / ENERGY, rel=1e-6)


def test_what_is_no_stream_of_photons_is_refused() -> None:
    measurement = stream()
    scaled = replace(measurement, geometry={**measurement.geometry, "counts_per_photon": 3.0})
    with pytest.raises(FileError, match="not photons"):
        export_format(scaled, "dragonfly_emc")
