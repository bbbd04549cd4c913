"""Modules and gain stages: where pixels lie, what each stage reads, what noise does to photons."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from xsim.detectors._modules import Module
from xsim.detectors.panels import Panels
from xsim.errors import ValidityWarning
from xsim.exposure import Axis, Exposure, FrameTable
from xsim.model import preset
from xsim.streams import StreamKey

KEY = StreamKey(3, "panels")
STAGES = [
    {"gain": 40.0, "noise": 80.0, "top": "360 keV"},
    {"gain": 1.4, "noise": 1500.0, "top": "9 MeV"},
    {"gain": 0.1, "noise": 15000.0, "top": "120 MeV"},
]


def exposure(detector: Panels, level: float, energy: float = 8e3) -> Exposure:
    table = FrameTable({"energy": np.array([energy]), "time": np.ones(1)}, {}, (), np.arange(1))
    axes = tuple(Axis(name, np.arange(n), "m") for name, n in zip("yx", detector.shape, strict=True))
    return Exposure(np.full((1, 1, *detector.shape), level), np.array([[energy]]), axes, table, np.ones(1))


@pytest.mark.parametrize(("level", "stage"), [(20.0, 0), (400.0, 1), (5000.0, 2)])
def test_each_stage_gives_photon_noise_and_its_own_read_noise(level: float, stage: int) -> None:
    detector = Panels(shape=(300, 300), stages=STAGES)
    counts = detector.read(exposure(detector, level), KEY)
    one = detector.stages[stage]
    quantum = 1e3 / one.gain / 8e3  # one ADC unit in photons
    variance = level * (1 + 0.115 * 3.65 / 8e3) + (one.noise * 3.65 / 8e3) ** 2 + quantum**2 / 12 + 1 / 12
    n = counts.size
    assert counts.mean() == pytest.approx(level, abs=4 * np.sqrt(variance / n))
    assert counts.var() == pytest.approx(variance, rel=4 * np.sqrt(2 / n))


def test_raw_values_carry_the_stage_above_the_bits_of_the_adc() -> None:
    detector = Panels(shape=(64, 64), stages=STAGES, read_out="raw", fano=0.0)
    for level, stage in ((20.0, 0), (400.0, 1), (5000.0, 2)):
        raw = detector.read(exposure(detector, level), KEY)
        assert set(np.unique(raw >> 14).tolist()) == {stage}
        charge = ((raw & 0x3FFF) - 1000.0) / STAGES[stage]["gain"]  # keV
        assert charge.mean() == pytest.approx(8 * level, rel=4 / np.sqrt(level * raw.size) + 2e-3)


@pytest.mark.parametrize(("noise", "threshold"), [(400.0, 0.5), (400.0, 0.8), (80.0, 0.5)])
def test_the_mean_holds_what_read_noise_adds_and_hides(noise: float, threshold: float) -> None:
    detector = Panels(
        shape=(700, 700), stages=[{"gain": 7.0, "noise": noise, "top": "900 keV"}], threshold=threshold, fano=0.0
    )
    shot = exposure(detector, 0.3, 6e3)
    counts = detector.read(shot, KEY)
    assert counts.mean() == pytest.approx(float(detector.mean(shot).mean()), abs=4 * np.sqrt(0.35 / counts.size))
    assert (counts >= 0).all()


def test_saturation_is_clipped_and_told_with_its_limit() -> None:
    detector = Panels(shape=(8, 8), stages=STAGES)
    with pytest.warns(ValidityWarning, match=r"64 pixels reach the 13000 ADC units \(120 MeV\)"):
        counts = detector.read(exposure(detector, 3e4), KEY)
    assert (counts == 15_000).all()


def test_gaps_and_numbers_of_modules() -> None:
    two = [{"start": [0, 0], "tile": [3, 4]}, {"start": [5, 1], "tile": [2, 2], "tiles": [1, 2], "gap": [0, 1]}]
    detector = Panels(shape=(8, 8), modules=two)
    assert detector.module_numbers[4].tolist() == [-1] * 8
    assert detector.module_numbers[5].tolist() == [-1, 1, 1, -1, 1, 1, -1, -1]
    counts = detector.read(exposure(detector, 3.0), KEY)[0]
    np.testing.assert_array_equal(counts < 0, detector.gaps)


def test_a_turned_and_shifted_module_keeps_distances_between_its_pixels() -> None:
    module = {"start": [2, 2], "tile": [4, 6], "shift": ["1 mm", "-2 mm", "3 mm"], "tilt": ["0 deg", "10 deg", "3 deg"]}
    detector = Panels(shape=(8, 10), pixel="200 um", modules=[module])
    places, normals = detector.places()
    own = places[detector.modules[0].place]
    np.testing.assert_allclose(np.linalg.norm(np.diff(own, axis=0), axis=2), 2e-4, rtol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(np.diff(own, axis=1), axis=2), 2e-4, rtol=1e-12)
    turned = np.cross(own[0, 1] - own[0, 0], own[1, 0] - own[0, 0]) / 4e-8
    np.testing.assert_allclose(normals[3, 3], turned, atol=1e-12)
    flat = Panels(shape=(8, 10), pixel="200 um", modules=[{**module, "shift": ["0 m"] * 3, "tilt": ["0 deg"] * 3}])
    middle = flat.places()[0][detector.modules[0].place].mean(axis=(0, 1))
    np.testing.assert_allclose(own.mean(axis=(0, 1)), middle + np.array([1e-3, -2e-3, 3e-3]), atol=1e-15)


@pytest.mark.parametrize(("name", "pixels"), [("agipd_1m", 2**20), ("jungfrau_4m", 2**22), ("cspad_2m", 2296960)])
def test_presets_have_their_published_number_of_pixels(name: str, pixels: int) -> None:
    detector = Panels.model_validate(preset("detectors", name))
    assert int((~detector.gaps).sum()) == pixels


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"modules": [{"start": [0, 0], "tile": [9, 9]}]}, "beyond the picture"),
        ({"modules": [{"tile": [4, 4]}, {"start": [3, 3], "tile": [2, 2]}]}, "share pixels"),
        ({"stages": [STAGES[1], STAGES[0]]}, "out of order"),
        ({"stages": [{"gain": 40.0, "noise": 80.0, "top": "1 MeV"}]}, "beyond the ADC"),
        ({"stages": []}, "number of gain stages"),
        ({"threshold": 1.2}, "threshold"),
    ],
)
def test_what_cannot_be_is_refused(change: dict, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Panels(shape=(8, 8), **change)


def test_a_module_knows_its_size() -> None:
    assert Module(tile=(128, 64), tiles=(1, 8), gap=(0, 2)).size == (128, 526)
