"""Detection limits of lines in matter: films weighed by standards, and rates of errors in simulated spectra."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import xsim
from xsim.errors import RangeError
from xsim.instruments.microprobe import Microprobe
from xsim.matter.library import find
from xsim.metrics.detection_limit import count_limit, detected
from xsim.metrics.line_limits import Calibration, focused, of_measurement, spectra
from xsim.metrics.scores.detection_limit import DetectionLimitScore
from xsim.reconstruct.detection_limit import DetectionLimit
from xsim.specimen.specimen import Specimen

ICE = {"material": "vitreous_ice", "thickness": "2 um"}


def sandwich(zinc: float) -> Specimen:
    """Ice with a film of zinc of so many metres behind it."""
    film = {"material": "zinc", "thickness": f"{zinc} m"}
    return Specimen.from_table({"extent": ["2 um", "2 um"], "layers": [ICE, film]})


def probe(**settings: Any) -> Microprobe:
    table = {"energy": "12 keV", "flux": "2e9 1/s", "exposure_time": "1 s", "step": "100 nm",
             "detector": {"kind": "silicon_drift"}, "detector_angle": "140 deg"}  # fmt: skip
    return Microprobe.model_validate({**table, "field": ["200 nm", "200 nm"], **settings})


def test_a_film_weighs_by_its_standard_what_it_weighs():
    one = probe(exposure_time="1000 s")
    found = DetectionLimit(lines=("Zn_K",))(xsim.simulate(sandwich(5e-9), one, seed=1))
    want = find("zinc").density * 5e-9
    assert found.axes[0].values[0] == "Zn"
    assert found.values.mean() == pytest.approx(want, rel=0.01)
    assert np.all(np.abs(found.values - want) < 5 * found.error + 0.01 * want)
    assert found.extras["detected"].values.all()


def test_blank_and_loaded_points_err_as_often_as_stated():
    """An end-to-end draw: ice alone raises false alarms, zinc at its limit is missed, both as stated."""
    points = {"field": ["4 um", "4 um"]}
    blank = xsim.simulate(sandwich(1e-15), probe(**points), seed=2)
    channel, calibration = spectra(blank)[1], Calibration.of(blank.geometry)
    zinc = next(s for s in calibration.standards if s.line == "Zn_K")
    others = [s for s in calibration.standards if s is not zinc]
    inside, beside = zinc.inside(channel), zinc.beside(channel, others)
    ratio = inside.sum() / beside.sum()
    limit = next(one for one in of_measurement(blank) if one.line == "Zn_K")
    thickness = limit.area_density / find("zinc").density
    loaded = xsim.simulate(sandwich(thickness), probe(**points), seed=3)
    level = count_limit(limit.counts.background, ratio)
    for measurement, stated in ((blank, level.false_alarm), (loaded, 0.95)):
        counts = spectra(measurement)[0]
        seen = detected(counts[:, inside].sum(axis=1), counts[:, beside].sum(axis=1), ratio).mean()
        n = len(counts)
        assert n == 1600
        # the limit rests on a background measured to 1 part in sqrt(counts)
        assert abs(seen - stated) < 3 * np.sqrt(stated * (1 - stated) / n) + 0.01


def test_atoms_are_the_mass_in_the_area_of_the_spot_and_the_share_is_of_all_mass():
    measurement = xsim.simulate(sandwich(1e-9), probe(), seed=4)
    limit = next(one for one in of_measurement(measurement) if one.line == "Zn_K")
    area = measurement.geometry["probe_area [m^2]"]
    assert limit.mass == pytest.approx(limit.area_density * area)
    assert limit.atoms == pytest.approx(limit.mass / (65.38 * 1.66054e-27), rel=1e-4)
    everything = find("vitreous_ice").density * 2e-6 + find("zinc").density * 1e-9
    assert limit.concentration == pytest.approx(limit.area_density / everything, rel=1e-3)
    assert focused(measurement) == pytest.approx(2e9)


def test_a_line_without_a_standard_is_refused():
    measurement = xsim.simulate(sandwich(1e-9), probe(), seed=4)
    with pytest.raises(RangeError, match="Zn_K"):
        DetectionLimitScore(name="lead", line="Pb_L").of_measurement(measurement)


def test_the_limit_expected_before_the_run_is_that_of_the_run():
    from xsim.planner.line_limits import expected_limits

    one, specimen = probe(field=["2 um", "2 um"]), sandwich(1e-15)
    before = {limit.line: limit for limit in expected_limits(specimen, one)}
    after = {limit.line: limit for limit in of_measurement(xsim.simulate(specimen, one, seed=6))}
    assert before["Zn_K"].atoms == pytest.approx(after["Zn_K"].atoms, rel=0.05)
