"""Files are read back as they were, by our reader, by the NeXus validator and by silx; broken files are noticed."""

from __future__ import annotations

import json
import shutil
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest
import synthetic_measurements as synthetic
from nexus_validator import PROVENANCE, errors_of
from silx.io import nxdata

from xsim import spill
from xsim.constants import E_CHARGE
from xsim.errors import FileError, UnknownNameError
from xsim.formats import _nexus, run_reader
from xsim.formats._nexus import integer_type
from xsim.formats._pixels import bad_pixels
from xsim.formats.cxi import CXI
from xsim.formats.lookup import available, default_format, export_format
from xsim.formats.nexus import Nexus
from xsim.formats.nxcansas import NXcanSAS
from xsim.formats.nxstxm import NXstxm
from xsim.formats.xdi import XDI

BUILDERS = {builder.__name__: builder for builder in synthetic.ALL}
#: kinds of instrument and the format each must choose by itself
CHOICE = {
    "full_field": "nxtomo", "tomography": "nxtomo", "stxm": "nxstxm", "stxm_image": "nxstxm", "stxm_tilts": "nexus",
    "stxm_segments": "nxstxm",
    "ptychography": "cxi", "cdi": "cxi", "single_particle": "cxi", "fluorescence": "nxfluo", "absorption": "nxxas",
    "saxs": "nxsas", "unknown_kind": "nexus", "point": "nexus",
}  # fmt: skip


def written(builder: str, folder: Path):
    measurement = BUILDERS[builder]()
    chosen = default_format(measurement)
    path = folder / f"{measurement.name}{chosen.suffix}"
    chosen.write(measurement, path, PROVENANCE)
    return measurement, chosen, path


@pytest.mark.parametrize("name", BUILDERS)
def test_each_technique_has_its_format_and_comes_back_the_same(name, tmp_path):
    measurement, chosen, path = written(name, tmp_path)
    assert chosen.kind == CHOICE[name]
    again = run_reader.read_measurement(path)
    assert again.counts.dtype == measurement.counts.dtype
    np.testing.assert_array_equal(again.counts, measurement.counts)
    np.testing.assert_array_equal(again.incident, measurement.incident)
    assert list(again.frames.columns) == list(measurement.frames.columns)
    for column, values in measurement.frames.columns.items():
        np.testing.assert_array_equal(again.frames[column], values)
    assert again.frames.units == measurement.frames.units
    for mine, theirs in zip(
        (*again.frames.axes, *again.axes), (*measurement.frames.axes, *measurement.axes), strict=True
    ):
        assert (mine.name, mine.unit) == (theirs.name, theirs.unit)
        np.testing.assert_array_equal(mine.values, theirs.values)
    for key, value in measurement.geometry.items():
        np.testing.assert_array_equal(again.geometry[key], value)
    for field in ("name", "kind", "counts_unit", "dose", "settings", "seed", "warnings"):
        assert getattr(again, field) == getattr(measurement, field)


@pytest.mark.parametrize("name", BUILDERS)
def test_no_file_holds_ground_truth(name, tmp_path):
    _, _, path = written(name, tmp_path)
    again = run_reader.read_measurement(path)
    assert again.expected is None
    assert again.truth == {}
    names: list[str] = []
    with h5py.File(path) as file:
        file.visit(names.append)
    assert not [n for n in names if "truth" in n or "expected" in n]


@pytest.mark.parametrize("name", BUILDERS)
def test_the_nexus_validator_finds_no_error(name, tmp_path):
    _, chosen, path = written(name, tmp_path)
    assert errors_of(path, plain=chosen.kind == "nexus") == 0


def test_the_validator_notices_a_file_without_its_data(tmp_path):
    _, _, path = written("tomography", tmp_path)
    with h5py.File(path, "a") as file:
        del file["entry/instrument/detector/image_key"], file["entry/data/image_key"]
    assert errors_of(path) > 0


def test_the_reduced_curve_passes_the_validator(tmp_path):
    path = tmp_path / "curve.h5"
    NXcanSAS().write(synthetic.saxs(), path, PROVENANCE)
    assert errors_of(path) == 0


