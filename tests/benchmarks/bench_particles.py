"""Shots at a molecule of 20 000 atoms on one core, against the direct sum and a type 3 non-uniform FFT. Run this file.

The floor is the least that any way can do: to read as many amplitudes from the same lattice at the nearest node.
"""

import time

import numpy as np
from taking_turns import shortest

from xsim.specimen import lattice, rotations
from xsim.specimen.atoms import ANGSTROM, AtomicStructure
from xsim.threads import use_threads

ATOMS, RADIUS, Q_MAX, ENERGY = 20_000, 40 * ANGSTROM, 1.8 / ANGSTROM, 8e3


def molecule():
    """A ball of the atoms of proteins, 80 Angstrom across."""
    rng = np.random.default_rng(1)
    u = rng.normal(size=(ATOMS, 3))
    u *= (RADIUS * rng.uniform(size=ATOMS) ** (1 / 3) / np.linalg.norm(u, axis=1))[:, None]
    symbols = rng.choice(["C", "N", "O", "S", "H"], size=ATOMS, p=[0.32, 0.09, 0.09, 0.01, 0.49])
    return AtomicStructure(symbols, u, np.ones(ATOMS), np.zeros(ATOMS))


def pattern(side):
    """q (side^2, 3) of a detector that sees up to Q_MAX at its corners, on the Ewald sphere."""
    k = 2 * np.pi * ENERGY / 12398.42 / ANGSTROM
    t = np.linspace(-1, 1, side) * Q_MAX / np.sqrt(2.2)
    x, y = np.meshgrid(t, t)
    return np.stack([x, y, -(x**2 + y**2) / (2 * k)], axis=-1).reshape(-1, 3)


def main(rounds=7):
    """Print set-up, error and milliseconds a frame."""
    atoms, turn = molecule(), rotations.random_rotations(1, np.random.default_rng(2))[0]
    with use_threads(1):
        lattice.build(atoms.scatterers(ENERGY), None, RADIUS, 0.2 * Q_MAX, lattice.Fineness(5, 1.5))  # compiles
        began = time.perf_counter()
        made = lattice.build(atoms.scatterers(ENERGY), None, RADIUS + 3 * ANGSTROM, Q_MAX, lattice.Fineness(5, 1.5))
        print(f"set-up of {made.weights.shape[0]}^3 nodes: {time.perf_counter() - began:.2f} s (target 2)")
        some = pattern(128)[::97]
        exact = atoms.amplitude(some @ turn.T, ENERGY, method="direct")
        wrong = np.abs(made(some, turn) - exact)
        print(f"rms error against the direct sum: {np.sqrt((wrong**2).mean() / (np.abs(exact) ** 2).mean()):.1e}")
        flat = made.weights.ravel()
        for side, target in ((128, 6.0), (512, 80.0)):
            q = pattern(side)
            near = np.random.default_rng(3).integers(0, flat.size, len(q))
            works = {"floor": lambda near=near: flat[near], "lattice": lambda q=q: made(q, turn)}
            best = shortest(works, rounds)
            ratio = best["lattice"] / best["floor"]
            print(f"{side}^2: {best['lattice'] * 1e3:.2f} ms (target {target:g}) = {ratio:.1f} of the floor")
        q = pattern(128) @ turn.T
        best = shortest({"nufft": lambda: atoms.amplitude(q, ENERGY, method="nufft")}, 1)
        print(f"128^2 by type 3 at every orientation: {best['nufft'] * 1e3:.0f} ms")
        best = shortest({"direct": lambda: atoms.amplitude(q[::64], ENERGY, method="direct")}, 1)
        print(f"128^2 by the direct sum: {best['direct'] * 64:.1f} s")


if __name__ == "__main__":
    main()
