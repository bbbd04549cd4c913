"""The pipeline's promises: same bits for any chunking and workers, streams apart, warnings and emptiness told."""

from __future__ import annotations

import inspect
import subprocess
import sys
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_instrument import FakeInstrument, FakePrepared, PoissonDetector
from hypothesis import given, settings
from hypothesis import strategies as st

import xsim.simulate.pipeline as pipeline
import xsim.simulate.recording as recording
import xsim.simulate.whole as whole
from xsim.errors import RangeError, XsimWarning
from xsim.exposure import FrameTable, Measurement
from xsim.simulate import Workers, simulate
from xsim.spill import Packed

pytestmark = pytest.mark.filterwarnings("ignore::xsim.errors.XsimWarning")


def run(instrument: FakeInstrument | None = None, **options: object) -> Measurement:
    return simulate(None, instrument or FakeInstrument(), 3, name="txm", **options)  # type: ignore[arg-type]


def same(a: Measurement, b: Measurement) -> bool:
    return (
        np.asarray(a.counts).tobytes() == np.asarray(b.counts).tobytes()
        and np.asarray(a.expected).tobytes() == np.asarray(b.expected).tobytes()
        and a.incident.tobytes() == b.incident.tobytes()
    )


@settings(max_examples=20, deadline=None)
@given(chunk=st.integers(1, 40))
def test_counts_are_the_same_to_the_bit_for_any_chunk_size(chunk: int) -> None:
    assert same(run(), run(chunk=chunk))


def test_counts_are_the_same_to_the_bit_for_any_number_of_workers() -> None:
    alone = run()
    with Workers(2) as pool:
        assert same(alone, run(workers=pool))
        assert same(alone, run(workers=pool, chunk=5))
        other = FakeInstrument(count=7)
        assert same(run(other), run(other, workers=pool, chunk=2))


def test_warnings_of_workers_come_home_once_and_in_the_same_words() -> None:
    alone = run()
    assert alone.warnings == ("frame 7 is odd",)
    assert run(workers=2, chunk=3).warnings == alone.warnings


def test_warnings_reach_the_caller_too() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run()
    assert [str(w.message) for w in caught if issubclass(w.category, XsimWarning)] == ["frame 7 is odd"]


def test_counts_follow_the_expectation_within_three_sigma() -> None:
    m = run(FakeInstrument(count=500))
    mean = m.expected.sum()  # type: ignore[union-attr]
    assert abs(m.total_counts - mean) < 3 * np.sqrt(mean)
    assert m.expected.max() > 0  # type: ignore[union-attr]


def test_the_expectation_is_summed_over_photon_groups() -> None:
    instrument = FakeInstrument()
    exposure = instrument.prepare(None).expose(instrument.frames())
    assert np.allclose(run().expected, exposure.expected.sum(axis=1), rtol=1e-14)


def test_another_seed_or_name_draws_other_numbers() -> None:
    first = run()
    assert not same(first, simulate(None, FakeInstrument(), 4, name="txm"))  # type: ignore[arg-type]
    assert not same(first, simulate(None, FakeInstrument(), 3, name="other"))  # type: ignore[arg-type]


def test_no_light_at_all_is_an_error_that_names_the_instrument() -> None:
    with pytest.raises(RangeError, match=r"'txm'.*raise the flux"):
        run(FakeInstrument(flux=0.0))


def test_some_dark_frames_are_a_warning_with_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    original = FakePrepared.expose

    def half_dark(self: FakePrepared, frames: FrameTable) -> object:
        exposure = original(self, frames)
        exposure.expected[frames.index % 2 == 1] = 0
        return exposure

    monkeypatch.setattr(FakePrepared, "expose", half_dark)
    assert "no photon is expected at the detector in 12 of 24 frames" in run().warnings


def test_large_arrays_lie_in_scratch_and_hold_the_same_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = run()
    monkeypatch.setattr(whole, "IN_MEMORY_BYTES", 100)
    for chunk in (None, 1, 5):
        m = run(scratch=tmp_path, chunk=chunk)
        assert isinstance(m.counts, Packed)
        assert isinstance(m.expected, Packed)
        assert same(alone, m)


def test_warnings_that_differ_in_numbers_only_are_told_once_with_how_many() -> None:
    cut = [f"field: a particle of 'dots' is up to {n}.5e-07 m across" for n in range(9)]
    others = ["a particle of 'dots1' is cut", "a particle of 'dots2' is cut", "a particle of 'dots3' is cut"]
    told = recording.condensed([*cut, others[0], *cut, *others[1:]])
    assert told == (f"{cut[0]} (and 8 more warnings like it, with other numbers)", *others)
    assert recording.condensed(cut[:2]) == tuple(cut[:2])