@pytest.mark.parametrize("name", BUILDERS)
def test_silx_opens_on_the_data_as_written(name, tmp_path):
    measurement, chosen, path = written(name, tmp_path)
    with h5py.File(path) as file:
        shown = nxdata.get_default(file)
        assert shown is not None
        assert shown.is_valid
        if chosen.kind in ("nxtomo", "nxstxm", "cxi", "nxfluo", "nxsas"):
            assert shown.interpretation == "image"
        if chosen.kind not in ("nxfluo", "nxxas") and name != "stxm_segments":
            np.testing.assert_array_equal(np.ravel(shown.signal[()]), np.ravel(measurement.counts))
        if chosen.kind == "nxfluo" or name == "stxm_segments":
            np.testing.assert_array_equal(np.ravel(shown.signal[()]), np.ravel(measurement.counts.sum(axis=1)))


def test_silx_notices_a_broken_default_chain(tmp_path):
    _, _, path = written("stxm", tmp_path)
    with h5py.File(path, "a") as file:
        file["entry/data"].attrs["signal"] = "nothing"
    with h5py.File(path) as file:
        shown = nxdata.get_default(file)
        assert shown is None or not shown.is_valid


def test_links_are_hard_links_with_their_target_on_the_original(tmp_path):
    _, _, path = written("stxm", tmp_path)
    with h5py.File(path) as file:
        original, linked = file["entry/instrument/detector/data"], file["entry/data/data"]
        assert original == linked
        assert linked.attrs["target"] == "/entry/instrument/detector/data"


def test_an_asymmetric_stack_is_neither_flipped_nor_transposed(tmp_path):
    measurement, _, path = written("stxm", tmp_path)
    with h5py.File(path) as file:
        data = file["entry/data/data"][...]
        x, y = file["entry/data/sample_x"][...], file["entry/data/sample_y"][...]
    assert data.shape == (6, len(y), len(x)) == (6, 20, 26)
    np.testing.assert_array_equal(data, measurement.counts.reshape(6, 20, 26))
    assert not np.array_equal(data[:, ::-1], data)
    assert x[0] < x[-1]


def test_stxm_wears_the_types_that_its_readers_want(tmp_path):
    _, _, path = written("stxm", tmp_path)
    with h5py.File(path) as file:
        entry = file["entry"]
        assert entry["definition"].shape == (1,)
        assert entry["definition"].dtype.kind == "S"
        assert entry["definition"][0] == b"NXstxm"
        assert entry["data"].attrs["axes"].dtype.kind == "S"
        assert entry["control/data"].shape == entry["data/data"].shape
        assert entry["data/energy"].attrs["units"] == "eV"


def test_cxi_holds_energies_in_joule_true_scalars_and_good_pixels_as_zero(tmp_path):
    measurement, _, path = written("cdi", tmp_path)
    with h5py.File(path) as file:
        assert file["cxi_version"][()] == 160
        entry = file["entry_1"]
        assert entry["instrument_1/beam_1/energy"][()] == pytest.approx(6200 * E_CHARGE, rel=1e-12)
        assert entry["instrument_1/source_1/wavelength"][()] == pytest.approx(1.999745e-10, rel=1e-5)
        assert entry["instrument_1/detector_1/distance"].shape == ()
        assert entry["data_1/data"].dtype == np.int32
        mask = entry["instrument_1/detector_1/mask"]
        assert mask.dtype == np.uint32
        np.testing.assert_array_equal(mask[...] != 0, measurement.geometry["mask"])


def test_gaps_of_minus_one_are_masked_in_cxi():
    measurement = synthetic.ptychography(3, 8)
    counts = measurement.counts.astype(np.int32)
    counts[:, 2, 5] = -1
    object.__setattr__(measurement, "counts", counts)
    assert np.argwhere(bad_pixels(measurement)).tolist() == [[2, 5]]


