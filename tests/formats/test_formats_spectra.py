"""Fluorescence cubes, .mca and .msa: values, calibration, clocks, several detectors, by readers of other projects."""

from __future__ import annotations

import warnings

import h5py
import hyperspy.api as hs
import numpy as np
import pytest
import silx.io
from nexus_validator import PROVENANCE, errors_of
from synthetic_measurements import axis, table

from xsim.cli import main
from xsim.detectors.silicon_drift import SiliconDrift
from xsim.exposure import Axis, Measurement
from xsim.formats import run_reader
from xsim.formats.mca import MCA, POINTS
from xsim.formats.msa import MSA
from xsim.formats.nxfluo import NXfluo

SDD = SiliconDrift(channels=700, width="13.7 eV", zero="-95 eV")


def measured(names=(), ny=4, nx=5):
    """A map whose every channel, point and detector differs, with live times told."""
    rng = np.random.default_rng(4)
    axes = (axis("y", ny, 100e-9), axis("x", nx, 100e-9))
    first = (Axis("detector", np.array(names)),) if names else ()
    shape = (ny * nx, *(len(a) for a in first), SDD.channels)
    counts = (rng.poisson(3.0, shape) + np.arange(SDD.channels) // 70).astype(np.int32)
    live = 0.1 * rng.uniform(0.7, 1.0, shape[:-1])
    return Measurement(
        name="xrf", kind="fluorescence", frames=table(axes, energy=12000.0), counts=counts, counts_unit="counts",
        axes=SDD.counts_axes(first), expected=None, expected_axes=(), incident=np.full(len(counts), 1e6), dose={},
        geometry={**SDD.spectrometer(), "live_time [s]": live}, settings={"kind": "fluorescence"}, seed=7,
    )  # fmt: skip


@pytest.mark.parametrize("names", [(), ("left", "right", "back")])
def test_a_cube_is_valid_and_comes_back_with_its_clocks(names, tmp_path):
    made, path = measured(names), tmp_path / "map.nxs"
    assert NXfluo().accepts(made) == ""
    NXfluo().write(made, path, PROVENANCE)
    assert errors_of(path) == 0
    again = run_reader.read_measurement(path)
    np.testing.assert_array_equal(again.counts, made.counts)
    assert again.counts.dtype == made.counts.dtype
    assert [a.name for a in again.axes] == [a.name for a in made.axes]
    np.testing.assert_array_equal(again.geometry["live_time [s]"], made.geometry["live_time [s]"])
    with h5py.File(path) as file:
        places = [file["entry/instrument"][name] for name in file["entry/instrument"] if name.startswith("fluor")]
        assert len(places) == max(1, len(names))
        for k, place in enumerate(places):
            mine = made.counts[:, k] if names else made.counts
            cube = place["data"]
            assert cube.shape == (4, 5, SDD.channels)
            assert cube.dtype == np.uint16
            assert cube.compression == "gzip"
            np.testing.assert_array_equal(cube[...].reshape(mine.shape), mine)
            np.testing.assert_allclose(place["energy"], SDD.energies, rtol=1e-12)
            live = made.geometry["live_time [s]"]
            np.testing.assert_allclose(np.ravel(place["live_time"]), live[:, k] if names else live)
            np.testing.assert_allclose(place["dead_time"][...] + place["live_time"][...], 0.1)
            if names:
                assert place["local_name"].asstr()[()] == names[k]


def test_counts_beyond_16_bits_keep_their_values(tmp_path):
    made = measured()
    made.counts[3, 400] = 70000
    NXfluo().write(made, tmp_path / "map.nxs", PROVENANCE)
    np.testing.assert_array_equal(run_reader.read_measurement(tmp_path / "map.nxs").counts, made.counts)


def test_silx_reads_sum_and_points_of_an_mca_file(tmp_path):
    made, path = measured(), tmp_path / "map.mca"
    MCA().write(made, path, PROVENANCE)
    with silx.io.open(str(path)) as file:
        assert len(file) == 1 + 20
        total = file["1.1/instrument/mca_0/data"][...]
        np.testing.assert_array_equal(np.ravel(total), made.counts.sum(axis=0))
        zero, gain, _ = file["1.1/instrument/mca_0/calibration"][...]
        np.testing.assert_allclose(1e3 * (zero + gain * np.arange(SDD.channels)), SDD.energies, atol=1e-5)
        np.testing.assert_array_equal(np.ravel(file["9.1/instrument/mca_0/data"]), made.counts[7])
        assert file["9.1/instrument/mca_0/live_time"][()] == pytest.approx(made.geometry["live_time [s]"][7])
        assert file["9.1/instrument/mca_0/elapsed_time"][()] == pytest.approx(0.1)
        x = file["9.1/instrument/positioners/x"][()]
        assert x == pytest.approx(made.frames["x"][7])


def test_pymca_reads_sum_and_points_of_an_mca_file(tmp_path):
    specfile = pytest.importorskip("PyMca5.PyMcaIO.specfilewrapper")
    made, path = measured(("left", "right")), tmp_path / "map.mca"
    MCA().write(made, path, PROVENANCE)
    scans = specfile.Specfile(str(path))
    assert scans.scanno() == 2 * 21
    for k in (0, 1):
        np.testing.assert_array_equal(scans[k].mca(1), made.counts[:, k].sum(axis=0))
        np.testing.assert_array_equal(scans[2 + 2 * 7 + k].mca(1), made.counts[7, k])
    calibration = [float(n) for n in scans[0].header("@CALIB")[0].split()[1:]]
    assert calibration == pytest.approx([SDD.energies[0] / 1e3, 13.7e-3, 0])
    real_and_live = [float(n) for n in scans[1].header("@CTIME")[0].split()[1:]]
    assert real_and_live[1] == pytest.approx(made.geometry["live_time [s]"][:, 1].sum())


def test_a_large_map_gives_its_sum_alone(tmp_path):
    made = measured(nx=POINTS // 4 + 1)
    MCA().write(made, tmp_path / "map.mca", PROVENANCE)
    assert (tmp_path / "map.mca").read_text().count("#S ") == 1


def test_hyperspy_reads_an_msa_file(tmp_path):
    made, path = measured(("left", "right")), tmp_path / "sum.msa"
    MSA().write(made, path, PROVENANCE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        signal = hs.load(path)
    np.testing.assert_array_equal(signal.data, made.counts.sum(axis=(0, 1)))
    energy = signal.axes_manager[0]
    np.testing.assert_allclose(energy.axis, SDD.energies, rtol=1e-8)
    assert energy.units == "eV"
    parts = signal.original_metadata.as_dictionary()
    assert float(parts["LIVETIME -s"]) == pytest.approx(made.geometry["live_time [s]"].mean(axis=1).sum())
    assert float(parts["REALTIME -s"]) == pytest.approx(2.0)
    assert parts["TITLE"] == "A title - xrf"
    lines = path.read_text().splitlines()
    assert lines[0] == "#FORMAT      : EMSA/MAS Spectral Data File"
    assert all(len(line) <= 79 for line in lines)


@pytest.mark.parametrize("form", [MCA(), MSA(), NXfluo()])
def test_images_and_uneven_channels_are_not_spectra(form):
    made = measured()
    image = (axis("y", 3, 1e-6), axis("x", 4, 1e-6))
    uneven = (Axis("emission", np.array([1.0, 2.0, 4.0]), "eV"),)
    for axes in (image, uneven):
        object.__setattr__(made, "axes", axes)
        assert form.accepts(made)


def test_export_writes_both_from_a_finished_run(tmp_path, capsys):
    scenario = tmp_path / "dot.toml"
    scenario.write_text("""
title = "A dot"
[specimen]
extent = ["1 um", "1 um"]
layers = [{ material = "vitreous_ice", thickness = "1 um" }]
[[specimen.population]]
name = "dot"
material = "iron"
shape = { kind = "sphere", radius = "100 nm" }
placement = { kind = "at", positions = [["0 nm", "0 nm", "0 nm"]] }
[[instrument]]
name = "xrf"
kind = "fluorescence"
field = ["300 nm", "300 nm"]
step = "100 nm"
detector = "sdd_80mm2_polymer"
""")
    run = tmp_path / "run"
    assert main(["run", str(scenario), "-o", str(run), "--quiet"]) == 0
    made = run_reader.read_instrument(run, "xrf")
    live = made.geometry["live_time [s]"]
    assert ((live > 0) & (live <= made.frames["time"])).all()
    for form in ("mca", "msa"):
        assert main(["export", str(run), "xrf", "--to", form]) == 0
        out = run / f"xrf.{form}.{form}"
        assert out.stat().st_size > 0
        assert str(out) in capsys.readouterr().out
    with silx.io.open(str(run / "xrf.mca.mca")) as file:
        np.testing.assert_array_equal(np.ravel(file["1.1/instrument/mca_0/data"]), made.counts.sum(axis=0))
