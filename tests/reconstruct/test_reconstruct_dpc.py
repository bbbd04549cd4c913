"""Differential phase contrast gives back the phase of a lopsided specimen, upright and of the right size."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from xsim import simulate
from xsim.constants import wavenumber
from xsim.errors import FileError
from xsim.exposure import Measurement
from xsim.instruments.stxm import Stxm
from xsim.metrics.against_truth import Estimate, compare
from xsim.optics.zone_plate import ZonePlate
from xsim.reconstruct._choose import choose, methods_for
from xsim.reconstruct.dpc import Dpc, integrated
from xsim.specimen.specimen import Specimen
from xsim.waves.grid import Grid


@cache
def specimen() -> Specimen:
    def ball(name: str, radius: float, place: list[float]) -> dict[str, Any]:
        return {"name": name, "material": "polystyrene", "shape": {"kind": "sphere", "radius": f"{radius} nm"},
                "placement": {"kind": "at", "positions": [[f"{p} nm" for p in place]]}}  # fmt: skip

    parts = [ball("large", 110, [120, -60, 0]), ball("small", 70, [-150, 90, 0]), ball("third", 50, [-90, -130, 0])]
    return Specimen.from_table({"extent": ["1 um", "1 um"], "population": parts})


@cache
def measured(flux: float = 1e12, sectors: int = 4, stop: float = 0.0, rings: int = 1) -> Measurement:
    plate = {"outermost_zone": "25 nm", "diameter": "150 um", "central_stop": stop}
    instrument = Stxm.model_validate(
        {"energy": "1 keV", "field": ["640 nm", "480 nm"], "step": "20 nm", "flux": f"{flux} 1/s", "zone_plate": plate,
         "segments": {"rings": list(np.linspace(0, 2, rings + 1)), "sectors": sectors}, "model": "projection"}
    )  # fmt: skip
    return simulate(specimen(), instrument, seed=2)


def blurred_by_the_spot(measurement: Measurement, stop: float) -> np.ndarray[Any, Any]:
    """Ehrenfest's theorem: the mean deflection is the gradient averaged over |p|^2, so the phase is blurred by it."""
    fine = Grid((320, 320), 4e-9)
    phase = -float(wavenumber(1000.0)) * sum(
        float(m.optics(1000.0).delta) * t for m, t in specimen().thickness(fine).items()
    )
    plate = ZonePlate(outermost_zone="25 nm", diameter="150 um", central_stop=stop)
    spot = np.abs(plate.probe(fine, 1000.0)) ** 2
    image = np.fft.ifft2(np.fft.fft2(phase) * np.fft.fft2(np.fft.ifftshift(spot))).real
    y, x = (np.rint(axis.values / 4e-9).astype(int) + 160 for axis in measurement.frames.axes)
    found = image[np.ix_(y, x)]
    return np.asarray(found - found.mean())


def compared(measurement: Measurement) -> tuple[Any, Any]:
    found = Dpc()(measurement)
    estimate = Estimate(found.values, found.axes, found.unit, found.estimates)
    (one,) = compare(estimate, measurement.truth)
    return found, one


@pytest.mark.parametrize(
    ("sectors", "rings", "stop", "within"),
    [(4, 1, 0.0, 0.08), (3, 1, 0.0, 0.08), (12, 13, 0.0, 0.01), (12, 13, 0.5, 0.01)],
)
def test_the_phase_comes_back_upright_and_of_the_right_size(
    sectors: int, rings: int, stop: float, within: float
) -> None:
    """Fine segments measure the first moment, for which the answer is exact; quadrants overstate fine structure."""
    measurement = measured(sectors=sectors, stop=stop, rings=rings)
    _, one = compared(measurement)
    assert one.numbers["correlation"] > 0.98
    want = blurred_by_the_spot(measurement, stop)
    slope = float((one.estimate * want).sum() / (want**2).sum())
    assert slope == pytest.approx(1, abs=within)
    assert np.std(one.estimate - want) < 3 * within * np.std(want)
    for flipped in (one.truth[::-1], one.truth[:, ::-1], one.truth[::-1, ::-1], -one.truth):
        assert np.corrcoef(one.estimate.ravel(), flipped.ravel())[0, 1] < 0.6


def test_noise_of_few_photons_shows_in_the_score() -> None:
    _, clean = compared(measured())
    _, noisy = compared(measured(flux=3e6))
    assert 0.3 < noisy.numbers["correlation"] < clean.numbers["correlation"] - 0.02


def test_gradients_are_integrated_without_edges() -> None:
    y, x = np.mgrid[:30, :40] * 5e-9
    phase = 2e7 * x - 1e7 * y + 0.3 * np.exp(-((x - 60e-9) ** 2 + (y - 90e-9) ** 2) / (2 * 25e-9**2))
    gy, gx = np.gradient(phase, 5e-9)
    found = integrated(gx, gy, 5e-9)
    assert found == pytest.approx(phase - phase.mean(), abs=0.03 * np.ptp(phase))


def test_it_is_the_default_for_segments_and_refuses_other_detectors() -> None:
    assert methods_for(measured()) == ["dpc"]
    assert isinstance(choose(measured()), Dpc)
    with pytest.raises(FileError, match="segmented"):
        choose(measured(), "energy_fit")
    whole = simulate(specimen(), Stxm(), seed=1)
    assert methods_for(whole) == ["energy_fit"]
    ring = measured(sectors=1)
    with pytest.raises(FileError, match="in which direction"):
        Dpc()(ring)
    blind = replace(measured(), geometry={"step [m]": 2e-8})
    with pytest.raises(FileError, match="borders of its segments"):
        Dpc()(blind)
