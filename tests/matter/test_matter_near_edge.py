"""Measured near edges: the fit, the splice, the Kramers-Kronig partner, and files that are wrong."""

from __future__ import annotations

import numpy as np
import pytest

from xsim.errors import FileError
from xsim.matter import library, xdi
from xsim.matter.elements import element
from xsim.matter.near_edge import NearEdge, correction, rebinned
from xsim.resources import data_dir

MEASURED = [
    "iron", "wustite", "hematite", "goethite", "ferrihydrite", "gold", "gold_chloride", "gold_sulphide",
    "gold_thiosulphate",
]  # fmt: skip
#: steepest rise relative to the tabulated edge [eV], read off the files with the shift of the iron foil
STEEPEST = {
    "hematite": 15.0,
    "goethite": 16.5,
    "ferrihydrite": 15.2,
    "gold": 0.9,
    "gold_sulphide": 1.3,
    "gold_thiosulphate": 1.8,
}


def _near(name):
    return library.find(name).near_edges[0]


@pytest.mark.parametrize("name", MEASURED)
def test_far_from_the_edge_nothing_changes_and_inside_f2_stays_positive(name):
    near = _near(name)
    change, edge = correction(near), element(near.element).edges[near.edge]
    away = np.array([0.3 * edge, edge - 31, edge + 351, 3 * edge])
    np.testing.assert_array_equal(change(away)[1], 0.0)
    assert np.abs(change(np.array([0.3 * edge, 3 * edge]))[0]).max() < 0.1
    inside = np.arange(edge - 40, edge + 400, 0.1)
    assert library.find(name).factors(near.element, inside)[1].min() > 0
    assert change.residual < 0.05


@pytest.mark.parametrize("name", STEEPEST)
def test_the_edge_lies_where_the_file_has_it(name):
    near = _near(name)
    energy = element(near.element).edges[near.edge] + np.arange(-25, 40, 0.05)
    _, f2 = library.find(name).factors(near.element, energy)
    steepest = energy[np.argmax(np.gradient(f2))] - element(near.element).edges[near.edge]
    assert steepest == pytest.approx(STEEPEST[name], abs=0.6)


def test_the_first_inflection_of_the_iron_foil_is_at_7112():
    energy = np.arange(7100.0, 7118.0, 0.05)
    _, f2 = library.find("iron").factors("Fe", energy)
    assert energy[np.argmax(np.gradient(f2))] == pytest.approx(7112.0, abs=0.5)


@pytest.mark.parametrize("name", ["hematite", "gold_chloride"])
def test_f1_of_the_near_edge_is_the_transform_of_its_f2(name):
    """A Maclaurin sum on a uniform grid (Ohta & Ishida, doi 10.1366/0003702884430380), independent of ours."""
    near = _near(name)
    edge, step = element(near.element).edges[near.edge], 0.02
    grid = np.arange(edge - 60, edge + 400, step)
    more1, more2 = correction(near)(grid)
    for place in (1501, 2501, 3301, 4501, 12001):
        odd = np.arange((place + 1) % 2, len(grid), 2)
        kernel = grid[odd] * more2[odd] / (grid[place] ** 2 - grid[odd] ** 2)
        assert more1[place] == pytest.approx(2 / np.pi * 2 * step * kernel.sum(), abs=0.03)


def test_delta_and_beta_of_one_material_carry_the_same_edge():
    """Independent of all tables: the step in f2 and the dip of f1 obey the sum over the difference of two materials."""
    energy = np.arange(7000.0, 7400.0, 0.5)
    hematite, iron = library.find("hematite"), library.find("iron")
    d1 = hematite.factors("Fe", energy)[0] - iron.factors("Fe", energy)[0]
    assert energy[np.argmin(hematite.factors("Fe", energy)[0])] - energy[np.argmin(iron.factors("Fe", energy)[0])] > 4
    assert np.abs(d1).max() > 1
    assert np.abs(d1[[0, -1]]).max() < 0.3


def test_the_white_line_of_hematite_stands_above_its_step():
    energy = np.arange(7080.0, 7500.0, 0.2)
    _, f2 = library.find("hematite").factors("Fe", energy)
    assert f2.max() / f2[-1] == pytest.approx(1.6, abs=0.08)
    assert 7127 < energy[np.argmax(f2)] < 7135


def test_a_scaled_and_sloping_spectrum_gives_the_same_constants(tmp_path):
    source = data_dir("materials") / "xas" / "goethite.xdi"
    lines = []
    for line in source.read_text().splitlines():
        if not line.startswith("#"):
            e, mu = (float(word) for word in line.split())
            line = f"{e} {7 * mu + 3 - 2e-4 * (e - 7000):.12g}"
        lines.append(line)
    path = tmp_path / "other.xdi"
    path.write_text("\n".join(lines))
    energy = np.arange(7090.0, 7200.0, 1.0)
    ours = correction(_near("goethite"))(energy)
    other = correction(NearEdge("Fe", "K", str(path)))(energy)
    np.testing.assert_allclose(other, ours, atol=1e-6)


def test_rebinning_averages_fine_steps_and_keeps_coarse_ones():
    fine = np.arange(0, 3, 0.01)
    energy, mu = rebinned(fine, fine**2, 0.3)
    assert len(energy) in (10, 11)
    np.testing.assert_allclose(mu, energy**2, atol=0.01)
    coarse = np.arange(0, 10, 0.5)
    np.testing.assert_array_equal(rebinned(coarse, coarse, 0.3)[0], coarse)


def test_repeated_look_ups_use_the_same_correction():
    assert correction(_near("hematite")) is correction(_near("hematite"))


GOOD = "# XDI/1.0\n# Element.symbol: Fe\n# Element.edge: K\n# Column.1: energy eV\n# Column.2: xmu\n#---\n"
ROWS = "\n".join(f"{7000 + i} {i}" for i in range(30))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("energy,mu\n1,2", "not an XDI file"),
        (GOOD.replace("# Element.edge: K\n", "") + ROWS, "element.edge"),
        (GOOD.replace("xmu", "counts") + ROWS, "no column"),
        (GOOD.replace("energy eV", "energy nm") + ROWS, "unit of the energy"),
        (GOOD + ROWS + "\n7100 abc", ":37: 7100 abc"),
        (GOOD + ROWS + "\n7100", "missing or infinite"),
        (GOOD + ROWS + "\n7100 nan", "missing or infinite"),
        (GOOD + "7000 1", "too few rows"),
    ],
)
def test_wrong_spectra_are_refused_with_the_reason(tmp_path, text, says):
    path = tmp_path / "x.xdi"
    path.write_text(text)
    with pytest.raises(FileError, match=says) as caught:
        xdi.read(path)
    assert "x.xdi" in str(caught.value)


def test_a_missing_short_or_foreign_spectrum_is_refused(tmp_path):
    with pytest.raises(FileError, match="cannot read"):
        correction(NearEdge("Fe", "K", str(tmp_path / "none.xdi")))
    with pytest.raises(FileError, match="another edge"):
        correction(NearEdge("Au", "L3", "xas/hematite.xdi"))
    path = tmp_path / "short.xdi"
    path.write_text(GOOD + ROWS)
    with pytest.raises(FileError, match="too short"):
        correction(NearEdge("Fe", "K", str(path)))


def test_kev_columns_are_read_as_ev(tmp_path):
    path = tmp_path / "kev.xdi"
    path.write_text(GOOD.replace("energy eV", "energy keV") + "\n".join(f"{7 + i / 1e3} {i}" for i in range(30)))
    assert xdi.read(path).energy[-1] == pytest.approx(7029.0)
