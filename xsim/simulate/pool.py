"""Runs one function over many pieces of work, in this process or in a pool, results always in order.

The shared state (a prepared instrument and its detector) is pickled once and unpickled once per process; it
travels through a temporary file (shared memory is often limited to 64 MB in containers, and overflowing it kills the
process), so the pool serves several instruments without being started again.
"""

from __future__ import annotations

import os
import pickle
import signal
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from xsim.errors import RangeError, XsimWarning

#: libraries that start threads of their own; inside a pool each process is given its share of the machine
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_SHARE = "XSIM_THREADS"

Task = Callable[[Any, Any], Any]  # (state, piece) -> result


class Workers:
    """`count` processes, started at the first piece of work that needs them; a context manager.

    With a count of 1 everything runs in this process. `scratch` is where shared state is kept while it is needed (the
    system's temporary folder if None).
    """

    def __init__(self, count: int = 1, scratch: Path | None = None):
        if count < 1:
            raise RangeError("number of workers", field="workers", value=count, allowed=">= 1", cure="give 1 or more")
        self.count = count
        self.scratch = scratch
        self._executor: ProcessPoolExecutor | None = None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
            self._executor = None

    def map(self, task: Task, state: Any, pieces: list[Any]) -> Iterator[Any]:
        """`task(state, piece)` for every piece, in order; few results wait at any time."""
        if self.count == 1 or len(pieces) < 2:
            for piece in pieces:
                yield task(state, piece)
            return
        with NamedTemporaryFile(prefix=".xsim-", suffix=".state", dir=self.scratch) as file:
            pickle.dump(state, file, protocol=5)
            file.flush()
            yield from self._ordered(task, file.name, pieces)

    def _ordered(self, task: Task, path: str, pieces: Iterable[Any]) -> Iterator[Any]:
        waiting: deque[Future[Any]] = deque()
        try:
            for piece in pieces:
                waiting.append(self._submit(task, path, piece))
                if len(waiting) > 2 * self.count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            error.add_note("a worker process ended: out of memory, or a script that starts one outside __main__")
            raise
        finally:
            for future in waiting:
                future.cancel()

    def _submit(self, task: Task, path: str, piece: Any) -> Future[Any]:
        if self._executor is None:
            self._executor = ProcessPoolExecutor(self.count, get_context("spawn"), initializer=_start)
            with _limited_threads(max(1, (os.cpu_count() or 1) // self.count)):
                return self._executor.submit(_work, task, path, piece)  # the processes start here
        return self._executor.submit(_work, task, path, piece)


@contextmanager
def _limited_threads(count: int) -> Iterator[None]:
    """Processes started inside inherit these limits, which their libraries read when they load."""
    before = {name: os.environ.get(name) for name in (*_THREADS, _SHARE)}
    os.environ.update(dict.fromkeys(before, str(count)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _start() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent answers Ctrl-C and stops us
    warnings.simplefilter("ignore", XsimWarning)  # they travel home with the results and are given there


_current: tuple[str, Any] = ("", None)


def _work(task: Task, path: str, piece: Any) -> Any:
    global _current
    if _current[0] != path:
        _current = ("", None)  # let go of the last instrument before loading the next
        with open(path, "rb") as file:
            _current = (path, pickle.load(file))
    return task(_current[1], piece)
