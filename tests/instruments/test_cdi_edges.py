"""Far fields of strong hard edges in the projection: the transform of the transmission, whatever samples they cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import j1

from xsim.constants import wavenumber
from xsim.instruments.cdi import Cdi
from xsim.specimen.specimen import Specimen
from xsim.waves.far_field import scattering_vectors

AXIS = np.arange(128) - 64
EDGE = (np.hypot(AXIS[:, None], AXIS) > 48) & (np.hypot(AXIS[:, None], AXIS) < 64)


def disk(z: str) -> Specimen:
    """60 nm of gold, 1 rad at 700 eV, its rim anywhere in the samples."""
    shape = {"kind": "cylinder", "diameter": "300 nm", "length": "60 nm"}
    placed = {"kind": "at", "positions": [["7 nm", "3 nm", z]]}
    part = {"name": "disk", "material": "gold", "shape": shape, "placement": placed}
    return Specimen.from_table({"extent": ["1 um", "1 um"], "population": [part]})


def camera(**changes: Any) -> Cdi:
    detector = {"kind": "photon_counter", "shape": [128, 128], "pixel": "30 um"}
    table = {"energy": "700 eV", "distance": "30 mm", "beam_stop": "1100 um", "polarisation": 0.0}
    return Cdi.model_validate({**table, "detector": detector, **changes})


def pattern(instrument: Cdi, specimen: Specimen) -> np.ndarray[Any, Any]:
    return np.asarray(instrument.prepare(specimen).expose(instrument.frames()).expected[0, 0])


def rms(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
    return float(np.sqrt(np.mean((one - other)[EDGE] ** 2) / np.mean(other[EDGE] ** 2)))


@pytest.mark.parametrize(("samples", "tolerance"), [(3, 0.012), (5, 0.004)])
def test_a_strong_disk_scatters_as_its_closed_form_to_the_edge_of_the_detector(samples, tolerance):
    """1 - T and 2 J1(qa)/qa; 3 to 6 % wrong there where the thickness is averaged."""
    instrument, specimen, radius = camera(beam="1 um", samples=samples), disk("0 um"), 150e-9
    q, solid_angle = scattering_vectors((128, 128), 30e-6, 30e-3, 700.0, (64, 64))
    across = np.maximum(np.hypot(q[..., 0], q[..., 1]) * radius, 1e-9)
    depth = wavenumber(700.0) * complex(specimen.materials[0].optics(700.0).decrement) * 60e-9
    assert abs(depth) > 0.5
    amplitude = wavenumber(700.0) * radius**2 / 2 * 2 * j1(across) / across * abs(1 - np.exp(-1j * depth))
    fluence = instrument.flux * instrument.exposure_time / (np.pi * 0.5e-6**2)
    assert rms(pattern(instrument, specimen), fluence * amplitude**2 * solid_angle) < tolerance


def test_edges_off_the_focal_plane_of_a_finite_beam_do_not_depend_on_the_samples():
    beam = {"profile": "gaussian", "beam": "0.3 um"}
    coarse, fine = (pattern(camera(**beam, samples=n), disk("200 nm")) for n in (3, 8))
    assert rms(coarse, fine) < 0.015
