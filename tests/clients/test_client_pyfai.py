"""EDF and .poni opened by fabio and pyFAI: counts, gaps, q of every pixel of a tilted detector, and our curve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fabio
import numpy as np
import pytest
from pyFAI import load
from sasdata.dataloader.loader import Loader

from xsim.formats._scattering import radial_curve
from xsim.formats.edf import EDF
from xsim.formats.nxcansas import NXcanSAS
from xsim.instruments.saxs import Saxs
from xsim.simulate import simulate
from xsim.specimen.specimen import Specimen
from xsim.waves.far_field import polarisation, scattering_vectors


@pytest.fixture(scope="module")
def frame() -> Any:
    table = {
        "extent": ["4 um", "4 um"],
        "layers": [{"material": "water", "thickness": "100 um"}],
        "population": [
            {"name": "p", "material": "gold", "shape": {"kind": "sphere", "radius": "4 nm"}, "count": 400,
             "placement": {"kind": "random"}}
        ],
    }  # fmt: skip
    detector = {"kind": "photon_counter", "shape": [120, 150], "pixel": "300 um", "module": [58, 150], "gap": [4, 0]}
    camera = Saxs.model_validate({
        "detector": detector, "distance": "150 mm", "tilt": ["12 deg", "-20 deg"], "beam_center": ["17 mm", "11.3 mm"],
        "polarisation": 0.9, "flux": "1e13 1/s", "exposure_time": "10 s", "solvent": True,
    })  # fmt: skip
    return simulate(Specimen.from_table(table, 1), camera, seed=4)


@pytest.fixture(scope="module")
def opened(frame: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    path = tmp_path_factory.mktemp("edf") / "frame.edf"
    EDF().write(frame, path, {})
    return path, load(str(path.with_suffix(".poni")))


def test_fabio_reads_the_counts_and_their_gaps(frame: Any, opened: Any) -> None:
    image = fabio.open(str(opened[0]))
    np.testing.assert_array_equal(image.data[image.data >= 0], frame.counts[0][image.data >= 0])
    assert (image.data[58:62] == -1).all()  # the gap
    assert image.data.shape == (120, 150)
    assert float(image.header["PSize_1"]) == 300e-6
    assert float(image.header["WaveLength"]) == pytest.approx(1.0332e-10, rel=1e-4)


def test_pyfai_finds_q_solid_angle_and_polarisation_of_every_pixel_of_a_tilted_detector(opened: Any) -> None:
    integrator = opened[1]
    center = (11.3e-3 / 300e-6, 17e-3 / 300e-6)
    tilt = (np.deg2rad(12), np.deg2rad(-20))
    q, solid = scattering_vectors((120, 150), 300e-6, 0.15, 12e3, center, tilt)
    theirs = integrator.qArray((120, 150)) * 1e9
    np.testing.assert_allclose(np.sqrt((q**2).sum(-1)), theirs, rtol=1e-6, atol=1e-6 * theirs.max())
    ratio = solid / integrator.solidAngleArray((120, 150))  # theirs is relative
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-5)
    normal_distance = integrator.dist
    assert ratio[0, 0] == pytest.approx((300e-6 / normal_distance) ** 2, rel=1e-5)
    np.testing.assert_allclose(
        polarisation(q, 12e3, 0.9), integrator.polarization((120, 150), 0.9), rtol=1e-5
    )  # fmt: skip


def test_pyfai_integrates_our_frame_to_our_curve(frame: Any, opened: Any) -> None:
    path, integrator = opened
    data = fabio.open(str(path)).data
    curve = radial_curve(frame, bins=60)
    theirs = integrator.integrate1d(
        data, 60, mask=data < 0, polarization_factor=0.9, unit="q_nm^-1", method=("no", "histogram", "cython")
    )
    known = frame.geometry
    factor = float(frame.incident.sum()) * known["specimen_thickness [m]"] * known["specimen_transmission"]
    solid = (300e-6 / integrator.dist) ** 2
    efficiency = float(known.get("detector_efficiency", 1.0))
    ours = np.interp(theirs.radial[3:-3] * 1e9, curve.q, curve.intensity)
    smooth = theirs.intensity[3:-3] / (solid * factor * efficiency)
    assert np.median(smooth / ours) == pytest.approx(1, abs=0.01)
    assert np.percentile(np.abs(smooth / ours - 1), 80) < 0.03


def test_sasdata_reads_the_reduced_curve_in_its_units(frame: Any, tmp_path: Path) -> None:
    path = tmp_path / "curve.h5"
    NXcanSAS().write(frame, path, {})
    (data,) = Loader().load(str(path))
    curve = radial_curve(frame)
    np.testing.assert_allclose(np.asarray(data.x) * 1e10, curve.q, rtol=1e-9)
    np.testing.assert_allclose(np.asarray(data.y) * 100, curve.intensity, rtol=1e-9)
    np.testing.assert_allclose(np.asarray(data.dy) * 100, curve.error, rtol=1e-9)
    assert (data.x_unit, data.y_unit) == ("A^{-1}", "cm^{-1}")
