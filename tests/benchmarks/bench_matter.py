"""Optical constants of a compound at 10^4 energies, against the bare interpolations (the floor). Run this file."""

import time

import numpy as np

from xsim.matter.elements import element
from xsim.matter.library import find
from xsim.matter.lines import fluorescence_lines


def best(work, repeats=20):
    """Shortest wall time of work() [s]."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def main():
    """Print milliseconds and ratios."""
    material = find("dna")
    energies = np.sort(np.random.default_rng(1).uniform(200, 1e5, 10_000))
    tables = [element(symbol) for symbol, _ in material.composition]

    def floor():
        for one in tables:
            for column in (one.f1, one.log_f2):
                np.interp(energies, one.energy, column)

    least = best(floor)
    print(f"{2 * len(tables)} bare interpolations at 10^4 energies: {least * 1e3:.2f} ms")
    for name, values in (("ascending", energies), ("in any order", np.random.default_rng(2).permutation(energies))):
        spent = best(lambda values=values: material.optics(values))
        print(f"optics of {material.name} ({len(tables)} elements), {name}: {spent * 1e3:.2f} ms = {spent / least:.1f}")
    find("hematite").optics(7125.0)
    spent = best(lambda: find("hematite").optics(7000 + 0.1 * np.arange(2000)))
    print(f"optics of hematite at 2000 energies across its measured edge: {spent * 1e3:.2f} ms")
    start = time.perf_counter()
    for i in range(200):
        fluorescence_lines("Au", 12e3 + i)
    print(f"lines of gold at a new energy: {(time.perf_counter() - start) * 5:.2f} ms")


if __name__ == "__main__":
    main()
