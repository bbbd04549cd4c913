"""The shell of bound water: its volume, its contrast in vacuum and in water, and that lattices hold it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from xsim.matter import library
from xsim.specimen.hydration import ATOM, PITCH, shell_points
from xsim.specimen.specimen import Specimen
from xsim.specimen.turning import turning
from xsim.units import quantity

A = 1e-10


def molecule(wet: bool, layers: tuple = (), **shell: str) -> Specimen:
    shape = {"kind": "atoms", "file": "structures/2cex.pdb"} | ({"hydration": shell} if wet else {})
    placement = {"kind": "at", "positions": [["0 nm"] * 3]}
    population = [{"name": "p", "material": "protein", "shape": shape, "placement": placement}]
    return Specimen.from_table({"extent": ["90 nm", "90 nm"], "layers": list(layers), "population": population})


def test_the_shell_of_one_atom_is_a_shell_of_a_ball() -> None:
    points = shell_points(np.zeros((1, 3)), 3e-10)
    outer = ATOM + 3e-10
    assert len(points) * PITCH**3 == pytest.approx(4 / 3 * np.pi * (outer**3 - ATOM**3), rel=0.05)
    assert np.linalg.norm(points, axis=1).max() <= outer


def test_clefts_that_water_does_not_enter_stay_dry() -> None:
    pair = np.array([[-2.1, 0, 0], [2.1, 0, 0]]) * A  # a gap of 0.8 Angstrom between the surfaces
    points = shell_points(pair, 3e-10)
    assert not (np.linalg.norm(points, axis=1) < 0.5 * A).any()
    apart = shell_points(pair * 4, 3e-10)
    assert len(apart) == pytest.approx(2 * len(shell_points(np.zeros((1, 3)), 3e-10)), rel=0.1)


def test_forward_scattering_is_raised_by_the_electrons_of_the_shell_and_in_water_by_the_excess() -> None:
    zero = np.zeros((1, 3))
    where = shell_points(molecule(False).populations[0].shape.structure.positions, 3e-10)
    volume = len(where) * PITCH**3
    k = 2 * np.pi * 8e3 / 1.23984198433e-6

    def per_volume(density: float) -> complex:
        o = library.find("water", density=quantity(density, "kg/m^3")).optics(8e3)
        return complex(k**2 / (2 * np.pi) * (-o.delta + 1j * o.beta))

    dry, wet = (molecule(w).amplitude(zero, 8e3)[0] for w in (False, True))
    assert wet - dry == pytest.approx(volume * per_volume(1100.0), rel=1e-6)
    water = ({"material": "water", "thickness": "60 nm"},)
    dry, wet = (molecule(w, water).amplitude(zero, 8e3)[0] for w in (False, True))
    assert wet - dry == pytest.approx(volume * (per_volume(1100.0) - per_volume(997.0)), rel=1e-4)


def test_a_lattice_holds_the_shell_and_it_widens_the_molecule() -> None:
    wet, turn = molecule(True, density="1.5 g/cm^3"), Rotation.random(random_state=1).as_matrix()
    q = np.random.default_rng(2).normal(size=(200, 3)) * 0.15 / A
    lattice = turning(wet, 8e3, 1.0 / A, way="lattice")
    right = wet.rotated(turn).amplitude(q, 8e3)
    assert np.sqrt(np.mean(np.abs(lattice.amplitude(q, turn) - right) ** 2) / np.mean(np.abs(right) ** 2)) < 1e-3
    u = Rotation.random(100, random_state=3).apply([0, 0, 1.0]) * 0.02 / A

    def guinier(body: Specimen) -> float:
        i = [np.mean(np.abs(body.amplitude(s * u, 8e3)) ** 2) for s in (1e-3, 1.0)]
        return float(np.sqrt(-3 * np.log(i[1] / i[0])) / 0.02)

    assert 0.5 < guinier(wet) - guinier(molecule(False)) < 3  # Angstrom
