"""Laws that every instrument obeys, run over whatever is discovered."""

from __future__ import annotations

import pickle
import time
import warnings
from functools import cache
from typing import Any

import numpy as np
import pytest

from xsim.errors import XsimWarning
from xsim.exposure import Exposure, FrameTable, Truth
from xsim.registry import discover
from xsim.specimen.specimen import Specimen
from xsim.streams import StreamKey

KINDS = sorted(discover("instruments"))
#: kinds that see light without any specimen
DIRECT_BEAM = {"full_field", "stxm", "ptychography", "absorption"}


#: kinds whose beam is wider than the grid on which they state its fluence
WIDER_BEAM = {"aligned_stream", "saxs", "single_particle"}
#: kinds whose specimen flies free and turns every way, so that it can have no support
FREE = {"aligned_stream", "single_particle"}


@cache
def specimen(kind: str) -> Specimen:
    """Two gold spheres, off the axis, in a thin silicon nitride membrane."""
    return Specimen.from_table(
        {
            "extent": ["1 um", "1 um"],
            "layers": [] if kind in FREE else [{"material": "silicon_nitride", "thickness": "120 nm"}],
            "population": [
                {
                    "name": "dots",
                    "material": "gold",
                    "shape": {"kind": "sphere", "radius": "40 nm"},
                    "placement": {
                        "kind": "at",
                        "positions": [["100 nm", "50 nm", "0 nm"], ["-60 nm", "-90 nm", "0 nm"]],
                    },
                }
            ],
        }
    )


@cache
def made(kind: str) -> Any:
    return discover("instruments")[kind]()


@cache
def prepared(kind: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XsimWarning)
        return made(kind).prepare(specimen(kind))


@cache
def exposed(kind: str) -> Exposure:
    return expose(prepared(kind), made(kind).frames())


def expose(prepared: Any, frames: FrameTable) -> Exposure:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XsimWarning)
        return prepared.expose(frames)


def some_rows(frames: FrameTable) -> FrameTable:
    """At most 7 rows from all over the table."""
    return frames.take(np.unique(np.linspace(0, len(frames) - 1, min(7, len(frames))).astype(int)))


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_has_a_default_and_the_model_round_trips_through_its_scenario_form(kind: str) -> None:
    cls = discover("instruments")[kind]
    assert all(not field.is_required() for field in cls.model_fields.values())
    again = cls.model_validate(made(kind).model_dump(exclude_none=True))
    assert again == made(kind)
    assert {"kind", "energy", "flux", "exposure_time", "detector"} <= set(cls.model_fields)


@pytest.mark.parametrize("kind", KINDS)
def test_the_frame_table_has_the_instruments_energy_and_time_in_si_and_its_axes_make_its_rows(kind: str) -> None:
    frames = made(kind).frames()
    assert np.array_equal(frames["energy"], np.full(len(frames), made(kind).energy))
    assert np.array_equal(frames["time"], np.full(len(frames), made(kind).exposure_time))
    assert np.prod(frames.shape, dtype=int) == len(frames)
    assert np.array_equal(frames.index, np.arange(len(frames)))
    units = {"energy": "eV", "time": "s", "x": "m", "y": "m"}
    assert frames.units == {name: unit for name, unit in units.items() if name in frames.columns}
    assert set(frames.columns) <= {*units, "shot"}


