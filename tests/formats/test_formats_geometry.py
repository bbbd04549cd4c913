"""What files tell of angles, distances, corners, energies and darks, read as their standards say."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import synthetic_measurements as synthetic
from nexus_validator import PROVENANCE, errors_of
from scipy.spatial.transform import Rotation

from xsim.exposure import Axis
from xsim.formats import run_reader
from xsim.formats.cxi import CXI
from xsim.formats.lookup import default_format
from xsim.scans.tilts import rotation_about


@pytest.mark.parametrize("axis", ["y", "x"])
def test_every_energy_of_a_series_is_an_entry_with_its_own_flats_and_the_common_darks(axis, tmp_path):
    measurement = synthetic.spectral(axis)
    path = tmp_path / "s.nxs"
    default_format(measurement).write(measurement, path, PROVENANCE)
    assert errors_of(path) == 0
    with h5py.File(path) as file:
        assert list(file) == ["entry", "entry_2", "entry_3"]
        for number, entry in enumerate(file.values()):
            keys = entry["instrument/detector/image_key"][...]
            data = entry["instrument/detector/data"][...]
            assert entry["beam/incident_energy"][()] == pytest.approx((0.53, 0.52, 0.54)[number])
            assert np.all(data[keys == 1] == 100 * (1 + number))
            assert np.all(data[keys == 2] == 2)
            seen = measurement.counts[4 * number : 4 * number + 4]
            np.testing.assert_array_equal(data[keys == 0], seen.swapaxes(1, 2) if axis == "x" else seen)
            np.testing.assert_allclose(entry["sample/rotation_angle"][...][keys == 0], [-40, 10, 50, 60])
            assert f"{(530, 520, 540)[number]} eV" in entry["title"].asstr()[()]
            assert entry["simulation/parameters/seed"][()] == 7
    again = run_reader.read_measurement(path)
    for mine, its in ((measurement, again), (measurement.flats, again.flats), (measurement.darks, again.darks)):
        np.testing.assert_array_equal(mine.counts, its.counts)
        assert mine.counts.dtype == its.counts.dtype


def test_a_microscope_tells_how_far_its_camera_stands(tmp_path):
    """f (1 + 1/M) + f (1 + M), with f = 1 mm and M = 500."""
    measurement = synthetic.full_field()
    told = {"pixel [m]": 20e-9, "magnification": 500.0, "objective_to_camera [m]": 1e-3 * 501}
    object.__setattr__(measurement, "geometry", told)
    default_format(measurement).write(measurement, tmp_path / "t.nxs", PROVENANCE)
    with h5py.File(tmp_path / "t.nxs") as file:
        distance = file["entry/instrument/detector/distance"]
        assert distance[()] == pytest.approx(1e-3 * (1 + 1 / 500) + 0.501)
        assert distance.attrs["units"] == "m"


def test_cxi_tells_what_a_camera_reads_in_the_dark(tmp_path):
    measurement = synthetic.ptychography(4, 16)
    for offset, shape in ((101.0, (16, 16)), (np.array([101.0, 101, 103, 103]), (4, 16, 16))):
        object.__setattr__(measurement, "geometry", {**measurement.geometry, "counts_offset": offset})
        CXI().write(measurement, tmp_path / "p.cxi", PROVENANCE)
        with h5py.File(tmp_path / "p.cxi") as file:
            dark = file["entry_1/instrument_1/detector_1/data_dark"]
            assert dark.shape == shape
            np.testing.assert_array_equal(dark[..., 3, 5], offset)
    object.__setattr__(measurement, "geometry", {**measurement.geometry, "counts_offset": 0.0})
    CXI().write(measurement, tmp_path / "p.cxi", PROVENANCE)
    with h5py.File(tmp_path / "p.cxi") as file:
        assert "data_dark" not in file["entry_1/instrument_1/detector_1"]


def test_cxi_tells_the_corner_of_its_first_pixel_with_the_beam_in_the_middle_of_one(tmp_path):
    CXI().write(synthetic.cdi(), tmp_path / "c.cxi", PROVENANCE)
    with h5py.File(tmp_path / "c.cxi") as file:
        detector = file["entry_1/instrument_1/detector_1"]
        corner, basis = detector["corner_position"][...], detector["basis_vectors"][...]
        np.testing.assert_allclose(corner + 24.5 * basis[0] + 24.5 * basis[1], [0, 0, 2.0], atol=1e-12)


def test_cxi_turns_the_specimen_as_the_tilts_do(tmp_path):
    """Two tilts, the slower one turning first; in CXI's own axes, x and y the other way round."""
    slow, fast = (Axis(n, np.radians(v), "rad") for n, v in (("lean", [5.0, 20.0]), ("tilt", [-30.0, 0.0, 30.0])))
    base = synthetic.cdi()
    table = synthetic.table((slow, fast), energy=6200.0, lean=np.repeat(slow.values, 3))
    frames = np.repeat(base.expected, 6, axis=0)
    made = synthetic.measurement("c", "cdi", table, frames, base.axes, geometry=base.geometry)
    scans = [{"kind": "tilts", "name": "lean", "axis": "x"}, {"kind": "tilts", "axis": "y"}]
    object.__setattr__(made, "settings", {"scan": scans})
    CXI().write(made, tmp_path / "c.cxi", PROVENANCE)
    assert errors_of(tmp_path / "c.cxi") == 0
    with h5py.File(tmp_path / "c.cxi") as file:
        part = file["entry_1/sample_1"]
        turns, name = [], part["depends_on"].asstr()[()].split("/")[-1]
        while name != ".":
            turn = part["transformations"][name]
            assert turn.attrs["transformation_type"] == "rotation"
            angle = np.radians(turn[5])  # the sixth frame: 20 degrees about x, then 30 about y
            turns.append(Rotation.from_rotvec(angle * turn.attrs["vector"]))
            name = turn.attrs["depends_on"]
        assert len(turns) == 2
        found = (turns[1] * turns[0]).as_matrix()
    about_beam = np.diag([-1.0, -1.0, 1.0])  # from xsim's axes to those of CXI
    true = rotation_about("y", np.radians(30)) @ rotation_about("x", np.radians(20))
    np.testing.assert_allclose(found, about_beam @ true @ about_beam, atol=1e-12)
