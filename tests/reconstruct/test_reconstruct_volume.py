"""A tilt series of diffraction patterns becomes a volume, the right way round in all three directions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

# pytest puts the folder of a test file on the path
from reconstruct_runs import recorded, spheres

from xsim.errors import FileError
from xsim.metrics.against_truth import Estimate, compare
from xsim.metrics.volume_match import volume_match
from xsim.reconstruct._choose import methods_for
from xsim.reconstruct.raar_3d import Raar3D

PARTS = (
    ("70 nm", "-40 nm", "-50 nm", "-30 nm"),
    ("50 nm", "90 nm", "40 nm", "60 nm"),
    ("40 nm", "-60 nm", "90 nm", "80 nm"),
)


@pytest.mark.parametrize("axis", ["x", "y"])
def test_a_tilt_series_gives_the_spheres_their_places_in_three_dimensions(axis: str, tmp_path: Path) -> None:
    table: dict[str, Any] = {
        "kind": "cdi", "flux": "1e13 1/s", "energy": "3 keV", "distance": "0.35 m", "beam": "2 um", "samples": 2,
        "detector": {"kind": "photon_counter", "shape": [48, 48], "pixel": "110 um"}, "beam_stop": "220 um",
        "model": "projection",
        "scan": [{"kind": "tilts", "axis": axis, "start": "-80 deg", "stop": "80 deg", "count": 61}],
    }  # fmt: skip
    measurement, truth = recorded(tmp_path, spheres("silica", *PARTS), table)
    assert methods_for(measurement) == ["raar_3d"]
    found = Raar3D(starts=2, iterations=150)(measurement)
    (score,) = compare(Estimate(found.values, found.axes, found.unit, found.estimates), truth)
    assert score.numbers["correlation"] > 0.88
    assert score.numbers["scale"] == pytest.approx(1, abs=0.1)
    assert score.numbers.get("resolution [m]", 0) < 60e-9
    whole = np.zeros(found.values.shape, complex)
    true = truth["potential"].values
    box = tuple(slice(24 - n // 2, 24 + n // 2) for n in true.shape)
    whole[box] = true
    assert volume_match(found.values, whole).correlation == pytest.approx(score.numbers["correlation"], abs=1e-6)
    for mirror in range(3):
        assert volume_match(np.flip(found.values, mirror), whole).correlation < 0.8


def test_one_pattern_is_no_volume(tmp_path: Path) -> None:
    table = {"kind": "cdi", "detector": {"kind": "photon_counter", "shape": [64, 64]}}
    measurement, _ = recorded(tmp_path, spheres("gold", PARTS[1]), table)
    with pytest.raises(FileError, match="not one series of tilts"):
        Raar3D()(measurement)