def test_cxi_translations_find_the_patch_of_an_asymmetric_object_that_each_frame_saw(tmp_path):
    """A reader that follows the CXI axes must cut the object where the beam was, un-flipped."""
    rng = np.random.default_rng(3)
    scene = rng.normal(size=(40, 60)) + 1j * rng.normal(size=(40, 60))
    probe = np.hypot(*np.mgrid[-8:8, -8:8]) < 6
    rows, columns = np.array([2, 9, 20, 24]), np.array([5, 30, 1, 44])
    frames = [
        np.abs(np.fft.fft2(probe * scene[r : r + 16, c : c + 16])) ** 2 for r, c in zip(rows, columns, strict=True)
    ]
    step, base = 5e-9, synthetic.ptychography(4, 16)
    table = synthetic.table(energy=6200.0, x=(columns - 22) * step, y=(rows - 12) * step)
    made = synthetic.measurement("p", "ptychography", table, np.fft.fftshift(frames, axes=(1, 2)), base.axes)
    object.__setattr__(made, "geometry", base.geometry)
    CXI().write(made, tmp_path / "p.cxi", PROVENANCE)
    with h5py.File(tmp_path / "p.cxi") as file:
        detector = file["entry_1/instrument_1/detector_1"]
        data, basis, motion = detector["data"][...], detector["basis_vectors"][...], detector["translation"][...]

    def misfit(sign: float) -> float:
        """Mean error of the frames predicted from the positions of the beam, minus the motion of the sample."""
        unit = basis / np.linalg.norm(basis, axis=1, keepdims=True)
        row, column = np.rint(sign * (-motion @ unit.T) / step).astype(int).T
        total = 0.0
        for frame, r, c in zip(data, row - row.min() + rows.min(), column - column.min() + columns.min(), strict=True):
            model = np.fft.fftshift(np.abs(np.fft.fft2(probe * scene[r : r + 16, c : c + 16])) ** 2)
            total += np.abs(model - frame).sum() / frame.sum()
        return total / len(data)

    assert misfit(1.0) < 0.1
    assert misfit(-1.0) > 0.5  # the wrong sign must not fit


def test_tomography_angles_are_in_degrees_and_energy_in_kev(tmp_path):
    _, _, path = written("tomography", tmp_path)
    with h5py.File(path) as file:
        np.testing.assert_allclose(file["entry/sample/rotation_angle"][...], [-60, -30, 0, 30, 60])
        assert file["entry/beam/incident_energy"][()] == pytest.approx(0.52)
        assert file["entry/instrument/detector/image_key"][...].tolist() == [0] * 5
        assert file["entry/instrument/detector/x_pixel_size"][()] == pytest.approx(20e-9)


def test_every_file_states_version_seed_hash_convention_and_dose(tmp_path):
    for name in BUILDERS:
        _, _, path = written(name, tmp_path)
        with h5py.File(path) as file:
            entry = file[file.attrs["default"]]
            process = entry["simulation"]
            assert process["version"].asstr()[()] == "1.2.3"
            assert process["parameters/seed"][()] == 7
            assert process["parameters/scenario_hash"].asstr()[()] == "abc123"
            assert "exp(+ikz" in process["sign_convention/data"].asstr()[()]
            assert entry["dose/material"].asstr()[...].tolist() == ["gold", "vitreous_ice"]
            assert entry["dose/max"][0] == 3.4e6
            assert entry["dose/max"].attrs["units"] == "Gy"
        assert run_reader.read_provenance(path) == PROVENANCE


def test_large_counts_widen_instead_of_wrapping():
    assert integer_type(np.array([1, 2**31 - 1], np.uint32)) == np.int32
    assert integer_type(np.array([1, 2**31], np.uint32)) == np.int64
    assert integer_type(np.array([1, 2**40])) == np.int64
    assert integer_type(np.array([1.5])) == np.float64
    assert integer_type(np.array([3], np.uint16)) == np.int32


def test_a_memory_map_streams_into_chunks(tmp_path):
    base = synthetic.ptychography(40, 64)
    mapped = np.memmap(tmp_path / "counts.dat", np.uint16, "w+", shape=base.counts.shape)
    mapped[...] = base.counts
    object.__setattr__(base, "counts", mapped)
    CXI().write(base, tmp_path / "p.cxi", PROVENANCE)
    with h5py.File(tmp_path / "p.cxi") as file:
        data = file["entry_1/data_1/data"]
        assert data.chunks is not None
        assert data.compression == "gzip"
        assert data.shuffle
        np.testing.assert_array_equal(data[...], mapped)


