"""Ptychographic methods on noisy, partially coherent data of a lopsided specimen, scored against the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reconstruct_runs import recorded, spheres

from xsim.exposure import Measurement, Truth
from xsim.metrics.against_truth import Estimate, compare
from xsim.reconstruct._choose import methods_for
from xsim.reconstruct._ptychogram import first_modes, orthogonal
from xsim.reconstruct.difference_map import DifferenceMap
from xsim.reconstruct.epie import Epie
from xsim.reconstruct.rpie import Rpie
from xsim.waves.grid import Grid

GOLD = (("60 nm", "100 nm", "50 nm", "0 nm"), ("40 nm", "-120 nm", "-60 nm", "0 nm"),
        ("30 nm", "20 nm", "-150 nm", "0 nm"), ("25 nm", "-60 nm", "130 nm", "0 nm"))  # fmt: skip
TABLE = {
    "kind": "ptychography", "field": ["700 nm", "700 nm"], "step": "130 nm", "flux": "1e9 1/s", "defocus": "220 um",
    "zone_plate": {"outermost_zone": "80 nm", "diameter": "80 um", "thickness": "700 nm"},
    "detector": {"kind": "photon_counter", "shape": [64, 64], "pixel": "150 um"},
}  # fmt: skip


@pytest.fixture(scope="module")
def coherent(tmp_path_factory: pytest.TempPathFactory) -> tuple[Measurement, dict[str, Truth]]:
    return recorded(tmp_path_factory.mktemp("coherent"), spheres("gold", *GOLD), TABLE)


@pytest.fixture(scope="module")
def blurred(tmp_path_factory: pytest.TempPathFactory) -> tuple[Measurement, dict[str, Truth]]:
    table = {**TABLE, "source_image": ["80 nm", "0 nm"], "step": "110 nm"}
    return recorded(tmp_path_factory.mktemp("blurred"), spheres("gold", *GOLD), table)


def numbers(found: Any, truth: dict[str, Truth]) -> dict[str, float]:
    light = found.extras["illumination"].values
    return compare(Estimate(found.values, found.axes, "", "object", weight=light), truth)[0].numbers


@pytest.mark.parametrize("method", [DifferenceMap(iterations=40), Epie(iterations=30), Rpie(iterations=30)])
def test_every_method_finds_the_object_of_coherent_data(method: Any, coherent: Any) -> None:
    measurement, truth = coherent
    found = method(measurement)
    score = numbers(found, truth)
    assert score["correlation"] > 0.95
    assert score["scale"] == pytest.approx(1, abs=0.05)
    assert found.history["error"][-1] < 0.5 * found.history["error"][0]


def test_modes_beat_one_mode_on_partially_coherent_data(blurred: Any) -> None:
    measurement, truth = blurred
    one, several = (Rpie(iterations=40, modes=modes)(measurement) for modes in (1, 3))
    assert several.history["error"][-1] < 0.7 * one.history["error"][-1]
    assert numbers(several, truth)["correlation"] > max(0.97, numbers(one, truth)["correlation"])
    shares = several.extras["mode_shares"].values
    assert (np.diff(shares) <= 0).all()
    assert shares.sum() == pytest.approx(1, rel=1e-5)


def test_modes_explain_partially_coherent_data_to_the_difference_map(blurred: Any) -> None:
    measurement, truth = blurred
    one, several = (DifferenceMap(iterations=30, modes=modes)(measurement) for modes in (1, 3))
    assert several.history["error"][-1] < 0.7 * one.history["error"][-1]
    assert abs(numbers(several, truth)["scale"] - 1) < abs(numbers(one, truth)["scale"] - 1)


def test_gaps_are_left_out_by_the_difference_map(tmp_path: Path) -> None:
    detector = {**TABLE["detector"], "module": [20, 64], "gap": [2, 0]}  # type: ignore[dict-item]
    measurement, truth = recorded(tmp_path, spheres("gold", *GOLD), {**TABLE, "detector": detector})
    assert (measurement.counts == -1).any()
    assert numbers(DifferenceMap(iterations=40)(measurement), truth)["correlation"] > 0.93


def test_the_preferred_method_is_the_default(coherent: Any) -> None:
    assert methods_for(coherent[0]) == ["rpie", "difference_map", "epie"]


def test_modes_begin_orthogonal_with_the_probes_power_and_orthogonalising_keeps_the_light() -> None:
    rng = np.random.default_rng(1)
    probe = rng.normal(size=(32, 32)) + 1j * rng.normal(size=(32, 32))
    modes = first_modes(probe, Grid((32, 32), 1.0), 6)
    flat = modes.reshape(6, -1)
    gram = flat @ flat.conj().T
    assert np.abs(gram - np.diag(np.diagonal(gram))).max() < 1e-5 * gram.real.max()
    assert np.trace(gram).real == pytest.approx(np.sum(np.abs(probe) ** 2), rel=1e-5)
    mixed = np.stack([modes[0] + modes[1], modes[0] - 2j * modes[1], modes[2]])
    again = orthogonal(mixed)
    assert np.sum(np.abs(again) ** 2, axis=0) == pytest.approx(np.sum(np.abs(mixed) ** 2, axis=0), rel=1e-4, abs=1e-6)
    assert abs(np.vdot(again[0], again[1])) < 1e-4 * np.linalg.norm(again[0]) ** 2
