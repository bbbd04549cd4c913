"""Ptychography: photons are conserved, the specimen stands where the scan says, and thick objects need slabs."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from xsim.constants import wavelength
from xsim.errors import RangeError, SamplingError, SamplingWarning, ValidityWarning
from xsim.instruments._scan_wave import far_field as far_field_of
from xsim.instruments.ptychography import Ptychography
from xsim.interaction.transmission import transmission
from xsim.matter.library import find
from xsim.scans.tilts import rotation_about
from xsim.specimen.specimen import Specimen
from xsim.waves.far_field import fraunhofer, inverse_fraunhofer
from xsim.waves.grid import Grid

L_SHAPE = [("gold", ["300 nm", "80 nm", "60 nm"], ["60 nm", "-110 nm", "0 nm"]),
           ("gold", ["80 nm", "200 nm", "60 nm"], ["-50 nm", "40 nm", "0 nm"])]  # fmt: skip


def camera(**changes: Any) -> Ptychography:
    return Ptychography.model_validate({"step": "250 nm", "field": ["700 nm", "700 nm"], **changes})


def specimen(parts: list[Any], layers: list[Any] | None = None) -> Specimen:
    population = [
        {"name": f"part{i}", "material": material, "shape": {"kind": "box", "sides": sides},
         "placement": {"kind": "at", "positions": [place]}}
        for i, (material, sides, place) in enumerate(parts)
    ]  # fmt: skip
    return Specimen.from_table({"extent": ["9 um", "9 um"], "population": population, "layers": layers or []})


def far_field(lines: Any, x: float, y: float) -> np.ndarray:
    """Share of the photons on 128 x 128 pixels."""
    return sum(weight * far_field_of(state, x, y, 128) for weight, state in lines)


def test_the_photons_of_every_frame_are_those_sent_where_nothing_absorbs() -> None:
    instrument = camera()
    exposure = instrument.prepare(Specimen()).expose(instrument.frames())
    sums = exposure.expected.sum(axis=(1, 2, 3), dtype=np.float64)
    assert sums == pytest.approx(exposure.incident, rel=1e-5)


def test_the_photons_of_every_frame_are_those_transmitted() -> None:
    """Parseval: a uniform film transmits the same share of every probe."""
    instrument = camera()
    film = specimen([], [{"material": "gold", "thickness": "100 nm"}])
    exposure = instrument.prepare(film).expose(instrument.frames())
    sums = exposure.expected.sum(axis=(1, 2, 3), dtype=np.float64)
    transmitted = np.exp(-float(find("gold").optics(6200.0).mu_total) * 100e-9)
    assert sums == pytest.approx(transmitted * exposure.incident, rel=1e-5)


def reference(instrument: Ptychography, body: Specimen, x: float, y: float) -> np.ndarray:
    """The pattern by the plain formula on a window four times finer, the specimen eight times, the shift by a ramp."""
    n, finer = 128, 8
    pixel = instrument.pixel(instrument.energy) / finer
    window = Grid((n * finer, n * finer), pixel)
    probe = instrument.probe(instrument.energy, window, instrument.energy)
    q = 2 * np.pi * np.fft.fftfreq(n * finer, pixel)
    ramp = np.exp(-1j * (q[:, None] * y + q[None, :] * x))
    moved = np.fft.ifft2(np.fft.fft2(probe) * ramp)
    wave = moved * transmission(body.thickness(window), instrument.energy, np.complex128)
    far = np.abs(fraunhofer(wave)) ** 2
    middle = n * finer // 2
    return far[middle - n // 2 : middle + n // 2, middle - n // 2 : middle + n // 2]


@pytest.mark.parametrize("zones", ["50 nm", "120 nm"])
def test_patterns_are_those_of_a_window_eight_times_finer_up_to_the_detectors_edge(zones: str) -> None:
    """Nothing folds back and nothing is damped: the outermost pixels are as right as the middle ones."""
    plate = {"outermost_zone": zones, "diameter": "100 um", "thickness": "700 nm"}
    instrument = camera(samples=8, zone_plate=plate, defocus="200 um")
    body = specimen([("gold", ["90 nm", "35 nm", "20 nm"], ["31 nm", "-47 nm", "0 nm"]),
                     ("gold", ["25 nm", "200 nm", "20 nm"], ["-77 nm", "20 nm", "0 nm"])])  # fmt: skip
    found = far_field(instrument.prepare(body).at(6200.0), 13.7e-9, -8.3e-9)
    wanted = reference(instrument, body, 13.7e-9, -8.3e-9)
    assert np.abs(found - wanted).sum() < 5e-4 * wanted.sum()
    rim = np.ones((128, 128), bool)
    rim[8:-8, 8:-8] = False
    assert np.abs(found - wanted)[rim].sum() < 0.03 * wanted[rim].sum()


def test_light_scattered_beyond_the_detector_is_lost_and_does_not_fold_back() -> None:
    grating = [("gold", ["8 nm", "2 um", "60 nm"], [f"{i * 16.0 - 480} nm", "0 nm", "0 nm"]) for i in range(61)]
    fine = specimen(grating)  # period 16 nm; the detector reaches a period of 41.7 nm
    sent = camera().prepare(fine).expose(camera().frames())
    uniform = specimen([("gold", ["976 nm", "2 um", "30 nm"], ["0 nm", "0 nm", "0 nm"])])
    film = camera().prepare(uniform).expose(camera().frames())
    # in the middle, far from the grating's ends, nothing but the mean of the grating is left
    middle = np.argmin(np.hypot(camera().frames()["x"], camera().frames()["y"]))
    edge = [float(e.expected[middle, 0, :, :4].sum() / e.incident[middle]) for e in (sent, film)]
    assert edge[0] < 3 * edge[1] + 1e-9
    kept = float(sent.expected[middle].sum() / sent.incident[middle])
    assert kept < 1 - 1e-3


def test_a_frame_inverts_to_probe_times_object_at_the_scan_point_unflipped() -> None:
    """The complex far field of the model is not recorded, so compare amplitudes of the truth's own exit wave."""
    instrument = camera(pattern="raster", field=["500 nm", "500 nm"])
    prepared = instrument.prepare(specimen(L_SHAPE))
    frames, truth = instrument.frames(), prepared.truth()
    exposure = prepared.expose(frames)
    pixel, wave, probe = instrument.pixel(6200.0), truth["object"].values, truth["probe"].values
    n, middle = len(probe), len(wave) // 2
    errors = {}
    for sign in (1, -1):  # the wrong sign of the translations must fail
        total = 0.0
        for row in range(len(frames)):
            j, i = (sign * float(frames[name][row]) / pixel for name in ("y", "x"))
            rows, columns = (slice(middle + round(v) - n // 2, middle + round(v) + n - n // 2) for v in (j, i))
            q = 2 * np.pi * np.fft.fftfreq(n)
            ramp = np.exp(-1j * ((j - round(j)) * q[:, None] + (i - round(i)) * q[None, :]))
            moved = inverse_fraunhofer(fraunhofer(probe) * np.fft.fftshift(ramp))
            far = np.abs(fraunhofer(moved * wave[rows, columns])) ** 2 * exposure.incident[row]
            # on pixels this coarse the product of the two folds at the edges: look at the middle
            inner = (far - exposure.expected[row, 0])[32:96, 32:96]
            total += float(np.abs(inner).sum() / exposure.incident[row])
        errors[sign] = total / len(frames)
    assert errors[1] < 1e-4
    assert errors[-1] > 100 * errors[1]


def test_moving_the_specimen_one_way_is_moving_the_beam_the_other() -> None:
    instrument = camera()
    at, shift = instrument.prepare(specimen(L_SHAPE)), (83e-9, -41e-9)
    moved = instrument.prepare(specimen(L_SHAPE).shifted(*shift))
    one = far_field(at.at(6200.0), 20e-9, 30e-9)
    other = far_field(moved.at(6200.0), 20e-9 + shift[0], 30e-9 + shift[1])
    assert np.abs(one - other).sum() < 0.02 * np.abs(one - far_field(moved.at(6200.0), 20e-9, 30e-9)).sum()


def test_a_particle_downstream_meets_the_spot_as_it_is_there() -> None:
    """Moving the specimen down the beam is defocusing further by as much."""
    away = 120e-6
    at, low = specimen(L_SHAPE), specimen(L_SHAPE).shifted(0.0, 0.0, away)
    further = camera(defocus=f"{float(camera().defocus) + away!r} m")
    patterns = [one.prepare(body).at(6200.0) for one, body in ((camera(), low), (further, at), (camera(), at))]
    moved, defocused, unmoved = (far_field(state, 20e-9, 30e-9) for state in patterns)
    assert np.abs(moved - defocused).sum() < 0.02 * np.abs(moved - unmoved).sum()


def test_a_prism_deflects_the_pattern_towards_its_tip_by_its_slope_times_delta() -> None:
    """A box turned by 45 degrees is a roof of slope 2; matter advances the wave (n < 1), so light leaves to the tip."""
    instrument = camera(distance="1 m", model="projection", field=["5 um", "1 um"])
    roof = specimen([("beryllium", ["10 um", "10 um", "10 um"], ["0 nm", "0 nm", "0 nm"])])
    with pytest.warns(ValidityWarning, match="projection"):
        prepared = instrument.prepare(roof.rotated(rotation_about("y", np.pi / 4)))
    delta = float(find("beryllium").optics(6200.0).delta)
    for side in (1, -1):
        pattern = far_field(prepared.at(6200.0), side * 2e-6, 0.0)
        n = len(pattern)
        middle = (pattern.sum(axis=0, dtype=np.float64) @ (np.arange(n) - n // 2)) / pattern.sum(dtype=np.float64)
        assert middle == pytest.approx(side * 2 * delta * 1.0 / 75e-6, rel=0.01)


def test_the_object_pixel_is_lambda_times_distance_over_the_detector_width() -> None:
    geometry = camera().geometry()
    assert geometry["object_pixel [m]"] == pytest.approx(wavelength(6200.0) * 1.0 / (128 * 75e-6))
    assert list(geometry["beam_center [pixel]"]) == [64, 64]


def test_a_rectangular_detector_records_the_middle_of_the_square_one() -> None:
    wide = {"kind": "photon_counter", "shape": [96, 128]}
    frames = camera().frames()
    square = camera().prepare(specimen(L_SHAPE)).expose(frames).expected
    cut = camera(detector=wide).prepare(specimen(L_SHAPE)).expose(frames).expected
    assert np.array_equal(cut[:, 0], square[:, 0, 16:112])


def test_multislice_of_a_thin_object_is_its_projection_and_of_a_deep_one_is_not() -> None:
    frames = camera().frames().take(slice(0, 1))
    for apart, agree in ((40e-9, True), (40e-6, False)):
        parts = [(m, s, [*p[:2], f"{z!r} m"]) for (m, s, p), z in zip(L_SHAPE, (-apart, apart), strict=True)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ValidityWarning)
            first, second = (
                camera(model=model).prepare(specimen(parts)).expose(frames).expected
                for model in ("projection", "multislice")
            )
        bare = camera().prepare(Specimen()).expose(frames).expected
        change = float(np.abs(first - second).sum() / np.abs(first - bare).sum())
        assert change < 2e-3 if agree else change > 0.05


def test_a_raster_and_a_spiral_cover_the_field_with_one_point_per_step_squared() -> None:
    for pattern in ("raster", "fermat"):
        frames = camera(pattern=pattern, field=["4 um", "2 um"], step="200 nm").frames()
        assert len(frames) == pytest.approx(4 * 2 / 0.04, rel=0.05)
        assert np.abs(frames["x"]).max() <= 2e-6 * (1 + 1e-12)
        assert np.abs(frames["y"]).max() <= 1e-6 * (1 + 1e-12)
        distance = np.hypot(*(frames[a][:, None] - frames[a][None, :] for a in "xy"))
        assert np.sort(distance, axis=1)[:, 1].min() > 0.5 * 200e-9


def test_a_pinhole_may_stand_in_for_the_zone_plate() -> None:
    instrument = camera(pinhole={"diameter": "1 um", "distance": "200 um"})
    exposure = instrument.prepare(Specimen()).expose(instrument.frames())
    assert exposure.expected.sum(axis=(1, 2, 3)) == pytest.approx(exposure.incident, rel=0.03)


def test_mistakes_of_sampling_are_told_with_numbers() -> None:
    with pytest.raises(SamplingError, match="overlap"):
        camera(step="2.2 um", field=["5 um", "5 um"]).prepare(Specimen())
    with pytest.warns(SamplingWarning, match="should be >= 60 %"):
        camera(step="600 nm", field=["2 um", "2 um"]).prepare(Specimen())
    with pytest.warns(SamplingWarning, match="undersampled"):
        camera(distance="0.6 m").prepare(Specimen())
    with pytest.raises(SamplingError, match="aperture"):
        camera(distance="4 m", defocus="50 um").prepare(Specimen())
    with pytest.raises(RangeError, match="step"):
        camera(step="3 um").frames()
    with pytest.warns(ValidityWarning, match="projection"):
        camera(model="projection").prepare(specimen([("silicon", ["100 nm", "100 nm", "40 um"], ["0 nm"] * 3)]))
