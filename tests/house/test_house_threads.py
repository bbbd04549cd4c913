"""Work shared out over kept threads."""

from __future__ import annotations

import multiprocessing
import threading

import pytest

from xsim.threads import share, use_threads


def doubled(count: int) -> list[int]:
    out = [0] * count

    def work(n: int) -> None:
        out[n] = 2 * n

    with use_threads(3):
        share(work, [(n,) for n in range(count)])
    return out


def test_every_job_is_done_once():
    done: list[int] = []
    share(done.append, [(n,) for n in range(100)], 4)
    assert sorted(done) == list(range(100))


def test_threads_are_kept_from_call_to_call():
    share(lambda n: threading.Event().wait(0.01), [(n,) for n in range(8)], 4)
    before = threading.active_count()
    for _ in range(20):
        share(lambda n: threading.Event().wait(0.0005), [(n,) for n in range(8)], 4)
    assert threading.active_count() <= before


def test_shared_work_may_share_out_its_own_work():
    out: list[list[int]] = []
    share(lambda n: out.append(doubled(n)), [(n,) for n in range(40)], 8)
    assert sorted(out) == [[2 * k for k in range(n)] for n in range(40)]


def test_mistakes_of_helpers_are_told():
    barrier = threading.Barrier(2, timeout=20)

    def work(n: int) -> None:
        barrier.wait()
        if threading.current_thread() is not threading.main_thread():
            raise ValueError("helper")

    with pytest.raises(ValueError, match="helper"):
        share(work, [(0,), (1,)], 2)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own():
    doubled(50)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(doubled, (50,)).get(timeout=60) == [2 * n for n in range(50)]
