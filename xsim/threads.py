"""How many threads may work at once, and work shared out over them.

Plain Python threads run compiled loops that release the interpreter lock: unlike numba's own thread pools they are safe
under fork, under concurrent callers and inside process pools. Jobs are independent and each writes its own part of the
result, so no result depends on the number of threads.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from xsim.errors import RangeError

#: environment variable by which a process pool gives each worker its share of the machine
SHARE = "XSIM_THREADS"

#: kept threads at most; they are started when they are first needed
_MOST = 64

_chosen: ContextVar[int | None] = ContextVar("xsim_threads", default=None)


def thread_count() -> int:
    """Threads to use: as set by `use_threads`, else XSIM_THREADS, else every usable core (one in a pool's process)."""
    chosen = _chosen.get()
    if chosen is not None:
        return chosen
    given = os.environ.get(SHARE, "")
    if given.isdigit() and int(given) > 0:
        return int(given)
    if multiprocessing.parent_process() is not None:
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def use_threads(count: int) -> Iterator[None]:
    """Use `count` threads inside the block; changes no result."""
    if count < 1:
        raise RangeError("number of threads", value=count, allowed=">= 1")
    token = _chosen.set(count)
    try:
        yield
    finally:
        _chosen.reset(token)


def share(task: Callable[..., Any], jobs: Iterable[tuple[Any, ...]], threads: int | None = None) -> None:
    """Call task(*job) for every job on up to `threads` threads (by default `thread_count()`), this one among them."""
    listed = list(jobs)
    count = min(thread_count() if threads is None else threads, len(listed))
    left = iter(listed)  # whoever is free takes the next one; taking from a list's iterator is atomic
    helpers = [_pool().submit(_each, task, left) for _ in range(count - 1)]
    try:
        _each(task, left)
    finally:  # helpers that found no thread to run on are not waited for: what they would do is done
        running = [helper for helper in helpers if not helper.cancel()]
        wait(running)
    for helper in running:
        helper.result()


@cache
def _pool() -> ThreadPoolExecutor:
    """Kept threads: starting new ones for each call costs as much as drawing a hundred particles."""
    return ThreadPoolExecutor(_MOST, thread_name_prefix="xsim")


if hasattr(os, "register_at_fork"):  # a forked process inherits the pool without its threads
    os.register_at_fork(after_in_child=_pool.cache_clear)


@contextmanager
def team(threads: int | None = None) -> Iterator[Callable[[Callable[..., Any], Iterable[tuple[Any, ...]]], None]]:
    """A function like `share` whose threads stay alive inside the block, for many short rounds of jobs."""
    count = thread_count() if threads is None else threads
    if count < 2:
        yield lambda task, jobs: _each(task, iter(jobs))
        return
    with ThreadPoolExecutor(count) as pool:

        def work(task: Callable[..., Any], jobs: Iterable[tuple[Any, ...]]) -> None:
            left = iter(list(jobs))  # whoever is free takes the next one; taking from a list's iterator is atomic
            for future in [pool.submit(_each, task, left) for _ in range(count)]:
                future.result()

        yield work


def _each(task: Callable[..., Any], jobs: Iterator[tuple[Any, ...]]) -> None:
    for job in jobs:
        task(*job)


def spans(length: int, size: int) -> list[tuple[int, int]]:
    """0..length cut into pieces (start, stop) of `size`, the last one shorter."""
    return [(start, min(start + size, length)) for start in range(0, length, size)]
