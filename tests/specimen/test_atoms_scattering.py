"""Atoms from structure files: what is read, and what they scatter against independent sums and data."""

from __future__ import annotations

from pathlib import Path

import gemmi
import numpy as np
import pytest
from pydantic import ValidationError
from scipy.spatial.transform import Rotation

from xsim.constants import R_E
from xsim.errors import FileError, RangeError, UnknownNameError, ValidityWarning
from xsim.matter import library
from xsim.matter.material import Material
from xsim.resources import data_dir
from xsim.specimen.atoms import AtomicStructure, Selection, atomic_factor
from xsim.specimen.shapes.atoms import Atoms
from xsim.specimen.specimen import Specimen

FOLDER = data_dir("scenarios") / "structures"
A = 1e-10

DIPEPTIDE = """\
CRYST1   50.000   50.000   50.000  90.00  90.00  90.00 P 1           1
ATOM      1  N   ALA A   1       1.000   2.000   3.000  1.00 10.00           N
ATOM      2  CA  ALA A   1       2.400   2.100   3.100  1.00 10.00           C
ATOM      3  C   ALA A   1       3.100   0.800   3.300  1.00 20.00           C
ATOM      4  O   ALA A   1       2.500  -0.300   3.400  1.00 10.00           O
ATOM      5  CB AALA A   1       2.900   3.000   4.200  0.60 10.00           C
ATOM      6  CB BALA A   1       2.900   3.200   2.100  0.40 10.00           C
ATOM      7  N   GLY A   2       4.400   0.900   3.300  1.00 10.00           N
ATOM      8  CA  GLY A   2       5.200  -0.300   3.500  1.00 10.00           C
ATOM      9  C   GLY A   2       6.700   0.000   3.500  1.00 10.00           C
ATOM     10  O   GLY A   2       7.100   1.200   3.400  1.00 10.00           O
HETATM   11  O   HOH A   3      12.000  12.000  12.000  1.00 30.00           O
END
"""


@pytest.fixture
def dipeptide(tmp_path: Path) -> Path:
    path = tmp_path / "ala-gly.pdb"
    path.write_text(DIPEPTIDE)
    return path


def small(count: int = 40) -> AtomicStructure:
    rng = np.random.default_rng(1)
    symbols = np.array(["C", "N", "O", "S", "Fe"])[rng.integers(0, 5, count)]
    return AtomicStructure(
        symbols, rng.normal(size=(count, 3)) * 5 * A, rng.uniform(0.5, 1, count), np.full(count, A**2)
    )


def test_atoms_as_listed_without_waters_and_with_every_conformation(dipeptide: Path) -> None:
    atoms = AtomicStructure.from_file(dipeptide)
    assert atoms.composition == pytest.approx({"C": 5.0, "N": 2.0, "O": 2.0})
    wet = AtomicStructure.from_file(dipeptide, Selection(waters=True))
    assert wet.composition["O"] == 3
    np.testing.assert_allclose(np.average(atoms.positions, axis=0, weights=atoms.masses), 0, atol=1e-20)


def test_counted_hydrogens_are_those_of_the_residues_in_a_chain(dipeptide: Path) -> None:
    """Alanine C3H7NO2 and glycine C2H5NO2 less a water each: 5 and 3 hydrogens."""
    atoms = AtomicStructure.from_file(dipeptide, Selection(hydrogens="counted"))
    assert atoms.composition["H"] == pytest.approx(8)
    assert atoms.composition["C"] == pytest.approx(5)


def test_an_assembly_is_its_copies_of_the_chains() -> None:
    one = AtomicStructure.from_file(FOLDER / "1ei7.pdb")
    disk = AtomicStructure.from_file(FOLDER / "1ei7.pdb", Selection(assembly="1"))
    assert disk.electrons == pytest.approx(34 * one.electrons)
    assert 8e-9 < disk.radius < 11e-9  # the four-layer disk is about 18 nm across


