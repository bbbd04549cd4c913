"""The Debye sum against the direct sum over pairs, the numerical average, and Scherrer's law for gold of 5 nm."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xsim.constants import R_E
from xsim.interaction.debye import debye_curve
from xsim.interaction.ensemble import cross_section
from xsim.interaction.orientation_average import averages, symmetry
from xsim.specimen.amplitude import copy_amplitude
from xsim.specimen.atoms import atomic_factor
from xsim.specimen.population import Population
from xsim.specimen.specimen import Specimen


def gold_ball(folder: Path, diameter: float) -> np.ndarray:
    """Positions [A] of fcc gold, a = 4.0786 A, within a sphere; written as a PDB file."""
    n = int(diameter / 4.0786) + 2
    cells = np.stack(np.meshgrid(*[np.arange(-n, n + 1)] * 3), axis=-1).reshape(-1, 3)
    basis = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    where = (cells[:, None] + basis).reshape(-1, 3) * 4.0786
    where = where[(where**2).sum(axis=1) <= (diameter / 2) ** 2]
    lines = [
        f"HETATM{k % 99999 + 1:5d} AU   AU  A{k % 9999 + 1:4d}    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00          AU\n"
        for k, (x, y, z) in enumerate(where)
    ]
    (folder / "gold.pdb").write_text("".join(lines) + "END\n")
    return np.round(where, 3)


def population(folder: Path, layers: list[dict[str, str]]) -> Population:
    shape = {"kind": "atoms", "file": str(folder / "gold.pdb"), "density": "19.3 g/cm^3"}
    table = {"extent": ["1 um", "1 um"], "layers": layers,
             "population": [{"name": "p", "material": "gold", "shape": shape}]}  # fmt: skip
    return Specimen.from_table(table, 1).populations[0]


def test_it_is_the_sum_over_all_pairs_with_dispersion(tmp_path: Path) -> None:
    where = gold_ball(tmp_path, 14.0)
    q = np.linspace(1e9, 6e10, 40)
    found, _ = debye_curve(population(tmp_path, []), 11925.0, 6e10)(q)
    r = np.sqrt(((where[:, None] - where[None]) ** 2).sum(-1)) * 1e-10
    f = np.abs(atomic_factor("Au", q**2, 11925.0)) ** 2
    other = [R_E**2 * f[k] * np.sinc(q[k] * r / np.pi).sum() for k in range(len(q))]
    np.testing.assert_allclose(found, other, rtol=1e-5)


def test_it_is_the_average_over_orientations_in_water_too(tmp_path: Path) -> None:
    gold_ball(tmp_path, 14.0)
    one = population(tmp_path, [{"material": "water", "thickness": "100 nm"}])
    amplitude, q = copy_amplitude(one, 12e3), np.linspace(1e8, 3.5e10, 12)
    other, mean = averages(amplitude, one.shape.radius, q, symmetry(amplitude, one.shape.radius))
    square, first = debye_curve(one, 12e3, 3.5e10)(q)
    np.testing.assert_allclose(square, other, rtol=2e-5)
    np.testing.assert_allclose(first, mean, rtol=1e-5, atol=1e-6 * abs(first[0]))


def test_rings_of_5_nm_gold_lie_at_its_lattice_and_are_as_wide_as_scherrer_says(tmp_path: Path) -> None:
    gold_ball(tmp_path, 50.0)
    q = np.linspace(4.0e10, 4.9e10, 181)
    curve, _ = debye_curve(population(tmp_path, []), 20e3, 5e10)(q)
    curve = curve / np.abs(atomic_factor("Au", q**2, 20e3)) ** 2
    top = np.argmax(curve[(q > 4.2e10) & (q < 4.6e10)]) + np.flatnonzero(q > 4.2e10)[0]
    half = curve > curve[top] / 2
    upper = q[top:][~half[top:]][0]
    lower = q[:top][~half[:top]][-1]
    assert q[top] == pytest.approx(2 * np.pi * np.sqrt(8) / 4.0786e-10, rel=4e-3)  # (220), clear of its neighbours
    assert (upper - lower) == pytest.approx(1.107 * 2 * np.pi / 5.0e-9, rel=0.08)  # a sphere's Scherrer constant


def test_the_ensemble_takes_atoms_by_their_debye_sum(tmp_path: Path) -> None:
    gold_ball(tmp_path, 14.0)
    one, q = population(tmp_path, []), np.linspace(1e8, 6e10, 300)
    body = Specimen(populations=(one,))
    table = cross_section(body, (one,), q, 12e3)
    np.testing.assert_allclose(table, debye_curve(one, 12e3, 6e10)(q)[0], rtol=1e-4)