def test_a_format_that_cannot_hold_the_data_says_so_and_names_those_that_can():
    stack = synthetic.stxm()
    reasons = available(stack)
    assert reasons["nxstxm"] == "" == reasons["nexus"]
    assert "images" in reasons["cxi"]
    with pytest.raises(FileError, match=r"not images.*nexus, nxstxm"):
        export_format(stack, "cxi")
    with pytest.raises(UnknownNameError, match="nxstxm"):
        export_format(stack, "nxstx")
    assert isinstance(export_format(stack, "nexus"), Nexus)
    assert "tilt" in NXstxm().accepts(synthetic.stxm_tilts())


@pytest.mark.parametrize("kind", ["ptychography", "cdi", "single_particle"])
def test_frames_of_diffraction_are_no_projections_of_a_tomogram(kind):
    assert "diffraction" in available(getattr(synthetic, kind)())["nxtomo"]
    assert available(synthetic.tomography())["nxtomo"] == ""


def test_missing_geometry_is_named_and_leaves_no_file(tmp_path):
    measurement = synthetic.ptychography()
    object.__setattr__(measurement, "geometry", {"detector_pixel [m]": 75e-6})
    with pytest.raises(FileError, match="detector_distance"):
        CXI().write(measurement, tmp_path / "p.cxi", PROVENANCE)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_while_writing_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr("xsim.formats.nexus.write_record", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        Nexus().write(synthetic.point(), tmp_path / "p.nxs", PROVENANCE)
    assert list(tmp_path.iterdir()) == []


def test_reading_a_file_of_another_kind_is_refused(tmp_path):
    other = tmp_path / "other.nxs"
    with h5py.File(other, "w") as file:
        file["a"] = 1
    for path in (other, tmp_path / "missing.nxs"):
        with pytest.raises(FileError):
            run_reader.read_measurement(path)
    (tmp_path / "text.nxs").write_text("hello")
    with pytest.raises(FileError, match="xsim"):
        run_reader.read_measurement(tmp_path / "text.nxs")


def test_a_run_is_read_by_instrument_name_and_a_wrong_name_lists_the_right_ones(tmp_path):
    written("stxm", tmp_path)
    written("cdi", tmp_path)
    with pytest.raises(FileError, match="not a finished run"):
        run_reader.instrument_files(tmp_path)
    for wrong in ("{}", "nonsense", '{"instruments": {"cdi": {}}}', "[]"):
        (tmp_path / "run.json").write_text(wrong)
        with pytest.raises(FileError, match="not the record of a run"):
            run_reader.instrument_files(tmp_path)
    record = {"instruments": {"stxm": {"file": "stxm.nxs"}, "cdi": {"file": "cdi.cxi"}}}
    (tmp_path / "run.json").write_text(json.dumps(record))
    shutil.copy(tmp_path / "stxm.nxs", tmp_path / "stxm.nexus.nxs")  # an export beside the run's own files
    assert list(run_reader.instrument_files(tmp_path)) == ["stxm", "cdi"]
    assert run_reader.read_instrument(tmp_path, "cdi").kind == "cdi"
    with pytest.raises(UnknownNameError, match="stxm"):
        run_reader.read_instrument(tmp_path, "stx")


def test_an_xdi_spectrum_has_its_header_and_the_logarithm_of_the_ratio(tmp_path):
    measurement = synthetic.absorption()
    XDI().write(measurement, tmp_path / "a.xdi", PROVENANCE)
    lines = (tmp_path / "a.xdi").read_text().splitlines()
    assert lines[0].startswith("# XDI/1.0")
    assert "# Element.symbol: Fe" in lines
    assert float(next(line for line in lines if "d_spacing" in line).split(":")[1]) > 0
    table = np.loadtxt(tmp_path / "a.xdi")
    np.testing.assert_allclose(table[:, 0], measurement.frames["energy"])
    np.testing.assert_allclose(table[:, 1], np.log(table[:, 3] / table[:, 2]), rtol=1e-8)


@pytest.mark.parametrize("axis", ["y", "x"])
def test_a_series_with_flats_and_darks_is_valid_and_comes_back_the_same_about_either_axis(axis, tmp_path):
    measurement = synthetic.calibrated(axis)
    chosen = default_format(measurement)
    assert chosen.kind == "nxtomo"
    chosen.write(measurement, tmp_path / "t.nxs", PROVENANCE)
    assert errors_of(tmp_path / "t.nxs") == 0
    again = run_reader.read_measurement(tmp_path / "t.nxs")
    for mine, its in ((measurement, again), (measurement.flats, again.flats), (measurement.darks, again.darks)):
        np.testing.assert_array_equal(mine.counts, its.counts)
        np.testing.assert_array_equal(mine.incident, its.incident)
    with h5py.File(tmp_path / "t.nxs") as file:
        shape = file["entry/instrument/detector/data"].shape
        assert shape == ((13, 24, 32) if axis == "y" else (13, 32, 24))
        assert isinstance(float(file["entry"].attrs["version"]), float)
        assert file["entry"].attrs["version"] == 2.0  # a text here stops tomoscan


@pytest.mark.parametrize("name", BUILDERS)
def test_whatever_a_format_accepts_it_writes(name, tmp_path):
    """A microscope tells no distance, a point detector no pixel: the formats that need these say so beforehand."""
    measurement = BUILDERS[name]()
    for kind, reason in available(measurement).items():
        chosen = export_format(measurement, kind) if not reason else None
        if chosen is not None:
            chosen.write(measurement, tmp_path / f"{kind}{chosen.suffix}", PROVENANCE)
    if name == "full_field":
        assert "distance" in available(measurement)["cxi"]
        assert "distance" in available(measurement)["nxsas"]


@pytest.mark.parametrize(
    ("name", "turned"), [*((name, ()) for name in BUILDERS), ("calibrated", ("x",)), ("spectral", ("x",))]
)
def test_counts_left_in_the_file_are_those_read_into_memory_and_export_the_same(name, turned, tmp_path, monkeypatch):
    measurement = getattr(synthetic, name)(*turned)
    chosen = default_format(measurement)
    path = tmp_path / f"m{chosen.suffix}"
    chosen.write(measurement, path, PROVENANCE)
    monkeypatch.setattr(spill, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(spill, "BLOCK", 4096)
    lazy = run_reader.read_measurement(path)
    assert isinstance(lazy.counts, spill.Packed)
    assert (lazy.counts.shape, lazy.counts.dtype) == (measurement.counts.shape, measurement.counts.dtype)
    np.testing.assert_array_equal(lazy.counts, measurement.counts)
    for index in ((-1,), (slice(1, 3),), (0, ..., slice(None, None, -1))):
        if len(index) <= measurement.counts.ndim:
            np.testing.assert_array_equal(lazy.counts[index], measurement.counts[index])
    assert lazy.total_counts == measurement.total_counts
    chosen.write(lazy, tmp_path / "again", PROVENANCE)
    with h5py.File(path) as one, h5py.File(tmp_path / "again") as two:

        def same(where, item):
            if isinstance(item, h5py.Dataset) and where.rpartition("/")[2] not in ("start_time", "end_time", "date"):
                np.testing.assert_array_equal(two[where][()], item[()], err_msg=where)

        one.visititems(same)


def test_a_scan_larger_than_memory_is_read_and_exported_in_little_of_it(tmp_path, monkeypatch):
    """900 frames of 64^2 (15 MB) stand for 1e5 of 256^2: what is held does not grow with the number of frames."""
    monkeypatch.setattr(spill, "IN_MEMORY_BYTES", 1 << 20)
    monkeypatch.setattr(spill, "BLOCK", 1 << 20)
    monkeypatch.setattr(_nexus, "BLOCK", 1 << 20)
    frames = synthetic.table(x=np.arange(900) * 1e-8, y=np.arange(900) * -2e-8)
    axes = (synthetic.axis("y", 64, 75e-6), synthetic.axis("x", 64, 75e-6))
    geometry = {"detector_distance [m]": 2.0, "detector_pixel [m]": 75e-6}
    expected = np.broadcast_to(synthetic.image(64, 64), (900, 64, 64))
    made = synthetic.measurement("big", "ptychography", frames, expected, axes, geometry=geometry)
    object.__setattr__(made, "counts", made.counts.astype(np.int32))
    path = tmp_path / "m.cxi"
    CXI().write(made, path, PROVENANCE)
    tracemalloc.start()
    read = run_reader.read_measurement(path)
    CXI().write(read, tmp_path / "again.cxi", PROVENANCE)
    total = read.total_counts
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6 < made.counts.nbytes / 2.5
    assert total == float(made.counts.sum())
    np.testing.assert_array_equal(run_reader.read_measurement(tmp_path / "again.cxi").counts, made.counts)