def test_mmcif_gives_the_atoms_of_pdb(dipeptide: Path, tmp_path: Path) -> None:
    structure = gemmi.read_structure(str(dipeptide))
    structure.setup_entities()
    (tmp_path / "same.cif").write_text(structure.make_mmcif_document().as_string())
    a, b = AtomicStructure.from_file(dipeptide), AtomicStructure.from_file(tmp_path / "same.cif")
    assert a.composition == pytest.approx(b.composition)
    np.testing.assert_allclose(a.positions, b.positions, atol=1e-13)


def test_forward_scattering_is_that_of_the_material_of_the_same_atoms() -> None:
    """f(0) = k^2/2pi (-delta + i beta) V: atoms and materials share one table; f0(0) - Z of the fit is the rest."""
    shape = Atoms.example()
    atoms = shape.structure
    composition = tuple(atoms.composition.items())
    material = Material.build("these atoms", composition, shape.density)
    for energy in (700.0, 7200.0, 12_000.0):
        optics = material.optics(energy)
        k = 2 * np.pi * energy / 1.23984198433e-6
        expected = k**2 / (2 * np.pi) * (-optics.delta + 1j * optics.beta) * shape.volume
        value = atoms.amplitude(np.zeros(3), energy)
        assert value.imag == pytest.approx(expected.imag, rel=1e-9)
        assert value.real == pytest.approx(expected.real, rel=2e-4)


def test_orientation_average_is_the_debye_sum() -> None:
    atoms, energy = small(), 9000.0
    u, weight = np.polynomial.legendre.leggauss(40)
    phi = np.arange(80) * 2 * np.pi / 80
    s = np.sqrt(1 - u**2)
    directions = np.stack([np.outer(s, np.cos(phi)), np.outer(s, np.sin(phi)), np.outer(u, np.ones(80))], axis=-1)
    distance = np.linalg.norm(atoms.positions[:, None] - atoms.positions[None], axis=2)
    for q in np.array([0.1, 0.7, 1.4]) / A:
        average = (np.abs(atoms.amplitude(q * directions, energy)) ** 2).mean(axis=1) @ weight / 2
        factor = {s: complex(atomic_factor(s, np.array(q * q), energy)) for s in atoms.composition}
        f = np.array([factor[s] for s in atoms.symbols.tolist()]) * atoms.occupancy
        debye = np.real(np.einsum("i,j,ij->", f, f.conj(), np.sinc(q * distance / np.pi)))
        assert average == pytest.approx(R_E**2 * debye, rel=1e-8)


@pytest.mark.parametrize("symbol", ["H", "C", "N", "O", "S", "Fe", "Au"])
def test_form_factors_agree_with_an_independent_table(symbol: str) -> None:
    xraylib = pytest.importorskip("xraylib")
    z = xraylib.SymbolToAtomicNumber(symbol)
    for x in (0.0, 0.1, 0.3, 0.8, 1.5):  # sin(theta)/lambda [1/A]
        q = 4 * np.pi * x / A
        ours = atomic_factor(symbol, np.array(q * q), 8000.0) - atomic_factor(symbol, np.array(0.0), 8000.0)
        # xraylib interpolates tables for free atoms; hydrogen in the International Tables is the bonded one
        tolerance = 0.02 * z + (0.1 if symbol == "H" else 0.0)
        assert abs(ours.real - (xraylib.FF_Rayl(z, x) - z)) < tolerance
        assert ours.imag == pytest.approx(0, abs=1e-12)


def test_absorption_gives_a_positive_imaginary_amplitude_and_a_step_at_the_iron_edge() -> None:
    iron = AtomicStructure(np.array(["Fe"]), np.zeros((1, 3)), np.ones(1), np.zeros(1))
    below, above = (iron.amplitude(np.zeros(3), e) for e in (7050.0, 7200.0))
    assert 0 < below.imag < above.imag / 5
    assert above.imag / R_E == pytest.approx(3.9, abs=0.3)  # f2 of iron just above its K edge
    assert below.real < 0


