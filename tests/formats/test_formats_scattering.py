"""The reduced scattering curve against closed forms, and truth.h5."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import synthetic_measurements as synthetic
from silx.io import nxdata

from xsim.formats._scattering import q_of_pixels, radial_curve
from xsim.formats.nxcansas import NXcanSAS
from xsim.formats.truth import read_truth, write_truth


def test_q_of_a_pixel_is_that_of_its_scattering_angle():
    measurement = synthetic.saxs(80, 96)
    q, solid_angle = q_of_pixels(measurement)
    assert q[40, 48] == 0.0
    assert solid_angle[40, 48] == pytest.approx((172e-6 / 3.0) ** 2, rel=1e-12)
    r = 40 * 172e-6
    wavelength = 1.2398419843320026e-6 / 6200
    assert q[40, 8] == pytest.approx(4 * np.pi / wavelength * np.sin(np.arctan(r / 3.0) / 2), rel=1e-12)
    assert q[0, 48] == q[40, 8]  # 40 rows up as 40 columns left: not transposed


def test_the_radial_average_of_a_flat_cross_section_is_that_cross_section():
    """N = I0 Ω t T (dΣ/dΩ): recovered in 1/m, whatever the angle."""
    measurement = synthetic.saxs()
    _, solid_angle = q_of_pixels(measurement)
    frame = 1e6 * solid_angle * 2e-6 * 0.9 * 250.0
    curve = radial_curve(measurement, values=frame, bins=30)
    assert curve.unit == "1/m"
    np.testing.assert_allclose(curve.intensity, 250.0, rtol=1e-12)
    assert curve.count.sum() == measurement.counts[0].size


def test_the_errors_of_the_curve_are_those_of_poisson_counts():
    """chi^2 per bin against the expectation is one, within its own spread over the bins."""
    measurement = synthetic.saxs()
    curve = radial_curve(measurement, bins=60)
    true = radial_curve(measurement, values=measurement.expected[0], bins=60)
    chi2 = ((curve.intensity - true.intensity) / curve.error) ** 2
    assert abs(chi2.mean() - 1) < 4 * np.sqrt(2 / len(chi2))


def test_masked_pixels_do_not_enter_the_curve():
    measurement = synthetic.saxs()
    clean = radial_curve(measurement)
    bad = np.zeros(measurement.counts.shape[1:], bool)
    bad[:, :30] = True
    counts = measurement.counts.copy()
    counts[:, bad] = 10**8
    object.__setattr__(measurement, "counts", counts)
    object.__setattr__(measurement, "geometry", {**measurement.geometry, "mask": bad})
    masked = radial_curve(measurement)
    assert masked.count.sum() == (~bad).sum()
    assert masked.intensity.max() < 2 * clean.intensity.max()


def test_nxcansas_is_in_reciprocal_angstrom_and_centimetre(tmp_path):
    measurement = synthetic.saxs()
    curve = radial_curve(measurement)
    NXcanSAS().write(measurement, tmp_path / "s.h5", {})
    with h5py.File(tmp_path / "s.h5") as file:
        data = file["entry/data"]
        np.testing.assert_allclose(data["Q"][...] * 1e10, curve.q)
        np.testing.assert_allclose(data["I"][...] * 100, curve.intensity)
        assert data["Q"].attrs["units"] == "1/angstrom"
        assert data["I"].attrs["units"] == "1/cm"
        assert data["I"].attrs["uncertainties"] == "Idev"
        assert nxdata.get_default(file).is_valid


def test_truth_holds_particles_expectations_and_maps_with_axes(tmp_path):
    measurements = [synthetic.ptychography(), synthetic.stxm(), synthetic.fluorescence()]
    particles = {"x [m]": np.arange(3.0), "material": np.array(["gold", "gold", "protein"]), "q": np.ones((3, 4))}
    write_truth(tmp_path / "truth.h5", particles, measurements)
    with h5py.File(tmp_path / "truth.h5") as file:
        table = file["particles/table"]
        assert table["x"].attrs["units"] == "m"
        assert table["material"].asstr()[...].tolist() == ["gold", "gold", "protein"]
        assert file["stxm/expected/photons"].shape == (6, 20, 26)
        assert nxdata.get_default(file).is_valid
    maps = read_truth(tmp_path / "truth.h5", "xrf")
    np.testing.assert_array_equal(maps["Fe area density"].values, measurements[2].truth["Fe area density"].values)
    assert maps["Fe area density"].unit == "kg/m^2"
    assert [axis.name for axis in maps["Fe area density"].axes] == ["y", "x"]
    phase = read_truth(tmp_path / "truth.h5", "ptycho")["object"]
    np.testing.assert_array_equal(phase.values, measurements[0].truth["object"].values)


@pytest.mark.parametrize("degree", [1.0, 0.0, -1.0])
def test_polarised_light_averages_to_the_same_curve(degree):
    """A flat cross-section seen through the polarisation factor (1+cos²2θ - p cos2φ sin²2θ)/2 is recovered."""
    measurement = synthetic.saxs()
    geometry = {**measurement.geometry, "detector_distance [m]": 0.02, "polarisation": degree}
    object.__setattr__(measurement, "geometry", geometry)
    _, solid_angle = q_of_pixels(measurement)
    y, x = np.mgrid[-40:40, -48:48] * 172e-6
    two_theta, phi = np.arctan2(np.hypot(y, x), 0.02), np.arctan2(y, x)
    factor = 0.5 * (1 + np.cos(two_theta) ** 2 - degree * np.cos(2 * phi) * np.sin(two_theta) ** 2)
    curve = radial_curve(measurement, values=factor * solid_angle * 1e6 * 2e-6 * 0.9 * 7.0)
    np.testing.assert_allclose(curve.intensity, 7.0, rtol=1e-12)


def test_the_beam_centre_moves_q_and_the_beam_stop_is_left_out():
    measurement = synthetic.saxs()
    moved = {"beam_center_x [pixel]": 10.0, "beam_center_y [pixel]": 20.0, "beam_stop_diameter [m]": 7.2 * 172e-6}
    object.__setattr__(measurement, "geometry", {**measurement.geometry, **moved})
    q, _ = q_of_pixels(measurement)
    assert np.unravel_index(q.argmin(), q.shape) == (20, 10)
    shadow = sum(np.hypot(a, b) < 3.6 for a in range(-5, 6) for b in range(-5, 6))
    assert radial_curve(measurement).count.sum() == q.size - shadow


def test_truth_of_a_scan_whose_axes_share_a_name_comes_back(tmp_path):
    measurement = synthetic.unknown_kind()  # scans y and records y
    scalar = {"thickness": synthetic.Truth(np.array(2e-6), (), "m")}
    object.__setattr__(measurement, "truth", scalar)
    write_truth(tmp_path / "truth.h5", {}, [measurement])
    again = read_truth(tmp_path / "truth.h5", "new")
    assert [axis.name for axis in again["expected"].axes] == ["tilt", "y", "y", "state"]
    np.testing.assert_array_equal(again["expected"].values, measurement.expected.reshape(3, 4, 4, 7))
    assert (float(again["thickness"].values), again["thickness"].unit) == (2e-6, "m")
