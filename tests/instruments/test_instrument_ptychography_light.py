"""Ptychography with imperfect light and stages: finite source, bandwidth, fly scan, jitter; detectors that saturate."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from scipy.special import j1

from xsim.constants import wavenumber
from xsim.errors import RangeError, SamplingWarning, ValidityWarning
from xsim.exposure import FrameTable
from xsim.instruments._scan_wave import far_field
from xsim.instruments.ptychography import Ptychography
from xsim.specimen.specimen import Specimen

DETECTOR = {"kind": "photon_counter", "shape": [64, 64], "pixel": "150 um"}
PLATE = {"outermost_zone": "80 nm", "diameter": "80 um", "thickness": "700 nm"}


def camera(**changes: Any) -> Ptychography:
    table = {"step": "150 nm", "field": ["500 nm", "500 nm"], "zone_plate": PLATE, "defocus": "230 um",
             "detector": DETECTOR, "samples": 2}  # fmt: skip
    return Ptychography.model_validate({**table, **changes})


def body(shift: tuple[float, float] = (0.0, 0.0)) -> Specimen:
    boxes = [(["300 nm", "80 nm", "200 nm"], ["60 nm", "-110 nm", "0 nm"]),
             (["80 nm", "200 nm", "200 nm"], ["-50 nm", "40 nm", "0 nm"])]  # fmt: skip
    population = [
        {"name": f"part{i}", "material": "gold", "shape": {"kind": "box", "sides": sides},
         "placement": {"kind": "at", "positions": [place]}}
        for i, (sides, place) in enumerate(boxes)
    ]  # fmt: skip
    return Specimen.from_table({"extent": ["9 um", "9 um"], "population": population}).shifted(*shift)


def frame(instrument: Ptychography, x: float = 20e-9, y: float = 30e-9) -> FrameTable:
    table = instrument.frames().take(slice(0, 1))
    return table.with_columns(x=np.array([x]), y=np.array([y]))


def pattern(instrument: Ptychography, specimen: Specimen | None = None, x: float = 20e-9, y: float = 30e-9) -> Any:
    exposure = instrument.prepare(body() if specimen is None else specimen).expose(frame(instrument, x, y))
    return exposure.expected[0, 0].astype(np.float64) / exposure.incident[0]


def distance(one: Any, other: Any) -> float:
    return float(np.abs(one - other).sum() / np.abs(other).sum())


def test_a_finite_source_gives_the_mean_of_the_patterns_of_its_points() -> None:
    width = 120e-9
    blurred = pattern(camera(source_image=[f"{width} m", "0 nm"], mode_loss=1e-5))
    sigma = width / np.sqrt(8 * np.log(2))
    offsets = np.linspace(-4, 4, 33) * sigma
    weights = np.exp(-((offsets / sigma) ** 2) / 2)
    prepared = camera().prepare(body())
    state = prepared.at(6200.0)[0][1]
    points = [far_field(state, 20e-9 + d, 30e-9, 64).astype(np.float64) for d in offsets]
    mean = sum(w * p for w, p in zip(weights / weights.sum(), points, strict=True))
    assert distance(blurred, mean) < 1e-3
    assert distance(pattern(camera()), mean) > 0.05


def test_the_modes_of_a_finite_source_are_in_the_truth() -> None:
    prepared = camera(source_image=["60 nm", "30 nm"]).prepare(body())
    probe = prepared.truth()["probe"]
    assert [axis.name for axis in probe.axes] == ["mode", "y", "x"]
    assert len(probe.values) > 2
    assert float(np.sum(np.abs(probe.values) ** 2)) == pytest.approx(1.0, rel=1e-6)


def test_a_bandwidth_adds_the_patterns_of_its_lines_each_focused_by_the_zone_plate_where_it_focuses_it() -> None:
    plate = camera().zone_plate
    many = camera(bandwidth={"relative_width": 0.004, "samples": 5})
    energies, weights = many.bandwidth.lines(6200.0)
    wanted = 0.0
    for energy, weight in zip(energies, weights, strict=True):
        further = float(plate.focal_length(energy) - plate.focal_length(6200.0))
        line = camera(energy=f"{float(energy)!r} eV", defocus=f"{230e-6 - further!r} m")
        wanted = wanted + weight * pattern(line)
    assert distance(pattern(many), wanted) < 1e-4
    assert distance(pattern(camera()), wanted) > 0.02


def test_lines_of_a_bandwidth_fall_on_the_same_detector_pixels() -> None:
    """The rim of the zone plate's cone is at lambda/2dr: a longer wavelength's is wider by as much."""
    instrument = camera(zone_plate={**PLATE, "central_stop": 0.9}, defocus="0 um", field=["100 nm", "100 nm"],
                        step="30 nm", detector={**DETECTOR, "shape": [256, 256], "pixel": "40 um"})  # fmt: skip
    radius = []
    for energy in (6200.0, 5000.0):
        other = instrument.model_copy(update={"energy": energy})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SamplingWarning)
            shares = pattern(other, Specimen())
        y, x = np.indices((256, 256)) - 128
        r = np.hypot(y, x)
        radius.append(float((r * shares).sum() / shares.sum()))
    assert radius[1] / radius[0] == pytest.approx(6200 / 5000, rel=2e-3)


def test_a_fly_scan_is_the_mean_over_its_path_along_the_row() -> None:
    instrument = camera(pattern="raster", motion={"fly": 6})
    state = instrument.prepare(body()).at(6200.0)[0][1]
    places = 20e-9 + (np.arange(6) - 2.5) / 6 * 150e-9
    wanted = np.mean([far_field(state, x, 30e-9, 64) for x in places], axis=0)
    assert distance(pattern(instrument), wanted) < 1e-5
    with pytest.raises(RangeError, match="rows"):
        camera(motion={"fly": 4}).prepare(body())
    with pytest.warns(SamplingWarning, match=r"motion\.fly"):
        camera(pattern="raster", motion={"fly": 2}, field=["600 nm", "300 nm"], defocus="0 um",
               step="60 nm", zone_plate={**PLATE, "outermost_zone": "40 nm"}).prepare(body())  # fmt: skip


def test_the_beam_goes_where_the_stage_takes_it_and_the_table_says_where_it_was_sent() -> None:
    still, moved = camera(), camera(motion={"jitter": "20 nm", "drift": ["40 nm/s", "0 nm/s"]})
    frames = moved.frames()
    assert np.array_equal(frames["x"], still.frames()["x"])
    prepared = moved.prepare(body())
    exposure, real = prepared.expose(frames), prepared.truth()["positions"].values
    state = prepared.at(6200.0)[0][1]
    for row in range(len(frames)):
        assert distance(exposure.expected[row, 0] / exposure.incident[row], far_field(state, *real[row], 64)) < 1e-5
    assert np.abs(real[-1] - (frames["x"][-1], frames["y"][-1])).max() > 10e-9


def test_a_jitter_that_spoils_the_scan_is_told() -> None:
    with pytest.warns(SamplingWarning, match=r"motion\.jitter.*quarter"):
        camera(motion={"jitter": "60 nm"}).prepare(body())


def test_a_beam_that_drifts_off_the_object_is_refused() -> None:
    instrument = camera(motion={"drift": ["1 um/s", "0 nm/s"]})
    frames = instrument.frames()
    late = frames.take(slice(0, 1))
    late = FrameTable(late.columns, late.units, (), late.index + 10_000)
    prepared = instrument.prepare(body())
    with pytest.raises(RangeError, match="leaves the object"):
        prepared.expose(late)


@pytest.mark.parametrize(
    ("detector", "match"),
    [
        ({"dead_time": "5 us"}, "dead time"),
        ({"counter_bits": 8}, "8 bits"),
        ({"kind": "camera", "full_well": 1e4}, "full well"),
    ],
)
def test_pixels_brighter_than_the_detector_can_follow_are_told_before_the_run(detector: Any, match: str) -> None:
    with pytest.warns(ValidityWarning, match=match):
        camera(flux="1e8 1/s", detector={**DETECTOR, **detector}).prepare(body())


def test_a_scan_beside_all_particles_is_told() -> None:
    with pytest.warns(SamplingWarning, match="no particle lies within"):
        camera().prepare(body((3e-6, 0.0)))


def test_gaps_of_a_detector_read_minus_one_and_the_rest_is_as_without() -> None:
    from xsim.streams import StreamKey

    gaps = camera(detector={**DETECTOR, "module": [30, 64], "gap": [4, 0]})
    whole = camera()
    exposure = whole.prepare(body()).expose(whole.frames())
    one, other = (c.detector.read(exposure, StreamKey(1, "x")) for c in (gaps, whole))
    assert (one[:, 30:34] == -1).all()
    assert np.array_equal(np.delete(one, np.s_[30:34], axis=1), np.delete(other, np.s_[30:34], axis=1))


@pytest.mark.parametrize(("diameter", "before", "distance"), [("0.9 um", "0.1 mm", "0.4 m"), ("2 um", "1 mm", "0.5 m")])
def test_a_pinhole_alone_shows_airys_pattern_up_to_the_edge_of_the_detector(
    diameter: str, before: str, distance: str
) -> None:
    detector = {"kind": "photon_counter", "shape": [96, 96], "pixel": "50 um"}
    hole = {"diameter": diameter, "distance": before}
    light = {"energy": "1850 eV", "flux": "1 1/s", "exposure_time": "1 s", "step": "0.2 um", "field": ["0.4 um"] * 2}
    scan = Ptychography.model_validate({**light, "pinhole": hole, "distance": distance, "detector": detector})
    found = scan.prepare(Specimen()).expose(scan.frames().take(np.array([1]))).expected[0, 0]
    assert scan.pinhole is not None
    dq = wavenumber(1850.0) * 50e-6 / scan.distance
    x = np.hypot(*np.meshgrid(np.arange(-48, 48) * dq, np.arange(-48, 48) * dq)) * float(scan.pinhole.diameter) / 2
    x[48, 48] = 1e-9
    wanted = (float(scan.pinhole.diameter) / 2 * dq) ** 2 / (4 * np.pi) * (2 * j1(x) / x) ** 2
    assert found.sum() == pytest.approx(wanted.sum(), rel=1e-4)
    rim = np.sqrt(wanted[:6])
    assert np.linalg.norm(np.sqrt(found[:6]) - rim) < 0.01 * np.linalg.norm(rim)