@pytest.mark.parametrize("name", ["2cex.pdb", "1ei7.pdb"])
def test_nufft_equals_the_direct_sum(name: str) -> None:
    atoms = AtomicStructure.from_file(FOLDER / name)
    q = np.random.default_rng(2).normal(size=(300, 3)) * 0.8 / A
    direct = atoms.amplitude(q, 8000.0, method="direct")
    fast = atoms.amplitude(q, 8000.0, method="nufft")
    assert np.sqrt(np.mean(np.abs(fast - direct) ** 2) / np.mean(np.abs(direct) ** 2)) < 1e-7


def test_b_factors_damp_as_debye_and_waller_say() -> None:
    atoms = small()
    q = np.array([[1.1 / A, 0.3 / A, 0.0]])
    damped = atoms.amplitude(q, 8000.0, b=True)
    assert damped == pytest.approx(atoms.amplitude(q, 8000.0) * np.exp(-1.0 * 1.3 / (16 * np.pi**2)), rel=1e-12)


def test_beyond_the_fit_there_is_a_warning() -> None:
    with pytest.warns(ValidityWarning, match="limit 25"):
        small().amplitude(np.array([[26 / A, 0, 0]]), 80_000.0)


def test_wrong_files_and_selections_are_refused(tmp_path: Path, dipeptide: Path) -> None:
    with pytest.raises(FileError, match="no such file"):
        AtomicStructure.from_file(tmp_path / "none.pdb")
    (tmp_path / "junk.pdb").write_text("nothing here\n")
    with pytest.raises(FileError):
        AtomicStructure.from_file(tmp_path / "junk.pdb")
    with pytest.raises(UnknownNameError, match="unknown assembly"):
        AtomicStructure.from_file(FOLDER / "1ei7.pdb", Selection(assembly="7"))
    with pytest.raises(ValidationError, match="no such file"):
        Atoms(file="nowhere.pdb")


def specimen(layers: list[dict[str, str]], **more: object) -> Specimen:
    population = {
        "name": "protein",
        "material": "protein",
        "shape": {"kind": "atoms", "file": "structures/2cex.pdb"},
        "placement": {"kind": "at", "positions": [["0 nm", "0 nm", "0 nm"]]},
        **more,
    }
    return Specimen.from_table({"extent": ["40 nm", "40 nm"], "layers": layers, "population": [population]})


def test_a_specimen_of_atoms_scatters_as_its_atoms_under_any_rotation() -> None:
    one = specimen([])
    q = np.random.default_rng(3).normal(size=(50, 3)) * 0.2 / A
    atoms = AtomicStructure.from_file(FOLDER / "2cex.pdb")
    np.testing.assert_allclose(one.amplitude(q, 8000.0), atoms.amplitude(q, 8000.0), rtol=1e-7)
    turn = Rotation.random(random_state=3).as_matrix()
    turned = one.rotated(turn).amplitude(q, 8000.0)
    np.testing.assert_allclose(turned, atoms.amplitude(q @ turn, 8000.0), rtol=1e-6, atol=1e-9 * R_E * atoms.electrons)


def test_water_around_the_atoms_is_taken_off_by_their_volume() -> None:
    water = library.find("water")
    wet, dry = specimen([{"material": "water", "thickness": "30 nm"}]), specimen([])
    optics = water.optics(8000.0)
    k = 2 * np.pi * 8000.0 / 1.23984198433e-6
    displaced = k**2 / (2 * np.pi) * (-optics.delta + 1j * optics.beta) * Atoms.example().volume
    zero = np.zeros((1, 3))
    difference = dry.amplitude(zero, 8000.0) - wet.amplitude(zero, 8000.0)
    assert difference[0] == pytest.approx(displaced, rel=1e-9)


def test_atoms_cannot_be_scaled() -> None:
    odd = specimen([], size={"distribution": "list", "scales": [1.1]})
    with pytest.raises(RangeError, match="cannot be scaled"):
        odd.amplitude(np.zeros((1, 3)), 8000.0)
