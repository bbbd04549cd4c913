"""Amplitudes from a lattice in q against sums atom by atom and closed forms, at orientations of their own."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from xsim.constants import R_E
from xsim.errors import RangeError, SamplingWarning
from xsim.specimen import turning as ways
from xsim.specimen.atoms import AtomicStructure, atomic_factor
from xsim.specimen.specimen import Specimen
from xsim.specimen.turning import turning

A = 1e-10
MOLECULE = {"kind": "atoms", "file": "structures/2cex.pdb"}
BOX = {"kind": "box", "sides": ["20 nm", "30 nm", "50 nm"]}


def specimen(
    shape: dict, material: str = "protein", layers: tuple = (), at: tuple = ("0 nm", "0 nm", "0 nm")
) -> Specimen:
    placement = {"kind": "at", "positions": [list(at)]}
    population = [{"name": "p", "material": material, "shape": shape, "placement": placement}]
    return Specimen.from_table({"extent": ["300 nm", "300 nm"], "layers": list(layers), "population": population})


def vectors(q_max: float, count: int = 300) -> np.ndarray:
    rng = np.random.default_rng(7)
    q = rng.normal(size=(count, 3))
    return q * (q_max * rng.uniform(0.3, 1, count) / np.linalg.norm(q, axis=1))[:, None]


def rms(wrong: np.ndarray, right: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.abs(wrong - right) ** 2) / np.mean(np.abs(right) ** 2)))


@pytest.mark.parametrize("tolerance", [1e-3, 1e-4])
def test_a_lattice_keeps_its_tolerance_against_a_sum_over_atoms_written_here(tolerance: float) -> None:
    body = turning(specimen(MOLECULE), 8000.0, 0.9 / A, tolerance=tolerance, way="lattice")
    atoms: AtomicStructure = specimen(MOLECULE).populations[0].shape.structure
    turn = Rotation.random(random_state=2).as_matrix()
    q = vectors(0.9 / A)
    placed = atoms.positions @ turn.T
    factors = {s: atomic_factor(s, (q**2).sum(axis=1), 8000.0) for s in atoms.composition}
    direct = np.zeros(len(q), complex)
    for where, symbol, occupancy in zip(placed, atoms.symbols.tolist(), atoms.occupancy, strict=True):
        direct -= R_E * occupancy * factors[symbol] * np.exp(-1j * (q @ where))
    found = rms(body.amplitude(q, turn), direct)
    assert found < tolerance
    assert body.error < tolerance
    assert f"{body.error:.1e}" in body.note()["amplitude"]


@pytest.mark.parametrize(
    ("shape", "material", "layers", "at"),
    [
        (BOX, "gold", (), ("3 nm", "-8 nm", "5 nm")),
        (MOLECULE, "protein", ({"material": "water", "thickness": "80 nm"},), ("2 nm", "0 nm", "1 nm")),
    ],
)
def test_a_lattice_gives_turned_shapes_and_atoms_in_water(shape: dict, material: str, layers: tuple, at: tuple) -> None:
    body = specimen(shape, material, layers, at)
    q_max = 2e9
    lattice = turning(body, 8000.0, q_max, way="lattice")
    turn = Rotation.random(random_state=3).as_matrix()
    q = vectors(q_max)
    assert rms(lattice.amplitude(q, turn), body.amplitude(q @ turn, 8000.0)) < 1e-3


def test_a_scaled_body_is_the_shape_described_larger() -> None:
    small, large = specimen(BOX, "gold"), specimen({"kind": "box", "sides": ["24 nm", "36 nm", "60 nm"]}, "gold")
    turn = Rotation.random(random_state=4).as_matrix()
    q = vectors(1e9)
    right = large.rotated(turn).amplitude(q, 8000.0)
    np.testing.assert_allclose(
        turning(small, 8000.0, 1e9, way="exact").amplitude(q, turn, 1.2), right, rtol=1e-9, atol=1e-22
    )
    lattice = turning(small, 8000.0, 1.2e9, way="lattice")
    assert rms(lattice.amplitude(q, turn, 1.2), right) < 1e-3


def test_the_way_follows_the_work_and_not_the_clock() -> None:
    body = specimen(MOLECULE)
    assert turning(body, 8000.0, 1e10, vectors=1e4).way == "sum"
    assert turning(body, 8000.0, 1e10, vectors=1e9).way == "lattice"
    ball = specimen({"kind": "sphere", "radius": "20 nm"}, "gold")
    assert turning(ball, 8000.0, 1e9, vectors=1e12).way == "closed"
    assert turning(body, 8000.0, 1e10, way="exact").error == 1e-8


def test_bits_do_not_depend_on_how_many_are_asked_for_at_once() -> None:
    body = turning(specimen(MOLECULE), 8000.0, 5e9, way="lattice")
    q, turn = vectors(5e9, 9000), Rotation.random(random_state=5).as_matrix()
    whole = body.amplitude(q, turn)
    assert whole[4097:4099].tobytes() == body.amplitude(q[4097:4099], turn).tobytes()


def test_q_beyond_the_lattice_is_refused_with_its_limit() -> None:
    body = turning(specimen(MOLECULE), 8000.0, 5e9, way="lattice")
    with pytest.raises(RangeError, match=r"allowed.*<= 5\."):
        body.amplitude(vectors(2e10), np.eye(3))


def test_a_lattice_too_large_for_memory_is_told_and_the_sum_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ways, "MEMORY", 1e6)
    with pytest.warns(SamplingWarning, match=r"limit 0\.001 GB"):
        assert turning(specimen(MOLECULE), 8000.0, 5e9, way="lattice").way == "sum"
