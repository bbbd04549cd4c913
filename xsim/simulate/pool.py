"""Runs one function over many pieces of work, in this process or in a pool, results always in order.

The shared state (a prepared instrument and its detector) is pickled once and unpickled once per process; it
travels through a temporary file (shared memory is often limited to 64 MB in containers, and overflowing it kills the
process), so the pool serves several instruments without being started again.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import wait
from pathlib import Path
from tempfile import mkstemp
from types import ModuleType
from typing import Any

from xsim.errors import RangeError, XsimWarning
from xsim.threads import SHARE

#: libraries that start threads of their own; inside a pool each process is given its share of the machine
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

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
        self._states: set[str] = set()  # files of shared state

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: type[BaseException] | None = None, *_: object) -> None:
        if self._executor is not None:
            if kind is not None:
                _kill(self._executor)
            # the reader of a killed pool fails what is left itself, and stumbles over a piece that was cancelled
            self._executor.shutdown(wait=True, cancel_futures=kind is None)
            self._executor = None
        for path in tuple(self._states):
            self._forget(path)

    def _forget(self, path: str) -> None:
        Path(path).unlink(missing_ok=True)
        self._states.discard(path)

    def map(self, task: Task, state: Any, pieces: list[Any]) -> Iterator[Any]:
        """`task(state, piece)` for every piece, in order; few results wait at any time.

        Other processes begin at once, before the first result is asked for.
        """
        if self.count == 1 or len(pieces) < 2:
            return (task(state, piece) for piece in pieces)
        handle, path = mkstemp(".state", ".xsim-", self.scratch)
        self._states.add(path)
        with os.fdopen(handle, "wb") as file:
            pickle.dump(state, file, protocol=5)
        ahead = 2 * self.count
        waiting = deque(self._submit(task, path, piece) for piece in pieces[:ahead])
        rest = (partial(self._submit, task, path, piece) for piece in pieces[ahead:])
        return _drained(waiting, rest, partial(self._forget, path))

    def _submit(self, task: Task, path: str, piece: Any) -> Future[Any]:
        if self._executor is None:
            self._executor = ProcessPoolExecutor(self.count, get_context("spawn"), initializer=_start)
        share = max(1, (os.cpu_count() or 1) // self.count)
        with _limited_threads(share), _hidden_main():  # any submission may start a process
            return self._executor.submit(_work, task, path, piece)


def _drained(
    waiting: deque[Future[Any]], rest: Iterable[Callable[[], Future[Any]]], end: Callable[[], None]
) -> Iterator[Any]:
    """The results in order; for each one taken, one more piece is handed out. `end` is called at last."""
    try:
        for submit in rest:
            yield waiting.popleft().result()
            waiting.append(submit())
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        error.add_note("a worker process ended by itself: most often the machine is out of memory; try fewer workers")
        raise
    except AttributeError as error:
        if "__main__" in str(error):
            error.add_note("classes of your own that workers need belong in a module that they can import")
        raise
    finally:
        end()


def _kill(executor: ProcessPoolExecutor) -> None:
    """End the processes whatever they are at, and let the thread that reads their results know.

    A process may die in the middle of writing a result. The reader would wait for the rest for ever, for this process
    holds the writing end of the pipe open too: it is closed here.
    """
    processes = list((executor._processes or {}).values())
    for process in processes:
        process.kill()
    if processes:
        wait([process.sentinel for process in processes], timeout=30)
    queue: Any = executor._result_queue
    queue._writer.close()


@contextmanager
def _hidden_main() -> Iterator[None]:
    """Processes started inside do not run the user's script again, which would start processes without end."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _limited_threads(count: int) -> Iterator[None]:
    """Processes started inside inherit these limits, which their libraries read when they load."""
    before = {name: os.environ.get(name) for name in (*_THREADS, SHARE)}
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