@pytest.mark.parametrize("kind", KINDS)
def test_expected_photons_are_finite_and_not_negative_and_no_more_than_were_sent(kind: str) -> None:
    exposure = exposed(kind)
    assert np.isfinite(exposure.expected).all()
    assert (exposure.expected >= 0).all()
    assert exposure.expected.max() > 0
    per_frame = exposure.expected.reshape(len(exposure.frames), -1).sum(axis=1, dtype=np.float64)
    assert (per_frame <= exposure.incident * (1 + 1e-5)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_incident_photons_are_flux_times_time(kind: str) -> None:
    exposure = exposed(kind)
    assert np.allclose(exposure.incident, made(kind).flux * exposure.frames["time"], rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_all_rows_at_once_equal_one_row_at_a_time_to_the_bit(kind: str) -> None:
    frames = some_rows(made(kind).frames())
    whole = expose(prepared(kind), frames)
    for row in reversed(range(len(frames))):
        one = expose(prepared(kind), frames.take(slice(row, row + 1)))
        assert np.array_equal(one.expected[0], whole.expected[row])
        assert np.array_equal(one.group_energy[0], whole.group_energy[row])


@pytest.mark.parametrize("kind", KINDS)
def test_a_pickled_copy_exposes_the_same_bits(kind: str) -> None:
    frames = some_rows(made(kind).frames())
    copy = pickle.loads(pickle.dumps(prepared(kind)))
    assert np.array_equal(expose(copy, frames).expected, expose(prepared(kind), frames).expected)


@pytest.mark.parametrize("kind", KINDS)
def test_the_expectation_is_linear_in_the_exposure_time_and_in_the_flux(kind: str) -> None:
    frames = some_rows(made(kind).frames())
    once = expose(prepared(kind), frames).expected
    longer = frames.with_columns(time=3 * np.asarray(frames["time"]))
    assert np.allclose(expose(prepared(kind), longer).expected, 3 * once, rtol=1e-6, atol=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XsimWarning)
        brighter = made(kind).model_copy(update={"flux": 2 * made(kind).flux}).prepare(specimen(kind))
    assert np.allclose(expose(brighter, frames).expected, 2 * once, rtol=1e-6, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_detector_reads_the_exposure(kind: str) -> None:
    exposure, detector = exposed(kind), made(kind).detector
    counts = detector.read(exposure, StreamKey(1, "test"))
    axes = detector.counts_axes(exposure.axes)
    assert counts.shape == (len(exposure.frames), *(len(axis) for axis in axes))
    assert (np.asarray(detector.mean(exposure)) > 0).any()


@pytest.mark.parametrize("kind", KINDS)
def test_the_fluence_on_the_specimen_adds_up_to_the_incident_photons(kind: str) -> None:
    frames = made(kind).frames()
    maps = prepared(kind).illuminate(frames)
    assert maps
    assert all((i.fluence >= 0).all() and i.fluence.shape == i.grid.shape for i in maps)
    landed = sum(float(i.fluence.sum()) * i.grid.pixel**2 for i in maps)
    incident = float(exposed(kind).incident.sum())
    assert 0 < landed <= incident * (1 + 1e-6)
    if kind not in WIDER_BEAM:
        assert landed == pytest.approx(incident, rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_truth_and_geometry_are_plain_and_fit_their_axes(kind: str) -> None:
    truth = prepared(kind).truth()
    assert truth
    for value in truth.values():
        assert isinstance(value, Truth)
        assert value.values.shape == tuple(len(axis) for axis in value.axes)
        assert np.isfinite(value.values).all()
    for key, value in made(kind).geometry().items():
        assert isinstance(key, str)
        assert isinstance(value, str | float | int | np.ndarray)


@pytest.mark.parametrize("kind", KINDS)
def test_every_instrument_tells_how_it_follows_the_light_through_the_specimen(kind: str) -> None:
    model = prepared(kind).measured()["interaction_model"]
    assert model.split(",")[0].split(" ")[0] in ("born", "projection", "multislice", "straight")


@pytest.mark.parametrize("kind", sorted(DIRECT_BEAM & set(KINDS)))
def test_without_a_specimen_the_light_arrives_undiminished(kind: str) -> None:
    instrument = made(kind)
    frames = some_rows(instrument.frames())
    exposure = expose(instrument.prepare(Specimen()), frames)
    arrived = exposure.expected.reshape(len(frames), -1).sum(axis=1, dtype=np.float64)
    share = float(instrument.objective.efficiency(instrument.energy)) if kind == "full_field" else 1.0
    assert np.allclose(arrived, share * exposure.incident, rtol=1e-5)


@pytest.mark.parametrize("kind", sorted({"cdi"} & set(KINDS)))
def test_without_a_specimen_nothing_is_scattered(kind: str) -> None:
    instrument = made(kind)
    exposure = expose(instrument.prepare(Specimen()), instrument.frames())
    assert (exposure.expected == 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_default_is_quick(kind: str) -> None:
    prepared(kind)  # compiled by now
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XsimWarning)
        made(kind).prepare(specimen(kind)).expose(made(kind).frames())
    assert time.perf_counter() - start < 10  # about 1 s on a quiet machine