def test_memory_does_not_grow_with_the_number_of_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "IN_MEMORY_BYTES", 1 << 20)
    monkeypatch.setattr(pipeline, "CHUNK_BYTES", 1 << 20)
    peaks = []
    for count in (100, 100, 400):  # the first run also loads what is loaded once
        tracemalloc.start()
        m = run(FakeInstrument(count, shape=(64, 64), frame_bytes=1 << 16), scratch=tmp_path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert m.total_counts == pytest.approx(float(np.sum(m.counts)))
    assert 2 * peaks[1] < 400 * 64 * 64 * 12  # what the arrays of all frames would take
    assert peaks[2] < 1.2 * peaks[1]


@pytest.mark.parametrize("large", [False, True])
def test_counts_are_as_wide_as_the_widest_chunk_of_them(large: bool, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(whole, "IN_MEMORY_BYTES", 100 if large else 1 << 30)
    monkeypatch.setattr(
        PoissonDetector, "read", lambda self, exposure, key: _numbers(exposure.frames.index, exposure.expected.shape)
    )
    found = [run(chunk=chunk, scratch=tmp_path).counts for chunk in (1, 5, 24)]
    for counts in found:
        assert counts.dtype == np.int64
        np.testing.assert_array_equal(counts, _numbers(np.arange(24), (24, 1, 5, 8)))


def _numbers(index: Any, shape: Any) -> Any:
    values = np.broadcast_to(index[:, None, None] ** 8, (len(index), *shape[2:]))
    return values.astype(np.int32 if index.max() < 14 else np.int64)


def test_chunks_keep_within_the_memory_given(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    original = FakePrepared.expose

    def counted(self: FakePrepared, frames: FrameTable) -> object:
        sizes.append(len(frames))
        return original(self, frames)

    monkeypatch.setattr(FakePrepared, "expose", counted)
    run(FakeInstrument(frame_bytes=pipeline.CHUNK_BYTES // 3))
    assert set(sizes) == {3}


def test_progress_ends_with_all_frames_done() -> None:
    seen: list[tuple[int, int]] = []
    run(progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (24, 24)
    assert seen == sorted(seen)


def test_a_pool_needs_a_worker() -> None:
    with pytest.raises(RangeError, match=">= 1"):
        Workers(0)


@pytest.mark.parametrize("order", ["import xsim.simulate; import xsim", "import xsim; xsim.simulate"])
def test_xsim_simulate_can_be_called_whatever_was_imported_first(order: str) -> None:
    code = f"{order}; import inspect as i; print(list(i.signature(xsim.simulate).parameters)[:3])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "['specimen', 'instrument', 'seed']"


def test_simulate_is_the_function_of_its_room() -> None:
    assert "specimen" in inspect.signature(simulate).parameters


def test_a_script_without_a_main_guard_may_use_workers(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f"""
import sys
sys.path[:0] = [{str(Path(__file__).resolve().parents[2])!r}, {str(Path(__file__).parent)!r}]
from fake_instrument import FakeInstrument
import xsim.simulate
print("once")
print(xsim.simulate(None, FakeInstrument(), 3, name="txm", workers=2).counts.sum())
"""
    )
    out = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["once", str(run().counts.sum())]


def test_no_state_is_left_behind_by_workers(tmp_path: Path) -> None:
    with Workers(2, tmp_path) as pool:
        run(workers=pool)
    assert list(tmp_path.iterdir()) == []


def test_an_error_ends_workers_at_once_even_in_the_middle_of_handing_over_a_result(tmp_path: Path) -> None:
    script = tmp_path / "stopped.py"
    script.write_text(
        f"""
import sys, time
sys.path[:0] = [{str(Path(__file__).resolve().parents[2])!r}, {str(Path(__file__).parent)!r}]
from fake_instrument import heavy
from xsim.simulate.pool import Workers

for attempt in range(4):
    try:
        with Workers(2) as pool:
            for number, _ in enumerate(pool.map(heavy, None, list(range(40)))):
                time.sleep(0.02 * attempt)
                if number == attempt:
                    raise KeyError("stop")
    except KeyError:
        print("stopped")
"""
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["stopped"] * 4
