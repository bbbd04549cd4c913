"""Wall times of several works that take turns, so that other load cancels."""

import time
from collections.abc import Callable

import numpy as np


def shortest(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The shortest wall time [s] of each work in so many rounds."""
    found = dict.fromkeys(works, np.inf)
    for _ in range(rounds):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            found[name] = min(found[name], time.perf_counter() - start)
    return found
